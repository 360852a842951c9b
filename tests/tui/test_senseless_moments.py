"""Run folders whose files hold moments that nobody can mean: the live screen and the list of runs show them all."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.jobs import files
from core.jobs.folder import JobFolder
from tests.kit.one_widget import text_of
from tests.kit.run_folders import gpu, gpu_record, make_run
from tests.tui.test_runs_screen import names, rows, settled
from tests.tui.test_train_screen import read, state
from tui.app import TunedeckApp
from tui.cli import main
from tui.widgets.chart import Chart
from tui.widgets.facts import FactLines
from tui.widgets.text_lines import TextLines

MakeApp = Callable[..., TunedeckApp]

SENSELESS = (1_796_029_198_764_809_717, 1e18, float("nan"), -1, "yesterday", None, True)
FIELDS = ("started", "heartbeat", "earlier")


def spoil(folder: JobFolder, value: Any, state: str) -> None:
    """Writes one value wherever a moment or a span belongs, as another program or a broken disk may have."""

    def append(path: Path, record: dict[str, Any]) -> None:
        files.append_line(os.fspath(path), files.encode(record))

    for kind in ("resume", "alert"):
        append(folder.events, {"t": value, "kind": kind, "message": f"An {kind} of no time."})
    for step in range(61, 90):
        append(folder.metrics, {"t": value, "step": step, "loss": 1.0, "eta_seconds": value, "num_tokens": 812 * step})
    append(folder.gpu, {**gpu_record(gpu(0)), "t": value})
    ended = value if type(value) in (int, float) else 5.0  # what is no number at all is no ending
    status = {**json.loads(folder.status.read_text()), "state": state, **dict.fromkeys(FIELDS, value)}
    folder.status.write_text(json.dumps(status | ({"ended": ended} if state == "finished" else {})))
    folder.job.write_text(json.dumps({**folder.read_job(), "created": value}))


@pytest.mark.parametrize("value", SENSELESS, ids=repr)
@pytest.mark.parametrize("how", ["running", "finished"])
async def test_the_live_screen_shows_them_as_unknown(make_app: MakeApp, tmp_path: Path, value: Any, how: str) -> None:
    folder = make_run(tmp_path, steps=60, of=100)
    spoil(folder, value, how)
    async with make_app("train", run=folder.path).run_test(size=(120, 40)) as pilot:
        screen = await read(pilot)
        assert state(screen).startswith(how)
        assert "step  89 of 100" in screen.query_one(FactLines).plain
        assert screen.query_one("#events", TextLines).plain[-1].split() == ["-", *["An", "alert", "of", "no", "time."]]
        for _ in range(4):  # steps, epochs, tokens, time
            await pilot.press("x")
            assert "loss" in "".join(text_of(screen.query_one("#headline", Chart)))
        await pilot.press("E")
        await pilot.pause()
        assert pilot.app.is_running


@pytest.mark.parametrize("value", SENSELESS, ids=repr)
async def test_the_list_of_runs_shows_them_as_unknown(make_app: MakeApp, tmp_path: Path, value: Any) -> None:
    make_run(tmp_path, state="finished", ended=time.time())
    for how in ("finished", "running"):
        spoil(make_run(tmp_path), value, how)
    app = make_app("runs")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(app, pilot)
        assert len(names(app)) == 3
        odd = [row for row in rows(app) if " - " in row]
        assert len(odd) == 2, "both name what they took and when they began as unknown"
        await pilot.press("s", "s", "s")
        assert len(names(app)) == 3


@pytest.mark.parametrize("command", [["runs"], ["runs", "--json"], ["tail", "last", "--json"]])
@pytest.mark.parametrize("value", SENSELESS, ids=repr)
def test_commands_print_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], value: Any) -> None:
    monkeypatch.chdir(tmp_path)
    spoil(make_run(tmp_path), value, "finished")
    assert main(command) == 0
