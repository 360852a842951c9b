"""Which character set a terminal has, and what stands in for characters that it cannot show."""

from __future__ import annotations

import codecs

import pytest
from rich.cells import cell_len

from tui.charts.glyphs import BLOCK, BRAILLE
from tui.terminal.codeset import LOOKALIKE, LookalikeTable, codeset_of, set_up_streams, shown_as

ASCII_LOCALE = "ANSI_X3.4-1968"


@pytest.mark.parametrize(
    ("codeset", "environment", "found"),
    [
        ("UTF-8", {"LANG": "en_US.UTF-8"}, "utf-8"),
        ("ISO-8859-1", {"LANG": "en_US"}, "iso8859-1"),
        ("ISO-8859-15", {"LANG": "de_DE@euro"}, "iso8859-15"),
        ("EUC-JP", {"LC_ALL": "ja_JP.eucJP"}, "euc_jp"),
        # No locale, or one that is not installed, says nothing of the terminal.
        (ASCII_LOCALE, {}, "utf-8"),
        (ASCII_LOCALE, {"LANG": "C"}, "utf-8"),
        (ASCII_LOCALE, {"LANG": "en_US"}, "utf-8"),
        (ASCII_LOCALE, {"LC_ALL": "en_US.ISO-8859-1"}, "iso8859-1"),
        ("UTF-8", {"LC_CTYPE": "C.UTF-8", "LANG": "en_US.ISO-8859-1"}, "iso8859-1"),
        ("UTF-8", {"LC_CTYPE": "C.UTF-8", "LANG": "C"}, "utf-8"),
        # The user's own word.
        (ASCII_LOCALE, {"LC_ALL": "C"}, "ascii"),
        (ASCII_LOCALE, {"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, "ascii"),
        ("UTF-8", {"LC_ALL": "C.UTF-8"}, "utf-8"),
        ("UTF-8", {"TUNEDECK_GLYPHS": "ascii"}, "ascii"),
        ("ISO-8859-1", {"TUNEDECK_GLYPHS": "braille"}, "utf-8"),
        ("KLINGON", {"LANG": "tlh"}, "utf-8"),
    ],
)
def test_the_character_set_of_a_terminal(codeset: str, environment: dict[str, str], found: str) -> None:
    assert codeset_of(codeset, environment) == found


@pytest.mark.parametrize("codec", ["ascii", "iso8859-1", "cp1252", "euc_jp"])
def test_a_lookalike_can_be_encoded_and_is_as_wide(codec: str) -> None:
    text = "╭─ Data │ “naïve” … 日本 ⣿⠁⢀ ▲ →\x1b[31m" + "".join(BRAILLE.dots) + "".join(BLOCK.dots) + BRAILLE.bar
    shown = text.translate(LookalikeTable(codec))
    assert len(shown.encode(codec)) >= len(shown)
    for char in text:
        if char.isprintable():
            assert cell_len(char.translate(LookalikeTable(codec))) == cell_len(char), char
    assert "\x1b[31m" in shown
    assert "+- Data |" in shown


def test_what_a_terminal_can_show_stays() -> None:
    assert "é·日".translate(LookalikeTable("iso8859-1")) == "é·??"
    assert "é·日".translate(LookalikeTable("ascii")) == "?.??"
    joined = "\U0001f468\u200d\U0001f469|"
    assert shown_as(joined, LookalikeTable("ascii")) == "??|"


def test_lines_are_printed_with_lookalikes() -> None:
    set_up_streams()
    assert codecs.lookup_error(LOOKALIKE)
    assert "12 → 8 rows…".encode("iso8859-1", LOOKALIKE) == b"12 > 8 rows..."
