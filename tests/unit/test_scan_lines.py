"""What `tunedeck scan` says to people: titles, counts, a row to look at, nothing beyond 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

from rich.cells import cell_len

from core.dataset.dataset import Dataset
from core.dataset.near.result import NearOptions
from core.dataset.scan import scan
from tui.commands.scan_lines import near_lines, scan_lines


def test_each_flag_has_its_title_its_count_and_a_row_and_every_line_fits(tmp_path: Path) -> None:
    text = "同じ文章をもう一度ここに書いておきますので、よく読んでください。" * 3
    rows = [{"prompt": text + str(n % 2), "completion": "はい、わかりました。" if n else ""} for n in range(4)]
    path = tmp_path / f"{'long' * 40}.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows) + '{"torn": \x1b[2J\n')
    found = scan(path, near=NearOptions(0.8))
    lines = scan_lines(found) + near_lines(found, Dataset.open(path))
    assert max(map(cell_len, lines)) <= 80
    flags = [line.split() for line in lines]
    assert ["empty", "answer", "1", "for", "example", "row", "1"] in flags
    assert ["exact", "duplicate", "1", "for", "example", "row", "4"] in flags
    assert any(line.startswith("  line 5: not valid JSON") for line in lines)
    assert not any("\x1b" in line for line in lines)
