"""A sample as a conversation: roles as headings, thinking, tool calls, and the answers of preference data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from core.clean import clean, clean_line
from core.dataset.sample import Message, Sample
from tui.widgets.json_lines import json_lines
from tui.widgets.text_view import Line, plain

_INDENT = 2


def chat_lines(sample: Sample) -> Iterator[Line]:
    """The lines of a sample, read as a person reads a conversation."""
    if sample.kind == "text":
        yield from _text(sample.text, indent=0)
        return
    if sample.tools:
        yield from _tools(sample.tools)
    yield from _turns(sample.messages)
    if sample.kind == "preference":
        yield _banner("chosen", "the answer to prefer")
        yield from _turns(sample.chosen)
        yield _banner("rejected", "the answer to avoid")
        yield from _turns(sample.rejected)
    elif sample.kind == "kto":
        words = {True: "label: good", False: "label: bad", None: "no label"}[sample.label]
        yield _banner("completion", words)
        yield from _turns(sample.chosen)


def _turns(messages: Iterable[Message]) -> Iterator[Line]:
    for message in messages:
        yield _heading(message)
        if message.reasoning:
            yield plain("thinking", "muted", indent=_INDENT)
            yield from _text(message.reasoning, indent=2 * _INDENT, style="muted")
        if message.content or not (message.reasoning or message.tool_calls):
            yield from _text(message.content, indent=_INDENT)
        for call in message.tool_calls:
            yield from _call(call)
        yield plain("")


def _heading(message: Message) -> Line:
    spans = [(clean_line(message.role, 40), "heading")]
    if message.name:
        spans.append((f" {clean_line(message.name, 80)}", "key"))
    if not message.trained:
        spans.append(("  not trained (the data says so)", "muted"))
    return Line(tuple(spans))


def _banner(word: str, meaning: str) -> Line:
    return Line(((f"── {word} ", "heading"), (f" {meaning}", "muted")))


def _text(text: str, *, indent: int, style: str = "text") -> Iterator[Line]:
    if not text.strip():
        yield plain("(empty)" if not text else "(only white space)", "warning", indent=indent)
        return
    for line in clean(text).split("\n"):
        yield plain(line, style, indent=indent)


def _call(call: dict[str, Any]) -> Iterator[Line]:
    function = call.get("function", call)
    name = function.get("name", "") if isinstance(function, dict) else ""
    arguments = function.get("arguments", {}) if isinstance(function, dict) else function
    yield Line((("calls ", "muted"), (clean_line(str(name), 200) or "(no name)", "key")), _INDENT)
    yield from _indented(json_lines(arguments), 2 * _INDENT)


def _tools(tools: Iterable[dict[str, Any]]) -> Iterator[Line]:
    yield plain("tools", "heading")
    for tool in tools:
        function = tool.get("function", tool)
        name = function.get("name", "") if isinstance(function, dict) else ""
        about = function.get("description", "") if isinstance(function, dict) else ""
        spans = ((clean_line(str(name), 200) or "(no name)", "key"), (f"  {clean_line(str(about), 2_000)}", "muted"))
        yield Line(spans, _INDENT)
    yield plain("")


def _indented(lines: Iterable[Line], indent: int) -> Iterator[Line]:
    return (Line(line.spans, line.indent + indent, line.bar) for line in lines)
