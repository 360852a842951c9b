"""Pieces of a text as lines: each piece is told from the next, and no sign is taken apart."""

from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.span_lines import Marking, span_lines
from tui.widgets.text_view import Cutter

TRAINED = Marking("trained", bar="▌", line_end="⏎", next_style="trained-next")
MASKED = Marking("masked", next_style="masked-next")
LOST = Marking("lost")


def test_neighbors_of_one_marking_are_drawn_apart_and_of_another_with_its_styles() -> None:
    (line, after) = span_lines([("How", MASKED), (" do", MASKED), ("Hel", TRAINED), ("lo\n", TRAINED), ("x", MASKED)])
    assert line.spans == (
        ("How", "masked"),
        (" do", "masked-next"),
        ("Hel", "trained"),
        ("lo", "trained-next"),
        ("⏎", "trained-next"),
    )
    assert line.bar == "▌"
    assert (after.spans, after.bar) == ((("x", "masked"),), "")


def test_pieces_without_a_second_style_are_drawn_as_one() -> None:
    (line,) = span_lines([("a", LOST), ("b", LOST), ("c", MASKED)])
    assert line.spans == (("ab", "lost"), ("c", "masked-next"))


def test_a_piece_that_is_drawn_over_the_one_before_belongs_to_it() -> None:
    pieces = ("e", "\u0301", "👩", "\u200d👧", "", "b")
    (line,) = span_lines((piece, MASKED) for piece in pieces)
    assert line.spans == (("e\u0301", "masked"), ("👩\u200d👧", "masked-next"), ("b", "masked"))


@given(pieces=st.lists(st.text("ab你 ", max_size=4), max_size=12), data=st.data())
def test_pieces_are_cut_where_their_joined_text_is(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    bounds = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=1, max_size=6)))
    cut = Cutter(tuple((piece, str(number)) for number, piece in enumerate(pieces)))
    owners = [str(number) for number, piece in enumerate(pieces) for _ in piece]
    for start, end in pairwise(bounds):
        found = cut(start, end)
        assert [(char, style) for piece, style in found for char in piece] == list(
            zip(text[start:end], owners[start:end], strict=True)
        )


def test_a_line_of_very_many_pieces_is_cut_in_linear_time() -> None:
    """Each wrapped line once looked at all pieces from the first on."""
    spans = tuple((f"{number:05} ", "text") for number in range(60_000))
    cut = Cutter(spans)
    began = time.process_time()
    rows = [cut(start, start + 60) for start in range(0, 360_000, 60)]
    assert time.process_time() - began < 1
    assert len(rows) == 6_000
    assert all(len(row) == 10 for row in rows)
