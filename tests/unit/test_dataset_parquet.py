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


PADDED = [
    {
        "messages": [
            {"role": "user", "content": "Weather in Ulm?"},
            {"role": "assistant", "tool_calls": [{"name": "weather", "arguments": {"town": "Ulm", "days": [None, 2]}}]},
        ],
        "note": None,
        "map": [("kept", None)],
    },
    {
        "messages": [
            {"role": "user", "content": "Add 1 and 2"},
            {"role": "assistant", "tool_calls": [{"name": "add", "arguments": {"a": 1, "b": {"c": 2}}}]},
            {"role": "assistant", "tool_calls": [{"name": "now", "arguments": {}}]},
        ],
        "note": "x",
        "map": [],
    },
]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_members_that_a_row_did_not_have_are_not_there(tmp_path: Path, kind: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from core.dataset.dataset import Dataset

    table = pa.Table.from_pylist([{name: row[name] for name in ("messages", "note")} for row in PADDED])
    table = table.append_column("map", pa.array([row["map"] for row in PADDED], pa.map_(pa.string(), pa.int64())))
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    dataset = Dataset.open(path)
    first, second = (dataset.row(entry).value for entry in (0, 1))
    assert first is not None
    assert first["messages"] == PADDED[0]["messages"]
    assert first["note"] is None, "a null column is null"
    assert first["map"] == {"kept": None}, "maps have no padding"
    assert second is not None
    assert second["messages"] == PADDED[1]["messages"]
    calls = [call for turn in dataset.sample(1).messages for call in turn.tool_calls]
    assert [call["function"]["arguments"] for call in calls] == [{"a": 1, "b": {"c": 2}}, {}]


def test_rows_of_the_hub_are_written_without_padding() -> None:
    from core.engine.fetch_data import _unpadded

    assert _unpadded([{"role": "user", "tool_calls": None, "x": [{"a": None, "b": [None]}]}]) == [
        {"role": "user", "x": [{"b": [None]}]}
    ]
