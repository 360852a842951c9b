"""Output that nobody reads any more (`tunedeck runs | head -1`), or that cannot be written, is no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.jobs.folder import JobFolder
from core.jobs.trust import workspace_ask
from core.paths import SAMPLE_DATA
from tui.commands.table import COMMANDS

ROWS = str(SAMPLE_DATA / "support_eval.jsonl")


def run(words: Sequence[str], cwd: Path, *, stdout: int, unbuffered: bool = False) -> tuple[int, str]:
    """The exit code and standard error of `tunedeck WORDS`."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else ""}
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", *words],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONPATH": str(SAMPLE_DATA.parent)},
    )
    return done.returncode, done.stderr


@pytest.fixture
def pipe_without_reader() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with a run that has ended."""
    folder = JobFolder.create(tmp_path / "runs", "done", "training")
    folder.write_status(state="finished", message="All steps are done.", started=1.0, ended=2.0)
    folder.append_metric({"step": 1, "loss": 0.5})
    workspace_ask(tmp_path).agree()
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        *([name, "--help"] for name in COMMANDS),
        ["runs"],
        ["runs", "--json"],
        ["queue", "--json"],
        ["doctor", "--json"],
        ["tail", "--once", "--json"],
        ["scan", ROWS, "--json"],
    ],
    ids=" ".join,
)
def test_a_reader_that_has_left_ends_every_command_quietly(
    workspace: Path, pipe_without_reader: int, words: list[str]
) -> None:
    assert run(words, workspace, stdout=pipe_without_reader) == (141, "")


def test_an_error_is_still_said_where_nobody_reads_its_json(workspace: Path, pipe_without_reader: int) -> None:
    code, said = run(["stop", "nowhere", "--json"], workspace, stdout=pipe_without_reader)
    assert code == 141
    assert said.startswith("tunedeck: nowhere: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("words", [["--help"], ["runs", "--json"]], ids=" ".join)
def test_unbuffered_output_ends_as_quietly(workspace: Path, pipe_without_reader: int, words: list[str]) -> None:
    assert run(words, workspace, stdout=pipe_without_reader, unbuffered=True) == (141, "")


@pytest.mark.parametrize("words", [["--help"], ["runs", "--json"]], ids=" ".join)
def test_a_full_disk_behind_the_output_is_a_sentence(workspace: Path, words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        code, said = run(words, workspace, stdout=full.fileno())
    assert (code, said) == (1, "tunedeck: No space left on device.\n")


def test_a_closed_standard_output_is_no_error(workspace: Path) -> None:
    command = [sys.executable, "-m", "tui.cli", "runs"]
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    done = subprocess.run(
        closed,
        cwd=workspace,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SAMPLE_DATA.parent)},
    )
    assert (done.returncode, done.stderr) == (0, "")
