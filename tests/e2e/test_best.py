"""A run ends by itself when the eval loss falls no more, and saves its best weights; also when it was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from core.recipe.tasks import TASKS, Headline
from core.runs.checkpoint import read
from core.runs.resume import plan_resume
from core.runs.saved import read_weights
from core.verdict.notify import facts_of
from tests.e2e.test_resume import go_on, logged, run_to_end
from tests.kit.accuracy_training import ACCURACY
from tests.kit.training_runs import events, lines, make_run, pair, talk
from tests.kit.warm.process import WarmPython

_RUN: dict[str, Any] = {
    "lora__dropout": 0.1,
    "training__batch_size": 4,
    "training__learning_rate": 3e-2,
    "training__max_steps": 16,
    "training__eval_every": 2.0,
    "training__save_every": 5.0,
    "training__keep_checkpoints": 1,
    "evaluation__after_training": False,
}
_PATIENCE = 3
_LONG: dict[str, Any] = {
    **_RUN,
    "training__max_steps": 60,
    "training__eval_every": 4.0,
    "training__save_every": 0.0,
    "training__early_stopping": _PATIENCE,
    "training__keep_best": True,
}
"""A run that is long enough for a verdict, and ends early."""


def _wrong(number: int) -> dict[str, Any]:
    """What is learned here is wrong for the held-out samples: their loss falls and then rises."""
    return talk(number, answer=f"Hello! No {number % 5} no no.")


def _run(parent: Path, **changes: Any) -> JobFolder:
    return make_run(parent, [_wrong(number) for number in range(24)], **{**_RUN, **changes})


def _expected(losses: dict[int, float]) -> tuple[int, int]:
    """The step at which the run is to end, and the best one, by the rule in words; of costs, lower is better."""
    best, waited = 0, 0
    for step, loss in losses.items():
        waited = waited + 1 if best and loss >= losses[best] else 0
        best = step if not best or loss < losses[best] else best
        if waited == _PATIENCE:
            return step, best
    raise AssertionError(f"these losses do not rise long enough: {losses}")


def _weights(folder: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    return {name: value.tobytes() for name, value in load_file(folder / "adapter_model.safetensors").items()}


@pytest.mark.parametrize(
    "before",
    [pytest.param(1, marks=pytest.mark.slow), 0],
    ids=["one evaluation before its end", "in the evaluation that ends it"],
)
def test_an_interrupted_run_ends_early_where_the_plain_one_has_its_rise_and_saves_the_best(
    warm: WarmPython, tmp_path: Path, before: int
) -> None:
    plain = run_to_end(_run(tmp_path))
    losses = {step: line["eval_loss"] for (step, kind), line in logged(plain).items() if kind == "eval_loss" and step}
    end, best = _expected(losses)
    assert best + 2 < end < _RUN["training__max_steps"]

    options = {"training__early_stopping": _PATIENCE, "training__keep_best": True}
    folder = _run(tmp_path, **options)
    run_to_end(folder, "tests.kit.disturbed_training", DISTURB_AT=str(end - before), DISTURB_BY="stop")
    assert folder.read_status().state == "stopped"
    checkpoint = plan_resume(folder).checkpoint
    assert checkpoint is not None
    assert checkpoint.without_gain == _PATIENCE - 1
    go_on(folder)

    assert logged(folder) == {(step, kind): line for (step, kind), line in logged(plain).items() if step <= end}
    (reported,) = events(folder, "early_stop")
    assert (reported["step"], reported["best_step"], reported["best_eval_loss"]) == (end, best, losses[best])
    last = max(folder.checkpoints.iterdir(), key=_step)
    assert {_step(path) for path in folder.checkpoints.iterdir()} == {best, read(last).step}
    assert _weights(folder.adapter) == _weights(folder.checkpoints / f"checkpoint-{best}")
    *_, summary = events(folder, "summary")
    assert (summary["saved_step"], summary["eval_loss"]) == (best, losses[best])
    weights = read_weights(folder.adapter)
    assert weights is not None
    assert (weights.step, weights.saved_at_step) == (best, end)
    assert (weights.eval_step, weights.eval_value) == (best, losses[best])
    assert weights.value == logged(plain)[(best, "loss")]["loss"]
    assert f"step {best}" in (folder.adapter / "README.md").read_text()
    assert _weights(folder.adapter) != _weights(last)


def _ended_early(folder: JobFolder, headline: Headline) -> dict[str, Any]:
    """Makes sure that a run ended where its headline metric says so, with its best weights; returns what was told."""
    assert folder.read_status().state == "finished", folder.log.read_text()[-3000:]
    values = {
        line["step"]: line[headline.eval_metric]
        for line in lines(folder.metrics)
        if line["step"] and headline.eval_metric in line
    }
    end, best = _expected({step: headline.cost(value) for step, value in values.items()})
    assert end == max(values) < _LONG["training__max_steps"]
    (reported,) = events(folder, "early_stop")
    assert (reported["step"], reported["best_step"], reported[f"best_{headline.eval_metric}"]) == (
        end,
        best,
        values[best],
    )
    assert _weights(folder.adapter) == _weights(folder.checkpoints / f"checkpoint-{best}")
    weights = read_weights(folder.adapter)
    assert weights is not None
    assert (weights.step, weights.saved_at_step) == (best, end)
    return reported


def test_a_dpo_run_ends_early_by_its_eval_loss_and_is_said_to_overfit(warm: WarmPython, tmp_path: Path) -> None:
    swapped = [pair(number) for number in range(60, 68)]
    for sample in swapped:
        sample["chosen"], sample["rejected"] = sample["rejected"], sample["chosen"]
    changes: dict[str, Any] = {"task": "dpo", "training__learning_rate": 1e-3, "lora__dropout": 0.0}
    folder = make_run(tmp_path, [pair(number) for number in range(24)], swapped, **{**_LONG, **changes})
    headline = TASKS["dpo"].headline
    reported = _ended_early(run_to_end(folder), headline)
    assert "did not lower the eval DPO loss" in reported["message"]
    facts = facts_of(folder)
    assert facts["verdict"] == "overfitting"
    assert "eval DPO loss rises, train DPO loss falls" in facts["verdict_text"]
    assert (facts["metric"], facts["best_step"]) == ("eval_loss", 0), "the base model was better"


def test_where_higher_is_better_a_run_ends_when_its_metric_rises_no_more(warm: WarmPython, tmp_path: Path) -> None:
    folder = _run(tmp_path, **_LONG)
    reported = _ended_early(run_to_end(folder, "tests.kit.accuracy_training"), ACCURACY)
    assert "did not raise the eval token accuracy" in reported["message"]
    (summary,) = events(folder, "summary")
    assert summary["eval_mean_token_accuracy"] == reported["best_eval_mean_token_accuracy"]


def _step(path: Path) -> int:
    return int(path.name.rpartition("-")[2])
