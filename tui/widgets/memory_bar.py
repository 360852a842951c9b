"""How a fixed room is filled, part by part: a bar and its legend. Knows nothing of what the parts are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

_PATTERNS = "█▓▒░▚▞▙▜"
"""Neighbouring parts differ in shape, so that they can be told apart without color."""

_COLORS = ("$primary", "$success", "$secondary", "$foreground", "$warning", "$text-muted")


@dataclass(frozen=True, slots=True)
class BarSegment:
    """One part of what is filled.

    Attributes:
        label: what it is, a word or two; clean.
        amount: how much, in the unit of the limit.
        shown: the amount as people read it, `5.30`.
    """

    label: str
    amount: float
    shown: str


class MemoryBar(Widget):
    """A bar as long as the limit, filled with parts, and a legend below. Without parts, a sentence."""

    DEFAULT_CSS = """
    MemoryBar { height: auto; }
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._parts: tuple[BarSegment, ...] = ()
        self._limit = 0.0
        self._words = ""

    def show(self, parts: Sequence[BarSegment], limit: float, words: str = "") -> None:
        """Show other parts.

        Args:
            parts: from left to right.
            limit: what there is in all; 0 where that is not known, and the bar is then as long as the parts.
            words: a sentence below the legend, or instead of a bar where there are no parts; clean.
        """
        if (tuple(parts), limit, words) != (self._parts, self._limit, self._words):
            self._parts, self._limit, self._words = tuple(parts), limit, words
            self.refresh(layout=True)

    def render(self) -> Content:
        """Bar, legend, sentence."""
        width = max(10, self.content_size.width)
        if not self._parts:
            return Content(self._words)
        lines = [self._bar(width), *self._legend(width)]
        if self._words:
            lines.append(Content(self._words))
        return Content("\n").join(lines)

    def _bar(self, width: int) -> Content:
        total = sum(part.amount for part in self._parts)
        full = max(self._limit, total) or 1.0
        pieces: list[tuple[str, str]] = []
        done, cells = 0.0, 0
        for number, part in enumerate(self._parts):
            done += part.amount
            end = round(done / full * width)
            # A part too small for a cell of its own is in the legend alone.
            pieces.append((_pattern(number) * (end - cells), _color(number)))
            cells = end
        pieces.append(("·" * (width - cells), "$text-muted"))
        if 0 < self._limit < total:
            return _with_limit(pieces, round(self._limit / full * width))
        return Content.assemble(*pieces)

    def _legend(self, width: int) -> list[Content]:
        lines: list[list[tuple[str, str]]] = [[]]
        used = 0
        for number, part in enumerate(self._parts):
            text = f" {part.label} {part.shown}"
            length = cell_len(text) + 1
            if used and used + 2 + length > width:
                lines.append([])
                used = 0
            if used:
                lines[-1].append(("  ", ""))
                used += 2
            lines[-1] += [(_pattern(number), _color(number)), (text, "")]
            used += length
        return [Content.assemble(*line) for line in lines]


def _pattern(number: int) -> str:
    return _PATTERNS[number % len(_PATTERNS)]


def _color(number: int) -> str:
    return _COLORS[number % len(_COLORS)]


def _with_limit(pieces: Sequence[tuple[str, str]], at: int) -> Content:
    """The bar with a mark where the room ends: what lies beyond does not fit."""
    marked: list[tuple[str, str]] = []
    cells = 0
    for text, style in pieces:
        if cells <= at < cells + len(text):
            cut = at - cells
            marked += [(text[:cut], style), ("┃", "bold $error"), (text[cut + 1 :], style)]
        else:
            marked.append((text, style))
        cells += len(text)
    return Content.assemble(*marked)
