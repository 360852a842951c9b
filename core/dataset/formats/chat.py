"""Conversations: messages (role, content), ShareGPT (from, value) and Gemini (contents, parts)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.dataset.formats.base import TURN_OPTIONS, Format, FormatField, text_of
from core.dataset.formats.calls import read_tools
from core.dataset.formats.decode import decoded
from core.dataset.formats.loss_flags import TurnLoss, flag_number, row_losses
from core.dataset.formats.parts import read_content
from core.dataset.formats.turns import CONTENT_KEY, ROLE_KEY, ROLES, TurnNames, is_turns, read_turns, turns_in
from core.dataset.records import Unreadable
from core.dataset.sample import Message, Sample

TOOLS = FormatField("tools", ("tools", "functions"), required=False)
SYSTEM = FormatField("system", ("system", "system_prompt", "system_message"), required=False)
LOSS = FormatField(
    "loss",
    (
        "loss_mask", "loss_masks", "train_mask", "mask", "trainable", "train", "training", "loss_weights",
        "loss_weight", "weights", "weight",
    ),
    required=False,
)  # fmt: skip
"""Which turns carry loss, said once for a row: 0 or 1, or one for each turn."""


_HELD = {"parts", "content"}


class _Conversation(Format):
    kind = "messages"
    options = TURN_OPTIONS
    role_key: str
    content_key: str

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether the column holds a list of turns with this format's keys."""
        keys = columns.get(ROLE_KEY, self.role_key), columns.get(CONTENT_KEY, self.content_key)
        return is_turns(row.get(columns["messages"]), keys=keys)

    def refine(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, str]:
        """Without a column for the loss that holds something else."""
        return without_other_loss(rows, columns)

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """The conversation with its tools and system prompt."""
        turns = read_turns(row.get(columns["messages"]), TurnNames.of(columns), losses_of(row, columns))
        return Sample("messages", messages=with_system(turns, row, columns), tools=tools_of(row, columns))

    def reason(self, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]] = ()) -> str:
        """Which column and which keys, where these are not the usual ones."""
        keys = columns.get(ROLE_KEY, self.role_key), columns.get(CONTENT_KEY, self.content_key)
        column = columns["messages"]
        said = [] if column == self.fields[0].spellings[0] else [f"column `{column}`"]
        if keys != (self.role_key, self.content_key):
            said.append(f"turns with `{keys[0]}` and `{keys[1]}`")
        return ", ".join(said)


class Messages(_Conversation):
    """Turns with `role` and `content`, the form of chat templates and of the services' APIs."""

    name = "messages"
    title = "messages (role, content)"
    role_key, content_key = "role", "content"
    fields = (
        FormatField("messages", ("messages", "conversation", "conversations", "chat", "dialogue", "dialog")),
        SYSTEM,
        TOOLS,
        LOSS,
    )


class ShareGpt(_Conversation):
    """Turns with `from` and `value`; function calls and observations are separate turns."""

    name = "sharegpt"
    title = "ShareGPT (from, value)"
    role_key, content_key = "from", "value"
    fields = (
        FormatField("messages", ("conversations", "conversation", "messages", "items", "dialogue", "dialog")),
        SYSTEM,
        TOOLS,
        LOSS,
    )


class Gemini(_Conversation):
    """Turns with `role` and `parts` under `contents`, the form of Gemini's API and of its tuning files."""

    name = "gemini"
    title = "Gemini (contents, parts)"
    role_key, content_key = "role", "parts"
    fields = (
        FormatField("messages", ("contents",)),
        FormatField("system", ("systeminstruction", "system_instruction", "system"), required=False),
        TOOLS,
        LOSS,
    )

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether the turns have parts; a single turn may lack the role."""
        turns = turns_in(row.get(columns["messages"]))
        return bool(turns) and isinstance(turns[0], dict) and "parts" in turns[0]

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """As of other conversations; turns without a role are the user's, as the API has it."""
        turns = turns_in(row.get(columns["messages"]))
        if isinstance(turns, list):
            spoken = [{"role": "user", **turn} if isinstance(turn, dict) else turn for turn in turns]
            row = {**row, columns["messages"]: spoken}
        return super().build(row, columns)


def losses_of(
    row: Mapping[str, Any], columns: Mapping[str, str]
) -> Callable[[Sequence[Any], Sequence[bool]], list[TurnLoss]] | None:
    """What the row says of the loss of its turns, for `read_turns`; None where it says nothing."""
    column = columns.get("loss")
    value = None if column is None else row.get(column)
    if column is None or value is None:
        return None
    named = column
    return lambda turns, answers: row_losses(value, turns, answers, named)


def without_other_loss(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, str]:
    """A mapping without `loss` where the first rows show that its column is about something else."""
    column = columns.get("loss")
    if column is None or all(_says_loss(row.get(column)) for row in rows):
        return dict(columns)
    return {name: each for name, each in columns.items() if name != "loss"}


def _says_loss(value: Any) -> bool:
    if value is None or isinstance(value, list) or (isinstance(value, str) and value.lstrip().startswith("[")):
        return True
    number = flag_number(value)
    if number is None:
        return isinstance(value, str) and value.strip().lower() in ROLES
    return 0 <= number <= 1


def with_loss(messages: tuple[Message, ...], row: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[Message, ...]:
    """One exchange with the loss that the row says of it: with 0 the answer, the last turn, has none."""
    said = losses_of(row, columns) if "loss" in columns else None
    if said is None:
        return messages
    weight = said(messages[-1:], [True])[-1].weight
    if weight == 1:
        return messages
    return (*messages[:-1], replace(messages[-1], trained=weight != 0, weight=weight or 1.0))


def with_system(
    messages: tuple[Message, ...], row: Mapping[str, Any], columns: Mapping[str, str]
) -> tuple[Message, ...]:
    """The conversation with the system prompt from its column in front, unless it has one already."""
    column = columns.get("system")
    parts = _system_parts(None if column is None else row.get(column))
    system = text_of(row, columns, "system", required=False) if parts is None else read_content(parts).text
    if system.strip() and (not messages or messages[0].role != "system"):
        return (Message("system", system), *messages)
    return messages


def _system_parts(value: Any) -> Any:
    """The parts of a system prompt that is no plain text: a list of them, or an object around it; else None."""
    if isinstance(value, str) and value.lstrip()[:2] in ("[{", "{'", '{"'):
        try:
            found = decoded(value)
        except Unreadable:  # a prompt that only begins so
            return None
        typed = isinstance(found, list) and all(isinstance(part, dict) and "text" in part for part in found)
        value = found if typed or (isinstance(found, dict) and found.keys() & _HELD) else None
    if isinstance(value, Mapping) and value.keys() & _HELD:
        return value.get("parts", value.get("content"))
    return value if isinstance(value, list) else None


def tools_of(row: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    """The tools of a row, () where it has none."""
    column = columns.get("tools")
    return () if column is None else read_tools(row.get(column))
