"""A text in marked pieces, as lines: the marks stand in the margin as well, not in colour alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.clean import clean
from tui.widgets.text_view import Line

_MARGIN = 2


@dataclass(frozen=True, slots=True)
class Marking:
    """How the pieces of one kind are drawn.

    Attributes:
        style: a style of `TextView`.
        bar: the glyph in the margin of a line that holds such a piece; "" for none.
        line_end: a glyph drawn for a line end that belongs to the piece, or "".
    """

    style: str
    bar: str = ""
    line_end: str = ""


def span_lines(pieces: Iterable[tuple[str, Marking]]) -> Iterator[Line]:
    """The lines of a text that comes in pieces; the pieces are cleaned here and may hold newlines."""
    spans: list[tuple[str, str]] = []
    bar = ""
    for text, marking in _joined(pieces):
        parts = text.split("\n")
        for number, part in enumerate(parts):
            if part:
                spans.append((clean(part), marking.style))
                bar = bar or marking.bar
            if number < len(parts) - 1:
                if marking.line_end:
                    spans.append((marking.line_end, marking.style))
                    bar = bar or marking.bar
                yield Line(tuple(spans) or (("", "text"),), _MARGIN, bar)
                spans, bar = [], ""
    if spans:
        yield Line(tuple(spans), _MARGIN, bar)


def _joined(pieces: Iterable[tuple[str, Marking]]) -> Iterator[tuple[str, Marking]]:
    """Neighbours of one marking as one piece, so that wrapping does not handle single tokens."""
    texts: list[str] = []
    before: Marking | None = None
    for text, marking in pieces:
        if before is not None and marking is not before:
            yield "".join(texts), before
            texts = []
        texts.append(text)
        before = marking
    if before is not None:
        yield "".join(texts), before
