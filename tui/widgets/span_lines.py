"""A text whose stretches are marked, as lines: the marks stand in the margin as well, not in colour alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.clean import clean
from tui.widgets.text_view import Line


@dataclass(frozen=True, slots=True)
class Marking:
    """How the stretches of one kind are drawn.

    Attributes:
        style: a style of `TextView`.
        bar: the glyph in the margin of a line that holds such a stretch; "" for none.
        line_end: a glyph drawn for a line end that belongs to the stretch, or "".
    """

    style: str
    bar: str = ""
    line_end: str = ""


def span_lines(text: str, stretches: Iterable[tuple[int, int, Marking]]) -> Iterator[Line]:
    """The lines of a text.

    Args:
        text: as it is; it is cleaned here.
        stretches: begin, end and marking, in order and without overlap; what lies between them is not drawn.
    """
    spans: list[tuple[str, str]] = []
    bar = ""
    for start, end, marking in stretches:
        pieces = text[start:end].split("\n")
        for number, piece in enumerate(pieces):
            if piece:
                spans.append((clean(piece), marking.style))
                bar = bar or marking.bar
            if number < len(pieces) - 1:
                if marking.line_end:
                    spans.append((marking.line_end, marking.style))
                    bar = bar or marking.bar
                yield Line(tuple(spans) or (("", "text"),), 2, bar)
                spans, bar = [], ""
    if spans:
        yield Line(tuple(spans), 2, bar)
