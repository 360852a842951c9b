"""The verdict on a run's folder, as viewers ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.verdict import Verdict, VerdictKind
from core.verdict.run import RunJudge
from tests.kit.verdict_runs import course, falling


def overfit(step: int) -> float:
    return falling(step) if step <= 200 else falling(200) + 0.001 * (step - 200)


def make(tmp_path: Path, records: list[dict[str, Any]], **status: Any) -> JobFolder:
    payload = {
        "recipe": {"training": {"learning_rate": 1e-3, "max_steps": 400, "warmup": 0.0}},
        "samples": {"train": 500, "eval": 20, "dropped": {}},
    }
    folder = JobFolder.create(tmp_path, "talk", "training", payload=payload)
    for record in records:
        folder.append_metric(record)
    folder.write_status(**{"state": "finished", "phase": "done", "step": 400, "of": 400, "stage": 0, **status})
    return folder


def verdict_of(folder: JobFolder) -> Verdict:
    judge, follower = RunJudge(folder), Follower(folder)
    update = follower.poll()
    verdict = judge.take(update)
    while update.more:
        update = follower.poll()
        verdict = judge.take(update)
    assert verdict is not None
    return verdict


def test_it_knows_the_recipe_of_the_run(tmp_path: Path) -> None:
    verdict = verdict_of(make(tmp_path, [*course(40), {"step": 41, "loss": float("nan")}]))
    assert verdict.kind is VerdictKind.NOT_FINITE
    assert verdict.advice[0].to == "1e-4"


def test_of_an_overfitting_run_it_names_the_checkpoint_on_disk_that_is_nearest_to_the_best(tmp_path: Path) -> None:
    folder = make(tmp_path, course(400, lambda step: 1.9 - 0.004 * step, eval_loss=overfit, epochs=3))
    assert verdict_of(folder).keep_step is None
    for name in ("checkpoint-100", "checkpoint-180", "checkpoint-400", "checkpoint-x", ".checkpoint-200.partial"):
        (folder.checkpoints / name).mkdir(parents=True)
    verdict = verdict_of(folder)
    assert (verdict.kind, verdict.best_step, verdict.keep_step) == (VerdictKind.OVERFITTING, 200, 180)
    assert "Keep checkpoint 180." in verdict.text()


def test_steps_of_a_later_part_of_the_job_are_not_those_of_the_training(tmp_path: Path) -> None:
    """The comparison counts samples: a run of 400 steps that compares 9 would be too short to judge."""
    verdict = verdict_of(make(tmp_path, course(8), state="running", stage=1, step=3, of=9))
    assert verdict.kind is VerdictKind.TOO_EARLY
    verdict = verdict_of(make(tmp_path, course(8), state="running", step=8, of=400))
    assert verdict.kind is VerdictKind.WARMING_UP


def test_metrics_that_start_anew_are_judged_anew(tmp_path: Path) -> None:
    folder = make(tmp_path, [*course(40), {"step": 41, "loss": float("nan")}])
    judge, follower = RunJudge(folder), Follower(folder)
    before = judge.take(follower.poll())
    Path(folder.metrics).unlink()
    for record in course(30):
        folder.append_metric(record)
    after = judge.take(follower.poll())
    assert before is not None
    assert after is not None
    assert (before.kind, after.kind) == (VerdictKind.NOT_FINITE, VerdictKind.HEALTHY)


def test_before_the_first_metric_and_without_a_folder_there_is_nothing_to_say(tmp_path: Path) -> None:
    folder = make(tmp_path, [], state="failed", message="The model could not be loaded.")
    assert RunJudge(folder).take(Follower(folder).poll()) is None
    gone = JobFolder(tmp_path / "gone")
    assert RunJudge(gone).take(Follower(gone).poll()) is None


@pytest.mark.parametrize("stage", [0, 1])
def test_a_run_that_ended_by_an_error_is_not_healthy(tmp_path: Path, stage: int) -> None:
    folder = make(tmp_path, course(40), state="failed", phase="", step=40, stage=stage, ended=1.0)
    verdict = verdict_of(folder)
    assert verdict.kind is VerdictKind.FAILED
    assert ("comparison" in verdict.text()) == bool(stage)
    folder.write_status(state="running", phase="training", started=1.0, ended=None)  # and nothing keeps it
    assert verdict_of(folder).kind is VerdictKind.FAILED
    folder.append_metric({"step": 41, "loss": float("nan")})
    assert verdict_of(folder).kind is VerdictKind.NOT_FINITE, "what the losses say comes first where it is worse"
    folder.write_status(state="stopped", ended=1.0)
    assert verdict_of(folder).kind is VerdictKind.NOT_FINITE
