"""What the headless commands say and return where something is wrong: with the name, the folder, the disk, a number."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.jobs import process
from core.jobs.folder import JobFolder
from core.paths import SAMPLE_DATA
from tests.kit.waiting import until
from tui.cli import main

RECIPE = str(SAMPLE_DATA / "recipe.yaml")


def goes_on(workspace: Path, name: str) -> JobFolder:
    """A run whose keeper, as far as anybody can see, is this process."""
    folder = JobFolder.create(workspace / "runs", name, "training")
    me = process.identify(os.getpid())
    assert me is not None
    folder.write_job({**folder.read_job(), "keeper": me.to_json()})
    folder.write_status(state="running", phase="training", step=4, of=9)
    return folder


def over(workspace: Path, name: str) -> JobFolder:
    """A run that was stopped."""
    folder = JobFolder.create(workspace / "runs", name, "training")
    folder.write_status(state="stopped", message="Stopped as asked.", started=1.0, ended=2.0)
    return folder


def strictly(text: str) -> Any:
    """JSON as other programs read it: without NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("command", ["stop", "pause", "save", "resume", "tail", "attach"])
def test_an_empty_name_is_not_the_newest_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    run = goes_on(tmp_path, "precious")
    assert main([command, "", "--workspace", str(tmp_path)]) == 2
    assert "Empty run name" in capsys.readouterr().err
    assert run.requested() == ()


@pytest.mark.parametrize("words", [["stop"], ["stop", "--now"], ["pause"], ["pause", "--release"]])
def test_of_two_runs_that_go_on_none_is_stopped_by_chance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    one, two = goes_on(tmp_path, "one"), goes_on(tmp_path, "two")
    assert main([*words, "--workspace", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert one.id in said
    assert two.id in said
    assert one.requested() == two.requested() == ()


def test_metrics_that_are_not_finite_stay_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = over(tmp_path, "broken")
    run.append_metric({"step": 7, "loss": float("nan"), "grad_norm": float("inf")})
    assert main(["tail", str(run.path), "--once", "--json"]) == 3
    metric, *_, last = [strictly(line) for line in capsys.readouterr().out.splitlines()]
    assert (metric["loss"], metric["grad_norm"]) == ("nan", "inf")
    assert (last["type"], last["state"], last["message"]) == ("status", "stopped", "Stopped as asked.")
    assert main(["runs", "--json", "--workspace", str(tmp_path)]) == 0
    assert strictly(capsys.readouterr().out)[0]["loss"] == "nan"


@pytest.mark.parametrize(
    "words", [["stop", "x"], ["resume", "x"], ["tail", "x", "--once"], ["train", "x"], ["queue", "move", "x"]]
)
def test_with_json_an_error_is_an_object_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    over(tmp_path, "done")
    assert main([*words, "--json", "--workspace", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    said = strictly(shown.out)
    assert said["exit_code"] == 2
    assert shown.err == f"tunedeck: {said['error']}\n"


def test_whoever_watches_a_run_whose_folder_goes_hears_why_it_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = goes_on(tmp_path, "gone")
    run.write_job({**run.read_job(), "keeper": {"pid": 1, "start_time": 1, "boot_id": "another"}})
    assert main(["tail", str(run.path), "--once"]) == 1
    assert "The machine was restarted" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["runs"], ["queue"], ["stop"], ["train", RECIPE], ["doctor"], []])
def test_a_working_directory_that_was_deleted_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rmdir()
    assert main(words) == 2
    assert "was deleted" in capsys.readouterr().err


def test_looking_at_the_queue_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queue", "--workspace", str(tmp_path)]) == 0
    assert list(tmp_path.iterdir()) == []
    assert main(["queue", "--workspace", str(tmp_path / "typo")]) == 2
    assert "no such folder" in capsys.readouterr().err.lower()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [[], ["add", RECIPE], ["pause"]])
def test_a_queue_that_cannot_be_read_says_so_and_takes_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (tmp_path / ".tunedeck").mkdir()
    (tmp_path / ".tunedeck" / "queue.json").write_text('{"runs": [')
    assert main(["queue", *words, "--workspace", str(tmp_path)]) == 2
    assert "Cannot read the queue. Delete the file" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("words", [["train", RECIPE, "--detach"], ["queue", "pause"], ["queue", "add", RECIPE]])
def test_a_workspace_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (tmp_path / ".tunedeck").touch()  # what stands in the way of a folder; a read-only disk does so, too
    assert main([*words, "--workspace", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert ".tunedeck" in said
    assert said.endswith(".\n")
    assert not (tmp_path / "runs").exists()


def test_a_run_that_fails_instead_of_stopping_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = goes_on(tmp_path, "fails")

    def fail() -> None:
        until(lambda: "stop" in run.requested(), "it is asked")
        run.write_status(state="failed", message="No room.", ended=time.time())

    with ThreadPoolExecutor() as threads:
        threads.submit(fail)
        assert main(["stop", str(run.path)]) == 1
    assert f"{run.id}: failed. No room." in capsys.readouterr().out


def test_a_run_of_a_machine_that_is_gone_can_be_given_up_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = goes_on(tmp_path, "spot")
    assert main(["stop", str(run.path), "--gone"]) == 2
    assert "is not gone" in capsys.readouterr().err
    run.write_job({**run.read_job(), "host": "another-machine"})
    run.write_status(heartbeat=time.time() - 5)
    assert main(["stop", str(run.path), "--gone"]) == 2
    assert "5 s ago" in capsys.readouterr().err
    run.write_status(heartbeat=time.time() - 90)
    for command in ("stop", "pause", "resume", "save"):
        assert main([command, str(run.path)]) == 2
        assert "--gone" in capsys.readouterr().err
    assert run.requested() == ()
    assert main(["stop", str(run.path), "--gone", "--json"]) == 0
    assert strictly(capsys.readouterr().out)["state"] == "failed"
    assert main(["resume", str(run.path)]) == 2  # no checkpoint here, but nothing else in the way
    assert "no recipe" in capsys.readouterr().err
