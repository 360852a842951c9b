"""Rows of Parquet files in any order, from row groups of any size, without holding a row group."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.files import parquet
from core.dataset.files.parquet import ParquetReader

ROWS = 2_600


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Row groups of 1,100 rows: batches end inside a group and at its end."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path_factory.mktemp("parquet") / "rows.parquet"
    table = pa.table({"text": [f"row {n}" for n in range(ROWS)], "n": list(range(ROWS))})
    pq.write_table(table, path, row_group_size=1_100)
    return path


@settings(max_examples=40, deadline=None)
@given(order=st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=60))
def test_any_row_is_found_in_any_order(file: Path, order: list[int]) -> None:
    reader = ParquetReader(file)
    for entry in order:
        row = reader.row(entry)
        assert row.value == {"text": f"row {entry}", "n": entry}


def test_only_a_few_batches_are_held(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_BATCHES", 2)
    reader = ParquetReader(file)
    values = [reader.row(entry).value for entry in range(ROWS)]
    assert [value["n"] for value in values if isinstance(value, dict)] == list(range(ROWS))
    assert len(reader._batches) == 2
    backwards = [reader.row(entry).value for entry in (2_599, 1_100, 1_099, 0)]
    assert [value["n"] for value in backwards if isinstance(value, dict)] == [2_599, 1_100, 1_099, 0]
