"""A scan is stopped and gone on with from the data screen; what it had found stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.dataset.scan.scan import scan
from tests.kit import held_scan
from tests.kit.app_waiting import until
from tests.kit.data_screen import data_screen, dataset, line
from tui.app import TunedeckApp
from tui.data.scan import ScanFindings

MakeApp = Callable[..., TunedeckApp]
ROWS = 12_000


async def test_c_stops_the_scan_and_goes_on_with_it(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "core.jobs.launch.worker_command",
        lambda _, folder, python: [python, held_scan.__file__, str(folder.path)],
    )
    path = tmp_path / "rows.jsonl"
    turns = [
        {"prompt": f"What is {n % 5_000} and more?", "completion": f"It is {n}." if n % 9 else ""} for n in range(ROWS)
    ]
    path.write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    app = make_app(data=(path,))
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: data_screen(app).dataset is not None, "the data set is open")
        desk = dataset(app).desk
        await until(pilot, lambda: desk.scanning and desk.rows.scanned > 0, "the scan to find something")
        await pilot.press("C")
        await until(pilot, lambda: "scan stopped at" in line(app), "the scan to be stopped")
        assert "C to resume" in line(app)
        before = desk.rows.scanned
        assert 0 < before <= held_scan.HELD_AT + 64
        assert desk.rows.flags
        await pilot.press("C")
        await until(pilot, lambda: "scanned" in line(app), "the scan to go on to its end")
        assert desk.rows.scanned == ROWS
        assert desk.rows.flags == scan(path).row_flags
        assert not dataset(app).check_action("scan", ()), "there is nothing to stop any more"


def test_news_of_a_scan_that_is_heard_again_counts_once(tmp_path: Path) -> None:
    from core.dataset.dataset import Dataset
    from tui.data.desk import OpenDataset

    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "completion": ""}\n{broken\n')
    found = scan(path)
    desk = OpenDataset(Dataset.open(path), tmp_path)
    update = ScanFindings(flags=found.row_flags, bad=((1, found.bad_lines[0]),), rows=1, total=2)
    desk.learn(update)
    desk.learn(update)
    desk.close()
    assert desk.rows.flags == found.row_flags
    assert len(desk.rows.bad) == 1
