"""No bytes and no values make the readers, formats or checks crash, hang or lose a good row."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clean import is_hostile
from core.dataset.dataset import Dataset
from core.dataset.formats import FORMATS, Recognition, choose, recognize, to_sample
from core.dataset.records import Unreadable
from core.dataset.scan.scan import scan
from core.errors import BadInput

FAST = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SYNTAX = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", ",", ":", '"', "\\", "\n", "\r\n", " ", "\0", "\ufeff", '"text"', '"a"', '{"text": "x"}',
         "1e999", "NaN", "\\ud800", "\x1b]52;", "é", "\t", "null", '[{"text": "y"}]']
    )
).map(lambda parts: "".join(parts).encode())  # fmt: skip
BYTES = st.one_of(st.binary(max_size=300), SYNTAX, SYNTAX.map(gzip.compress), SYNTAX.map(lambda data: b"[" + data))
SUFFIXES = [".jsonl", ".json", ".csv", ".tsv", ".txt", ".jsonl.gz", ".parquet", ""]

TEXT = st.text(st.characters(), max_size=8)
LEAVES = st.one_of(TEXT, st.none(), st.booleans(), st.integers(), st.floats())
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["role", "content", "from", "value", "type", "tool_calls", "function", "name", "arguments"]
            ),
            st.one_of(inner, st.sampled_from(["user", "assistant", "text", "tool_call", "gpt", "function_call"])),
            max_size=3,
        ),
    ),
    max_leaves=8,
)
COLUMNS = sorted({spelling for each in FORMATS for field in each.fields for spelling in field.spellings})
ROWS = st.dictionaries(st.sampled_from(COLUMNS), VALUES, max_size=5)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(data=BYTES)
@FAST
def test_any_bytes_give_rows_or_a_sentence_within_a_second(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(data)
    began = time.process_time()
    try:
        dataset = Dataset.open(path)
    except BadInput as fault:
        sentence = str(fault)
    else:
        sentence = ""
    if sentence:
        assert str(path) in sentence
        return
    dataset.reader.extend()
    for entry in range(dataset.count):
        row = dataset.row(entry)
        assert (row.value is None) == bool(row.error)
        assert row.line >= 1
        assert not is_hostile(dataset.preview(entry))
    result = scan(path)
    assert result.rows + len(result.bad_entries) == dataset.count
    json.dumps(result.to_json())
    assert time.process_time() - began < 1


@given(rows=st.lists(ROWS, min_size=1, max_size=4))
@FAST
def test_any_row_is_formatted_or_refused_with_a_reason(rows: list[dict[str, Any]]) -> None:
    recognition = recognize(rows)
    for row in rows:
        check_formatting(row, recognition)


def check_formatting(row: dict[str, Any], recognition: Recognition) -> None:
    reason = ""
    try:
        sample = to_sample(row, recognition)
    except Unreadable as fault:
        reason = str(fault) or "no reason"
    if reason:
        assert reason != "no reason"
        return
    assert sample.kind == recognition.kind
    assert all(isinstance(turn.content, str) for turn in sample.messages + sample.chosen + sample.rejected)


@pytest.mark.parametrize("name", [each.name for each in FORMATS])
@given(row=ROWS)
@FAST
def test_any_row_in_a_format_that_was_forced_upon_it_is_refused_in_words(name: str, row: dict[str, Any]) -> None:
    fields = {
        each.name: (each.spellings or ("note",))[0]
        for format in FORMATS
        if format.name == name
        for each in format.fields
    }
    recognition = choose([dict.fromkeys(fields.values(), "")], name)
    check_formatting(row, recognition)


@given(
    values=st.lists(st.dictionaries(TEXT, LEAVES | st.lists(LEAVES, max_size=3), max_size=4), min_size=1),
    indent=st.sampled_from([None, 0, 2]),
)
@FAST
def test_what_json_writes_is_read_back_whole_from_both_layouts(
    tmp_path: Path, values: list[dict[str, Any]], indent: int | None
) -> None:
    lines, array = tmp_path / "a.jsonl", tmp_path / "a.json"
    lines.write_text("".join(json.dumps(value) + "\n" for value in values))
    array.write_text(json.dumps(values, indent=indent))
    for path in (lines, array):
        dataset = Dataset.open(path)
        dataset.reader.extend()
        found = [dataset.row(entry).value for entry in range(dataset.count)]
        assert json.dumps(found) == json.dumps(json.loads(json.dumps(values)))


@given(
    cells=st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('\n",;\t'), max_size=6),
            min_size=2,
            max_size=2,
        ),
        min_size=1,
    )
)
@FAST
def test_what_csv_writes_is_read_back_whole(tmp_path: Path, cells: list[list[str]]) -> None:
    import csv

    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["prompt", "completion"], *cells])
    dataset = Dataset.open(path)
    dataset.reader.extend()
    found = [dataset.row(entry).value for entry in range(dataset.count)]
    assert found == [{"prompt": first, "completion": second} for first, second in cells]
