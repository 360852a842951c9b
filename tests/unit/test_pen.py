"""The bytes are few, and a terminal shows by them what was meant."""

from __future__ import annotations

import random

import pyte
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style

from tui.terminal.pen import Pen, ScreenCell, is_narrow, is_sure, look_of, looks_of

TRUE = ColorSystem.TRUECOLOR
WIDTH, HEIGHT = 30, 5
STYLES = [
    Style.parse(words)
    for words in (
        "#d7d7d7 on #121212",
        "bold #d7d7d7 on #262626",
        "#5fd787 on #121212",
        "#123457 on #121212",
        "reverse",
        "bold red",
        "on bright_blue",
        "bold underline bright_red on color(200)",
        "dim",
    )
]


def cells(text: str, style: Style | None) -> list[ScreenCell]:
    """Cells of narrow glyphs."""
    return [(char, style) for char in text]


def written(*stretches: tuple[int, int, list[ScreenCell]]) -> str:
    pen = Pen()
    for y, x, stretch in stretches:
        pen.write(y, x, looks_of(stretch, TRUE))
    return pen.lift()


def test_a_style_that_is_on_is_not_said_again() -> None:
    text = written((4, 2, cells("12", STYLES[0])), (4, 9, cells("3", STYLES[0])), (5, 0, cells("4", STYLES[0])))
    assert text == "\x1b[5;3H\x1b[38;5;188;48;5;233m12\x1b[5C3\x1b[6H4\x1b[0m"


def test_of_another_style_what_is_new_is_said() -> None:
    green_and_back = [*cells("a", STYLES[0]), *cells("b", STYLES[2]), *cells("c", STYLES[0])]
    assert written((0, 1, green_and_back)) == "\x1b[1;2H\x1b[38;5;188;48;5;233ma\x1b[38;5;78mb\x1b[38;5;188mc\x1b[0m"


def test_bold_is_taken_back_by_saying_all_anew() -> None:
    text = written((0, 1, [*cells("a", Style.parse("bold red")), *cells("b", Style.parse("red"))]))
    assert text == "\x1b[1;2H\x1b[1;31ma\x1b[0;31mb\x1b[0m"


def test_colors_beside_the_palette_and_the_terminals_own_stay_as_they_are() -> None:
    assert look_of(STYLES[3], TRUE).front == "38;2;18;52;87"
    assert look_of(Style.parse("#000000 on #0000ff"), TRUE)[1:3] == ("38;2;0;0;0", "48;2;0;0;255"), "numbers 16 and 21"
    assert look_of(Style.parse("red on bright_blue"), TRUE)[1:3] == ("31", "104")


def test_a_link_opens_and_closes_around_its_text() -> None:
    text = written((0, 0, [*cells("a", Style(bold=True)), *cells("b", Style(bold=True, link="https://x.y"))]))
    before, after = text.split(";https://x.y\x1b\\")
    assert before.startswith("\x1b[1H\x1b[1ma\x1b]8;id=")
    assert after == "b\x1b]8;;\x1b\\\x1b[0m"


def test_behind_a_glyph_of_doubtful_width_the_cursor_is_put_where_it_belongs() -> None:
    text = written((0, 0, cells("⚠", None)), (0, 4, cells("x", None)))
    assert text == "\x1b[1H \x1b[1H⚠\x1b[1;5Hx", "it may be narrower than its cells: blanks are laid under it"


def test_glyphs_that_are_taken_for_narrow_are_so() -> None:
    narrow = [chr(code) for code in range(0x3000) if chr(code).isprintable() and is_narrow(chr(code))]
    assert len(narrow) > 1_000
    assert {cell_len(char) for char in narrow} == {1}
    assert not is_narrow("e\u0301")
    assert not is_narrow("\u65e5")
    wide = [chr(code) for code in range(0x3000, 0xFFFF) if is_sure(chr(code))]
    assert len(wide) > 20_000
    assert {cell_len(char) for char in wide} == {2}
    assert not any(map(is_sure, ("\U0001f600", "e\u0301", "\u0e01", "\u0627")))


def test_a_terminal_shows_the_cells_with_their_styles() -> None:
    chance = random.Random(5)
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    meant: dict[tuple[int, int], ScreenCell] = {}
    for _ in range(150):
        stretches = []
        for y in chance.sample(range(HEIGHT), 3):
            x = chance.randrange(WIDTH - 8)
            for _ in range(2):
                stretch = [
                    (chance.choice("ab ⣿│"), chance.choice([*STYLES, None])) for _ in range(chance.randint(1, 3))
                ]
                stretches.append((y, x, stretch))
                meant.update(((y, x + column), cell) for column, cell in enumerate(stretch))
                x += len(stretch) + chance.randint(0, 2)
        stream.feed(written(*stretches))
    plain = pyte.Screen(1, 1)
    for (y, x), (glyph, style) in meant.items():
        pyte.Stream(plain).feed("\x1b[H" + (style or Style()).render(glyph))
        wanted, shown = plain.buffer[0][0], screen.buffer[y][x]
        if glyph == " ":  # its color, bold and dim are not seen
            shown = shown._replace(fg=wanted.fg, bold=wanted.bold)
        assert shown == wanted, (y, x)


def test_a_blank_says_no_more_of_a_style_than_is_seen() -> None:
    words = [*cells("a", STYLES[0]), *cells(" ", STYLES[2]), *cells("b", STYLES[0]), *cells(" ", STYLES[1])]
    assert written((0, 1, words)) == "\x1b[1;2H\x1b[38;5;188;48;5;233ma b\x1b[48;5;235m \x1b[0m"
    underlined = written((0, 1, [*cells("a", None), *cells(" ", Style(underline=True))]))
    assert underlined == "\x1b[1;2Ha\x1b[4m \x1b[0m"
