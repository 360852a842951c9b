"""A widget that draws cells and sends only those that changed."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip

from tui.charts.cells import Cells
from tui.charts.glyphs import Glyphs, glyphs_for
from tui.terminal.pen import Stretch
from tui.terminal.prompt_refresh import PromptRefresh

FULL_ABOVE = 1 / 3
"""Where more than this part of the cells changed, one refresh of the whole costs fewer bytes than many regions."""


class Painted(PromptRefresh):
    """Base of widgets that draw glyph by glyph. Subclasses write `paint` and call `repaint` when their data changed.

    A style name `x` in the cells is the component class `<PREFIX>--x`; `x+y` is x on the background of y.
    """

    PREFIX: ClassVar[str] = ""

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes, disabled=disabled)
        self.glyphs: Glyphs = glyphs_for()
        self._cells: Cells | None = None
        self._styles: dict[str, Style] = {}
        self._sent_styles: dict[str, Style | None] = {}

    def paint(self, cells: Cells) -> None:
        """Draw the whole widget into blank cells of its size."""
        raise NotImplementedError

    def repaint(self) -> None:
        """Redraw and send what differs from what is on the screen."""
        size = self.size
        if not self.is_mounted or not size:
            self._cells = None  # what was drawn at an earlier size must not come back with that size
            return
        old, new = self._cells, self._draw(size)
        self._cells = new
        if old is None or (old.width, old.height) != (new.width, new.height):
            self.refresh()
            return
        spans = new.changes(old)
        if sum(end - first for _, first, end in spans) > size.area * FULL_ABOVE:
            self.refresh()
        elif spans:
            self.refresh(*(Region(first, y, end - first, 1) for y, first, end in spans))

    def _draw(self, size: Size) -> Cells:
        cells = Cells(size.width, size.height)
        self.paint(cells)
        return cells

    def render_line(self, y: int) -> Strip:
        """One row of the cells."""
        size = self.size
        cells = self._cells
        if cells is None or (cells.width, cells.height) != (size.width, size.height):
            cells = self._cells = self._draw(size)
        if y >= cells.height:
            return Strip.blank(size.width, self._style("text"))
        segments = [Segment(text, self._style(name)) for text, name in cells.runs(y)]
        return Strip(segments, cells.width)

    def stretches(self, wanted: Region, region: Region) -> list[Stretch] | None:
        """The cells of a part of the widget as they go to the terminal, or None where something else must draw them.

        This is what Textual makes of `render_line`, cell by cell: borders, opacity, tint and hatch do not come into it.

        Args:
            wanted: the part, on the screen.
            region: where the widget lies on the screen.
        """
        cells, gutter = self._cells, self.styles.gutter
        x, y = wanted.x - region.x - gutter.left, wanted.y - region.y - gutter.top
        if (
            cells is None
            or (cells.width + gutter.width, cells.height + gutter.height) != region.size
            or not Region(0, 0, cells.width, cells.height).contains_region(Region(x, y, *wanted.size))
        ):
            return None
        found: list[Stretch] = []
        for row in range(wanted.height):
            glyphs = cells.glyphs[y + row][x : x + wanted.width]
            if not "".join(glyphs).isprintable():  # the wall against control characters stands in the other way
                return None
            styles = map(self._sent_style, cells.styles[y + row][x : x + wanted.width])
            found.append((wanted.y + row, wanted.x, list(zip(glyphs, styles, strict=True))))
        return found

    def _sent_style(self, name: str) -> Style | None:
        """A style behind the app's filters, such as that of NO_COLOR."""
        if name not in self._sent_styles:
            segments = [Segment("x", self._style(name))]
            for each in self.get_line_filters():
                segments = each.apply(segments, self.background_colors[1])
            self._sent_styles[name] = segments[0].style
        return self._sent_styles[name]

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            over, _, under = name.partition("+")
            style = self.get_component_rich_style(f"{self.PREFIX}--{over}")
            if under:
                behind = self.get_component_rich_style(f"{self.PREFIX}--{under}")
                style += Style(bgcolor=behind.bgcolor)
            self._styles[name] = style
        return style

    def notify_style_update(self) -> None:
        """Forget the styles of the last theme."""
        self._styles.clear()
        self._sent_styles.clear()
        super().notify_style_update()
