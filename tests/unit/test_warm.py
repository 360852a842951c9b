"""The warm process of the tests forks what is a process of its own to everybody else."""

from __future__ import annotations

import subprocess
from pathlib import Path

from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.state import standing
from tests.kit.jobs_worker import command
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython


def test_job_from_the_warm_process_is_detached_and_runs_our_worker(warm: WarmPython, tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path, "no recipe", "training")
    keeper = launch(folder, [worker_command("core.training", folder)])
    until(lambda: standing(folder).over, "the job has ended")
    assert standing(folder).state == "failed"
    assert "recipe" in standing(folder).detail
    until(lambda: not process.is_alive(keeper), "the keeper ends")


def test_other_programs_run_as_always(warm: WarmPython, tmp_path: Path) -> None:
    found = subprocess.run(
        [warm.path, "-c", "import sys; print(*sys.argv)", "a b"], capture_output=True, text=True, check=True
    )
    assert found.stdout == "-c a b\n"
    folder = JobFolder.create(tmp_path, "steps", "training")
    launch(folder, [command("ends", folder)])
    until(lambda: standing(folder).state == "finished", "the job has finished")
    assert folder.log.read_text() == "trained\n"
