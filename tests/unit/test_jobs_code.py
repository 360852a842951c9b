"""Which interpreter and which `core` keepers and workers run, and how little a keeper imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.jobs import code
from core.jobs.folder import JobFolder
from core.jobs.launch import clean_environment, launch, worker_command
from core.paths import ROOT
from tests.kit.jobs_worker import command
from tests.kit.real_jobs import ended, folder

__all__ = ["folder"]


@pytest.mark.parametrize("where", ["working directory", "relative entry", "absolute entry"])
def test_core_folder_of_the_user_is_never_imported(
    folder: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "core" / "jobs").mkdir(parents=True)
    for name in ("core/__init__.py", "core/jobs/__init__.py", "core/jobs/keeper.py", "json.py", "core/jobs/folder.py"):
        (theirs / name).write_text("raise SystemExit('the wrong core')\n")
    entries = {"working directory": "", "relative entry": ".", "absolute entry": str(theirs)}
    if where == "absolute entry":
        (theirs / "json.py").unlink()  # an absolute entry may well hold what the user wants seen
    monkeypatch.chdir(theirs)
    monkeypatch.setenv("PYTHONPATH", f"{entries[where]}{os.pathsep}")
    launch(folder, [command("tells_where_core_is", folder)])
    now = ended(folder)
    assert (now.state, now.detail) == ("finished", "")
    ours = str(ROOT / "core" / "__init__.py")
    assert folder.log.read_text().split() == [ours, ours], "the worker, or a process that it started"


def test_worker_runs_in_the_interpreter_that_the_user_chose(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEDECK_PYTHON", "/opt/torch/bin/python")
    assert worker_command("core.training", folder) == ["/opt/torch/bin/python", "-m", "core.training", str(folder.path)]
    monkeypatch.delenv("TUNEDECK_PYTHON")
    assert worker_command("core.training", folder)[0] == sys.executable


def test_installed_core_is_copied_once_a_version_and_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages"
    (installed / "core" / "jobs").mkdir(parents=True)
    (installed / "core" / "jobs" / "keeper.py").write_text("version = 1\n")
    (installed / "torch.py").write_text("the viewer's own torch\n")
    monkeypatch.setattr(code, "ROOT", installed)
    first = code.code_root()
    assert first != installed
    assert os.listdir(first) == ["core"]
    assert clean_environment()["PYTHONPATH"].split(os.pathsep)[0] == str(first)
    assert code.code_root() == first
    (installed / "core" / "jobs" / "keeper.py").write_text("version = 22\n")
    second = code.code_root()
    assert (first / "core/jobs/keeper.py").read_text() == "version = 1\n", "a live run keeps its code"
    assert (second / "core/jobs/keeper.py").read_text() == "version = 22\n"
    assert sorted(os.listdir(first.parent)) == sorted([first.name, second.name])


def test_keeper_imports_next_to_nothing() -> None:
    script = "import sys; before = set(sys.modules); import core.jobs.keeper; print(*(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(found.stdout.split())
    heavy = {
        "asyncio",
        "subprocess",
        "socket",
        "pynvml",
        "numpy",
        "orjson",
        "yaml",
        "textual",
        "rich",
        "torch",
        "typing_extensions",
    }
    assert not loaded & heavy
    assert "core.jobs.keeper" in loaded


def test_variables_of_another_launcher_are_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was started under torchrun would take itself for one of its ranks, and wait for the others."""
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "ACCELERATE_USE_FSDP"):
        monkeypatch.setenv(name, "2")
    assert not {"WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "ACCELERATE_USE_FSDP"} & set(clean_environment())
