"""Turns of a conversation in every spelling found in datasets, as `Message`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.dataset.formats.calls import call_id, read_calls
from core.dataset.formats.decode import decoded
from core.dataset.formats.loss_flags import MASK_KEY, TRAINED, TurnLoss, fitting_spans, mask_trains, turn_loss
from core.dataset.formats.parts import MEDIA_KEYS, ToolResult, is_result, media_in, read_content, read_result
from core.dataset.records import Unreadable, json_type
from core.dataset.sample import Message, Role

ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter", "instruction"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "chatbot", "model", "ai", "chatgpt", "output"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function", "function_response", "tool_response", "ipython"), "tool"),
}
"""Role names in the wild to those of chat templates."""

MESSAGE_ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")

_CALL_ROLES = frozenset(("function_call", "tool_call", "function-call", "tool_calls"))
ROLE_KEYS = ("role", "from", "speaker")
CONTENT_KEYS = ("content", "value", "text", "parts")
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
CALL_KEYS = ("tool_calls", "function_call")
_REASONING = frozenset(REASONING_KEYS)
_OPEN = ("[", "{", "array(")
"""How a list or an object begins as text."""
RESULT_IDS = ("tool_call_id", "tool_use_id", "call_id")


ROLE_KEY, CONTENT_KEY, ROLE_NAMES = "turn.role", "turn.content", "role."
"""Names in a mapping that are not columns: the keys inside a turn, and the names that a role has (`role.user`)."""


@dataclass(frozen=True, slots=True)
class TurnNames:
    """How the turns of a dataset are written, where the user has said so.

    Attributes:
        role: the key that says who speaks, or "" for the usual ones.
        content: the key of the text, or "" for the usual ones.
        roles: names of speakers, in lower case, to roles; they come before the usual ones.
    """

    role: str = ""
    content: str = ""
    roles: Mapping[str, Role] = field(default_factory=dict)

    @classmethod
    def of(cls, columns: Mapping[str, str]) -> TurnNames:
        """What a mapping says of turns; several names of one role stand with `|` between them."""
        if "." not in "".join(columns):
            return USUAL
        roles: dict[str, Role] = {}
        for role in MESSAGE_ROLES:
            for name in columns.get(ROLE_NAMES + role, "").split("|"):
                if name.strip():
                    roles[name.strip().lower()] = role
        return cls(columns.get(ROLE_KEY, ""), columns.get(CONTENT_KEY, ""), roles)

    @property
    def keys(self) -> tuple[str, str] | None:
        """The keys of role and content, None where the usual ones count."""
        return (self.role, self.content) if self.role else None


USUAL = TurnNames()


def is_turns(value: Any, *, keys: tuple[str, str] | None = None) -> bool:
    """Whether a value is a list of turns; `keys` names the keys of role and content that it must use."""
    if isinstance(value, str):
        start = value[:40].lstrip()
        if not start.startswith(("[", "array(")):
            return False
        try:
            value = decoded(value)
        except Unreadable:  # text that only begins like a list, `[INST] ...`
            return False
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    if keys is not None:
        return keys[0] in value[0]
    return any(key in value[0] for key in ROLE_KEYS)


def turns_in(value: Any, names: TurnNames = USUAL) -> Any:
    """The turns that a cell holds: as a list, a single turn, an object around them, or either as text; else None."""
    if isinstance(value, str):
        if not (value.lstrip() if value[:1].isspace() else value).startswith(_OPEN):
            return None
        try:
            value = decoded(value)
        except Unreadable:
            return None
        if not is_turns(value, keys=names.keys) and not isinstance(value, dict):
            return None
        if isinstance(value, dict) and (held := _held_turns(value)) is None and not _is_turn(value, names):
            return None
    if isinstance(value, dict):
        held = _held_turns(value)
        return [value] if held is None else held
    return value if isinstance(value, list) else None


def _held_turns(value: Mapping[str, Any]) -> Any:
    return next((value[key] for key in ("messages", "conversations", "conversation") if is_turns(value.get(key))), None)


def _is_turn(value: Mapping[str, Any], names: TurnNames) -> bool:
    role = next((value[key] for key in ((names.role,) if names.role else ROLE_KEYS) if key in value), None)
    spoken = role.strip().lower() if isinstance(role, str) else ""
    return spoken in ROLES or spoken in names.roles


def read_turns(
    value: Any,
    names: TurnNames = USUAL,
    losses: Callable[[Sequence[Any], Sequence[bool]], list[TurnLoss]] | None = None,
) -> tuple[Message, ...]:
    """The messages of a conversation.

    Args:
        value: a list of turns, or the same as a JSON string (CSV cells hold that).
        names: keys and role names where they are unusual.
        losses: what the row says of the loss of its turns, given them and which of them are answers.

    Raises:
        Unreadable: naming the turn, from 1, and what is wrong with it.
    """
    if isinstance(value, str):
        if value.strip() and not value.lstrip().startswith(_OPEN):
            raise Unreadable("expected a list of messages, got text")
        value = decoded(value) if value.strip() else []
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise Unreadable(f"expected a list of messages, got {json_type(value)}")
    if not value:
        raise Unreadable("the conversation is empty")
    answers: list[bool] | None = None
    masked = [turn for turn in value if isinstance(turn, dict) and MASK_KEY in turn]
    if masked or losses is not None:
        answers = [isinstance(turn, dict) and speaker_role(turn, names) in ("assistant", "call") for turn in value]
    trains = answers is not None and mask_trains(value, answers)
    said = losses(value, answers) if losses is not None and answers is not None else None
    messages: list[Message] = []
    for number, turn in enumerate(value, 1):
        try:
            read = read_turn(turn, names, mask_trained=trains)
            if said is not None:
                read = tuple(_with_loss(message, said[number - 1]) for message in read)
        except Unreadable as fault:
            raise Unreadable(f"turn {number}: {fault}") from None
        before = messages[-1] if messages else None
        if before and before.role == "assistant" and len(read) == 1 and _is_bare_call(read[0]):
            # A call that the data holds as a turn of its own belongs to what the assistant said before it.
            messages[-1] = replace(
                before,
                tool_calls=before.tool_calls + read[0].tool_calls,
                trained=before.trained and read[0].trained,
            )
        else:
            messages += read
    return tuple(messages)


def _with_loss(message: Message, loss: TurnLoss) -> Message:
    if message.role != "assistant" or loss.weight == 1:
        return message
    if loss.weight == 0:
        return replace(message, trained=False, weight=1.0)
    return replace(message, weight=loss.weight) if message.trained else message


def speaker_role(turn: Mapping[str, Any], names: TurnNames) -> str:
    """The role of a turn; `call` for a tool call as a turn, "" for an unknown one."""
    keys = (names.role,) if names.role else ROLE_KEYS
    name = next((turn[key] for key in keys if turn.get(key) is not None), None)
    spoken = name.strip().lower() if isinstance(name, str) else ""
    known = names.roles.get(spoken)
    if known is None and spoken in _CALL_ROLES:
        return "call"
    return known or ROLES.get(spoken) or ""


def read_turn(turn: Any, names: TurnNames = USUAL, *, mask_trained: bool = False) -> tuple[Message, ...]:
    """One turn, as `read_turns`; it is several messages where it holds tool results as parts."""
    if not isinstance(turn, dict):
        raise Unreadable(f"expected an object with `role` and `content`, got {json_type(turn)}")
    if len(turn) == 2 and names is USUAL:  # nearly every turn of nearly every dataset
        said, text = (
            (turn.get("role"), turn.get("content")) if "role" in turn else (turn.get("from"), turn.get("value"))
        )
        known = ROLES.get(said) if isinstance(said, str) else None
        if known is not None and isinstance(text, str) and text[:2] != "[{":
            return (Message(known, text),)
    role_keys = (names.role,) if names.role else ROLE_KEYS
    name = next((turn[key] for key in role_keys if turn.get(key) is not None), None)
    if name is not None and not isinstance(name, str):
        key = next(key for key in role_keys if turn.get(key) is not None)
        raise Unreadable(f"`{key}` should be the name of the speaker, but it is {json_type(name)}")
    if not isinstance(name, str):
        raise Unreadable(f"no `{names.role or 'role` or `from'}`, so the speaker is unknown")
    content_keys = (names.content,) if names.content else CONTENT_KEYS
    content = next((turn[key] for key in content_keys if turn.get(key) is not None), None)
    role = speaker_role(turn, names)
    loss = turn_loss(turn, mask_trains=mask_trained) if role in ("assistant", "call") else TRAINED
    if role == "call":
        return (Message("assistant", "", tool_calls=read_calls(content), trained=loss.weight != 0),)
    if role == "tool":
        return _tool_turns(turn, content)
    spoken = next((known for known in MESSAGE_ROLES if known == role), None)
    if spoken is None:
        raise Unreadable(f"unknown role {name!r}")
    inside = read_content(content)
    said = "" if _REASONING.isdisjoint(turn) else _reasoning(turn)
    calls = inside.calls
    called = turn.get("tool_calls") or turn.get("function_call")
    if called:
        calls += read_calls(called)
    media = inside.media
    if not MEDIA_KEYS.isdisjoint(turn) or "media" in turn:
        media = tuple(dict.fromkeys((*media, *media_in(turn))))
    if content is None and not calls and not said and not media:
        raise Unreadable("no content")
    results = tuple(map(_result_turn, inside.results))
    if results and not (inside.text or inside.reasoning or calls or media):
        return results
    message = Message(
        role=spoken,
        content=inside.text,
        reasoning=inside.reasoning or said,
        tool_calls=calls,
        trained=loss.weight != 0,
        media=media,
        untrained=fitting_spans(loss.untrained, inside.text) if loss.untrained else (),
        weight=loss.weight or 1.0,
    )
    return (*results, message)


def _reasoning(turn: Mapping[str, Any]) -> str:
    return next((turn[key] for key in REASONING_KEYS if isinstance(turn.get(key), str)), "")


def _tool_turns(turn: Mapping[str, Any], content: Any) -> tuple[Message, ...]:
    parts = content if isinstance(content, list) else [content]
    if any(isinstance(part, dict) and is_result(part) for part in parts):
        inside = read_content(content)
        if not inside.text:
            return tuple(map(_result_turn, inside.results))
    elif content is None:
        raise Unreadable("no content")
    said = read_result(content)
    name = next((turn[key] for key in ("name", "tool_name") if isinstance(turn.get(key), str)), "")
    media = tuple(dict.fromkeys((*said.media, *media_in(turn))))
    return (Message("tool", said.text, name=name, media=media, tool_call_id=call_id(dict(turn), RESULT_IDS)),)


def _result_turn(result: ToolResult) -> Message:
    return Message("tool", result.text, name=result.name, media=result.media, tool_call_id=result.call)


def _is_bare_call(message: Message) -> bool:
    return bool(message.tool_calls) and not message.content and not message.reasoning
