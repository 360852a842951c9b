"""A run whose folder is away for a while continues and loses nothing; one whose folder is gone saves elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from core.gpu.host import stat_fields
from core.jobs import process, requests
from core.jobs.folder import JobFolder
from core.jobs.runs import list_runs
from core.jobs.state import standing
from core.recipe.yamlfile import load
from core.runs.artifacts import read_adapter
from core.runs.checkpoint import last_good
from tests.e2e.test_pause import live, steps
from tests.e2e.test_resume import logged, run_to_end
from tests.kit.training_runs import events, lines, make_run, recipe, work
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

__all__ = ["live"]

AWAY = "tests.kit.away_training"
_RUN: dict[str, Any] = {
    "training__max_steps": 12,
    "training__save_every": 4.0,
    "training__eval_every": 3.0,
    "evaluation__after_training": False,
}
_TICKS = 22, 23
"""Where user and system time stand in the fields behind a process' name, counted from the state."""


def away(warm: WarmPython, folder: JobFolder, **variables: str) -> subprocess.CompletedProcess[str]:
    """Trains in a folder that is away meanwhile, without a keeper."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        return work(warm, AWAY, folder.path)


@pytest.mark.parametrize("what", ["run", "runs", "locked"])
def test_a_run_goes_on_while_its_folder_is_away_and_all_its_lines_are_there_in_order(
    warm: WarmPython, tmp_path: Path, what: str
) -> None:
    plain = run_to_end(make_run(tmp_path / "plain", **_RUN))
    folder = make_run(tmp_path / "runs", **_RUN)
    done = away(warm, folder, AWAY_FROM="3", AWAY_TO="9", AWAY_WHAT=what)
    assert done.returncode == 0, done.stderr[-3000:]
    assert logged(folder) == logged(plain)
    found = [(line["step"], "loss" in line, "eval_loss" in line) for line in lines(folder.metrics)]
    assert found == [(line["step"], "loss" in line, "eval_loss" in line) for line in lines(plain.metrics)]
    put_off = [event["message"] for event in events(folder, "alert")]
    assert put_off == [
        "Checkpoint 4 postponed: the run's folder cannot be reached. Training continues.",
    ]
    assert [event["step"] for event in events(folder, "checkpoint")] == [10, 12]
    assert [path.name for path in tmp_path.iterdir() if path.name == "aside"] == []
    last, _ = last_good(folder.checkpoints)
    assert last is not None
    assert last.step == 12
    assert (folder.adapter / "adapter_model.safetensors").exists()


def test_a_live_run_survives_a_move_there_and_back_with_its_keeper(live: JobFolder) -> None:
    keeper, worker = live.read_job()["keeper"], live.read_status().worker
    assert worker is not None
    aside = live.path.parent.with_name("aside")
    live.path.parent.rename(aside)

    def ticks() -> int:
        return sum(int(stat_fields(worker.pid)[place - 11]) for place in _TICKS)

    before = ticks()
    until(lambda: ticks() > before + 100, "it computes for a second, wherever its folder is")
    assert not live.path.exists(), "nobody makes it anew"
    away_until = lines(aside / live.id / "gpu.jsonl")[-1]["t"]
    aside.rename(live.path.parent)
    seen = steps(live)[-1]
    until(lambda: steps(live)[-1] > seen + 3, "its steps are logged again")
    until(lambda: lines(live.gpu)[-1]["t"] > away_until, "its devices are read again")
    assert standing(live).state == "running"
    assert live.read_job()["keeper"] == keeper
    assert process.is_alive(worker)
    requests.ask(live, requests.STOP)
    until(lambda: standing(live).over, "it saves and ends")
    assert standing(live).state == "stopped"
    found = steps(live)
    assert found == list(range(1, len(found) + 1)), "no line was lost, and none is there twice"
    moments = [line["t"] for line in lines(live.gpu)]
    assert moments == sorted(set(moments))
    assert [moment for moment in moments if moment > away_until]
    reported = [json.dumps(event) for event in lines(live.events)]
    assert len(reported) == len(set(reported))


@pytest.mark.parametrize("what", ["run", "runs"])
def test_what_was_trained_is_saved_in_the_next_place_when_the_folder_is_gone(
    warm: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = make_run(tmp_path / "runs", **_RUN)
    make_run(tmp_path / "runs", **_RUN)  # so that the folder of all runs is not empty
    done = away(warm, folder, AWAY_FROM="5", AWAY_WHAT=what, AWAY_GONE_AFTER="0")
    assert done.returncode == 1
    assert "deleted or moved" in done.stderr
    assert not folder.path.exists()
    place = tmp_path / "runs" if what == "run" else tmp_path / "state" / "tunedeck" / "rescued"
    (saved,) = [JobFolder(path) for path in place.iterdir() if path.name.endswith("rescued")]
    said = re.search(r"The weights of step (\d+) are saved in (\S+)\.$", done.stderr, re.MULTILINE)
    assert said is not None
    assert (int(said[1]) >= 5, said[2]) == (True, str(saved.adapter))
    adapter = read_adapter(saved.path)
    assert adapter is not None
    assert adapter.rank == 8
    assert load(saved.recipe) == recipe(**_RUN)
    assert standing(saved).state == "stopped"
    words = f"The folder of run {folder.id} was deleted; these are the weights of step {said[1]} of 12."
    assert standing(saved).detail == words
    if what == "run":
        assert saved.id in [run.id for run in list_runs(tmp_path)]


@pytest.mark.parametrize("how", [{"AWAY_FROM": "11"}, {"AWAY_FROM": "5", "AWAY_STOP": "1"}], ids=["end", "stop"])
def test_at_its_end_a_run_waits_for_its_folder_and_then_saves_elsewhere(
    warm: WarmPython, tmp_path: Path, how: dict[str, str]
) -> None:
    """A folder that is not deleted but locked: the last checkpoint and the adapter find no way in."""
    folder = make_run(tmp_path / "runs", **_RUN)
    done = away(warm, folder, AWAY_WHAT="locked", AWAY_GONE_AFTER="0.5", **how)
    assert done.returncode == 1
    assert "Too many levels of symbolic links" in done.stderr
    (saved,) = [JobFolder(path) for path in (tmp_path / "runs").iterdir() if path.name.endswith("rescued")]
    assert "could not be reached" in standing(saved).detail
    assert read_adapter(saved.path) is not None
