"""All runs with what they came to: read once, kept, and never out of date."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput, TunedeckError
from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.remove import contents, remove
from core.jobs.runs import run_info
from core.verdict import run_list
from core.verdict.run_list import RunLine, RunList
from tests.kit.verdict_runs import course
from tui.runs.delete import question


def _run(workspace: Path, name: str, *, state: str = "finished", steps: int = 60, **status: Any) -> JobFolder:
    recipe = {"name": name, "model": {"path": "/models/Qwen3-0.6B"}}
    folder = JobFolder.create(workspace / "runs", name, "training", payload={"recipe": recipe})
    for record in course(steps, eval_loss=lambda step: 1.5 - step / 100):
        folder.append_metric(record)
    folder.append_event("summary", "Done.", peak_memory=3 * 2**30)
    now = time.time()
    folder.write_status(**{"state": state, "step": steps, "of": steps, "ended": now, **status})
    return folder


def _all(runs: RunList) -> list[RunLine]:
    lines, more = runs.read(), True
    while more:
        lines, more = runs.work(lines, 0.05)
    runs.save()
    return lines


def test_the_memory_of_a_run_is_that_of_all_its_gpus_as_the_driver_says(tmp_path: Path) -> None:
    """The trainer's own word is of one GPU, and leaves out what the driver holds for it."""
    folder = _run(tmp_path, "tone")
    gpus = [{"index": n, "processes": [[7, (4 + n) * 2**30], [8, 2**40]]} for n in range(2)]
    folder.append_gpu({"t": 1.0, "gpus": gpus, "devices": [0, 1], "worker": {"pids": [7]}})
    (line,) = _all(RunList(tmp_path))
    assert line.memory == 9 * 2**30


def test_verdict_best_eval_and_memory_are_read_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".tunedeck").mkdir()
    folder = _run(tmp_path, "tone")
    (line,) = _all(RunList(tmp_path))
    assert (line.info.state, line.info.name, line.model) == ("finished", "tone", "Qwen3-0.6B")
    assert (line.best_step, line.memory, line.known) == (60, 3 * 2**30, True)
    assert line.best_eval == pytest.approx(0.9)
    assert line.verdict
    assert line.verdict_text.upper().startswith(line.verdict.upper())

    def never(*_: object) -> None:
        raise AssertionError("it was read already")

    with monkeypatch.context() as patch:
        patch.setattr(run_list, "run_info", never)
        patch.setattr(run_list, "_Reader", never)
        assert _all(RunList(tmp_path)) == [line]
    folder.append_metric({"step": 61, "eval_loss": 0.2})  # it was resumed
    (again,) = _all(RunList(tmp_path))
    assert again.best_eval == 0.2


def test_a_run_that_goes_on_is_followed(tmp_path: Path) -> None:
    me = process.identify(os.getpid())
    assert me is not None
    folder = _run(tmp_path, "tone", state="running", ended=None, worker=me.to_json(), heartbeat=time.time())
    folder.write_job({**folder.read_job(), "keeper": me.to_json()})
    runs = RunList(tmp_path)
    (line,) = _all(runs)
    assert (line.info.state, line.best_step) == ("running", 60)
    folder.append_metric({"step": 80, "eval_loss": 0.4})
    (line,) = _all(runs)
    assert (line.best_eval, line.best_step) == (0.4, 80)
    assert not (tmp_path / ".tunedeck" / "runs.json").exists()


def test_a_damaged_cache_and_odd_folders_hide_no_run(tmp_path: Path) -> None:
    _run(tmp_path, "one")
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / ".tunedeck").mkdir()
    for damage in ("", "[]", '{"version": 1, "runs": {"x": {"stamp": "?"}}}'):
        (tmp_path / ".tunedeck" / "runs.json").write_text(damage)
        assert [line.info.name for line in _all(RunList(tmp_path))] == ["one"]


def test_deleting_says_what_goes_and_never_takes_a_live_run(tmp_path: Path) -> None:
    folder = _run(tmp_path, "one")
    for step in (10, 20):
        (folder.checkpoints / f"checkpoint-{step}").mkdir(parents=True)
        (folder.checkpoints / f"checkpoint-{step}" / "weights").write_bytes(b"x" * 5_000)
    folder.adapter.mkdir()
    found = contents(folder)
    assert (found.checkpoints, found.trained, found.compared) == (2, True, False)
    assert found.bytes > 10_000
    me = process.identify(os.getpid())
    assert me is not None
    live = _run(tmp_path, "two", state="running", ended=None, worker=me.to_json(), heartbeat=time.time())
    live.write_job({**live.read_job(), "keeper": me.to_json()})
    with pytest.raises(BadInput, match="This run is running"):
        remove(live)
    kept = folder.path.with_name(f".{folder.id}.deleted")
    kept.mkdir()
    (kept / "in the way").touch()
    with pytest.raises(TunedeckError, match="Cannot delete"):
        remove(folder)
    assert folder.exists()
    (kept / "in the way").unlink()
    remove(folder)
    assert os.listdir(tmp_path / "runs") == [live.id]


def test_deleting_a_link_to_a_run_leaves_the_run(tmp_path: Path) -> None:
    folder = _run(tmp_path / "elsewhere", "one")
    (tmp_path / "runs").mkdir()
    link = JobFolder(tmp_path / "runs" / folder.id)
    link.path.symlink_to(folder.path)
    lines, possible = question(run_info(link))
    assert possible
    words = "".join(text for text, _ in lines[0])
    assert "link" in words
    assert str(folder.path) in words
    remove(link)
    assert not link.path.is_symlink()
    assert folder.exists()
