"""Writes cells to a terminal in few bytes: the shortest cursor movement, and of a style only what is new in it.

Rich sends a whole style before each piece of text, 40 bytes in true color, and resets it after: for a digit that
changes, that is most of what is sent.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rich.color import ColorSystem
from rich.style import Style

ScreenCell = tuple[str, Style | None]
"""A glyph and its style; the second cell of a wide glyph holds an empty string."""

Stretch = tuple[int, int, list[ScreenCell]]
"""Row and column of the first of some cells beside each other, and the cells."""

_RESET = "\x1b[0m"

_ONE = " -~\\xa1-\\xac\\xae-\\u02ff\\u2010-\\u2027\\u2030-\\u205e\\u2190-\\u21ff\\u2500-\\u25fc\\u25ff\\u2800-\\u28ff"
"""Characters that every terminal draws one cell wide: Latin, punctuation, arrows, frames, blocks, braille."""

_TWO = (
    "\\u3001-\\u3029\\u3041-\\u3096\\u30a1-\\u30fa\\u30fc\\u3400-\\u4dbf\\u4e00-\\u9fff\\uac00-\\ud7a3\\uff01-\\uff60"
)
"""Characters that every terminal draws two cells wide: Chinese, Japanese, Korean."""

_NARROW, _SURE = re.compile(f"[{_ONE}]*"), re.compile(f"[{_ONE}{_TWO}]*")


class Look(NamedTuple):
    """A style as a terminal understands it: parameters of `CSI ... m`.

    Attributes:
        attributes: bold and the like.
        front: the color of the text, or "" for the terminal's own.
        back: the background color, or "".
        before: what else comes before a text, such as a link's address.
        after: what ends that.
    """

    attributes: frozenset[str] = frozenset()
    front: str = ""
    back: str = ""
    before: str = ""
    after: str = ""


PLAIN = Look()

LookCell = tuple[str, Look]
"""A glyph and its look; a blank has no more of a look than can be seen, see `bare`."""

_UNSEEN = frozenset(("1", "2", "3", "5", "6", "8"))
"""Attributes that do not show on a blank: bold, dim, italic, blinking, concealed."""


class Pen:
    """Gathers the bytes; knows where the cursor is and which style is on."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._at: tuple[int, int] | None = None
        self._look = PLAIN

    def write(self, y: int, x: int, cells: list[LookCell]) -> None:
        """Put cells side by side, the first at row `y` and column `x`, both from 0."""
        look, joined = self._look, self._look  # the run's, and that of blanks that look the same in it
        start = 0
        for column, (glyph, next_look) in enumerate(cells):
            if next_look is look or (glyph == " " and (next_look is joined or _looks_blank(next_look, look))):
                joined = next_look
                continue
            if column > start:
                self._run(y, x + start, cells[start:column], look)
            if glyph == " ":
                next_look = _on_blank(next_look, look)
            start, look = column, next_look
            joined = look
        self._run(y, x + start, cells[start:], look)

    def _run(self, y: int, x: int, cells: list[LookCell], look: Look) -> None:
        """Put cells of one look side by side."""
        self._go(y, x)
        text = "".join([glyph for glyph, _ in cells])
        sure = is_sure(text)
        self._out.append(self._change(look))
        if not sure:  # where the terminal draws it narrower than we take it for, blanks are left and not older text
            self._out.append(" " * len(cells))
            self._at = None
            self._go(y, x)
        self._out += (look.before, text, look.after)
        self._at = (y, x + len(cells)) if sure else None

    def lift(self) -> str:
        """All bytes; after them the terminal writes in its own style again."""
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


def _on_blank(wanted: Look, look: Look) -> Look:
    """A look that is seen on a blank as the one that is wanted, and changes as little as possible of the one before."""
    kept = wanted.back and _is_bare(wanted) and look.attributes <= _UNSEEN and not look.before
    return _known(Look(look.attributes, look.front, wanted.back)) if kept else wanted


def _looks_blank(wanted: Look, look: Look) -> bool:
    """Whether a blank in one look is seen as in another."""
    return wanted.back == look.back and _is_bare(wanted) and look.attributes <= _UNSEEN and not look.before


def _is_bare(look: Look) -> bool:
    return not (look.attributes or look.front or look.before)


@lru_cache(maxsize=1024)
def bare(look: Look) -> Look:
    """The part of a look that is seen on a blank."""
    return look if look.before or not look.attributes <= _UNSEEN else _known(Look(back=look.back))


class LookCells(dict[str, LookCell]):
    """The cells of one look, by their glyphs; equal cells are one object, so that they are compared quickly."""

    def __init__(self, look: Look) -> None:
        super().__init__({" ": (" ", bare(look))})
        self._look = look

    def __missing__(self, glyph: str) -> LookCell:
        cell = self[glyph] = (glyph, self._look)
        return cell


@lru_cache(maxsize=512)
def look_cells(look: Look) -> LookCells:
    """The cells of a look."""
    return LookCells(look)


def looks_of(cells: list[ScreenCell], colors: ColorSystem) -> list[LookCell]:
    """Cells with their looks on a terminal that has these colors."""
    found: list[LookCell] = []
    last, known = None, look_cells(PLAIN)
    for glyph, style in cells:
        if style is not last:
            last = style
            known = look_cells(PLAIN if style is None else look_of(style, colors))
        found.append(known[glyph])
    return found


def is_narrow(text: str) -> bool:
    """Whether every terminal draws each character one cell wide."""
    return text.isascii() or _NARROW.fullmatch(text) is not None


def is_sure(text: str) -> bool:
    """Whether all terminals agree on the width of a printable text; after any other, the cursor may be anywhere."""
    return text.isascii() or _SURE.fullmatch(text) is not None


_LOOKS: dict[Look, Look] = {}


def _known(look: Look) -> Look:
    """One object for equal looks, so that they compare quickly; not for links, of which there are many."""
    return look if look.before else _LOOKS.setdefault(look, look)


@lru_cache(maxsize=4096)
def look_of(style: Style, colors: ColorSystem) -> Look:
    """A Rich style as a terminal understands it."""
    before, _, after = style.render("\0", color_system=colors).partition("\0")
    head, code, tail = before.rpartition("\x1b[")
    if not code or not tail.endswith("m"):
        return _known(Look(before=before, after=after))
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
    return _known(Look(frozenset(attributes), color["3"], color["4"], head, after.removeprefix(_RESET)))


def _short(color: list[int]) -> str:
    """A color by its number in the palette of 256 if it is exactly one of these, as most colors of our themes are.

    Numbers below 22 are left out: terminals, and programs in them, redefine those.
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
"""The colors of xterm's palette of 256 beyond the terminal's own sixteen: a cube of 6 levels each, and 24 grays."""
