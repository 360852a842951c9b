"""How a finished run is continued, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.recipe.recipe import Recipe, put
from core.runs.extend import MoreSteps, plan_extend, rate_at
from tests.kit.weights import run_with_weights
from tui.cli import main
from tui.runs.extend import extend


@pytest.fixture
def finished(tmp_path: Path) -> JobFolder:
    return run_with_weights(tmp_path, put(Recipe(name="sft"), "training.scheduler", "cosine"))


def test_a_fresh_start_is_from_the_weights_with_a_schedule_of_its_own(finished: JobFolder) -> None:
    plan = plan_extend(finished, MoreSteps(epochs=2.0, fresh=True))
    assert plan.checkpoint is None
    assert (plan.recipe.starts_from, plan.recipe.training.epochs) == (finished.id, 2.0)
    assert "cosine" in plan.words
    assert plan_extend(finished, MoreSteps(steps=30, fresh=True)).recipe.training.max_steps == 30


def test_what_cannot_be_continued_is_refused_with_what_to_do(finished: JobFolder, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no checkpoint.*--fresh"):
        plan_extend(finished, MoreSteps(epochs=1.0))
    for more in (MoreSteps(), MoreSteps(epochs=-1.0), MoreSteps(epochs=float("nan")), MoreSteps(steps=-3, fresh=True)):
        with pytest.raises(BadInput, match="more than 0"):
            plan_extend(finished, more)
    for state, word in (("stopped", "Resume"), ("failed", "Resume"), ("running", "Wait"), ("queued", "Wait")):
        run = run_with_weights(tmp_path, Recipe(name=state), state=state)
        with pytest.raises(BadInput, match=rf"{state}.*{word}"):
            plan_extend(run, MoreSteps(epochs=1.0))


@pytest.mark.parametrize("amount", [("--epochs", "0"), ("--steps", "0"), ("--epochs", "-1")])
def test_no_more_epochs_are_not_one(
    finished: JobFolder, amount: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["extend", str(finished.path), *amount, "--dry-run"]) == 2
    assert "more than 0" in capsys.readouterr().err


def test_the_line_on_the_runs_screen_takes_epochs_steps_and_fresh(finished: JobFolder) -> None:
    assert extend(finished, "  ") == (None, "")
    for text, word in (("two", "number"), ("1.5 steps", "whole"), ("0", "more than 0"), ("1", "no checkpoint")):
        made, words = extend(finished, text)
        assert made is None
        assert word in words


def test_rates_are_those_of_transformers() -> None:
    recipe = put(put(Recipe(), "training.learning_rate", 1e-4), "training.warmup", 0.1)
    for scheduler, step, rate in (
        ("linear", 5, 5e-5),
        ("linear", 10, 1e-4),
        ("linear", 55, 5e-5),
        ("cosine", 55, 5e-5),
        ("constant_with_warmup", 5, 5e-5),
        ("constant", 5, 1e-4),
    ):
        assert rate_at(put(recipe, "training.scheduler", scheduler), step, 100) == pytest.approx(rate)
    assert rate_at(put(recipe, "training.scheduler", "inverse_sqrt"), 5, 100) is None
