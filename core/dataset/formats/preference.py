"""Preference pairs (chosen, rejected) and KTO (one answer and whether it is wanted)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.dataset.formats.base import TURN_OPTIONS, Format, FormatField, FormatOption, text_of
from core.dataset.formats.chat import SYSTEM, TOOLS, tools_of, with_system
from core.dataset.formats.instruct import HISTORY, joined, read_history
from core.dataset.formats.turns import TurnNames, is_turns, read_turns
from core.dataset.records import Unreadable, json_type
from core.dataset.sample import Message, Sample

_PROMPT_FIELDS = (
    FormatField("messages", ("conversations", "conversation", "messages"), required=False),
    FormatField("prompt", ("prompt", "question", "instruction", "query"), required=False),
    FormatField("input", ("input", "context"), required=False),
    HISTORY,
)
_LABELS = {
    **dict.fromkeys(("true", "1", "1.0", "good", "desirable", "chosen"), True),
    **dict.fromkeys(("false", "0", "0.0", "bad", "undesirable", "rejected"), False),
}
"""Labels as text, in lower case; numbers count by their text."""
_GOOD = "label.good"
_SPEAKER = re.compile(r"(?:\A|\n\n)(Human|Assistant): ?")


def prompt_of(row: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[Message, ...]:
    """The turns before the answer: a conversation, a prompt as turns or text (with history and input), or none."""
    if "messages" in columns and row.get(columns["messages"]) is not None:
        return read_turns(row[columns["messages"]], TurnNames.of(columns))
    history = read_history(row, columns)
    if "prompt" not in columns:
        return history
    value = row.get(columns["prompt"])
    if isinstance(value, (list, dict)):
        return (*history, *read_turns(value, TurnNames.of(columns)))
    question = text_of(row, columns, "prompt")
    if question.startswith("\n\nHuman:"):
        return (*history, *transcript(question))
    return (*history, Message("user", joined(question, text_of(row, columns, "input", required=False))))


def transcript(text: str) -> tuple[Message, ...]:
    """A whole conversation in one text, with `Human:` and `Assistant:` before each turn."""
    parts = _SPEAKER.split(text)
    turns = [
        Message("user" if speaker == "Human" else "assistant", said.strip())
        for speaker, said in zip(parts[1::2], parts[2::2], strict=True)
    ]
    if turns and turns[-1].role == "assistant" and not turns[-1].content:
        turns.pop()  # a prompt that ends with "Assistant:" asks for the answer
    return tuple(turns)


def answer_of(row: Mapping[str, Any], columns: Mapping[str, str], name: str) -> tuple[Message, ...]:
    """An answer given as text, a turn, turns, or a whole transcript."""
    value = row.get(columns[name])
    names = TurnNames.of(columns)
    if isinstance(value, (list, dict)) or is_turns(value, keys=names.keys):
        return read_turns(value, names)
    if isinstance(value, str) and value.startswith("\n\nHuman:"):
        return transcript(value)
    return (Message("assistant", text_of(row, columns, name)),)


class Preference(Format):
    """A prompt, the better and the worse answer; as texts, as turns, or as two whole transcripts."""

    name = "preference"
    title = "preference (chosen, rejected)"
    kind = "preference"
    fields = (
        FormatField("chosen", ("chosen", "chosen_response", "response_chosen", "preferred", "winner")),
        FormatField("rejected", ("rejected", "rejected_response", "response_rejected", "dispreferred", "loser")),
        *_PROMPT_FIELDS,
        SYSTEM,
        TOOLS,
    )
    options = TURN_OPTIONS

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether both answers are texts, objects or lists."""
        return all(isinstance(row.get(columns[name]), (str, list, dict)) for name in ("chosen", "rejected"))

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """The prompt, and what follows it in each answer.

        Where the answers repeat the prompt, or are whole transcripts, what they have in common is the prompt.
        """
        prompt = prompt_of(row, columns)
        chosen, rejected = (answer_of(row, columns, name) for name in ("chosen", "rejected"))
        if chosen[:1] != rejected[:1] or len(chosen) < 2 or len(rejected) < 2:
            shared = 0
        else:
            pairs = zip(chosen[:-1], rejected[:-1], strict=False)
            shared = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(chosen), len(rejected)) - 1)
        common = chosen[:shared]
        if common and not _ends_with(prompt, common) and not _ends_with(common, prompt):
            raise Unreadable("the chosen and rejected answers begin with a conversation that is not the prompt")
        if len(common) > len(prompt):
            prompt = common
        chosen, rejected = chosen[shared:], rejected[shared:]
        for name, answer in (("chosen", chosen), ("rejected", rejected)):
            if answer[0].role != "assistant":
                raise Unreadable(f"`{columns[name]}` begins with a {answer[0].role} turn, not with an answer")
        return Sample(
            "preference",
            messages=with_system(prompt, row, columns),
            chosen=chosen,
            rejected=rejected,
            tools=tools_of(row, columns),
        )


def _ends_with(longer: tuple[Message, ...], shorter: tuple[Message, ...]) -> bool:
    return not shorter or longer[-len(shorter) :] == shorter


class Kto(Format):
    """An answer and a label that says whether it is wanted."""

    name = "kto"
    title = "KTO (answer with a good or bad label)"
    kind = "kto"
    fields = (
        FormatField("label", ("label", "kto_tag", "desirable", "is_good")),
        FormatField("messages", ("messages", "conversations", "conversation"), required=False),
        FormatField(
            "prompt", ("prompt", "instruction", "question", "query", "q", "source", "user", "input"), required=False
        ),
        FormatField("input", ("input", "context"), required=False),
        FormatField(
            "completion",
            ("completion", "response", "output", "answer", "target", "generation", "assistant", "a", "solution"),
            required=False,
        ),
        HISTORY,
        SYSTEM,
        TOOLS,
    )
    options = (FormatOption(_GOOD, "good label"), *TURN_OPTIONS)

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether the label says good or bad, and there is a conversation or a completion."""
        if _label(row.get(columns["label"]), columns) is None:
            return False
        return "messages" in columns or ("prompt" in columns and "completion" in columns)

    def fitting(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> int:
        """As `Format`; a number other than 0 and 1 among the labels shows that they are classes or ratings."""
        labels = [row.get(columns["label"]) for row in rows]
        if any(_is_number(label) and _label(label, columns) is None for label in labels):
            return 0
        return super().fitting(rows, columns)

    def reason(self, columns: Mapping[str, str]) -> str:
        """Which columns, and which labels are good."""
        good = columns.get(_GOOD) or "true, 1 or good"
        return f"{super().reason(columns)}; `{columns['label']}` {good} means a good answer"

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """The conversation up to the last answer, that answer, and its label."""
        value = row.get(columns["label"])
        label = _label(value, columns)
        if label is None:
            raise Unreadable(
                f"`{columns['label']}` should be true or false, 1 or 0, good or bad, but it is "
                + (repr(value[:40]) if isinstance(value, str) else json_type(value))
            )
        if "completion" in columns:
            prompt, answer = prompt_of(row, columns), answer_of(row, columns, "completion")
        else:
            turns = prompt_of(row, columns)
            prompt, answer = turns[:-1], turns[-1:]
        if not answer or answer[0].role != "assistant":
            raise Unreadable("the last turn is not an assistant turn, so there is no answer to label")
        return Sample(
            "kto",
            messages=with_system(prompt, row, columns),
            chosen=answer,
            label=label,
            tools=tools_of(row, columns),
        )


def _label(value: Any, columns: Mapping[str, str]) -> bool | None:
    """Whether a label is a good one. Where the mapping names good labels, all others are bad."""
    good = columns.get(_GOOD, "")
    if good and value is not None:
        return str(value).strip().lower() in (name.strip().lower() for name in good.split("|"))
    return _LABELS.get(str(value).strip().lower()) if isinstance(value, (str, int, float)) else None


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lstrip("+-").replace(".", "", 1).isdecimal()
    return isinstance(value, (int, float)) and not isinstance(value, bool)
