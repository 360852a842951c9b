r"""The one way by which foreign text reaches a screen: control characters become visible glyphs.

Rows, model answers and logs are hostile. A terminal obeys ESC, the C1 controls and some bidi marks, so each of
these is replaced by a glyph of one cell that shows what stood there. See docs/decisions/0001-untrusted-text.md.
"""

from __future__ import annotations

import re

_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_INVISIBLE = "\u00ad\u200b\u2060\ufeff\u2028\u2029\ufff9\ufffa\ufffb"

_GLYPHS: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},  # the Unicode control pictures, from U+2400
    0x7F: "\u2421",
    **dict.fromkeys(range(0x80, 0xA0), "\ufffd"),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),  # lone surrogates cannot be encoded at all
    **dict.fromkeys(range(0xE0000, 0xE0080), "\ufffd"),  # tag characters: invisible ASCII
    **{ord(char): "\u25e6" for char in _BIDI + _INVISIBLE},
}
_KEEP_LINES = {code: glyph for code, glyph in _GLYPHS.items() if code not in (0x09, 0x0A)}
_DROPPED: dict[int, None] = dict.fromkeys(_KEEP_LINES)
_HOSTILE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\U000e0000-\U000e007f" + _BIDI + _INVISIBLE + "]")


def clean(text: str, *, tab: int = 4) -> str:
    """Text that is safe to draw, over several lines.

    Newlines stay, tabs become spaces, a carriage return before a newline goes; every other control, bidi or
    invisible character becomes a visible glyph. The result never holds a character that a terminal obeys.

    Args:
        text: any string, lone surrogates included.
        tab: cells that a tab is replaced by.
    """
    if not _HOSTILE.search(text):
        return text
    return text.replace("\r\n", "\n").replace("\t", " " * tab).translate(_KEEP_LINES)


def clean_line(text: str, limit: int = 4_096) -> str:
    """Text that is safe to draw on one line: as `clean`, with line ends as `⏎` and cut after `limit` characters."""
    cut = text[: limit + 1]
    line = clean(cut, tab=1).replace("\n", "⏎")
    return line if len(cut) <= limit else line[:limit] + "…"


def clean_paste(text: str) -> str:
    """Pasted text for a field: without what a terminal obeys or hides; every line end is a newline."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_DROPPED)


def is_hostile(text: str) -> bool:
    """Whether the text holds a character (newline, tab and carriage return aside) that a terminal must not get."""
    return any(match.group() not in "\n\r\t" for match in _HOSTILE.finditer(text))
