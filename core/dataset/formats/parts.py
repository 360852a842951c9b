"""The content of a turn: text, or a list of parts in the forms of OpenAI, Anthropic, Gemini and Hugging Face."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.dataset.formats.calls import call_id, read_calls
from core.dataset.formats.decode import decoded
from core.dataset.records import Unreadable, json_type

_TEXT = frozenset(("text", "input_text", "output_text", "refusal"))
_REASONING = frozenset(("reasoning", "thinking", "think"))
_CALLS = frozenset(("tool_call", "tool_calls", "function_call", "tool_use", "tool-call"))
_RESULTS = frozenset(("tool_result", "tool_response", "function_response", "tool-result"))
_TEXT_KEYS = ("text", "value", "content", "reasoning", "thinking", "refusal", "summary")
_RESULT_IDS = ("tool_use_id", "tool_call_id", "toolCallId", "toolUseId", "call_id", "id")
_HEAD = 4_096
_GEMINI = {
    **dict.fromkeys(("functionCall", "function_call"), "tool_call"),
    **dict.fromkeys(("functionResponse", "function_response"), "function_response"),
    "toolUse": "tool_use",
    "toolResult": "tool_result",
    **dict.fromkeys(("inlineData", "inline_data", "fileData", "file_data"), "data"),
}
MEDIA = {
    **dict.fromkeys(("image", "image_url", "input_image", "image_file", "img", "images"), "image"),
    **dict.fromkeys(("audio", "audio_url", "input_audio", "audios"), "audio"),
    **dict.fromkeys(("video", "video_url", "input_video", "videos"), "video"),
    **dict.fromkeys(("file", "input_file", "document", "file_url"), "file"),
}
"""Types of content parts that are no text, to their kind."""

_TYPES = frozenset((*_TEXT, *_REASONING, *_CALLS, *_RESULTS, *MEDIA))

MEDIA_KEYS = frozenset(("image", "images", "audio", "audios", "video", "videos"))
"""Keys of turns and columns that hold such things; the names of `MEDIA`."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool result that is a part of a content.

    Attributes:
        text: what the tool returned.
        call: the id of the call, or "".
        name: the tool's name, or "".
        media: kinds of media in it.
    """

    text: str
    call: str = ""
    name: str = ""
    media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in a content.

    Attributes:
        text: its texts, joined in order.
        reasoning: its thinking, joined by line breaks.
        calls: its tool calls.
        results: its tool results.
        media: kinds of media in it, once each.
    """

    text: str = ""
    reasoning: str = ""
    calls: tuple[dict[str, Any], ...] = ()
    results: tuple[ToolResult, ...] = ()
    media: tuple[str, ...] = ()


def read_content(content: Any) -> Content:
    """Reads a content.

    Raises:
        Unreadable: a part that cannot be understood, by its type.
    """
    if content is None:
        return Content()
    if isinstance(content, str):
        parts = _parts_in(content)
        if parts is None:
            return Content(content)
        content = parts
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise Unreadable(f"the content should be text, but it is {json_type(content)}")
    texts: list[str] = []
    thoughts: list[str] = []
    calls: tuple[dict[str, Any], ...] = ()
    results: list[ToolResult] = []
    media: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, dict):
            raise Unreadable(f"a content part should be an object, but it is {json_type(part)}")
        kind, inner = _kind(part)
        if kind in _TEXT:
            (thoughts if part.get("thought") is True else texts).append(_text(part))
        elif kind in _REASONING:
            thoughts.append(_text(part))
        elif kind in _CALLS:
            calls += read_calls(inner)
        elif kind in _RESULTS:
            results.append(_result(inner))
        elif kind in MEDIA:
            media.append(MEDIA[kind])
        else:
            raise Unreadable(f"unknown content part type {kind!r}")
    return Content("".join(texts), "\n".join(thoughts), calls, tuple(results), tuple(dict.fromkeys(media)))


def _parts_in(text: str) -> list[dict[str, Any]] | None:
    """The typed parts that a content holds as JSON text, as tables and logs keep them; None for other text."""
    if not text.startswith("[{") or '"type"' not in text[:_HEAD] or not text.rstrip().endswith("}]"):
        return None
    try:
        found = decoded(text)
    except Unreadable:
        return None
    if not isinstance(found, list) or not all(isinstance(part, dict) and part.get("type") in _TYPES for part in found):
        return None
    return found if any(part.get("type") in _TEXT and isinstance(part.get("text"), str) for part in found) else None


def read_result(content: Any) -> ToolResult:
    """What a tool returned, as text: a list of texts by lines, any other value as JSON.

    Raises:
        Unreadable: as `read_content`.
    """
    if content is None or isinstance(content, str):
        return ToolResult(content or "")
    if isinstance(content, list) and all(isinstance(part, str) for part in content):
        return ToolResult("\n".join(content))
    parts = content if isinstance(content, list) else [content]
    if not all(isinstance(part, str) or (isinstance(part, dict) and _is_part(part)) for part in parts):
        return ToolResult(json.dumps(content, ensure_ascii=False, default=str))
    found = [read_content([part]) for part in parts]
    media = dict.fromkeys(kind for each in found for kind in each.media)
    return ToolResult("\n".join(each.text for each in found if each.text), media=tuple(media))


def media_in(value: Mapping[str, Any]) -> tuple[str, ...]:
    """Kinds of media that a turn or a row holds beside its text, under keys such as `images`."""
    found = [MEDIA[key] for key in sorted(value.keys() & MEDIA_KEYS) if value[key]]
    named = value.get("media")
    if isinstance(named, list):  # as this program writes it
        found += [kind for kind in named if isinstance(kind, str) and kind in MEDIA]
    return tuple(found)


def is_result(part: dict[str, Any]) -> bool:
    """Whether a content part is a tool result."""
    return _kind(part)[0] in _RESULTS


def _is_part(value: Mapping[str, Any]) -> bool:
    kind = value.get("type")
    if not isinstance(kind, (str, type(None))):
        return False
    return kind in MEDIA or (kind in _TEXT and isinstance(value.get("text"), str)) or value.keys() == {"text"}


def _kind(part: dict[str, Any]) -> tuple[Any, Any]:
    """The type of a part, and what it holds of a call or a result."""
    kind = part.get("type")
    if kind is not None and not isinstance(kind, str):
        raise Unreadable(f"the type of a content part should be text, but it is {json_type(kind)}")
    if kind is not None:
        return kind, part.get("value", part.get("tool_call", part)) if kind in _CALLS else part
    for key, named in _GEMINI.items():
        held = part.get(key)
        if isinstance(held, dict):
            if named != "data":
                return named, held
            major = str(held.get("mimeType", held.get("mime_type", ""))).partition("/")[0]
            return (major if major in MEDIA else "file"), held
    found = next((key for key in part if key in MEDIA and part[key] is not None), None)
    return ("text" if found is None or isinstance(part.get("text"), str) else found), part


def _result(part: dict[str, Any]) -> ToolResult:
    held = next((part[key] for key in ("content", "value", "output", "response", "result") if key in part), None)
    name = next((part[key] for key in ("name", "tool_name", "toolName") if key in part), None)
    said = read_result(held)
    return ToolResult(said.text, call_id(part, _RESULT_IDS), name if isinstance(name, str) else "", said.media)


def _text(part: Mapping[str, Any]) -> str:
    value = next((part[key] for key in _TEXT_KEYS if part.get(key) is not None), None)
    if isinstance(value, list) and all(isinstance(each, dict) and "text" in each for each in value):
        value = "".join(_text(each) for each in value)  # Mistral's thinking, the summary of OpenAI's reasoning
    if not isinstance(value, str):
        held = next((key for key in part if key != "type"), None)
        raise Unreadable(f"a content part has no text; it has `{held}`" if held else "a content part has no text")
    return value
