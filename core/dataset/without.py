"""A sample without the parts that the user trains without (`data.train_without`)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from core.dataset.sample import Message, Sample

TOOL_CALLS, TOOLS, REASONING, MEDIA, TEXT = "tool_calls", "tools", "reasoning", "media", "text"

PARTS = {
    TOOL_CALLS: "tool calls",
    TOOLS: "tool schemas",
    REASONING: "reasoning",
    MEDIA: "media",
    TEXT: "text",
}
"""What a sample can hold beside plain turns, by the name in a recipe, in words."""

THINK_END = "</think>"
_THINK = re.compile(r"\s*<think>|</think>\s*")
_PLACEHOLDER = re.compile(
    r"\s?(?:\[(?:image|audio|video|file)\]|<(?:image|audio|video)>|<\|(?:image|audio|video)\|>)\s?", re.I
)


def without(sample: Sample, parts: Collection[str]) -> Sample:
    """The sample without some of its parts; the sample itself where it has none of them.

    Without `tool_calls` the results of calls go too, and so do turns that held nothing but calls: otherwise they would
    train an empty answer. Without `reasoning`, thinking inside `<think>` tags goes too. Without `media`, placeholders
    such as `<image>` go too. Without `text`, the text beside a tool call goes.

    Args:
        sample: in the normal form.
        parts: names of `PARTS`.
    """
    if not parts or sample.kind == "text":
        return sample
    return replace(
        sample,
        messages=_turns(sample.messages, parts),
        chosen=_turns(sample.chosen, parts),
        rejected=_turns(sample.rejected, parts),
        tools=() if TOOLS in parts else sample.tools,
    )


def think_end(turn: Message) -> int:
    """Where the thinking inside an assistant turn's content ends, its closing tag included; 0 where there is none."""
    if turn.role != "assistant":
        return 0
    end = turn.content.rfind(THINK_END)
    return end + len(THINK_END) if end >= 0 else 0


def thought(content: str) -> str:
    """What stands between the think tags of a text that ends with the closing one."""
    return _THINK.sub("", content)


def _turns(turns: Sequence[Message], parts: Collection[str]) -> tuple[Message, ...]:
    found = []
    for turn in turns:
        if turn.role == "tool" and TOOL_CALLS in parts:
            continue
        rest = _turn(turn, parts)
        if rest is turn or _says(rest) or not turn.tool_calls:
            found.append(rest)
    return tuple(found)


def _says(turn: Message) -> bool:
    return bool(turn.content.strip() or turn.reasoning.strip() or turn.tool_calls)


def _turn(turn: Message, parts: Collection[str]) -> Message:
    if TEXT in parts and turn.tool_calls and turn.content:
        turn = replace(turn, content="", untrained=())
    if TOOL_CALLS in parts and turn.tool_calls:
        turn = replace(turn, tool_calls=())
    if REASONING in parts and (turn.reasoning or think_end(turn)):
        turn = replace(turn, reasoning="")
        end = think_end(turn)
        if end:
            while turn.content[end : end + 1].isspace():
                end += 1
            turn = _cut(turn, [(0, end)])
    if MEDIA in parts and turn.media:
        turn = replace(_cut(turn, [found.span() for found in _PLACEHOLDER.finditer(turn.content)]), media=())
    return turn


def _cut(turn: Message, holes: Iterable[tuple[int, int]]) -> Message:
    """The turn without spans of its content; what is untrained stays so."""
    content, spans = turn.content, turn.untrained
    for start, end in sorted(holes, reverse=True):
        size = end - start
        content = content[:start] + content[end:]
        moved = [tuple(place if place <= start else max(start, place - size) for place in span) for span in spans]
        spans = tuple((first, last) for first, last in moved if last > first)
    return replace(turn, content=content, untrained=spans)
