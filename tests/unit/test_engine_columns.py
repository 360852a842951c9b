"""Columns of every kind keep their values through a block, the pipe of a child process, a file, and a dataset."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.engine.columns import EncodedBlock, part_types, rows_of
from core.engine.encode_piece import read_piece, write_piece
from core.engine.samples import EncodingSummary

CODES = {"ids": "H", "label": "b", "weight": "d", "text": "s", "prompt": "j"}
ROWS: list[dict[str, Any]] = [
    {
        "ids": [1, 65_535],
        "label": True,
        "weight": 0.1,
        "text": "日本 😀\u2028",
        "prompt": [{"role": "user", "content": "é"}],
    },
    {"ids": [], "label": False, "weight": -1e300, "text": "", "prompt": "a text"},
    {"ids": [7], "label": True, "weight": 3.0, "text": "x", "prompt": {"rows": [1, None, 2.5], "deep": {"a": []}}},
]


def test_every_kind_of_column_comes_back_as_it_was(tmp_path: Path) -> None:
    from datasets import Dataset

    block = EncodedBlock(CODES)
    block.extend(ROWS)
    assert (len(block), [part.typecode for part in block.parts()]) == (3, part_types(CODES))
    stream = io.BytesIO()
    write_piece((block, EncodingSummary(samples=3)), stream)
    stream.seek(0)
    again, summary = read_piece(stream, CODES)
    assert (len(again), summary.samples) == (3, 3)
    path = str(tmp_path / "rows.arrow")
    with pa.ipc.new_file(path, again.batch().schema) as writer:
        writer.write_batch(again.batch())
        writer.write_batch(block.batch())
    table = pa.ipc.open_file(pa.memory_map(path)).read_all()
    assert rows_of(table, CODES) == ROWS * 2
    dataset = Dataset(table, fingerprint="0" * 16)
    assert list(dataset) == ROWS * 2
    assert dataset.select([4, 0]).to_list() == [ROWS[1], ROWS[0]]
    assert rows_of(pa.Table.from_batches([EncodedBlock(CODES).batch()]), CODES) == []
