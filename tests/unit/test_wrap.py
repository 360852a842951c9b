"""Wrapping: nothing of the text is lost or doubled, no line is wider than its column."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from core.clean import clean_line
from tui.widgets.wrap import wrap


def pieces(text: str, width: int) -> list[str]:
    return [text[start:end] for start, end in wrap(text, width)]


def test_words_stay_whole_where_they_fit() -> None:
    assert pieces("the quick brown fox jumps", 10) == ["the quick", "brown fox", "jumps"]


def test_a_word_wider_than_the_column_is_broken() -> None:
    assert pieces("abcdefghij", 4) == ["abcd", "efgh", "ij"]


def test_an_empty_text_is_one_empty_line() -> None:
    assert pieces("", 10) == [""]


def test_indentation_is_not_taken_for_a_place_to_break() -> None:
    assert pieces("        value", 10) == ["        va", "lue"]


def test_chinese_breaks_between_characters_but_not_before_its_full_stop() -> None:
    assert pieces("你好世界。", 8) == ["你好世", "界。"]


def test_a_heap_of_combining_marks_does_not_make_an_endless_line() -> None:
    assert max(map(len, pieces("a" + "\u0301" * 10_000, 40))) <= 320


@given(st.text(max_size=200), st.integers(min_value=2, max_value=40))
def test_every_character_is_drawn_once_and_no_line_is_too_wide(text: str, width: int) -> None:
    text = clean_line(text)
    end_before = 0
    for start, end in wrap(text, width):
        assert text[end_before:start].strip(" ") == ""
        assert start - end_before <= 1
        assert cell_len(text[start:end]) <= width
        end_before = end
    assert end_before == len(text)
