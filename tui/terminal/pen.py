"""Writes cells to a terminal in few bytes: the cursor goes the short way, a style is said once, by what is new in it.

Rich says a style before each piece of text, 40 bytes of it in true colour, and takes it back behind: for a digit that
changes, most of what is sent.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from rich.color import ColorSystem
from rich.style import Style

ScreenCell = tuple[str, Style | None]
"""A glyph and its style; the second cell of a wide glyph holds an empty string."""

Stretch = tuple[int, int, list[ScreenCell]]
"""Row and column of the first of some cells beside each other, and the cells."""

_RESET = "\x1b[0m"


class Look(NamedTuple):
    """A style as a terminal takes it: parameters of `CSI ... m`.

    Attributes:
        attributes: bold and the like.
        front: the colour of the text, or "" for the terminal's own.
        back: the colour behind it, or "".
        before: what else stands before a text, such as a link's address.
        after: what takes that back.
    """

    attributes: frozenset[str] = frozenset()
    front: str = ""
    back: str = ""
    before: str = ""
    after: str = ""


PLAIN = Look()


class Pen:
    """Gathers the bytes; knows where the cursor is and which style it writes in.

    Args:
        colors: the colours that the terminal has.
    """

    def __init__(self, colors: ColorSystem) -> None:
        self._colors = colors
        self._out: list[str] = []
        self._at: tuple[int, int] | None = None
        self._look = PLAIN

    def write(self, y: int, x: int, cells: list[ScreenCell]) -> None:
        """Put cells beside each other, the first at row `y` and column `x`, both from 0."""
        self._go(y, x)
        for style, run in groupby(cells, itemgetter(1)):
            text = "".join(glyph for glyph, _ in run)
            look = look_of(style, self._colors) if style is not None else PLAIN
            self._out += (self._change(look), look.before, text, look.after)
        self._at = (y, x + len(cells)) if all(map(_sure, (glyph for glyph, _ in cells))) else None

    def lift(self) -> str:
        """All bytes; behind them the terminal writes in its own style again."""
        self._out.append(self._change(PLAIN))
        return "".join(self._out)

    def _go(self, y: int, x: int) -> None:
        there, here = (y, x), self._at
        if here == there:
            return
        direct = f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H"
        if here is not None and here[0] == y and here[1] < x:
            right = f"\x1b[{x - here[1]}C" if x - here[1] > 1 else "\x1b[C"
            direct = min(direct, right, key=len)
        self._out.append(direct)

    def _change(self, look: Look) -> str:
        """From the style that is on to another one."""
        was, self._look = self._look, look._replace(before="", after="")
        gone = was.attributes - look.attributes or (was.front and not look.front) or (was.back and not look.back)
        if gone and look[:3] == PLAIN[:3]:
            return _RESET
        if gone:
            was = PLAIN
        new = [*sorted(look.attributes - was.attributes)]
        new += [color for color, old in ((look.front, was.front), (look.back, was.back)) if color != old]
        return f"\x1b[{';'.join(['0', *new] if gone else new)}m" if new or gone else ""


def _sure(glyph: str) -> bool:
    """Whether every terminal takes it for as wide as we do; behind another one the cursor may be anywhere."""
    return glyph.isascii() or "\u2500" <= glyph <= "\u25ff" or "\u2800" <= glyph <= "\u28ff"


@lru_cache(maxsize=4096)
def look_of(style: Style, colors: ColorSystem) -> Look:
    """A style of rich as a terminal takes it."""
    before, _, after = style.render("\0", color_system=colors).partition("\0")
    head, code, tail = before.rpartition("\x1b[")
    if not code or not tail.endswith("m"):
        return Look(before=before, after=after)
    attributes, color = set(), {"3": "", "4": ""}
    words = iter(tail[:-1].split(";"))
    for word in words:
        if word in ("38", "48"):
            kind = next(words)
            numbers = [int(next(words)) for _ in range(3 if kind == "2" else 1)]
            color[word[0]] = f"{word};{_short(numbers)}"
        elif len(word) == 2 and word[0] in "349":
            color["4" if word[0] == "4" else "3"] = word
        elif len(word) == 3:
            color["4"] = word
        else:
            attributes.add(word)
    return Look(frozenset(attributes), color["3"], color["4"], head, after.removeprefix(_RESET))


def _short(color: list[int]) -> str:
    """A colour by its number in the palette of 256 where it is exactly one of these, as most of our themes' are.

    The numbers below 22 are left out: terminals have colours of their own there, or programs that set them.
    """
    if len(color) == 1:
        return f"5;{color[0]}"
    number = _PALETTE.get((color[0], color[1], color[2]))
    return f"5;{number}" if number is not None else "2;" + ";".join(map(str, color))


_LEVELS = (0, 95, 135, 175, 215, 255)
_PALETTE = {
    **{(8 + 10 * gray,) * 3: 232 + gray for gray in range(24)},
    **{(_LEVELS[number // 36], _LEVELS[number // 6 % 6], _LEVELS[number % 6]): 16 + number for number in range(6, 216)},
}
"""The colours of xterm's palette of 256 beyond the terminal's own sixteen: a cube of 6 levels each, and 24 greys."""
