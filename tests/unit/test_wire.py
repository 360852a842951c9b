"""What goes to the terminal is what differs, and the terminal ends up showing what was drawn."""

from __future__ import annotations

import io
import random
import re

import pyte
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tui.terminal.wire import LeanUpdate, Wire, cells_of

WIDTH, HEIGHT = 40, 6
STYLES = [Style.parse("white on black"), Style.parse("red on black"), Style.parse("bold white on blue")]


def console() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=WIDTH)


def update(rows: dict[int, Strip], spans: list[tuple[int, int, int]]) -> ChopsUpdate:
    """A partial update of one widget as wide as the screen."""
    chops = [{0: rows.get(y)} for y in range(HEIGHT)]
    return ChopsUpdate(chops, spans, [[WIDTH]] * HEIGHT)


def whole(*rows: Strip) -> LayoutUpdate:
    """A picture of the whole screen."""
    return LayoutUpdate([[each] for each in rows], Region(0, 0, WIDTH, len(rows)))


def sent(wire: Wire, drawn: ChopsUpdate | LayoutUpdate) -> str:
    lean = wire.lean(drawn)
    assert isinstance(lean, LeanUpdate)
    return lean.render_segments(console())


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[mH]", "", text)


def row(text: str) -> Strip:
    return Strip([Segment(text.ljust(WIDTH), STYLES[0])])


def test_only_the_span_is_sent_not_what_lies_left_of_it() -> None:
    text = sent(Wire(), update({1: row("abcdefghij")}, [(1, 3, 5)]))
    assert plain(text) == "de"
    assert text.startswith("\x1b[2;4H")


def test_what_the_terminal_shows_already_is_not_sent_again() -> None:
    wire = Wire()
    sent(wire, update({0: row("running 12  0:00:41")}, [(0, 0, WIDTH)]))
    assert plain(sent(wire, update({0: row("running 12  0:00:42")}, [(0, 0, WIDTH)]))) == "2"
    assert sent(wire, update({0: row("running 12  0:00:42")}, [(0, 0, WIDTH)])) == ""


def test_of_a_whole_picture_only_what_differs_is_sent() -> None:
    wire = Wire()
    first = sent(wire, whole(row("Data"), row("a list"), row("keys")))
    assert plain(first) == "".join(text.ljust(WIDTH) for text in ("Data", "a list", "keys"))
    second = sent(wire, whole(row("Data"), row("a help"), row("keys")))
    assert plain(second) == "help"
    assert plain(sent(wire, update({1: row("a test")}, [(1, 0, WIDTH)]))) == "test"
    wire.forget()
    assert len(plain(sent(wire, whole(row("Data"), row("a test"), row("keys"))))) == 3 * WIDTH


def test_a_row_with_a_glyph_of_doubtful_width_is_sent_whole() -> None:
    """An emoji of several characters left the end of what stood there before."""
    wire = Wire()
    emoji = Strip([Segment("\U0001f468\u200d\U0001f469" + "x".ljust(WIDTH - 2), STYLES[0])])
    assert emoji.cell_length == WIDTH
    sent(wire, whole(row("abcdefgh"), emoji))
    assert "x" + " " * 20 in plain(sent(wire, whole(row("abcdefgh"), row("abcdefghx"))))
    assert sent(wire, whole(row("abcdefgh"), row("abcdefghx"))) == ""


def test_a_strip_has_as_many_cells_as_it_says() -> None:
    """Joined emoji were counted one by one: what stood beside them was drawn over."""
    for text in (
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f3f3\ufe0f\u200d\U0001f308",
        "e\u0301",
        "1\ufe0f\u20e3",
        "\u65e5",
    ):
        strip = Strip([Segment(f"a{text}b")])
        assert len(cells_of(strip, ColorSystem.TRUECOLOR)) == strip.cell_length
    assert len(cells_of(Strip([Segment("\U0001f3f3\ufe0f")], 1), ColorSystem.TRUECOLOR)) == 1


def test_after_an_update_of_another_kind_and_when_told_to_nothing_is_taken_for_known() -> None:
    wire = Wire()
    for forget in (lambda: wire.lean("a full update"), wire.forget):
        sent(wire, update({0: row("abc")}, [(0, 0, 3)]))
        forget()
        assert plain(sent(wire, update({0: row("abc")}, [(0, 0, 3)]))) == "abc"


def test_another_style_is_a_difference() -> None:
    wire = Wire()
    sent(wire, update({0: row("abc")}, [(0, 0, WIDTH)]))
    red = Strip([Segment("a", STYLES[0]), Segment("b", STYLES[1]), Segment("c".ljust(WIDTH - 2), STYLES[0])])
    assert plain(sent(wire, update({0: red}, [(0, 0, WIDTH)]))) == "b"


def test_a_wide_glyph_is_sent_whole() -> None:
    wire = Wire()
    sent(wire, update({0: row("ab")}, [(0, 0, WIDTH)]))
    wide = Strip([Segment("日" + "b".ljust(WIDTH - 2), STYLES[0])])
    assert plain(sent(wire, update({0: wide}, [(0, 0, WIDTH)]))) == "日b"
    assert plain(sent(wire, update({0: row("ab")}, [(0, 1, WIDTH)]))).startswith("b")


def test_a_terminal_fed_with_differences_shows_what_was_drawn() -> None:
    chance = random.Random(3)
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    wire = Wire()
    rows: dict[int, Strip] = {}
    texts = [" " * WIDTH] * HEIGHT
    for _ in range(200):
        spans = []
        for y in sorted(chance.sample(range(HEIGHT), 2)):
            cells = list(texts[y])
            first = chance.randrange(WIDTH - 1)
            end = chance.randrange(first + 1, WIDTH + 1)
            cells[first:end] = [chance.choice("ab ⣿│") for _ in range(end - first)]
            texts[y] = "".join(cells)
            rows[y] = Strip([Segment(texts[y][:20], STYLES[0]), Segment(texts[y][20:], chance.choice(STYLES))])
            spans.append((y, first if first < 20 else 20, WIDTH))
        stream.feed(sent(wire, update(rows, spans)))
        shown = ["".join(screen.buffer[y][x].data for x in range(WIDTH)) for y in rows]
        assert shown == [texts[y] for y in rows]
