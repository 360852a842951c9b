"""Row numbers of a file with malformed lines, before a scan has looked at it."""

from __future__ import annotations

import json
from pathlib import Path

from core.dataset.dataset import Dataset
from tui.data.rows import DataRows


def test_malformed_lines_are_not_counted_as_rows_from_the_first_paint_on(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"text {n}"}) for n in range(12)]
    lines[5], lines[7] = "{broken", "[1]"
    path = tmp_path / "broken.jsonl"
    path.write_text("\n".join(lines) + "\n")
    dataset = Dataset.open([path])
    dataset.reader.extend()
    rows = DataRows(dataset)
    assert rows.row_of(8) == 8
    rows.look_at_first()
    assert (rows.row_of(5), rows.row_of(6), rows.row_of(8)) == (None, 5, 6)
    assert rows.good == 10
    rows.learn({}, rows.bad, 10)
    assert rows.good == 10, "what the scan finds again counts once"
