"""Devices drawn into cells: a line each, a card of three rows, a whole panel, or two rows for all of them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.clean import clean_line
from tui.charts.bar import draw_bar, draw_spark
from tui.charts.cells import Cells
from tui.charts.glyphs import Glyphs
from tui.widgets.device import (
    DeviceReading,
    gib_words,
    memory_words,
    number_words,
    power_words,
    share,
    share_words,
)

SPARK = 12
"""Cells of a device's past."""

CARD_ROWS, LEAST_CARD_ROWS = 3, 2
"""Rows of a card, and of one that says less."""

PANEL_ROWS = 6
"""Rows that a device takes in a panel, with the line that carries its title."""

_SHORTEST_SPARK, _SHORTEST_BAR, _LONGEST_BAR = 5, 8, 30


@dataclass(frozen=True)
class Columns:
    """What a line of a device has room for, and how wide it is; the same in all lines, so that numbers align.

    Attributes:
        label, memory, power, gib: cells of the label, of used and total memory, of power, and of one value in GiB.
        shown: the names of what is shown besides label, memory and utilization.
        past: cells of the sparkline.
        bar: cells of the bar.
    """

    label: int
    memory: int
    power: int
    gib: int
    shown: frozenset[str]
    past: int
    bar: int


def columns_for(devices: Sequence[DeviceReading], width: int) -> Columns:
    """What fits into lines of so many cells, the most telling first: whose memory it is, the past, power, heat."""
    label = max(len(device.label) for device in devices)
    gib = max(len(gib_words(device.memory_total)) for device in devices)
    power = max(max(len(power_words(device)), 2 * len(number_words(device.power_limit)) + 1) for device in devices)
    memory = 2 * gib + 1
    left = width - label - 1 - memory - 6
    wanted = {
        "run": 5 + gib,
        "past": 1 + _SHORTEST_SPARK,
        "power": power + 3,
        "temperature": 7,
        "unit": 4,
        "limit": 6,
        "bar": 1 + _SHORTEST_BAR,
        "shares": 14 + 2 * gib,
    }
    shown = set()
    for name, cells in wanted.items():
        if cells <= left:
            shown.add(name)
            left -= cells
    past = _SHORTEST_SPARK + min(left, SPARK - _SHORTEST_SPARK) if "past" in shown else 0
    left -= max(0, past - _SHORTEST_SPARK)
    bar = min(_SHORTEST_BAR + left, _LONGEST_BAR) if "bar" in shown else 0
    return Columns(label, memory, power, gib, frozenset(shown), past, bar)


def draw_line(
    cells: Cells, glyphs: Glyphs, x: int, y: int, end: int, device: DeviceReading, columns: Columns, *, whole: bool
) -> None:
    """A device in one line: bar, memory, use and past, power and heat, as far as there is room.

    Args:
        cells: where to draw.
        glyphs: what the terminal can show.
        x: first column.
        y: row.
        end: the column after the last.
        device: it.
        columns: what there is room for.
        whole: whether the line has the whole sentence on a device that cannot be read; else notes have it.
    """
    if device.problem:
        words = clean_line(device.problem) if whole else f"{device.label} cannot be read"
        cells.put(x, y, words, "warning", end=end)
        return
    shown = columns.shown
    cells.put(x, y, device.label, "label", end=end)
    x += columns.label
    if columns.bar:
        draw_memory(cells, glyphs, x + 1, y, columns.bar, device)
        x += 1 + columns.bar
    x = cells.put(x, y, f" {memory_words(device):>{columns.memory}}", "text", end=end)
    if "unit" in shown:
        x = cells.put(x, y, " GiB", "text", end=end)
    for name, words, value in (
        ("run", "run", device.memory_run),
        ("shares", "others", device.memory_others),
        ("shares", "free", device.memory_free),
    ):
        if name in shown:
            x = cells.put(x, y, f" {words} ", "label", end=end)
            x = cells.put(x, y, f"{gib_words(value):>{columns.gib}}", "text", end=end)
    x = cells.put(x, y, f" {f'{number_words(device.utilization)}%':>5}", "text", end=end)
    if columns.past:
        draw_spark(cells, glyphs, x + 1, y, columns.past, device.busy, 100.0, "busy")
        x += 1 + columns.past
    if "power" in shown:
        x = cells.put(x, y, f" {power_words(device):>{columns.power}} W", "text", end=end)
    if "limit" in shown:
        cells.put(x, y, " limit" if device.at_limit else "", "label", end=end)
        x += 6
    if "temperature" in shown:
        cells.put(x, y, f" {number_words(device.temperature):>3} °C", "text", end=end)


def draw_card(cells: Cells, glyphs: Glyphs, x: int, y: int, end: int, device: DeviceReading, rows: int) -> None:
    """A device in a few rows: its past, use, power and heat; its memory; in a third one whose memory that is."""
    if device.problem:
        for number, row in enumerate(textwrap.wrap(clean_line(device.problem), max(10, end - x))[:rows]):
            cells.put(x, y + number, row, "warning", end=end)
        return
    inner = cells.put(x, y, f"{device.label} ", "title", end=end)
    use, heat = number_words(device.utilization), number_words(device.temperature)
    values = f" {f'{use}%':>5} {power_words(device):>8} W {heat:>3} °C"
    past = end - inner - len(values)
    if past > 0:
        draw_spark(cells, glyphs, inner, y, past, device.busy, 100.0, "busy")
    cells.put(max(inner, end - len(values)), y, values, "text", end=end)
    memory = f" {memory_words(device)} GiB"
    if rows >= CARD_ROWS:
        cells.put(inner, y + 2, share_words(device), "label", end=end)
    else:
        memory += f" run {gib_words(device.memory_run)}"
    draw_memory(cells, glyphs, inner, y + 1, end - inner - len(memory), device)
    cells.put(end - len(memory), y + 1, memory, "text", end=end)


def draw_whole(cells: Cells, glyphs: Glyphs, y: int, device: DeviceReading) -> None:
    """A device's rows in a panel of its own; `y` is that of the line that carries its title."""
    end = cells.width - 2
    if y:
        cells.put(1, y, glyphs.frame[4] * (cells.width - 2), "frame")
        cells.put(2, y, clean_line(f" {device.label}  {device.name}".rstrip()) + " ", "title", end=end)
    if device.problem:
        for number, row in enumerate(textwrap.wrap(clean_line(device.problem), max(10, end - 2))[:4]):
            cells.put(2, y + 1 + number, row, "warning", end=end)
        return
    bar, bar_end = 9, end - 15
    for line, label, value in (
        (1, "memory", f"{memory_words(device)} GiB"),
        (3, "util", f"{number_words(device.utilization)}%"),
        (4, "power", f"{power_words(device)} W"),
    ):
        cells.put(2, y + line, label, "label", end=end)
        cells.put(bar_end, y + line, f"{value:>15}", "text", end=end)
    width = bar_end - bar
    draw_memory(cells, glyphs, bar, y + 1, width, device)
    cells.put(bar, y + 2, share_words(device), "label", end=end)
    past = min(SPARK, width - 8) + 1 if device.busy and width >= 14 else 0
    draw_bar(cells, glyphs, bar, y + 3, width - past, share(device.utilization, 100), "busy")
    if past:
        draw_spark(cells, glyphs, bar_end - past + 1, y + 3, past - 1, device.busy, 100.0, "busy")
    draw_bar(cells, glyphs, bar, y + 4, width, share(device.power, device.power_limit), "busy")
    cells.put(2, y + 5, "temp", "label", end=end)
    x = cells.put(bar, y + 5, f"{number_words(device.temperature)} °C  ", "text", end=end)
    cells.put(x, y + 5, device.throttle_words, "warning" if device.warnings else "label", end=end)


def draw_together(cells: Cells, glyphs: Glyphs, x: int, y: int, end: int, devices: Sequence[DeviceReading]) -> None:
    """More devices than there are rows: a cell of use each, and the ends of what they do, in two rows."""
    x0, x = x, cells.put(x, y, f"{len(devices)} GPUs  ", "label", end=end)
    draw_spark(cells, glyphs, x, y, len(devices), [device.utilization for device in devices], 100.0, "busy")
    x += len(devices)
    low, high = _ends(devices, lambda device: device.utilization)
    if low and high:
        words = f"{low[1]:.0f}% ({low[0].label}) to " if low[1] < high[1] else ""
        cells.put(x, y, f"  {words}{high[1]:.0f}%", "text", end=end)
    fullest = max(devices, key=lambda device: share(device.memory_used, device.memory_total))
    words = f"most memory {memory_words(fullest)} GiB ({fullest.label}), run {gib_words(fullest.memory_run)}"
    _, hottest = _ends(devices, lambda device: device.temperature)
    cells.put(x0, y + 1, words + (f"  {hottest[1]:.0f} °C" if hottest else ""), "text", end=end)


def draw_memory(cells: Cells, glyphs: Glyphs, x: int, y: int, width: int, device: DeviceReading) -> None:
    """A bar: memory of the run, of others, free."""
    total = device.memory_total
    own = device.memory_used if device.memory_run is None else device.memory_run
    draw_bar(cells, glyphs, x, y, width, share(own, total), "own", more=share(device.memory_others, total))


_End = tuple[DeviceReading, float]


def _ends(
    devices: Sequence[DeviceReading], value: Callable[[DeviceReading], float | None]
) -> tuple[_End | None, _End | None]:
    """The devices with the smallest and the largest value."""
    known = [(device, found) for device in devices if (found := value(device)) is not None]
    return (min(known, key=_of), max(known, key=_of)) if known else (None, None)


def _of(end: _End) -> float:
    return end[1]
