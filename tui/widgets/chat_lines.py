"""A sample as a conversation: roles as headings, thinking, tool calls, and the answers of preference data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from core.clean import clean_line
from core.dataset.sample import Message, Sample
from tui.widgets.json_lines import json_lines
from tui.widgets.message_lines import has_thinking, message_lines, thinking_lines
from tui.widgets.text_view import TextLine, plain

_INDENT = 2


def chat_lines(sample: Sample, *, folded: bool = False) -> Iterator[TextLine]:
    """The lines of a sample, read as a person reads a conversation.

    Args:
        sample: in the normal form.
        folded: show one line in the place of each piece of thinking.
    """
    if sample.kind == "text":
        yield from message_lines(sample.text, indent=0, folded=folded)
        return
    if sample.tools:
        yield from _tools(sample.tools)
    yield from _turns(sample.messages, folded)
    if sample.kind == "preference":
        yield _banner("chosen", "the answer to prefer")
        yield from _turns(sample.chosen, folded)
        yield _banner("rejected", "the answer to avoid")
        yield from _turns(sample.rejected, folded)
    elif sample.kind == "kto":
        words = {True: "label: good", False: "label: bad", None: "no label"}[sample.label]
        yield _banner("completion", words)
        yield from _turns(sample.chosen, folded)


def thinks(sample: Sample) -> bool:
    """Whether there is thinking in a sample that could be folded."""
    turns = (*sample.messages, *sample.chosen, *sample.rejected)
    return has_thinking(sample.text) or any(turn.reasoning or has_thinking(turn.content) for turn in turns)


def _turns(messages: Iterable[Message], folded: bool) -> Iterator[TextLine]:
    for message in messages:
        yield _heading(message)
        if message.reasoning:
            yield from thinking_lines(message.reasoning, indent=_INDENT, folded=folded)
        if message.content or not (message.reasoning or message.tool_calls or message.media):
            yield from message_lines(message.content, indent=_INDENT, folded=folded)
        for call in message.tool_calls:
            yield from _call(call)
        yield plain("")


def _heading(message: Message) -> TextLine:
    spans = [(clean_line(message.role, 40), "heading")]
    if message.name:
        spans.append((f" {clean_line(message.name, 80)}", "key"))
    if message.media:
        spans.append((f"  {', '.join(message.media)}", "key"))
    if not message.trained:
        spans.append(("  not trained (the data says so)", "muted"))
    elif message.untrained:
        spans.append(("  trained in part (the data says so)", "muted"))
    if message.weight != 1:
        spans.append((f"  weight {message.weight:g}, treated as 1", "muted"))
    return TextLine(tuple(spans))


def _banner(word: str, meaning: str) -> TextLine:
    return TextLine(((f"── {word} ", "heading"), (f" {meaning}", "muted")))


def _call(call: dict[str, Any]) -> Iterator[TextLine]:
    function = call.get("function", call)
    name = function.get("name", "") if isinstance(function, dict) else ""
    arguments = function.get("arguments", {}) if isinstance(function, dict) else function
    yield TextLine((("calls ", "muted"), (clean_line(str(name), 200) or "(no name)", "key")), _INDENT)
    yield from _indented(json_lines(arguments), 2 * _INDENT)


def _tools(tools: Iterable[dict[str, Any]]) -> Iterator[TextLine]:
    yield plain("tools", "heading")
    for tool in tools:
        function = tool.get("function", tool)
        name = function.get("name", "") if isinstance(function, dict) else ""
        about = function.get("description", "") if isinstance(function, dict) else ""
        takes = ", ".join(_parameters(function))
        spans = [(clean_line(str(name), 200) or "(no name)", "key"), (f"({clean_line(takes, 400)})", "text")]
        yield TextLine((*spans, (f"  {clean_line(str(about), 2_000)}", "muted")), _INDENT)
    yield plain("")


def _parameters(function: Any) -> Iterator[str]:
    """The names of what a tool takes; `?` behind what may be left out."""
    schema = function.get("parameters") if isinstance(function, dict) else None
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(schema, dict) or not isinstance(properties, dict):
        return
    required = schema.get("required")
    for name in properties:
        yield str(name) if isinstance(required, list) and name in required else f"{name}?"


def _indented(lines: Iterable[TextLine], indent: int) -> Iterator[TextLine]:
    return (TextLine(line.spans, line.indent + indent, line.bar) for line in lines)
