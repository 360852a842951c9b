"""Which glyphs a terminal can show, and how a cell's eight dots become one of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from tui.terminal.codeset import UTF_8, terminal_codeset


def _braille(mask: int) -> str:
    return chr(0x2800 + mask)


_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
_UPPER_LEFT, _UPPER_RIGHT, _LOWER_LEFT, _LOWER_RIGHT = 0x03, 0x18, 0x44, 0xA0
_ROWS = (0x09, 0x12, 0x24, 0xC0)


def _block(mask: int) -> str:
    quadrants = (_UPPER_LEFT, _UPPER_RIGHT, _LOWER_LEFT, _LOWER_RIGHT)
    return _QUADRANTS[sum(1 << n for n, part in enumerate(quadrants) if mask & part)]


def _ascii(mask: int) -> str:
    if not mask:
        return " "
    set_rows = [number for number, bits in enumerate(_ROWS) if mask & bits]
    if len(set_rows) >= 3:
        return "|"
    return "'--_"[round(sum(set_rows) / len(set_rows))]


@dataclass(frozen=True)
class Glyphs:
    """The glyphs of one kind of terminal.

    Attributes:
        name: `braille`, `block` or `ascii`.
        dot: the glyph of a cell by its mask.
        shade: a cell within a band, where color cannot tell band from line.
        legend: the sign of each kind of curve.
        grid_x: cells of a horizontal grid line, to be repeated.
        grid_y: a cell of a vertical one.
        cross: the crosshair.
        bar: nine glyphs of a bar, from empty to full, by eighths of a cell.
        rest: a cell of a bar that is empty.
        cut: the end of a text that is longer than its place.
        frame: corners, edges and ticks: `tl tr bl br h v tick`.
        levels: glyphs for a value from low to high, one cell each.
    """

    name: str
    dot: Callable[[int], str]
    shade: str
    legend: Mapping[str, str]
    grid_x: str
    grid_y: str
    cross: str
    bar: str
    rest: str
    cut: str
    frame: str
    levels: str = "▁▂▃▄▅▆▇█"

    @cached_property
    def dots(self) -> tuple[str, ...]:
        """The glyph of each of the 256 masks of a cell; made with the first plot, not at the start."""
        return tuple(map(self.dot, range(256)))


_LEGEND = {"band": "▒", "line": "─", "marked": "●"}
_BLOCK_LEGEND = {"band": "░", "line": "▀", "marked": "■"}
_ASCII_LEGEND = {"band": ":", "line": "-", "marked": "o"}

BRAILLE = Glyphs("braille", _braille, "░", _LEGEND, "┈", "┊", "│", " ▏▎▍▌▋▊▉█", "·", "…", "╭╮╰╯─│┴")
BLOCK = Glyphs("block", _block, "░", _BLOCK_LEGEND, "·", "·", "│", "    ▌▌▌▌█", "·", "…", "┌┐└┘─│┴")
ASCII = Glyphs(
    "ascii", _ascii, ":", _ASCII_LEGEND, ".   ", ".", "|", "     ====", ".", "~", "++++-|+",
    "_.,-=*#%"
)  # fmt: skip

KINDS: Mapping[str, Glyphs] = {glyphs.name: glyphs for glyphs in (BRAILLE, BLOCK, ASCII)}


def glyphs_for(environment: Mapping[str, str] = os.environ, codeset: str | None = None) -> Glyphs:
    """The glyphs that this terminal shows for certain.

    `TUNEDECK_GLYPHS` (braille, block, ascii) decides; else a terminal that is not UTF-8 means ASCII, and the Linux
    console, whose fonts have no braille, means blocks.

    Args:
        environment: of the process.
        codeset: the terminal's character set; None asks the locale.
    """
    chosen = KINDS.get(environment.get("TUNEDECK_GLYPHS", ""))
    if chosen is not None:
        return chosen
    if (terminal_codeset() if codeset is None else codeset) != UTF_8:
        return ASCII
    return BLOCK if environment.get("TERM") == "linux" else BRAILLE
