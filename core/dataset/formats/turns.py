"""Turns of a conversation in every spelling found in datasets, as `Message`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.dataset.records import Unreadable, json_type, parse_json
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
_ROLE_KEYS = ("role", "from", "speaker")
_CONTENT_KEYS = ("content", "value", "text")
_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
_TEXT_PARTS = frozenset(("text", "input_text", "output_text"))
_REASONING_PARTS = frozenset(("reasoning", "thinking", "think"))
_CALL_PARTS = frozenset(("tool_call", "tool_calls", "function_call", "tool_use"))
_RESULT_PARTS = frozenset(("tool_result", "tool_response"))
_MEDIA_PARTS = {
    **dict.fromkeys(("image", "image_url", "input_image", "image_file", "img", "images"), "image"),
    **dict.fromkeys(("audio", "audio_url", "input_audio"), "audio"),
    **dict.fromkeys(("video", "video_url", "input_video"), "video"),
    **dict.fromkeys(("file", "input_file", "document", "file_url"), "file"),
}
"""Types of content parts that are no text, to their kind."""


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
        if not any("." in name for name in columns):
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
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = decoded(value)
        except Unreadable:  # text that only begins like a list, `[INST] ...`
            return False
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    if keys is not None:
        return keys[0] in value[0]
    return any(key in value[0] for key in _ROLE_KEYS)


def read_turns(value: Any, names: TurnNames = USUAL) -> tuple[Message, ...]:
    """The messages of a conversation.

    Args:
        value: a list of turns, or the same as a JSON string (CSV cells hold that).
        names: keys and role names where they are unusual.

    Raises:
        Unreadable: naming the turn, from 1, and what is wrong with it.
    """
    if isinstance(value, str):
        value = decoded(value) if value.strip() else []
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise Unreadable(f"expected a list of messages, got {json_type(value)}")
    if not value:
        raise Unreadable("the conversation is empty")
    messages: list[Message] = []
    for number, turn in enumerate(value, 1):
        try:
            message = read_turn(turn, names)
        except Unreadable as fault:
            raise Unreadable(f"turn {number}: {fault}") from None
        before = messages[-1] if messages else None
        if before and _is_bare_call(message) and before.role == "assistant":
            # A call that the data holds as a turn of its own belongs to what the assistant said before it.
            messages[-1] = replace(before, tool_calls=before.tool_calls + message.tool_calls)
        else:
            messages.append(message)
    return tuple(messages)


def read_turn(turn: Any, names: TurnNames = USUAL) -> Message:
    """One turn; as `read_turns`."""
    if not isinstance(turn, dict):
        raise Unreadable(f"expected an object with `role` and `content`, got {json_type(turn)}")
    role_keys = (names.role,) if names.role else _ROLE_KEYS
    name = next((turn[key] for key in role_keys if turn.get(key) is not None), None)
    if not isinstance(name, str):
        raise Unreadable(f"no `{names.role or 'role` or `from'}`, so the speaker is unknown")
    spoken = name.strip().lower()
    content_keys = (names.content,) if names.content else _CONTENT_KEYS
    content = next((turn[key] for key in content_keys if key in turn), None)
    trained = not _untrained(turn)
    role = names.roles.get(spoken)
    if role is None and spoken in _CALL_ROLES:
        return Message("assistant", "", tool_calls=read_calls(content), trained=trained)
    role = role or ROLES.get(spoken)
    if role is None:
        raise Unreadable(f"unknown role {name!r}")
    inside = _read_content(content)
    calls = inside.calls
    said = next((turn[key] for key in _REASONING_KEYS if isinstance(turn.get(key), str)), "")
    if turn.get("tool_calls"):
        calls += read_calls(turn["tool_calls"])
    elif turn.get("function_call"):
        calls += read_calls(turn["function_call"])
    if content is None and not calls and not said:
        raise Unreadable("no content")
    tool, answers = (turn.get("name"), turn.get("tool_call_id")) if role == "tool" else (None, None)
    return Message(
        role=role,
        content=inside.text,
        reasoning=inside.reasoning or said,
        tool_calls=calls,
        name=tool if isinstance(tool, str) else "",
        trained=trained or role != "assistant",
        media=inside.media,
        tool_call_id=answers if isinstance(answers, str) else "",
    )


def read_calls(value: Any) -> tuple[dict[str, Any], ...]:
    """Tool calls as `{"type", "function": {name, arguments}}`; from one, a list, or either as JSON text."""
    if isinstance(value, str):
        value = decoded(value)
    if isinstance(value, list):
        return tuple(call for item in value for call in read_calls(item))
    if not isinstance(value, dict):
        raise Unreadable(f"a tool call should be an object with a name, but it is {json_type(value)}")
    nested = value.get("function")
    inner: dict[str, Any] = nested if isinstance(nested, dict) else value
    name = inner.get("name")
    if not isinstance(name, str):
        raise Unreadable("a tool call has no tool name")
    arguments = next((inner[key] for key in ("arguments", "parameters", "input") if key in inner), None)
    if isinstance(arguments, str):
        arguments = decoded(arguments) if arguments.strip() else {}
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise Unreadable(
            f"the arguments of the tool call {name!r} should be an object, but they are {json_type(arguments)}"
        )
    call: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    if isinstance(value.get("id"), str) and value["id"]:
        call["id"] = value["id"]
    return (call,)


def read_tools(value: Any) -> tuple[dict[str, Any], ...]:
    """Tool descriptions as `{"type": "function", "function": {...}}`; from a list, or the same as JSON text."""
    if isinstance(value, str):
        if not value.strip():
            return ()
        value = decoded(value)
    if value is None:
        return ()
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise Unreadable(f"`tools` should be a list, but it is {json_type(value)}")
    tools = []
    for tool in value:
        if isinstance(tool, str):
            tool = decoded(tool)
        if not isinstance(tool, dict):
            raise Unreadable(f"a tool should be an object with a name, but it is {json_type(tool)}")
        tools.append(tool if isinstance(tool.get("function"), dict) else {"type": "function", "function": tool})
    return tuple(tools)


def _is_bare_call(message: Message) -> bool:
    return bool(message.tool_calls) and not message.content and not message.reasoning


def _untrained(turn: Mapping[str, Any]) -> bool:
    weight = turn.get("loss_weight", turn.get("weight"))
    if isinstance(weight, (int, float)) and weight == 0:
        return True
    return turn.get("train") is False or turn.get("trained") is False


@dataclass(frozen=True, slots=True)
class _Content:
    """What stands in a content, which is text or a list of parts."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[dict[str, Any], ...] = ()
    media: tuple[str, ...] = ()


def _read_content(content: Any) -> _Content:
    """Text, reasoning, tool calls and media of a content."""
    if content is None:
        return _Content()
    if isinstance(content, str):
        return _Content(content)
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise Unreadable(f"the content should be text, but it is {json_type(content)}")
    texts: list[str] = []
    thoughts: list[str] = []
    calls: tuple[dict[str, Any], ...] = ()
    media: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, dict):
            raise Unreadable(f"a content part should be an object, but it is {json_type(part)}")
        kind = part.get("type", "text")
        if kind in _TEXT_PARTS:
            texts.append(_part_text(part))
        elif kind in _REASONING_PARTS:
            thoughts.append(_part_text(part))
        elif kind in _CALL_PARTS:
            calls += read_calls(part.get("value", part.get("tool_call", part)))
        elif kind in _RESULT_PARTS:
            inner = _read_content(part.get("content", part.get("value")))
            texts.append(inner.text)
            media += inner.media
        elif kind in _MEDIA_PARTS:
            media.append(_MEDIA_PARTS[kind])
        else:
            raise Unreadable(f"unknown content part type {kind!r}")
    return _Content("".join(texts), "\n".join(thoughts), calls, tuple(dict.fromkeys(media)))


def _part_text(part: Mapping[str, Any]) -> str:
    value = next((part[key] for key in ("text", "value", "content", "reasoning", "thinking") if key in part), None)
    if not isinstance(value, str):
        raise Unreadable("a content part has no text")
    return value


def decoded(text: str) -> Any:
    """What a text holds as JSON.

    Raises:
        Unreadable: it is not JSON, with the reason.
    """
    try:
        return parse_json(text.encode("utf-8", "surrogatepass"))[0]
    except Unreadable as fault:
        raise Unreadable(f"expected JSON in the text: {fault}") from None
