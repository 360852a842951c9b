"""The index of workspaces: what `tunedeck runs --all` lists, and the hint in an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from core.jobs import workspaces
from core.jobs.workspaces import active_elsewhere, known, remember
from tests.kit.run_folders import finished_run, make_run
from tui.cli import main


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "tunedeck" / "workspaces"


def test_the_newest_comes_first_and_a_deleted_one_is_removed_from_the_index(tmp_path: Path, state: Path) -> None:
    for place, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        remember(tmp_path / name)
        entry = max(state.glob("*/*"), key=lambda path: path.stat().st_ctime_ns)
        os.utime(entry, (time.time() - 10 + place,) * 2)
    assert known() == [tmp_path / "two", tmp_path / "one"]
    shutil.rmtree(tmp_path / "two")
    assert known() == [tmp_path / "one"]
    assert len(list(state.glob("*/*"))) == 1


def test_an_entry_of_another_machine_and_one_on_a_disk_that_is_away_are_kept(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(workspaces, "_host", lambda: "gpu-7")
        remember(tmp_path / "theirs")
    shutil.rmtree(tmp_path / "theirs")
    (tmp_path / "mount" / "own").mkdir(parents=True)
    remember(tmp_path / "mount" / "own")
    shutil.rmtree(tmp_path / "mount")
    assert known() == []
    assert len(list(state.glob("*/*"))) == 2
    for entry in state.glob("*/*"):
        os.utime(entry, (0, 0))
    assert known() == []
    assert [entry.parent.name for entry in state.glob("*/*")] == ["gpu-7"]


def test_where_the_index_cannot_be_written_nothing_happens(tmp_path: Path, state: Path) -> None:
    state.parent.mkdir(parents=True)
    state.write_text("a file where the folder should be")
    remember(tmp_path)
    assert known() == []


def test_all_lists_every_workspace_and_an_empty_folder_says_where_runs_are_active(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running, done = make_run(tmp_path / "busy"), finished_run(tmp_path / "quiet")
    for name in ("busy", "quiet"):
        assert main(["runs", "--workspace", str(tmp_path / name)]) == 0  # looking is using
        assert not (tmp_path / name / ".tunedeck").exists()
    capsys.readouterr()
    (tmp_path / "empty").mkdir()
    assert active_elsewhere(tmp_path / "empty") == [workspaces.ActiveElsewhere(tmp_path / "busy", (running.id,))]
    assert main(["runs", "--workspace", str(tmp_path / "empty")]) == 0
    said = capsys.readouterr().out
    assert "No runs here" in said
    assert "1 run is active" in said
    assert str(tmp_path / "busy") in said
    assert list((tmp_path / "empty").iterdir()) == []
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["runs", "--all"]) == 0
    said = capsys.readouterr().out
    assert "~/busy" in said
    assert said.index("1 active") < said.index(running.id) < said.index("~/quiet") < said.index(done.id)
    assert main(["runs", "--all", "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)
    assert {line["workspace"] for line in lines} == {str(tmp_path / "busy"), str(tmp_path / "quiet")}
