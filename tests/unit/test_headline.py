"""What says how a run goes is the task's headline metric, not the loss, and better is which way the task says."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.paths import ROOT
from core.recipe.recipe import Recipe, put, to_json
from core.recipe.tasks import TASKS, headline_of, task_named, task_of
from core.runs.checkpoint import Checkpoint, where_it_stands
from core.runs.saved import Weights, from_json, read_weights, weights_at, write_weights
from core.verdict import Verdict, VerdictJudge, VerdictKind
from core.verdict.finding import RunPlan
from core.verdict.notify import facts_of
from core.verdict.run_list import RunLine, RunList
from tests.kit.reward_task import REWARD, add_reward_task, rewarded, rising
from tui.commands.watch import metric_line
from tui.live.metrics import usual_panels
from tui.live.run import LiveRun
from tui.runs.rows import listed
from tui.train.facts import facts

_SOUND = {VerdictKind.WARMING_UP, VerdictKind.HEALTHY}


@pytest.fixture(autouse=True)
def _a_task_with_a_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    add_reward_task(monkeypatch)


def judged(records: Iterable[dict[str, Any]], steps: int = 300, **recipe: Any) -> tuple[list[VerdictKind], Verdict]:
    """The kinds of verdict in the course of a run, and the last."""
    judge = VerdictJudge({"task": "reward", **recipe}, steps)
    kinds: list[VerdictKind] = []
    for record in records:
        judge.add([record])
        kind = judge.verdict().kind
        if kind not in kinds:
            kinds.append(kind)
    return kinds, judge.verdict(over=True)


# -- the verdict ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("evaluated", [False, True], ids=["alone", "with an eval set"])
def test_a_reward_that_rises_beside_a_loss_of_zero_is_healthy_at_every_step(seed: int, evaluated: bool) -> None:
    records = rewarded(240, seed=seed, eval_reward=rising if evaluated else None)
    kinds, last = judged(records)
    assert set(kinds) <= _SOUND
    assert re.search(r"train reward 0\.[01]\d+ -> 0\.[78]", last.sentence)
    assert "loss" not in last.sentence
    as_before, _ = judged(records, task="sft")
    assert not set(as_before) <= _SOUND, "by its loss the same run is not"


@pytest.mark.parametrize("low", [-3.0, 0.0])
def test_rewards_of_any_size_and_sign_are_judged_by_how_they_move(low: float) -> None:
    assert set(judged(rewarded(240, lambda step: low + 4 * rising(step), noise=0.2))[0]) <= _SOUND
    kinds, last = judged(rewarded(240, lambda step: low + 4 * rising(240 - step), noise=0.2))
    assert last.kind is VerdictKind.DIVERGING, kinds


@pytest.mark.parametrize("seed", range(4))
def test_a_reward_that_falls_is_diverging_and_said_to_fall(seed: int) -> None:
    _, last = judged(rewarded(240, lambda step: rising(240 - step), seed=seed))
    assert last.kind is VerdictKind.DIVERGING
    assert "train reward" in last.sentence
    assert "now 0." in last.sentence
    _, later = judged(rewarded(300, lambda step: rising(2 * step) if step < 150 else 0.45, seed=seed))
    assert later.kind is VerdictKind.DIVERGING
    assert "train reward fell from" in later.sentence


def test_a_reward_that_does_not_move_is_not_learned() -> None:
    for noise in (0.0, 0.02, 0.05):
        _, last = judged(rewarded(300, lambda step: 0.4, noise=noise))
        assert last.kind is VerdictKind.NOT_LEARNING, noise
        assert "train reward 0." in last.sentence
    assert judged(rewarded(300, lambda step: 0.0, noise=0.0))[1].kind is VerdictKind.NOT_LEARNING
    _, still = judged(rewarded(60, lambda step: 0.4, norm=lambda step: 0.0))
    assert (still.kind, still.advice[0].setting) == (VerdictKind.NOT_LEARNING, ""), "no loss mask would help"


def test_no_gradient_where_all_answers_are_right_is_no_fault() -> None:
    records = rewarded(300, lambda step: min(1.0, step / 200), noise=0.0, norm=lambda step: 0.3 * (step < 200))
    assert VerdictKind.NOT_LEARNING not in judged(records)[0]


def test_an_eval_reward_that_falls_while_training_goes_on_rising_is_overfitting() -> None:
    records = rewarded(240, eval_reward=lambda step: 0.5 - abs(step - 100) / 400)
    _, last = judged(records)
    assert last.kind is VerdictKind.OVERFITTING
    assert "eval reward falls, train reward rises" in last.sentence
    assert last.best_step == 100
    assert last.best_eval == max(record["eval_reward"] for record in records if "eval_reward" in record)


@pytest.mark.parametrize("record", [{"loss": math.nan}, {"loss": "nan", "reward": 0.3}, {"reward": math.inf}])
def test_a_loss_that_is_not_finite_is_reported_beside_a_reward(record: dict[str, Any]) -> None:
    _, last = judged([*rewarded(40), {"step": 41, **record}])
    assert last.kind is VerdictKind.NOT_FINITE
    assert ("train loss" if "loss" in record else "train reward") in last.sentence


def _dpo(step: int) -> float:
    return 0.693 / (1 + math.exp((step - 80) / 25)) + 0.01


def test_a_dpo_loss_that_comes_near_zero_is_neither_memorized_nor_diverging_nor_without_a_mask() -> None:
    def records(loss: Callable[[int], float]) -> list[dict[str, Any]]:
        changed = rewarded(300, loss, noise=0.004)
        return [{**record, "loss": max(0.0, record["reward"]), "epoch": record["epoch"] * 3} for record in changed]

    kinds, last = judged(records(_dpo), task="dpo")
    assert set(kinds) <= {*_SOUND, VerdictKind.PLATEAU}
    assert "DPO loss" in last.sentence
    assert judged(records(lambda step: _dpo(step) if step < 200 else 0.3), task="dpo")[1].kind is VerdictKind.DIVERGING


def test_a_recipe_without_a_task_or_of_an_unknown_one_is_judged_by_its_loss() -> None:
    assert task_of({"recipe": {}}) is task_of(None) is task_named("of a later version") is TASKS["sft"]
    assert task_of({"recipe": {"task": "reward"}}) is REWARD


# -- lists, charts and files ----------------------------------------------------------------------------------


def _run(workspace: Path, name: str, best: float, task: str = "reward") -> JobFolder:
    recipe = {"name": name, "task": task, "model": {"path": "/models/Qwen3-0.6B"}}
    folder = JobFolder.create(workspace / "runs", name, "training", payload={"recipe": recipe})
    for record in rewarded(60, eval_reward=lambda step: best - abs(step - 40) / 100):
        folder.append_metric({**record, "eval_loss": 2.0 - best} if "eval_reward" in record else record)
    folder.write_status(state="finished", step=60, of=60, started=1_000.0, ended=1_100.0)
    return folder


def _lines(workspace: Path) -> list[RunLine]:
    runs = RunList(workspace)
    lines, more = runs.read(), True
    while more:
        lines, more = runs.work(lines, 1.0)
    runs.save()
    return lines


def test_the_list_of_runs_takes_the_best_reward_and_puts_the_highest_first(tmp_path: Path) -> None:
    for name, best in (("low", 0.2), ("high", 0.9), ("middle", 0.5)):
        _run(tmp_path, name, best)
    lines = _lines(tmp_path)
    assert [line.info.name for line in listed(lines, "", "best eval first")] == ["high", "middle", "low"]
    (high,) = listed(lines, "high", "newest first")
    assert high.best_step == 40
    assert high.best_eval == pytest.approx(0.9, abs=0.1)
    said = high.to_json()
    assert said["best_eval_loss"] is None
    assert said["task"] == "reward"
    headline = said["headline"]
    assert (headline["metric"], headline["better"], headline["best"]) == ("eval_reward", "higher", high.best_eval)
    assert headline["value"] == high.last_eval
    assert headline["value"] < headline["best"]
    assert _lines(tmp_path) == lines, "kept, and read back"


def test_runs_that_are_judged_by_a_loss_keep_their_keys(tmp_path: Path) -> None:
    (line,) = [_run(tmp_path, "dpo", 0.5, "dpo")] and _lines(tmp_path)
    said = line.to_json()
    assert said["best_eval_loss"] == said["headline"]["best"] == line.best_eval == 1.5
    assert said["headline"]["title"] == "eval DPO loss"


def test_what_is_reported_at_the_end_names_the_metric(tmp_path: Path) -> None:
    folder = _run(tmp_path, "one", 0.9)
    folder.adapter.mkdir()
    write_weights(folder.adapter, Weights(40, 60, 60, 0.3, 0.9, 40, 0.1, "reward"))
    reported = facts_of(folder)
    assert (reported["metric"], reported["adapter"], reported["best_eval_loss"]) == ("eval_reward", 0.9, None)
    assert reported["best"] == pytest.approx(0.9, abs=0.1)
    assert "reward" in reported["verdict_text"]


def test_a_live_run_draws_its_reward_and_has_the_loss_in_a_panel(tmp_path: Path) -> None:
    folder = _run(tmp_path, "one", 0.9)
    run = LiveRun()
    run.judge_by(REWARD.headline)
    run.add(Follower(folder).poll())
    assert run.main is run.series("reward")
    assert len(run.average.series) == 60
    best = run.best()
    assert best is not None
    assert best[0] == 40
    assert "loss" in usual_panels(run)
    assert "reward" not in usual_panels(run)
    (fact,) = [fact for fact in facts(run, 2_000.0) if fact.key == "best"]
    assert fact.after == "at step 40"


def test_weights_name_the_metrics_of_their_task(tmp_path: Path) -> None:
    history = [
        {"step": 0, "eval_loss": 0.0, "eval_reward": 0.1},
        {"step": 10, "loss": 0.001, "reward": 0.3},
        {"step": 10, "eval_loss": 0.0, "eval_reward": 0.4},
    ]
    weights = weights_at(history, 10, 20, 30, "reward")
    assert weights == Weights(10, 20, 30, 0.3, 0.4, 10, 0.1, "reward")
    assert "eval reward 0.4000" in weights.words()
    write_weights(tmp_path, weights)
    assert read_weights(tmp_path) == weights
    assert {"reward", "eval_reward", "eval_reward_first"} <= weights.to_json().keys()


@pytest.mark.parametrize(("task", "words"), [("sft", "loss 0.5000"), ("dpo", "DPO loss 0.5000"), ("reward", "reward")])
def test_where_a_checkpoint_stands_is_told_by_the_headline(task: str, words: str, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, 5, 10, 0.5, 5, 10, 0.5, 1e-4, 100, False, 0, Recipe(task=task), {}, "")
    assert where_it_stands(checkpoint).startswith(f"step 5 of 10, {words}")


def test_a_printed_line_has_the_headline_first() -> None:
    record = {"step": 3, "loss": 0.001, "reward": 0.25, "grad_norm": 0.5}
    words = metric_line(record, REWARD.headline)
    assert words.index("reward") < words.index("loss") < words.index("grad")
    assert "reward" not in metric_line({"step": 3, "loss": 0.5})


# -- nobody else names the loss --------------------------------------------------------------------------------

_DECLARED = {
    "core/recipe/tasks/task.py": "the names, and what every trainer calls them",
    "core/recipe/tasks/supervised.py": "a title",
    "core/jobs/runs.py": "`tunedeck runs --json` and its cache",
    "core/dataset/formats/chat.py": "a column of other tools that says whether a row is trained on",
    "core/dataset/formats/loss_flags.py": "keys of other tools that say whether a turn is trained on",
    "core/training/durable.py": "what a checkpoint holds of the next line of metrics",
}


def test_the_loss_is_named_where_tasks_are_declared_and_in_the_formats_of_files() -> None:
    found: set[str] = set()
    for folder in ("core", "tui"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if any(isinstance(node, ast.Constant) and node.value in ("loss", "eval_loss") for node in ast.walk(tree)):
                found.add(path.relative_to(ROOT).as_posix())
    assert found <= _DECLARED.keys(), "ask the headline of the task"
    assert found == _DECLARED.keys(), "this place is declared for nothing"


def test_a_dft_run_is_judged_by_token_accuracy_everywhere() -> None:
    """Its loss weighs tokens by their probability, so it rises while a model learns what it had not expected."""
    recipe = put(Recipe(), "sft.loss_type", "dft")
    assert headline_of(recipe).eval_metric == "eval_mean_token_accuracy"
    assert headline_of(to_json(recipe)).better == "higher"
    assert headline_of(put(recipe, "task", "dpo")).eval_metric == headline_of(None).eval_metric == "eval_loss"
    plan = RunPlan.of(to_json(recipe), 100)
    assert (plan.headline.metric, plan.headline.per_token) == ("mean_token_accuracy", False)
    history = [
        {"step": 0, "eval_loss": 0.1, "eval_mean_token_accuracy": 0.2},
        {"step": 10, "loss": 0.3, "mean_token_accuracy": 0.5},
        {"step": 10, "eval_loss": 0.3, "eval_mean_token_accuracy": 0.6},
    ]
    weights = weights_at(history, 10, 10, 10, "sft", headline_of(recipe))
    assert (weights.value, weights.eval_value, weights.eval_first) == (0.5, 0.6, 0.2)
    assert from_json(weights.to_json()) == weights
    assert "eval token accuracy 0.6" in weights.words()
