"""Between Textual and the terminal: of each picture, only the cells that look different are sent.

Textual sends the whole screen after every layout (a help screen opens or closes, another step is shown), and of a
widget that was refreshed everything from its left edge on. Over SSH that is most of the bytes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from math import inf
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from rich import cells as rich_cells
from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Console, RenderableType
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from tui.terminal.pen import PLAIN, LookCell, Pen, Stretch, is_narrow, is_sure, look_cells, look_of, looks_of

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

MERGE_GAP = 4
"""Unchanged cells that are sent along: moving the cursor over them costs as many bytes."""


class Wire:
    """Remembers what the terminal shows, as far as that is known, and reduces updates to what differs."""

    def __init__(self) -> None:
        self.rows: dict[int, list[LookCell | None]] = {}

    def row(self, y: int, width: int) -> list[LookCell | None]:
        """What a row shows, None where that is not known; at least `width` cells."""
        row = self.rows.setdefault(y, [])
        if len(row) < width:
            row.extend([None] * (width - len(row)))
        return row

    def forget(self) -> None:
        """The terminal may show anything: what comes next is sent whole."""
        self.rows.clear()

    def lean(self, update: RenderableType | CompositorUpdate | None) -> RenderableType | CompositorUpdate | None:
        """An update reduced to what differs; any other renderable unchanged, after which nothing is known."""
        if isinstance(update, (ChopsUpdate, LayoutUpdate, PaintedUpdate)):
            return LeanUpdate(self, update)
        if update is not None:
            self.forget()
        return update


class LeanFrames:
    """An app's way to the terminal, over a wire.

    Attributes:
        sent: whether what the app has just displayed goes to the terminal: not while the app gathers updates.
    """

    def __init__(self, app: App[Any]) -> None:
        self.sent = False
        self._first = inf
        self._wire = Wire()
        self._app = app
        self._send = app._display
        app._display = self._display  # type: ignore[method-assign]

    def forget(self, told: float = inf) -> bool:
        """The terminal may show anything now: the next picture is sent whole.

        Args:
            told: monotonic time of the event that says so.

        Returns:
            Whether this is news: an event from before the first picture says nothing about it.
        """
        if told < self._first:
            return False
        self._wire.forget()
        return True

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Send what Textual has drawn, less the cells that the terminal shows already."""
        self.sent = renderable is not None and not self._app._batch_count
        if self.sent and self._first == inf:
            self._first = time.monotonic()
        self._send(screen, cast("RenderableType | None", self._wire.lean(renderable)))


class PaintedUpdate(CompositorUpdate):
    """A partial update in cells, as far as widgets have these already.

    Args:
        painted: the cells.
        rest: what other widgets draw, as Textual made it, or None.
    """

    def __init__(self, painted: list[Stretch], rest: ChopsUpdate | None) -> None:
        self.painted = painted
        self.rest = rest

    def render_segments(self, console: Console) -> str:
        """The bytes for a terminal of which nothing is known."""
        return LeanUpdate(Wire(), self).render_segments(console)


class LeanUpdate(CompositorUpdate):
    """An update that sends the cells that differ from what the terminal shows.

    Args:
        wire: what the terminal shows; it knows this update's cells as soon as they are rendered.
        update: what is to be shown, as Textual made it: a part of the screen, or all of it.
    """

    def __init__(self, wire: Wire, update: ChopsUpdate | LayoutUpdate | PaintedUpdate) -> None:
        self._wire = wire
        self._update = update

    def render_segments(self, console: Console) -> str:
        """The bytes for the terminal."""
        colors = COLOR_SYSTEMS.get(console.color_system or "", ColorSystem.TRUECOLOR)
        pen = Pen()
        for y, x, cells in sorted(self._changes(colors), key=itemgetter(0, 1)):
            pen.write(y, x, cells)
        return pen.lift()

    def _changes(self, colors: ColorSystem) -> Iterator[tuple[int, int, list[LookCell]]]:
        """The stretches to send: row, column, cells. The wire knows them from now on."""
        for y, x, cells, start, stop in _drawn(self._update, colors):
            shown = self._wire.row(y, x + len(cells))
            known, wanted = shown[x + start : x + stop], cells[start:stop]
            if known == wanted:
                continue
            sure = _all_sure(wanted) and _all_sure(known)
            spans = _differing(cells, shown, x, start, stop) if sure and any(known) else [_whole(cells, start, stop)]
            for a, b in spans:
                shown[x + a : x + b] = cells[a:b]
                yield y, x + a, cells[a:b]
            if not sure:  # beside a glyph of doubtful width the terminal may show anything
                yield from _known_from(shown, y, x + stop)


Drawn = tuple[int, int, list[LookCell], int, int]
"""Row and column of the first of some cells, the cells, and which of them are to be shown: first and end."""


def _drawn(update: ChopsUpdate | LayoutUpdate | PaintedUpdate, colors: ColorSystem) -> Iterator[Drawn]:
    """What an update of Textual's wants to be shown."""
    if isinstance(update, ChopsUpdate):
        yield from _of_chops(update, colors)
    elif isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            cells = [cell for strip in strips for cell in cells_of(strip, colors)]
            yield y, update.region.x, cells, 0, len(cells)
    else:
        for y, x, painted in update.painted:
            yield y, x, looks_of(painted, colors), 0, len(painted)
        if update.rest is not None:
            yield from _of_chops(update.rest, colors)


def _of_chops(update: ChopsUpdate, colors: ColorSystem) -> Iterator[Drawn]:
    for y, first, end in update.spans:
        for x, strip in update.chops[y].items():
            if strip is None or x >= end or x + strip.cell_length <= first:
                continue
            cells = cells_of(strip, colors)
            yield y, x, cells, max(first - x, 0), min(end - x, len(cells))


def cells_of(strip: Strip, colors: ColorSystem) -> list[LookCell]:
    """The cells of a strip on a terminal that has these colors, as many as the strip says that it has."""
    cells: list[LookCell] = []
    for text, style, control in strip:
        if control:
            continue
        known = look_cells(PLAIN if style is None else look_of(style, colors))
        if is_narrow(text):
            cells += map(known.__getitem__, text)
            continue
        for glyph, width in _glyphs(text):
            if width:
                cells.append(known[glyph])
                cells.extend([known[""]] * (width - 1))
            elif cells:
                cells[-1] = (cells[-1][0] + glyph, cells[-1][1])
    missing = strip.cell_length - len(cells)
    if missing:  # a glyph that is measured differently elsewhere must not move what stands beside the strip
        cells = cells[:missing] if missing < 0 else cells + [look_cells(PLAIN)[" "]] * missing
    return cells


def _glyphs(text: str) -> Iterator[tuple[str, int]]:
    """What a text shows, each glyph with its width in cells as Rich measures it: joined emoji are one."""
    split = getattr(rich_cells, "split_graphemes", None)
    if split is None:  # Rich 14 measures each character by itself
        yield from ((char, rich_cells.get_character_cell_size(char)) for char in text)
    else:
        yield from ((text[start:end], width) for start, end, width in split(text)[0])


def _known_from(shown: list[LookCell | None], y: int, x: int) -> Iterator[tuple[int, int, list[LookCell]]]:
    """What is known of a row from a column on, up to what is not."""
    cells: list[LookCell] = []
    for cell in shown[x:]:
        if cell is None:
            break
        cells.append(cell)
    if cells:
        yield y, x, cells


def _all_sure(cells: list[LookCell] | list[LookCell | None]) -> bool:
    """Whether all terminals agree on the widths of the cells' glyphs."""
    return is_sure("".join([cell[0] for cell in cells if cell is not None]))


def _differing(
    cells: list[LookCell], shown: list[LookCell | None], x: int, start: int, stop: int
) -> Iterator[tuple[int, int]]:
    """Stretches of `cells[start:stop]` that the terminal does not show; never a part of a wide glyph."""
    first = last = -1
    for column in range(start, stop):
        if shown[x + column] == cells[column]:
            continue
        if first >= 0 and column - last > MERGE_GAP:
            yield _whole(cells, first, last)
            first = -1
        if first < 0:
            first = column
        last = column + 1
    if first >= 0:
        yield _whole(cells, first, last)


def _whole(cells: list[LookCell], first: int, end: int) -> tuple[int, int]:
    while first > 0 and cells[first][0] == "":
        first -= 1
    while end < len(cells) and cells[end][0] == "":
        end += 1
    return first, end
