"""A disk that has space and no inodes is reported as that, wherever the disk is said to be full."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.dataset.audit import store
from core.engine import fetch_data
from core.errors import BadInput, TunedeckError
from core.jobs import files
from core.jobs.folder import JobFolder
from core.paths import SAMPLE_DATA
from core.recipe.recipe import Recipe, put
from core.runs.preflight import preflight
from tui.commands import doctor


@pytest.fixture(autouse=True)
def no_inodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with blocks for everybody and inodes for nobody; a real one would take a mount."""
    full = SimpleNamespace(
        f_files=1_000, f_favail=0, f_bavail=1 << 20, f_frsize=4096, f_blocks=1 << 21, f_bfree=1 << 20
    )
    monkeypatch.setattr(os, "statvfs", lambda path: full)


def _refuse(*_: object, **__: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_write_into_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = JobFolder.create(tmp_path, "x", "training")
    monkeypatch.setattr(os, "open", _refuse)
    with pytest.raises(files.DiskFull, match="out of inodes") as caught:
        folder.append_event("alert", "x")
    assert "Delete some files" in str(caught.value)


def test_a_new_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "mkdir", _refuse)
    with pytest.raises(BadInput, match="out of inodes"):
        JobFolder.create(tmp_path / "runs", "x", "training")


def test_preflight_stops(tmp_path: Path) -> None:
    recipe = put(Recipe(), "model.path", str(SAMPLE_DATA / "tiny_base"))
    (check,) = [check for check in preflight(recipe, tmp_path) if check.name == "disk"]
    assert check.verdict == "stop"
    assert "out of inodes" in check.sentence


def test_the_doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = doctor.examine(tmp_path)
    assert facts["out_of_inodes"]
    assert any("out of inodes" in note for note in facts["notes"])
    doctor.print_facts(facts)
    assert "but out of inodes" in capsys.readouterr().out


@pytest.mark.parametrize(
    "write",
    [
        lambda place: fetch_data._write(JobFolder(place), [{}], None, place / "rows.jsonl"),
        lambda place: _decide(place),
    ],
)
def test_rows_and_decisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], object]) -> None:
    monkeypatch.setattr(Path, "open", _refuse)
    with pytest.raises(TunedeckError, match="out of inodes"):
        write(tmp_path)


def _decide(place: Path) -> None:
    with store._explained(place / "decisions.sqlite"):
        raise sqlite3.OperationalError("database or disk is full")
