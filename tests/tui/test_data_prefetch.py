"""Rows of packed files are read beside the screen, which goes on meanwhile and fills them in."""

from __future__ import annotations

import threading
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from core.dataset.dataset import Dataset
from core.dataset.files import parquet as reading
from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, list_text, sample_text, scanned
from tui.data.prefetch import RowPrefetcher


def write(path: Path, rows: int) -> Path:
    table = arrow.table({"prompt": [f"question {n}" for n in range(rows)], "completion": ["answer"] * rows})
    parquet.write_table(table, path)
    return path


async def test_far_rows_of_parquet_are_filled_in_when_they_are_decoded(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 3_000
    app = make_app(data=(write(tmp_path / "a.parquet", rows),))
    go = threading.Event()
    decode = reading.ParquetReader._batch

    def held_up(self: reading.ParquetReader, entry: int, first: int) -> object:
        if entry > rows // 2:
            go.wait(60)
        return decode(self, entry, first)

    monkeypatch.setattr(reading.ParquetReader, "_batch", held_up)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        assert "question 0" in list_text(app)
        await pilot.press("end")
        await pilot.pause()
        assert "reading" in sample_text(app)
        await pilot.press("v", "up", "down")  # the keys go on
        await pilot.pause()
        assert f"question {rows - 1}" not in list_text(app)
        go.set()
        await until(pilot, lambda: f"question {rows - 1}" in list_text(app), "the row")
        await pilot.press("v", "v")
        await until(pilot, lambda: f"question {rows - 1}" in sample_text(app), "the sample")


def test_the_newest_wish_is_read_first_and_few_rows_are_held(tmp_path: Path) -> None:
    dataset = Dataset.open(write(tmp_path / "a.parquet", 60_000))
    reported = threading.Event()
    prefetch = RowPrefetcher(dataset, reported.set)
    wanted = list(range(59_999, 100, -100))
    for entry in wanted:
        prefetch.at_hand(entry)
    assert reported.wait(30)
    assert prefetch.row(wanted[-1]).value == {"prompt": f"question {wanted[-1]}", "completion": "answer"}
    assert len(prefetch._rows) <= 400
    prefetch.close()
