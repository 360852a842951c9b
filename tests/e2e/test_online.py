"""Online training end to end: requests inside generation, RLHF from pairs to a tuned model, and that rewards rise."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.requests import PAUSE, RESUME, SAVE, STOP_NOW
from core.jobs.state import standing
from core.recipe.asks import read_reward_file
from core.recipe.sections.rewards import RewardEntry
from core.runs.completions import read_completions
from core.runs.scores import read_comparison
from tests.kit.parity.run import logged, train
from tests.kit.training_runs import events, lines, make_run, pair, talk, work
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

_SMALL = {
    "training__learning_rate": 1e-3,
    "training__batch_size": 4,
    "training__eval_batch_size": 4,
    "training__max_steps": 4,
    "training__eval_every": 0.0,
    "training__save_every": 0.0,
    "training__log_every": 1,
    "rollouts__num_generations": 4,
    "rollouts__max_completion_length": 12,
    "evaluation__after_training": False,
}


def _online(parent: Path, *rewards: RewardEntry, task: str = "rloo", **changes: Any) -> JobFolder:
    parent.mkdir(exist_ok=True)
    prompts = [talk(number) for number in range(40)]
    return make_run(parent, prompts, prompts[:6], **{**_SMALL, "task": task, "rewards": rewards, **changes})


def _rewards(folder: JobFolder, name: str = "reward") -> list[float]:
    return [line[name] for line in lines(folder.metrics) if "loss" in line]


def test_a_reward_model_that_was_trained_here_scores_a_run(warm: WarmPython, tmp_path: Path) -> None:
    (tmp_path / "reward").mkdir()
    pairs = [pair(number) for number in range(16)]
    changes = {**_SMALL, "task": "reward", "training__max_steps": 2, "training__batch_size": 2}
    model = make_run(tmp_path / "reward", pairs, pairs[:2], **changes)
    train(model)
    reward = RewardEntry("model", 2.0, name="taste", model=str(model.path))
    folder = _online(tmp_path / "rloo", reward, RewardEntry("length", 0.0, min_tokens=12), training__max_steps=2)
    train(folder)
    (first, *_) = [line for line in lines(folder.metrics) if "loss" in line]
    assert first["reward"] == pytest.approx(2 * first["rewards/taste/mean"], rel=1e-5)
    assert 0 < first["rewards/length/mean"] <= 1
    kept = read_completions(folder.path)
    assert [each.step for each in kept] == [1, 2]
    assert {"taste", "length"} == set(kept[0].completions[0].scores)
    assert work(warm, "core.evaluation", folder.path).returncode == 0
    comparison = read_comparison(folder.path)
    assert comparison is not None
    assert "Mean reward" in comparison.reward_words
    assert "4 held-out prompts" in comparison.reward_words
    (said,) = events(folder, "comparison")
    assert {"taste", "length"} == set(said["tuned_rewards"])


def test_a_reward_that_fails_ends_a_run_with_its_place(warm: WarmPython, tmp_path: Path) -> None:
    path = tmp_path / "score.py"
    path.write_text(
        "def reward(prompts, completions, **_):\n"
        "    said = [c[0]['content'] for c in completions]\n"
        "    return [0 if not text or 'regards' in text else 1 / 0 for text in said]\n"
    )
    read_reward_file(str(path))[1].agree()
    folder = _online(tmp_path / "runs", RewardEntry("python", file=str(path)), training__gradient_accumulation=4)
    launch(folder, [worker_command("core.training", folder)])
    until(lambda: standing(folder).over, "the run ends", 300)
    assert standing(folder).state == "failed"
    (error,) = [event["message"] for event in lines(folder.events) if "score.py" in event["message"]][-1:]
    for word in ("line 3", "ZeroDivisionError", "completion 1 of 16", "Where do I find"):
        assert word in error, error


@pytest.mark.slow
@pytest.mark.parametrize("by", [SAVE, PAUSE, STOP_NOW])
def test_requests_inside_generation_change_nothing(warm: WarmPython, tmp_path: Path, by: str) -> None:
    reward = RewardEntry("regex", pattern="[aeiou]{2}")
    whole, folder = _online(tmp_path / "whole", reward), _online(tmp_path / "asked", reward)
    train(whole)
    launch(
        folder,
        [worker_command("tests.kit.disturbed_training", folder)],
        env={"DISTURB_AT": "2", "DISTURB_BY": by, "DISTURB_TOKEN": "5"},
    )
    if by == PAUSE:
        until(lambda: standing(folder).state == "paused", "it pauses", 120)
        assert "in step 3" in str(folder.read_status().message)
        (folder.requests / RESUME).write_text("{}")
    until(lambda: standing(folder).over, "the run ends", 300)
    if by == STOP_NOW:
        assert standing(folder).state == "stopped"
        assert max(line["step"] for line in lines(folder.metrics)) == 2
        return
    assert standing(folder).state == "finished"
    assert logged(lines(folder.metrics)) == logged(lines(whole.metrics))
    if by == SAVE:
        assert (folder.checkpoints / "checkpoint-2").is_dir()


@pytest.mark.slow
def test_grpo_raises_a_reward(warm: WarmPython, tmp_path: Path) -> None:
    rewards = (RewardEntry("regex", pattern="^Open"), RewardEntry("length", 0.5, max_tokens=12))
    folder = _online(
        tmp_path / "runs",
        *rewards,
        task="grpo",
        training__max_steps=60,
        training__batch_size=16,
        training__learning_rate=5e-3,
        rollouts__num_generations=8,
        rollouts__max_completion_length=20,
        evaluation__prompts=6,
        evaluation__temperature=1.0,
    )
    train(folder)
    found = _rewards(folder)
    assert fmean(found[-10:]) > fmean(found[:10]) + 0.3, found
    assert work(warm, "core.evaluation", folder.path).returncode == 0
    (said,) = events(folder, "comparison")
    assert said["tuned_reward"] > said["base_reward"]


@pytest.mark.slow
def test_rlhf_from_pairs_over_a_reward_model_to_a_model_that_it_likes_better(warm: WarmPython, tmp_path: Path) -> None:
    (tmp_path / "reward").mkdir()
    pairs = [pair(number) for number in range(48)]
    changes = {**_SMALL, "task": "reward", "training__max_steps": 40, "training__learning_rate": 5e-3}
    model = make_run(tmp_path / "reward", pairs, pairs[:6], **changes)
    train(model)
    assert [line["accuracy"] for line in lines(model.metrics) if "loss" in line][-1] > 0.9
    folder = _online(
        tmp_path / "rloo",
        RewardEntry("model", model=str(model.path)),
        training__max_steps=30,
        training__batch_size=16,
        training__learning_rate=3e-3,
        rollouts__num_generations=8,
        rollouts__max_completion_length=24,
    )
    train(folder)
    found = _rewards(folder)
    assert fmean(found[-10:]) > fmean(found[:2]) + 0.4, found
