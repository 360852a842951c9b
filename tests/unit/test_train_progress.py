"""What `tunedeck train` shows while it waits: a live line on a real terminal, plain lines in a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.jobs import process
from core.jobs.folder import JobFolder
from core.paths import ROOT
from tests.kit.terminal import Terminal
from tui.cli import main

WATCH = "import sys; from core.jobs.folder import JobFolder; from tui.commands.train import watch_run; "
ARGV = [sys.executable, "-c", WATCH + "sys.exit(watch_run(JobFolder(sys.argv[1])))"]
PHASES = ("Loading the model", "Tokenizing the samples", "Saving the weights")


@pytest.fixture
def run(tmp_path: Path) -> JobFolder:
    """A run that, as far as anybody can see, this process keeps."""
    folder = JobFolder.create(tmp_path / "runs", "support", "training")
    me = process.identify(os.getpid())
    assert me is not None
    folder.write_job({**folder.read_job(), "keeper": me.to_json()})
    return folder


def enter(run: JobFolder, phase: str, message: str, **status: int) -> None:
    run.append_event("phase", f"{message}.", phase=phase)
    run.write_status(state="running", phase=phase, message=message and f"{message}.", **status)


def train(run: JobFolder, step: int, of: int, **metrics: float) -> None:
    run.append_metric({"step": step, "loss": 1 / step, "eta_seconds": 2.0 * (of - step), **metrics})
    run.write_status(state="running", phase="training", step=step, of=of, message="")


def end(run: JobFolder, state: str = "finished") -> None:
    run.write_status(state=state, message="All steps are done.", started=1.0, ended=time.time())


@pytest.mark.parametrize("colors", [{}, {"NO_COLOR": "1"}])
def test_a_terminal_has_one_live_line_with_step_percentage_and_eta(run: JobFolder, colors: dict[str, str]) -> None:
    enter(run, "loading", PHASES[0])
    with Terminal([*ARGV, str(run.path)], cols=100, env={"PYTHONPATH": str(ROOT), **colors}) as terminal:
        terminal.wait_for(f"{PHASES[0]} ...")
        run.write_status(phase="loading", message="Loading the model.", step=40, of=100)
        terminal.wait_for("Loading the model  40%")
        enter(run, "encoding", PHASES[1])
        enter(run, "training", "", step=0, of=960)
        for step in (96, 240):
            train(run, step, 960)
            screen = terminal.wait_for(f"step {step} of 960")
        assert sum("of 960" in line for line in screen.splitlines()) == 1, "it is rewritten in place"
        line = next(line for line in screen.splitlines() if "of 960" in line)
        assert "25%" in line
        assert "ETA 24 min 00 s" in line
        assert "loss" in line
        run.append_event("alert", "The loss has jumped.")
        terminal.wait_until(lambda text: "The loss has jumped" in text and text.rstrip().endswith("]"))
        run.write_status(state="paused")
        assert "ETA" not in terminal.wait_for("paused").splitlines()[-1]
        terminal.resize(60, 24)
        train(run, 480, 960)
        screen = terminal.wait_for("step 480 of 960")
        assert "50%" in screen
        train(run, 960, 960)
        enter(run, "saving", PHASES[2])
        terminal.wait_for(PHASES[2])
        end(run)
        assert terminal.wait_exit() == 0
        for phase in PHASES:
            assert sum(phase in line for line in terminal.lines) == 1, phase
        assert sum("960 of 960" in line for line in terminal.lines) >= 1
        assert not any("ETA" in line for line in terminal.lines), "it is over"


def test_a_pipe_gets_each_phase_once_and_about_fifty_lines(run: JobFolder) -> None:
    enter(run, "loading", PHASES[0])
    enter(run, "encoding", PHASES[1])
    enter(run, "loading", PHASES[0])
    enter(run, "training", "", step=0, of=4_000)
    for step in range(1, 4_001):
        run.append_metric({"step": step, "loss": 1 / step, **({"eval_loss": 1.0} if step % 2_000 == 0 else {})})
    train(run, 4_000, 4_000)
    end(run)
    done = subprocess.run(
        [*ARGV, str(run.path)], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [sum(line == phase for line in lines) for phase in (*PHASES[:2], "Training")] == [1, 1, 1]
    steps = [line for line in lines if line.startswith("step")]
    assert 45 <= len(steps) <= 56
    assert any("2,000 of 4,000" in line and "50%" in line and "eval loss" in line for line in steps)
    assert not any("\r" in line or "\x1b" in line for line in lines)
    assert not any(line.startswith("phase:") for line in lines)


def test_tail_prints_metrics_and_events_by_their_time_and_no_process_ids(
    run: JobFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    run.append_event("phase", "Process 2833 started: Training.", stage=0)
    for step in (1, 2, 3):
        run.append_metric({"t": 10.0 * step, "step": step, "loss": 0.5})
    run.append_event("checkpoint", "Checkpoint 2 saved.", t=25.0)
    end(run)
    assert main(["tail", str(run.path), "--once"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:11].split() for line in lines[:4]] == [["step", "1"], ["step", "2"], ["Checkpoint"], ["step", "3"]]
    assert not any("Process" in line for line in lines)


def test_tail_says_once_why_a_run_has_failed(run: JobFolder, capsys: pytest.CaptureFixture[str]) -> None:
    why = "No network here: hub.invalid cannot be found."
    run.append_event("error", why)
    run.append_event("ended", why, state="failed")
    run.write_status(state="failed", message=why, started=1.0, ended=2.0)
    assert main(["tail", str(run.path), "--once"]) == 1
    assert capsys.readouterr().out.count("No network here") == 1
