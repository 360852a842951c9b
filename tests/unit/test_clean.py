"""What the one cleaning function lets through to a terminal: nothing that a terminal obeys."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clean import clean, clean_line, clean_paste, is_hostile

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT)
def test_no_control_or_surrogate_survives_but_the_newline(text: str) -> None:
    for char in clean(text):
        assert char == "\n" or unicodedata.category(char) not in ("Cc", "Cs")


@given(ANY_TEXT)
def test_cleaned_text_is_not_hostile_and_stays_as_it_is_when_cleaned_again(text: str) -> None:
    once = clean(text)
    assert not is_hostile(once)
    assert clean(once) == once
    once.encode("utf-8")


@given(ANY_TEXT, st.integers(min_value=1, max_value=50))
def test_a_cleaned_line_is_one_line_of_bounded_length(text: str, limit: int) -> None:
    line = clean_line(text, limit)
    assert "\n" not in line
    assert "\r" not in line
    assert len(line) <= limit + 1 or any(char == "\t" for char in text)


@pytest.mark.parametrize(
    "attack",
    [
        "\x1b]52;c;cm0gLXJmIC8=\x07",
        "\x1b[2J",
        "\x9b31m",
        "a\x00b",
        "\x7f",
        "\u202eevil\u202c",
        "\u2066x\u2069",
        "\ud800",
        "\U000e0041",
    ],
)
def test_known_attacks_become_visible(attack: str) -> None:
    shown = clean(attack)
    assert is_hostile(attack)
    assert not is_hostile(shown)
    assert shown != attack


def test_ordinary_text_of_any_script_is_untouched() -> None:
    text = "Grüße, 你好, مرحبا, emoji 👩‍💻\nsecond line [/INST] [@click=app.quit]"
    assert clean(text) == text


def test_carriage_returns_of_line_ends_go_and_lone_ones_show() -> None:
    assert clean("a\r\nb\rc") == "a\nb␍c"


@given(ANY_TEXT)
def test_pasted_text_loses_what_is_hostile_and_nothing_else(text: str) -> None:
    pasted = clean_paste(text)
    assert not is_hostile(pasted)
    kept = [char for char in text if char in "\n\t" or not is_hostile(char)]
    assert pasted.replace("\n", "") == "".join(kept).replace("\n", "").replace("\r", "")


def test_every_kind_of_pasted_line_end_is_a_newline() -> None:
    assert clean_paste("a\r\nb\rc\nd\te\x1b[0m\x9b\x00") == "a\nb\nc\nd\te[0m"
