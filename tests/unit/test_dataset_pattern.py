"""Search by a regular expression: every value of a row, errors in a sentence, and no expression that hangs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.dataset import pattern
from core.dataset.dataset import Dataset
from core.dataset.files.readers import Reader
from core.dataset.pattern import Pattern, matching
from core.errors import BadInput, TunedeckError


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    rows = [
        {"prompt": "order 4711", "completion": "Thanks.\nIt ships on Monday"},
        {"prompt": "no number", "completion": "Größe: XL", "meta": {"ticket": 99}},
        {"prompt": "x" * 40, "completion": "a" * 60 + "!"},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n{broken\n")
    reader = Dataset.open(path).reader
    while not reader.complete:
        reader.extend(0.1)
    return reader


def found(reader: Reader, query: str) -> dict[int, str]:
    read = Pattern.read(query)
    assert read is not None
    matches: dict[int, str] = {}
    for each in matching(reader, read):
        matches.update(each.matches)
    assert each.complete
    assert each.done == 4
    return matches


def test_a_pattern_stands_between_slashes_and_all_else_is_text() -> None:
    assert Pattern.read(" /a+/i ") == Pattern("a+", "i")
    assert Pattern.read("/usr/bin/") == Pattern("usr/bin")
    assert [Pattern.read(text) for text in ("a+", "/a", "//", "a/b/")] == [None] * 4


def test_values_of_all_depths_are_searched_and_the_match_is_told(reader: Reader) -> None:
    assert found(reader, r"/\d{2,}/") == {0: "4711", 1: "99"}
    assert found(reader, "/größe/") == {}
    assert found(reader, "/größe: x/i") == {1: "Größe: X"}
    assert found(reader, "/^it/im") == {0: "It"}
    assert found(reader, "/Thanks.+Monday/s") == {0: "Thanks.\nIt ships on Monday"}
    assert found(reader, "/x*/") == {0: "", 1: "", 2: "x" * 40}


@pytest.mark.parametrize("query", ["/(/", "/*a/", "/[z-a]/", "/(?P<n>a)(?P<n>b)/", "/a{5,2}/", "/(?<=a+)b/"])
def test_what_is_no_expression_is_a_sentence(reader: Reader, query: str) -> None:
    with pytest.raises(BadInput, match="not a valid regular expression"):
        found(reader, query)


def test_an_unknown_flag_is_named(reader: Reader) -> None:
    with pytest.raises(BadInput, match="'g'"):
        found(reader, "/a/g")


@pytest.mark.parametrize("query", ["/(a+)+$/", "/(a|aa)+$/", "/(.*a){25}b/"])
def test_an_expression_that_never_ends_is_stopped_and_names_the_row(
    reader: Reader, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = tmp_path / "child.py"
    quick.write_text(pattern._CHILD.read_text().replace("_SECONDS = 2.0", "_SECONDS = 0.1"))
    monkeypatch.setattr(pattern, "_CHILD", quick)
    with pytest.raises(TunedeckError, match="too long on row 3"):
        found(reader, query)
