"""DPO's losses are those of the installed TRL, and what it refuses together is refused in the form."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.errors import BadInput
from core.recipe import dpo_losses
from core.recipe.command_line import apply_settings
from core.recipe.declare import Problem
from core.recipe.dpo_losses import LOSSES, SMOOTHED, WITH_DIVERGENCE, installed_losses
from core.recipe.memory import forecast
from core.recipe.model_shape import read_shape
from core.recipe.recipe import KNOBS, Recipe, from_json, is_shown, put, to_json
from core.recipe.rules.validate import validate
from core.recipe.sections.dpo import DpoLoss
from core.recipe.tasks import TASKS
from tests.kit.training_runs import BASE

_TRAINER = Path(dpo_losses.util.find_spec("trl").submodule_search_locations[0], "trainer", "dpo_trainer.py")  # type: ignore


def dpo(*settings: str) -> Recipe:
    return apply_settings(put(Recipe(), "task", "dpo"), settings, Path("/"))


def said(recipe: Recipe, path: str) -> list[Problem]:
    return [problem for problem in validate(recipe) if problem.path == path]


def test_the_known_losses_are_those_that_the_installed_trl_computes() -> None:
    assert set(LOSSES) == installed_losses(), "TRL has changed: bring core.recipe.dpo_losses up to date"
    tree = ast.parse(_TRAINER.read_text())
    (divergence,) = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "f_divergence_loss_types"
    ]
    assert ast.literal_eval(divergence) == WITH_DIVERGENCE
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).startswith("loss_type == ") and node.body:
            name = node.test.comparators[0].value  # type: ignore[attr-defined]
            smoothed = "self.label_smoothing" in "".join(map(ast.unparse, node.body))
            assert smoothed == (name in SMOOTHED), name


def test_a_loss_of_a_newer_trl_is_accepted_and_one_that_an_older_lacks_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = "core.recipe.rules.preference.installed_losses"
    for name in ("core.recipe.dpo_losses.installed_losses", rules):
        monkeypatch.setattr(name, lambda: frozenset({"sigmoid", "brand_new"}))
    assert said(dpo("dpo.loss_type=brand_new"), "dpo.loss_type") == []
    (problem,) = said(dpo("dpo.loss_type=hinge"), "dpo.loss_type")
    assert problem.severity == "error"
    assert "hinge" in problem.sentence
    assert "brand_new" in problem.sentence
    with pytest.raises(BadInput, match="must be one of"):
        dpo("dpo.loss_type=nonsense")


@pytest.mark.parametrize(
    ("text", "losses"),
    [
        ("ipo", (("ipo", 1.0),)),
        ("sigmoid=0.8, bco_pair=0.2, sft=1", (("sigmoid", 0.8), ("bco_pair", 0.2), ("sft", 1.0))),
    ],
)
def test_losses_with_weights_are_one_field_in_form_file_and_command_line(
    text: str, losses: tuple[tuple[str, float], ...]
) -> None:
    recipe = dpo(f"dpo.loss_type={text}")
    assert recipe.dpo.loss_type == tuple(DpoLoss(*each) for each in losses)
    knob = KNOBS["dpo.loss_type"]
    assert knob.parse(knob.format(recipe.dpo.loss_type)) == recipe.dpo.loss_type
    assert from_json(yaml.safe_load(yaml.safe_dump(to_json(recipe)))) == recipe


def test_a_recipe_with_the_loss_as_a_text_is_still_read() -> None:
    assert from_json({"task": "dpo", "dpo": {"loss_type": "hinge"}}).dpo.loss_type == (DpoLoss("hinge"),)


@pytest.mark.parametrize(
    ("settings", "path", "severity", "words"),
    [
        (
            ("dpo.loss_type=nca_pair", "dpo.f_divergence_type=js_divergence"),
            "dpo.f_divergence_type",
            "error",
            "nca_pair",
        ),
        (("dpo.loss_type=aot", "dpo.use_weighting=yes"), "dpo.use_weighting", "error", "aot"),
        (("dpo.loss_type=exo_pair",), "dpo.label_smoothing", "error", "0.001"),
        (("dpo.loss_type=robust",), "dpo.label_smoothing", "warn", "same as sigmoid"),
        (("dpo.loss_type=aot", "training.batch_size=1"), "training.batch_size", "warn", "same as sigmoid"),
        (("dpo.loss_type=sft",), "dpo.loss_type", "warn", "task to sft"),
        (("dpo.loss_type=ipo=1, ipo=2",), "dpo.loss_type", "error", "twice"),
        (("dpo.sync_ref_model=yes",), "dpo.sync_ref_model", "error", "method to full"),
        (
            ("method=full", "dpo.sync_ref_model=yes", "dpo.precompute_ref_log_probs=yes"),
            "dpo.sync_ref_model",
            "error",
            "precomputed",
        ),
        (
            ("training.devices=cpux2", "dpo.precompute_ref_log_probs=yes"),
            "dpo.precompute_ref_log_probs",
            "error",
            "one device",
        ),
        (
            ("method=full", "dpo.sync_ref_model=yes", "training.max_steps=100"),
            "dpo.ref_model_sync_steps",
            "warn",
            "never moves: the run has 100 steps",
        ),
        (("dpo.label_smoothing=0.1",), "dpo.label_smoothing", "warn", "no effect"),
        (("dpo.discopop_tau=0.2",), "dpo.discopop_tau", "warn", "no effect"),
        (("dpo.loss_type=sft", "dpo.beta=0.3"), "dpo.beta", "warn", "no effect"),
    ],
)
def test_what_trl_refuses_or_ignores_together_is_said_in_the_form(
    settings: tuple[str, ...], path: str, severity: str, words: str
) -> None:
    (problem,) = said(dpo(*settings), path)
    assert problem.severity == severity
    assert words in problem.sentence


@pytest.mark.parametrize(
    ("settings", "shown", "hidden"),
    [
        ((), {"beta", "ld_alpha", "f_divergence_type", "use_weighting"}, {"label_smoothing", "discopop_tau"}),
        (("dpo.loss_type=aot",), {"label_smoothing"}, {"use_weighting", "f_divergence_type"}),
        (("dpo.loss_type=discopop",), {"discopop_tau"}, {"label_smoothing", "f_alpha_divergence_coef"}),
        (("dpo.loss_type=sft",), {"loss_type"}, {"beta", "ld_alpha", "f_divergence_type"}),
        (("dpo.f_divergence_type=alpha_divergence",), {"f_alpha_divergence_coef"}, {"sync_ref_model"}),
        (("method=full",), {"sync_ref_model"}, {"ref_model_sync_steps", "precompute_ref_batch_size"}),
    ],
)
def test_what_does_nothing_for_a_loss_is_not_shown(
    settings: tuple[str, ...], shown: set[str], hidden: set[str]
) -> None:
    recipe = dpo(*settings)
    assert {name for name in shown | hidden if is_shown(recipe, f"dpo.{name}")} == shown


def test_a_precomputed_reference_is_no_second_model_in_memory() -> None:
    recipe = dpo("method=full", f"model.path={BASE}")
    shape = read_shape(str(BASE), "")
    beside, freed = (
        forecast(put(recipe, "dpo.precompute_ref_log_probs", value), shape, "cpu").total for value in (False, True)
    )
    assert TASKS["dpo"].holds_reference(recipe)
    assert 0 < beside - freed < 2 * shape.parameters * 4


def test_only_what_applies_reaches_trl() -> None:
    from core.training.tasks.preference import settings

    recipe: Any = dpo("dpo.label_smoothing=0.1", "dpo.sync_ref_model=yes", "dpo.loss_type=sigmoid=2")
    found = settings(recipe)
    assert (found["label_smoothing"], found["sync_ref_model"]) == (0.0, False)
    assert (found["loss_type"], found["loss_weights"], found["ld_alpha"]) == (["sigmoid"], [2.0], None)
