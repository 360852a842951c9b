"""The text of one message: thinking folded or in full, fenced code colored, all else as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.clean import clean
from core.units import count
from tui.widgets.code_lines import code_lines
from tui.widgets.text_view import TextLine, plain

_THINKING = ("think", "thinking", "thought", "reasoning", "scratchpad")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]*)")
_BEGINNING = 40
"""Characters of folded thinking that are shown."""

_STEP = 2


def message_lines(text: str, *, indent: int, folded: bool) -> Iterator[TextLine]:
    """The lines of a message.

    Args:
        text: as it stands in the sample.
        indent: cells before each line.
        folded: show one line in the place of each piece of thinking.
    """
    if not text.strip():
        yield plain("(empty)" if not text else "(only whitespace)", "warning", indent=indent)
        return
    for number, (part, thinks) in enumerate(split_thinking(text)):
        if thinks:
            yield from thinking_lines(part, indent=indent, folded=folded)
        elif part.strip():
            yield from _blocks(clean(part if number == 0 else part.lstrip("\n")).split("\n"), indent)


def thinking_lines(text: str, *, indent: int, folded: bool) -> Iterator[TextLine]:
    """Thinking: one line that says how much of it there is, or that line and all of it."""
    beginning = " ".join(clean(text[: 4 * _BEGINNING]).split())[:_BEGINNING]
    sign = "▸" if folded else "▾"
    about = f"{sign} thinking, {count(len(text.strip()))} characters"
    yield TextLine(((about, "strong"), (f"  {beginning}…" if folded else "", "muted")), indent)
    if not folded:
        for line in clean(text.strip("\n")).split("\n"):
            yield TextLine(((line, "muted"),), indent + _STEP, "┊")


def has_thinking(text: str) -> bool:
    """Whether a message holds a piece of thinking that is closed."""
    return any(thinks for _, thinks in split_thinking(text))


def split_thinking(text: str) -> list[tuple[str, bool]]:
    """A text in pieces, each with whether it is thinking; the tags themselves go.

    Thinking that is never closed is an answer like any other: it must not be hidden.
    """
    found: list[tuple[str, bool]] = []
    at = 0
    # Where each kind begins next. No part of the text is searched twice for one: who is not found, or not closed, goes.
    starts = {name: text.find(f"<{name}>") for name in _THINKING}
    while starts := {name: start for name, start in starts.items() if start >= 0}:
        name = min(starts, key=starts.__getitem__)
        start = starts[name]
        end = text.find(f"</{name}>", start)
        if end < 0:
            del starts[name]
            continue
        found += [(text[at:start], False), (text[start + len(name) + 2 : end], True)]
        at = end + len(name) + 3
        starts = {each: text.find(f"<{each}>", at) if begin < at else begin for each, begin in starts.items()}
    found.append((text[at:], False))
    return [(part, thinks) for part, thinks in found if part or thinks]


def _blocks(lines: list[str], indent: int) -> Iterator[TextLine]:
    """Lines of prose and of fenced code."""
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            yield plain(lines[at], indent=indent)
            at += 1
            continue
        mark = opening.group(1)
        end = next((number for number in range(at + 1, len(lines)) if _closes(lines[number], mark)), len(lines))
        yield plain(lines[at], "muted", indent=indent)
        yield from code_lines(lines[at + 1 : end], opening.group(2), indent + _STEP)
        if end < len(lines):
            yield plain(lines[end], "muted", indent=indent)
        at = end + 1


def _closes(line: str, mark: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(mark) and not bare.strip(mark[0])
