"""What devices are doing: memory, use, power, temperature; one line a device, or a panel where there is room."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from textual.geometry import Size

from core.clean import clean_line
from tui.charts.bar import draw_bar, draw_spark
from tui.charts.cells import Cells
from tui.charts.frame import draw_frame
from tui.widgets.painted import Painted

MISSING = "n/a"

SPARK = 12
"""Cells of a device's past."""

PANEL_ROWS = 6
"""Rows that a device takes in a panel, with the line that carries its title."""

AT_ITS_LIMIT = ("power limit",)
"""What holds back a GPU that is simply at work: said, but no warning."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device as it is shown. A value that cannot be had is None.

    Attributes:
        label: short name, such as `GPU 0`.
        name: the product's name, or "".
        memory_run: bytes that the watched processes use.
        memory_used: bytes in use by all.
        memory_total: bytes.
        utilization: percent.
        power: watts.
        power_limit: watts.
        temperature: degrees Celsius.
        throttle: why it is held back, in words; empty if it is not.
        problem: a sentence if it cannot be read, else "".
        busy: utilisation in percent over the last minutes, oldest first; None where it could not be had.
    """

    label: str
    name: str = ""
    memory_run: int | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    utilization: int | None = None
    power: float | None = None
    power_limit: float | None = None
    temperature: int | None = None
    throttle: tuple[str, ...] = ()
    problem: str = ""
    busy: tuple[float | None, ...] = ()

    @property
    def memory_others(self) -> int | None:
        """Bytes in use by processes that are not watched."""
        if self.memory_used is None or self.memory_run is None:
            return None
        return max(0, self.memory_used - self.memory_run)

    @property
    def memory_free(self) -> int | None:
        """Bytes not in use."""
        if self.memory_used is None or self.memory_total is None:
            return None
        return max(0, self.memory_total - self.memory_used)

    @property
    def throttled(self) -> bool:
        """Whether something other than its own power limit holds it back."""
        return any(reason not in AT_ITS_LIMIT for reason in self.throttle)

    @property
    def throttle_words(self) -> str:
        """What holds it back."""
        if not self.throttle:
            return "no throttling"
        if not self.throttled:
            return "at its power limit"
        return clean_line("throttled: " + ", ".join(r for r in self.throttle if r not in AT_ITS_LIMIT))


class Gauges(Painted):
    """Devices, or in words why there are none with what is known instead. A busy device is good news: never red."""

    PREFIX = "gauge"

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
    | `gauge--busy` | The bar of utilisation and power. |
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
        self._panel = panel
        self._devices: list[Device] = []
        self._words: list[str] = []

    def show(self, devices: Sequence[Device], words: Sequence[str] = ()) -> None:
        """Show devices, or (without any) some lines of words."""
        width = self.size.width
        rows = self._rows(width)
        self._devices, self._words = list(devices), [clean_line(line) for line in words]
        if self._rows(width) != rows:
            self.refresh(layout=True)
        self.repaint()

    def _wrapped(self, width: int) -> list[str]:
        return [row for line in self._words for row in textwrap.wrap(line, max(10, width))]

    def _rows(self, width: int) -> int:
        if not self._devices:
            return len(self._wrapped(width - 4)) + 2 if self._panel else len(self._wrapped(width - 1))
        return PANEL_ROWS * len(self._devices) + 1 if self._panel else len(self._devices)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line a device, or a panel's rows each."""
        return self._rows(width)

    def paint(self, cells: Cells) -> None:
        """A panel or lines."""
        if not self._panel:
            self._paint_lines(cells, 1, 0, cells.width)
            return
        first = self._devices[0] if self._devices else None
        each = cells.height > PANEL_ROWS * len(self._devices)
        title = f"{first.label}  {first.name}".rstrip() if first and each else "GPU"
        draw_frame(cells, self.glyphs, title=clean_line(title))
        if each and first is not None:
            for number, device in enumerate(self._devices):
                self._paint_device(cells, number * PANEL_ROWS, device)
        else:
            self._paint_lines(cells, 2, 1, cells.width - 2)

    def _paint_lines(self, cells: Cells, x: int, y: int, end: int) -> None:
        if not self._devices:
            for number, row in enumerate(self._wrapped(end - x)):
                cells.put(x, y + number, row, "text", end=end)
            return
        label = max(len(device.label) for device in self._devices) + 1
        state = max(len(device.throttle_words) + 2 if device.throttle else 0 for device in self._devices)
        for number, device in enumerate(self._devices[: cells.height - y]):
            cells.put(x, y + number, device.label, "label", end=end)
            self._paint_line(cells, x + label, y + number, end, device, state)

    def _paint_line(self, cells: Cells, x: int, y: int, end: int, device: Device, state: int) -> None:
        """Bar and values of a device; the last `state` cells are kept for why it is held back."""
        if device.problem:
            cells.put(x, y, clean_line(device.problem), "warning", end=end)
            return
        values = [
            f" {memory_words(device):>13} GiB",
            f" {_number(device.utilization):>4} %",
            f" {power_words(device):>8} W",
            f" {_number(device.temperature):>4} °C",
        ]
        while sum(map(len, values)) > end - x:
            values.pop()
        room = end - x - sum(map(len, values)) - state - 1
        past = SPARK + 1 if device.busy and room >= SPARK + 1 + 8 else 0
        room = min(room - past, 30)
        if room >= 6:
            self._memory_bar(cells, x, y, room, device)
            x += room
        for number, value in enumerate(values):
            x = cells.put(x, y, value, "text", end=end)
            if number == 1 and past:
                self._spark(cells, x + 1, y, SPARK, device)
                x += past
        if device.throttle:
            cells.put(x + 2, y, device.throttle_words, "warning" if device.throttled else "label", end=end)

    def _paint_device(self, cells: Cells, y: int, device: Device) -> None:
        """A device's rows in a panel; `y` is that of the line that carries its title."""
        end = cells.width - 2
        if y:
            cells.put(1, y, self.glyphs.frame[4] * (cells.width - 2), "frame")
            cells.put(2, y, clean_line(f" {device.label}  {device.name}".rstrip()) + " ", "title", end=end)
        if device.problem:
            for number, row in enumerate(textwrap.wrap(clean_line(device.problem), max(10, end - 2))[:4]):
                cells.put(2, y + 1 + number, row, "warning", end=end)
            return
        bar, bar_end = 9, end - 15
        for line, label, value in (
            (1, "memory", f"{memory_words(device)} GiB"),
            (3, "util", f"{_number(device.utilization)} %"),
            (4, "power", f"{power_words(device)} W"),
        ):
            cells.put(2, y + line, label, "label", end=end)
            cells.put(bar_end, y + line, f"{value:>15}", "text", end=end)
        self._memory_bar(cells, bar, y + 1, bar_end - bar, device)
        cells.put(bar, y + 2, _share_words(device), "label", end=end)
        width = bar_end - bar
        past = min(SPARK, width - 8) + 1 if device.busy and width >= 14 else 0
        draw_bar(cells, self.glyphs, bar, y + 3, width - past, _share(device.utilization, 100), "busy")
        if past:
            self._spark(cells, bar_end - past + 1, y + 3, past - 1, device)
        draw_bar(cells, self.glyphs, bar, y + 4, width, _share(device.power, device.power_limit), "busy")
        cells.put(2, y + 5, "temp", "label", end=end)
        x = cells.put(bar, y + 5, f"{_number(device.temperature)} °C  ", "text", end=end)
        cells.put(x, y + 5, device.throttle_words, "warning" if device.throttled else "label", end=end)

    def _spark(self, cells: Cells, x: int, y: int, width: int, device: Device) -> None:
        """How busy it was over the last minutes, a cell a stretch, the newest at the right."""
        draw_spark(cells, self.glyphs, x, y, width, device.busy, 100.0, "busy")

    def _memory_bar(self, cells: Cells, x: int, y: int, width: int, device: Device) -> None:
        total = device.memory_total
        own = device.memory_used if device.memory_run is None else device.memory_run
        others = _share(device.memory_others, total)
        draw_bar(cells, self.glyphs, x, y, width, _share(own, total), "own", more=others)


def memory_words(device: Device) -> str:
    """Used and total memory in GiB, without the unit: `61.2/80.0`."""
    return f"{_gib(device.memory_used)}/{_gib(device.memory_total)}"


def power_words(device: Device) -> str:
    """Watts and their limit: `412/700`."""
    return f"{_number(device.power)}/{_number(device.power_limit)}"


def _share_words(device: Device) -> str:
    if device.memory_run is None:
        return f"run {MISSING}  free {_gib(device.memory_free)}"
    return f"run {_gib(device.memory_run)} others {_gib(device.memory_others)} free {_gib(device.memory_free)}"


def _gib(value: int | None) -> str:
    return MISSING if value is None else f"{value / 2**30:.1f}"


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.0f}"


def _share(value: float | None, whole: float | None) -> float:
    return value / whole if value is not None and whole else 0.0
