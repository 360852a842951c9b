"""A text in marked pieces, as lines: the marks stand in the margin as well, not in color alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.cells import get_character_cell_size

from core.clean import clean
from tui.widgets.text_view import TextLine

_MARGIN = 2
_JOINER = "\u200d"
"""Makes one sign of those on both sides of it."""


@dataclass(frozen=True, slots=True)
class Marking:
    """How the pieces of one kind are drawn.

    Attributes:
        style: a style of `TextView`.
        bar: the glyph in the margin of a line that holds such a piece; "" for none.
        line_end: a glyph drawn for a line end that belongs to the piece, or "".
        next_style: the style of each second piece, so that it is seen where one ends and the next begins; "" where
            neighbours are drawn as one.
    """

    style: str
    bar: str = ""
    line_end: str = ""
    next_style: str = ""


def span_lines(pieces: Iterable[tuple[str, Marking]]) -> Iterator[TextLine]:
    """The lines of a text that comes in pieces; the pieces are cleaned here and may hold newlines."""
    spans: list[tuple[str, str]] = []
    bar = ""
    second = False
    for text, marking in _joined(pieces):
        style = marking.next_style if second and marking.next_style else marking.style
        second = not second
        parts = text.split("\n")
        for number, part in enumerate(parts):
            if part:
                spans.append((clean(part), style))
                bar = bar or marking.bar
            if number < len(parts) - 1:
                if marking.line_end:
                    spans.append((marking.line_end, style))
                    bar = bar or marking.bar
                yield TextLine(tuple(spans) or (("", "text"),), _MARGIN, bar)
                spans, bar = [], ""
    if spans:
        yield TextLine(tuple(spans), _MARGIN, bar)


def _joined(pieces: Iterable[tuple[str, Marking]]) -> Iterator[tuple[str, Marking]]:
    """Pieces that are drawn as one: neighbours of a marking without `next_style`, and the parts of one sign."""
    texts: list[str] = []
    before: Marking | None = None
    for text, marking in pieces:
        if not text:
            continue
        if before is not None and not (marking is before and (not marking.next_style or _goes_on(texts[-1], text))):
            yield "".join(texts), before
            texts = []
        texts.append(text)
        before = marking
    if before is not None:
        yield "".join(texts), before


def _goes_on(before: str, text: str) -> bool:
    """Whether a text is drawn over the end of the one before it: an accent, a part of a joined sign."""
    sign = text[0]
    return before.endswith(_JOINER) or sign == _JOINER or (sign >= "\u0300" and not get_character_cell_size(sign))
