"""A search marks what it has found: every hit of the folded text, whole letters of it, in any script."""

from __future__ import annotations

from itertools import pairwise
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.folding import fold, places


def marked(text: str, query: str) -> list[str]:
    return [text[start:end] for start, end in places(text, fold(query))]


@pytest.mark.parametrize(
    ("text", "query", "hits"),
    [
        ("Reset the RESET button", "reset", ["Reset", "RESET"]),
        ("nothing here", "reset", []),
        ("nothing here", "", []),
        ("aaaa", "aa", ["aa", "aa"]),
        ("Как СБРОСИТЬ пароль", "сбросить", ["СБРОСИТЬ"]),
        ("如何重置密码", "重置", ["重置"]),
        ("ΟΔΟΣ and οδος", "ΟΔΟΣ", ["ΟΔΟΣ", "οδος"]),
        (normalize("NFD", "ein Café, ein CAFÉ"), "café", [normalize("NFD", "Café"), normalize("NFD", "CAFÉ")]),
        ("ein Café", normalize("NFD", "CAFÉ"), ["Café"]),
        (normalize("NFD", "한국어 문서"), "국", [normalize("NFD", "국")]),
        ("İstanbul", "i", ["İ"]),
        ("before 😀 after", "😀 after", ["😀 after"]),
    ],
)
def test_hits_are_whole_letters_of_the_text(text: str, query: str, hits: list[str]) -> None:
    assert marked(text, query) == hits


@given(
    st.text(alphabet="aAéÉe\u0301ßςΣσİıK\u212a한\u1100\u1161 \u0307", max_size=12), st.text("aAée\u0301ςi ", max_size=3)
)
def test_what_a_search_finds_is_marked(text: str, query: str) -> None:
    found = list(places(text, fold(query)))
    for start, end in found:
        assert fold(query) in fold(text[start:end])
    assert all(one[1] <= two[0] for one, two in pairwise(found))
