"""`tunedeck delete`: asks, or needs --yes; refuses a run that is active; says what it freed."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.kit.run_folders import finished_run, make_run
from tui.cli import main


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_it_needs_yes_and_then_says_what_it_freed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished_run(tmp_path)
    words = ["delete", run.id, "--workspace", str(tmp_path)]
    assert main(words) == 2
    assert "--yes" in capsys.readouterr().err
    assert run.path.is_dir()
    assert main([*words, "--yes"]) == 0
    assert f"Deleted {run.id} and freed" in capsys.readouterr().out
    assert not run.path.exists()


@pytest.mark.parametrize(("answer", "stays"), [("n", True), ("", True), ("y", False)])
def test_on_a_terminal_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, stays: bool) -> None:
    run, said = finished_run(tmp_path), _Terminal()
    monkeypatch.setattr(sys, "stdin", _Terminal(f"{answer}\n"))
    monkeypatch.setattr(sys, "stdout", said)
    assert main(["delete", run.id, "--workspace", str(tmp_path)]) == 0
    assert "the trained weights" in said.getvalue()
    assert run.path.exists() is stays


def test_the_end_of_input_is_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = finished_run(tmp_path)
    monkeypatch.setattr(sys, "stdin", _Terminal(""))
    monkeypatch.setattr(sys, "stdout", _Terminal())
    assert main(["delete", run.id, "--workspace", str(tmp_path)]) == 0
    assert run.path.exists()


def test_an_active_run_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path)
    assert main(["delete", run.id, "--yes", "--workspace", str(tmp_path)]) == 2
    assert "running" in capsys.readouterr().err
    assert run.path.is_dir()


def test_of_a_link_only_the_link_is_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = finished_run(tmp_path / "elsewhere")
    link = tmp_path / "runs" / run.id
    link.parent.mkdir()
    link.symlink_to(run.path)
    assert main(["delete", run.id, "--yes", "--json", "--workspace", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["freed_bytes"] == 0
    assert not link.is_symlink()
    assert run.adapter.is_dir()
