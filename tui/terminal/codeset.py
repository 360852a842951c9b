"""The character set of the terminal, by the locale, and what stands in for a character that it cannot show."""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from io import TextIOWrapper

UTF_8, ASCII = "utf-8", "ascii"

LOOKALIKE = "tunedeck.lookalike"
"""Name of the codec error handler that prints a similar ASCII character for one that cannot be encoded."""

_OURS = re.compile("[\u2010-\u203f\u2190-\u2bff]")
"""Dashes, quotes, arrows, frames, blocks, braille: two cells wide in old East Asian character sets."""

_JOINED = re.compile("\u200d[^\x1b]?")
"""What is joined to the glyph before it, and takes no cell."""

_SAME = str.maketrans(
    {
        **dict.fromkeys("─━┄┅┈┉╌╍═╴╶╸╺‐‑‒–—―−▔▁▂", "-"),
        **dict.fromkeys("│┃┆┇┊┋╎╏║╵╷╹╻▏▎▍▌▐▕", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝╠╣╦╩╬┏┓┗┛┣┫┳┻╋╱╲╳", "+"),
        **dict.fromkeys("█▉▊▋▇▆■▓▀▄▖▗▘▙▚▛▜▝▞▟", "#"),
        **dict.fromkeys("▅▃▒", "="),
        **dict.fromkeys("░·•∙⋅", "."),
        **dict.fromkeys("←◀◂◁⏴«‹", "<"),
        **dict.fromkeys("→▶▸▷⏵»›⇒", ">"),
        **dict.fromkeys("↑▲△▴⏶", "^"),
        **dict.fromkeys("↓▼▽▾⏷", "v"),
        **dict.fromkeys("●○◉◯◌◦◆◇⬤", "o"),
        **dict.fromkeys("✓✔☑", "+"),
        **dict.fromkeys("✗✘✕✖×☒", "x"),
        **dict.fromkeys("‘’‚′", "'"),
        **dict.fromkeys("“”„″", '"'),
        "…": "~",
        "⏎": "$",
        "␣": "_",
        "↵": "$",
        "≈": "~",
        "≤": "<",
        "≥": ">",
        "\u2060": "",
        "\xa0": " ",
    }
)


def codeset_of(codeset: str, environment: Mapping[str, str]) -> str:
    """The character set of a terminal.

    `TUNEDECK_GLYPHS` decides if it is set: `ascii`, or `block` and `braille`, which need UTF-8. Otherwise the locale
    does, with two exceptions. The C locale and one that is not installed say nothing about the terminal (a container
    often has no locale at all), so UTF-8 is assumed, as Python itself does. `LC_ALL=C` is a choice: ASCII.

    Args:
        codeset: what `nl_langinfo(CODESET)` says.
        environment: of the process.

    Returns:
        The name of one of Python's codecs, such as `utf-8`, `ascii`, `iso8859-1`.
    """
    glyphs = environment.get("TUNEDECK_GLYPHS", "")
    if glyphs in ("ascii", "block", "braille"):
        return ASCII if glyphs == "ascii" else UTF_8
    names = [environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if names[0] in ("C", "POSIX"):
        return ASCII
    found = _codec(codeset)
    if found == UTF_8 and not names[0] and names[1] in ("C.UTF-8", "C.utf8", "UTF-8"):
        # Python itself sets this LC_CTYPE when the locale that LANG names is not installed.
        return _named_codeset(names[2])
    if found == ASCII:
        return _named_codeset(next(filter(None, names), ""))
    return found


def _named_codeset(locale: str) -> str:
    """The character set in the name of a locale that is not installed, as in `en_US.ISO-8859-1`, else UTF-8."""
    _, point, codeset = locale.partition("@")[0].partition(".")
    return _codec(codeset) if point else UTF_8


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ASCII


@lru_cache(maxsize=1)
def terminal_codeset() -> str:
    """The character set of this process's terminal; see `codeset_of`."""
    from locale import CODESET, nl_langinfo  # Python has called `setlocale(LC_CTYPE, "")` at its start

    return codeset_of(nl_langinfo(CODESET), os.environ)


def shown_as(data: str, table: LookalikeTable) -> str:
    """What is sent to a terminal in place of what it cannot show, as wide as that."""
    return _JOINED.sub("", data).translate(table)


class LookalikeTable(dict[int, str]):
    """A table for `str.translate`: characters that the terminal cannot show become look-alikes of the same width.

    Args:
        codec: of the terminal, a name of `codeset_of`.
    """

    def __init__(self, codec: str) -> None:
        super().__init__()
        self._codec = codec

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if code < 0x80 or (not _OURS.match(char) and _can_encode(char, self._codec)):
            shown = char
        else:
            shown = _lookalike(char)
        self[code] = shown
        return shown


def _can_encode(char: str, codec: str) -> bool:
    try:
        char.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _lookalike(char: str) -> str:
    """ASCII characters that take as many cells as a character does and look like it, else question marks."""
    if ord(char) in _SAME:
        return char.translate(_SAME)
    code = ord(char)
    if 0x2800 <= code <= 0x28FF:
        return _dots(code - 0x2800)
    if 0x2400 <= code <= 0x241F:
        return "^"  # the picture of a control character
    from rich.cells import get_character_cell_size

    return "?" * get_character_cell_size(char)


def _dots(mask: int) -> str:
    """A braille cell, by whether its dots lie high, low, or both."""
    high, low = mask & 0x1B, mask & 0xE4
    if not mask:
        return " "
    return ":" if high and low else "'" if high else "."


def _print_lookalikes(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return text.replace("…", "...").translate(_ASCII), error.end


_ASCII = LookalikeTable(ASCII)


def set_up_streams() -> None:
    """Let standard output and standard error print whatever the text: UTF-8 but on a terminal that cannot show it.

    `PYTHONIOENCODING` is left in force.
    """
    if os.environ.get("PYTHONIOENCODING"):
        return
    codecs.register_error(LOOKALIKE, _print_lookalikes)
    for stream in (sys.stdout, sys.stderr):
        codec = terminal_codeset() if stream.isatty() else UTF_8
        errors = "backslashreplace" if codec == UTF_8 else LOOKALIKE
        if isinstance(stream, TextIOWrapper) and (_codec(stream.encoding) != codec or stream.errors != errors):
            stream.reconfigure(encoding=codec, errors=errors)
