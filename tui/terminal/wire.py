"""Between Textual and the terminal: of what is drawn anew, only the cells that look different are sent.

Textual's partial updates begin at a widget's left edge, however far to the right the change is, and send a widget
that was refreshed whole even where it looks as before. Over SSH that is most of the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Console, RenderableType
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.strip import Strip

from tui.terminal.pen import Pen, ScreenCell, Stretch

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

MERGE_GAP = 4
"""Unchanged cells that are sent along: moving the cursor over them costs as many bytes."""


class Wire:
    """Remembers what the terminal shows, as far as it is known, and makes updates out of what differs."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[int, ScreenCell]] = {}

    def forget(self) -> None:
        """The terminal may show anything: what comes next is sent whole."""
        self.rows.clear()

    def lean(self, update: RenderableType | CompositorUpdate | None) -> RenderableType | CompositorUpdate | None:
        """A partial update made lean; anything else as it is, after which nothing is known any more."""
        if isinstance(update, (ChopsUpdate, PaintedUpdate)):
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
        self._wire = Wire()
        self._app = app
        self._send = app._display
        app._display = self._display  # type: ignore[method-assign]

    def forget(self) -> None:
        """The terminal may show anything now: the next picture is sent whole."""
        self._wire.forget()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Send what Textual has drawn, less the cells that the terminal shows already."""
        self.sent = renderable is not None and not self._app._batch_count
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
    """A partial update that sends the cells that differ from what the terminal shows.

    Args:
        wire: what the terminal shows; it knows this update's cells as soon as they are rendered.
        update: what is to be shown, as Textual made it.
    """

    def __init__(self, wire: Wire, update: ChopsUpdate | PaintedUpdate) -> None:
        self._wire = wire
        self._update = update

    def render_segments(self, console: Console) -> str:
        """The bytes for the terminal."""
        pen = Pen(COLOR_SYSTEMS.get(console.color_system or "", ColorSystem.TRUECOLOR))
        for y, x, cells in sorted(self._changes(), key=itemgetter(0, 1)):
            pen.write(y, x, cells)
        return pen.lift()

    def _changes(self) -> Iterator[Stretch]:
        """The stretches to send."""
        if isinstance(self._update, ChopsUpdate):
            yield from self._of_chops(self._update)
            return
        for y, x, cells in self._update.painted:
            yield from self._known(y, x, cells, 0, len(cells))
        if self._update.rest is not None:
            yield from self._of_chops(self._update.rest)

    def _of_chops(self, update: ChopsUpdate) -> Iterator[Stretch]:
        for y, first, end in update.spans:
            for x, strip in update.chops[y].items():
                if strip is None or x >= end or x + strip.cell_length <= first:
                    continue
                cells = cells_of(strip)
                yield from self._known(y, x, cells, max(first - x, 0), min(end - x, len(cells)))

    def _known(self, y: int, x: int, cells: list[ScreenCell], start: int, stop: int) -> Iterator[Stretch]:
        """What differs in `cells[start:stop]`, of which the first cell stands at `x`; it is known from now on."""
        shown = self._wire.rows.setdefault(y, {})
        for a, b in _differing(cells, shown, x, start, stop):
            shown.update((x + column, cells[column]) for column in range(a, b))
            yield y, x + a, cells[a:b]


def cells_of(strip: Strip) -> list[ScreenCell]:
    """The cells of a strip."""
    cells: list[ScreenCell] = []
    for text, style, control in strip:
        if control:
            continue
        if text.isascii():
            cells.extend((char, style) for char in text)
            continue
        for char in text:
            width = get_character_cell_size(char)
            if width:
                cells.append((char, style))
                cells.extend([("", style)] * (width - 1))
            elif cells:
                cells[-1] = (cells[-1][0] + char, cells[-1][1])
    return cells


def _differing(
    cells: list[ScreenCell], shown: dict[int, ScreenCell], x: int, start: int, stop: int
) -> Iterator[tuple[int, int]]:
    """Stretches of `cells[start:stop]` that the terminal does not show; never a part of a wide glyph."""
    first = last = -1
    for column in range(start, stop):
        if shown.get(x + column) == cells[column]:
            continue
        if first >= 0 and column - last > MERGE_GAP:
            yield _whole(cells, first, last)
            first = -1
        if first < 0:
            first = column
        last = column + 1
    if first >= 0:
        yield _whole(cells, first, last)


def _whole(cells: list[ScreenCell], first: int, end: int) -> tuple[int, int]:
    while first > 0 and cells[first][0] == "":
        first -= 1
    while end < len(cells) and cells[end][0] == "":
        end += 1
    return first, end
