"""What devices are doing: memory, use, power, temperature; one line a device, or a panel where there is room."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from textual.geometry import Size

from core.clean import clean_line
from tui.charts.cells import Cells
from tui.charts.frame import draw_frame
from tui.widgets.device import DeviceReading, notes
from tui.widgets.device_rows import (
    CARD_ROWS,
    LEAST_CARD_ROWS,
    PANEL_ROWS,
    columns_for,
    draw_card,
    draw_line,
    draw_together,
    draw_whole,
)
from tui.widgets.painted import Painted

QUIET = "no throttling now"
"""Said where something else was said before, so that what is below does not move up and down."""


class Gauges(Painted):
    """Devices, or in words why there are none with what is known instead. A busy device is good news: never red."""

    PREFIX = "gauge"

    most_rows: int
    """Without a panel, rows of devices at most; two stand in a row where there are more than `rows_alone`."""

    COMPONENT_CLASSES = {
        "gauge--text",
        "gauge--label",
        "gauge--frame",
        "gauge--title",
        "gauge--own",
        "gauge--others",
        "gauge--rest",
        "gauge--busy",
        "gauge--warning",
    }
    """
    | Class | Description |
    | :- | :- |
    | `gauge--text`, `gauge--label` | Values; what they are. |
    | `gauge--frame`, `gauge--title` | The frame of a panel and its title. |
    | `gauge--own`, `gauge--others`, `gauge--rest` | Parts of a bar: of this run, of others, what is left. |
    | `gauge--busy` | The bar of utilization and power. |
    | `gauge--warning` | Throttling, and a device that cannot be read. |
    """

    DEFAULT_CSS = """
    Gauges {
        height: auto;
        & > .gauge--text { color: $foreground; }
        & > .gauge--label { color: $text-muted; }
        & > .gauge--frame { color: $border; }
        & > .gauge--title { color: $foreground; text-style: bold; }
        & > .gauge--own { color: $chart-train; }
        & > .gauge--others { color: $chart-eval; }
        & > .gauge--rest { color: $chart-grid; }
        & > .gauge--busy { color: $success; }
        & > .gauge--warning { color: $text-warning; text-style: bold; }
    }
    """

    def __init__(
        self,
        *,
        panel: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        """Make gauges without devices.

        Args:
            panel: a frame with several rows a device instead of one line each.
            name: the widget's name.
            id: the widget's id.
            classes: CSS classes.
            disabled: whether the widget is disabled.
        """
        super().__init__(name=name, id=id, classes=classes, disabled=disabled)
        self.most_rows, self.rows_alone = 8, 6
        self._panel = panel
        self._devices: list[DeviceReading] = []
        self._words: list[str] = []
        self._noted = False
        self._taken = 0

    def show(self, devices: Sequence[DeviceReading], words: Sequence[str] = ()) -> None:
        """Show devices, or (without any) some lines of words."""
        if [device.label for device in devices] != [device.label for device in self._devices]:
            self._noted = False
        self._devices, self._words = list(devices), [clean_line(line) for line in words]
        if not self.display:  # of panel and lines, one is on the screen
            self._cells = None
            return
        self._noted = self._noted or bool(self._notes())
        rows = self._rows(self.size.width)
        if rows != self._taken:
            self._taken = rows
            self.refresh(layout=True)
        self.repaint()

    def _wrapped(self, width: int) -> list[str]:
        return [row for line in self._words for row in textwrap.wrap(line, max(10, width))]

    def _rows(self, width: int) -> int:
        if not self._devices:
            return len(self._wrapped(width - 4)) + 2 if self._panel else len(self._wrapped(width - 1))
        if self._panel:
            return PANEL_ROWS * len(self._devices) + 1
        return self._line_rows + self._noted

    @property
    def _abreast(self) -> int:
        """How many devices stand in one row, outside of a panel; 0 where all together take two."""
        count = len(self._devices)
        if count <= self.rows_alone:
            return 1
        return 2 if count <= 2 * self.most_rows else 0

    @property
    def _line_rows(self) -> int:
        abreast = self._abreast
        return -(-len(self._devices) // abreast) if abreast else 2

    def _notes(self) -> list[str]:
        """What is said under the lines of devices, outside of a panel; a line alone says itself that it has none."""
        return notes(self._devices, problems=self._abreast != 1)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line a device, or a panel's rows each."""
        return self._rows(width)

    def paint(self, cells: Cells) -> None:
        """A panel or lines."""
        if self._panel:
            self._paint_panel(cells)
        elif not self._devices:
            self._paint_words(cells, 1, 0)
        else:
            rows = self._line_rows
            end = cells.width - 1
            self._paint_lines(cells, 1, 0, end, self._abreast)
            if self._noted:
                said = "  ".join(self._notes())
                cells.put(1, rows, clean_line(said, end - 1) or QUIET, "warning" if said else "label")

    def _paint_words(self, cells: Cells, x: int, y: int) -> None:
        end = cells.width - x if y else cells.width
        for number, row in enumerate(self._wrapped(end - x)):
            cells.put(x, y + number, row, "text", end=end)

    def _paint_lines(self, cells: Cells, x: int, y: int, end: int, abreast: int) -> None:
        """Lines of one device or two, the second column continuing the first one; 0: all in two rows."""
        if not abreast:
            draw_together(cells, self.glyphs, x, y, end, self._devices)
            return
        rows = -(-len(self._devices) // abreast)
        width = (end - x - 2 * (abreast - 1)) // abreast
        columns = columns_for(self._devices, width)
        for number, device in enumerate(self._devices):
            left = x + number // rows * (width + 2)
            whole = abreast == 1 and not self._panel
            draw_line(cells, self.glyphs, left, y + number % rows, left + width, device, columns, whole=whole)

    def _paint_panel(self, cells: Cells) -> None:
        """As many rows a device as there is room for; where these say not all, notes stand below."""
        count, rows, end = len(self._devices), cells.height - 2, cells.width - 2
        whole = count * PANEL_ROWS - 1 <= rows
        draw_frame(cells, self.glyphs, title=self._title(whole))
        if not count:
            self._paint_words(cells, 2, 1)
            return
        if whole:
            for number, device in enumerate(self._devices):
                draw_whole(cells, self.glyphs, number * PANEL_ROWS, device)
            return
        if count * LEAST_CARD_ROWS <= rows:
            each = min(rows // count, CARD_ROWS + 1)
            for number, device in enumerate(self._devices):
                draw_card(cells, self.glyphs, 2, 1 + number * each, end, device, each)
            used, said = count * each, notes(self._devices, limits=True, problems=False)
        else:
            abreast = 1 if count <= rows else 0
            self._paint_lines(cells, 2, 1, end, abreast)
            used, said = count if abreast else 2, notes(self._devices, limits=True, problems=True)
        wrapped = [row for line in said for row in textwrap.wrap(line, max(10, end - 2))]
        for number, row in enumerate(wrapped[: max(0, rows - used)]):
            cells.put(2, 1 + used + number, row, "label" if row.startswith("at the power") else "warning", end=end)

    def _title(self, whole: bool) -> str:
        """The first device's name, or how many there are, of which kind where it is one."""
        names = {device.name for device in self._devices if device.name}
        name = clean_line(names.pop()) if len(names) == 1 else ""
        if not self._devices:
            return "GPU"
        if whole:
            first = self._devices[0]
            return clean_line(f"{first.label}  {first.name}".rstrip())
        return f"{len(self._devices)} GPUs  {name}".rstrip()
