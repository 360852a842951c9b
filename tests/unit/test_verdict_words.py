"""What a verdict says: the kind first, the numbers, the setting to change; two lines of a small terminal."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest

from core.jobs.stall import Stall
from core.jobs.titles import COMPARING
from core.recipe.declare import Problem
from core.recipe.recipe import KNOBS
from core.verdict import Advice, Verdict, VerdictKind
from core.verdict.course import Course
from core.verdict.finding import Finding, RunPlan
from core.verdict.words import describe_finding

ROW = 78
"""Cells of a row at 80 columns, the margins taken off."""

LONG_STALL = Stall(112_960, 90_000.0, "evaluating")
SUSPENDED = Stall(112_960, 90_000.0, usual=3_600.0, stopped=(4_194_303, 4_194_302, 4_194_301, 4_194_300))
HIGH = {"now": 123.4567, "top": 1234.567, "low": 0.0123456, "first": 5.5351, "eval": 3.21987}
FINDINGS = [
    Finding(VerdictKind.WARMING_UP, 0),
    Finding(VerdictKind.TOO_EARLY, 0),
    Finding(VerdictKind.HEALTHY, 0),
    Finding(VerdictKind.PLATEAU, 112_960, {**HIGH, "epoch": 1.2}),
    Finding(VerdictKind.OSCILLATING, 112_960, HIGH, "train"),
    Finding(VerdictKind.OSCILLATING, 112_960, HIGH, "eval"),
    Finding(VerdictKind.DIVERGING, 112_960, HIGH, "train"),
    Finding(VerdictKind.DIVERGING, 112_960, HIGH, "eval"),
    Finding(VerdictKind.DIVERGING, 112_960, HIGH, "train, blown up"),
    Finding(VerdictKind.DIVERGING, 112_960, HIGH, "eval, blown up"),
    Finding(VerdictKind.OVERFITTING, 112_960, {**HIGH, "epoch": 1.2}),
    Finding(VerdictKind.MEMORIZED, 112_960, {"now": 0.0312, "epoch": 12.0}),
    Finding(VerdictKind.MEMORIZED, 112_960, {"now": 0.0312, "epoch": 12.0, "eval": 3.2198}),
    Finding(VerdictKind.NOT_LEARNING, 112_960, HIGH, "eval"),
    Finding(VerdictKind.NOT_LEARNING, 112_960, HIGH, "train"),
    Finding(VerdictKind.NOT_LEARNING, 112_960, HIGH, "trivial"),
    Finding(VerdictKind.NOT_LEARNING, 112_960, cause="no gradient"),
    Finding(VerdictKind.SPIKES, 112_960, {"number": 17, "ratio": 1234.5, "last": 199_998}),
    Finding(VerdictKind.NOT_FINITE, 112_960, cause="train loss"),
    Finding(VerdictKind.HARDLY_MOVES, 112_960, {"share": 0.04}),
    Finding(VerdictKind.HARDLY_MOVES, 112_960, {"share": 0.0}),
    Finding(VerdictKind.STARVED, 112_960, {"busy": 12.0, "cpu": 100.0, "gpu": 11, "of": 16}),
    Finding(VerdictKind.STALLED, 112_960, cause=f"{LONG_STALL.words()}. {LONG_STALL.remedy()}"),
    Finding(VerdictKind.STALLED, 112_960, cause=f"{SUSPENDED.words()}. {SUSPENDED.remedy()}"),
    Finding(VerdictKind.FAILED, 112_960, cause="failed"),
    Finding(VerdictKind.FAILED, 112_960, cause="lost"),
    Finding(VerdictKind.FAILED, 112_960, cause=COMPARING),
    Finding(VerdictKind.THROTTLED, 112_960, {"busy": 0.0, "share": 1.0, "gpu": 11, "of": 16}),
]
RECIPES: list[dict[str, Any]] = [
    {},
    {"method": "full", "training": {"max_grad_norm": 0.0, "log_every": 10, "epochs": 40.0, "gradient_accumulation": 3}},
    {"method": "full", "model": {"dtype": "mixed_bfloat16"}},
    {"model": {"dtype": "float16"}, "training": {"learning_rate": 3.7e-7}, "data": {"packing": "bfd"}},
]


def long_run(*, evaluated: bool) -> Course:
    course = Course()
    for step in range(1, 21):
        course.trained(step * 6_000, 12.345, 1.0)
        course.close(2e-4, step / 10)
        if evaluated:
            course.evaluated(step * 6_000, 1.2345 + abs(step - 18) / 100, step / 10)
    return course


@pytest.mark.parametrize("recipe", RECIPES, ids=["default", "full", "mixed", "fp16"])
@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: f"{finding.kind} {finding.cause}")
def test_every_verdict_fits_three_rows_of_a_small_terminal_with_all_its_advice(
    finding: Finding, recipe: dict[str, Any]
) -> None:
    plan = RunPlan.of(recipe, 200_000)
    for evaluated in (True, False):
        verdict = describe_finding(finding, long_run(evaluated=evaluated), plan)
        text = verdict.text()
        assert len(textwrap.wrap(text, ROW)) <= 3, text
        assert text.startswith(finding.kind.value.upper())
        assert ("Next time: " in text) == bool(verdict.advice)


@pytest.mark.parametrize("recipe", RECIPES, ids=["default", "full", "mixed", "fp16"])
def test_advice_names_fields_of_the_recipe_and_values_that_they_take(recipe: dict[str, Any]) -> None:
    named = set()
    for finding in FINDINGS:
        for advice in describe_finding(finding, long_run(evaluated=True), RunPlan.of(recipe, 200_000)).advice:
            if advice.setting and advice.to:
                named.add(advice.setting)
                assert not isinstance(KNOBS[advice.setting].parse(advice.to), Problem), advice
    assert "training.learning_rate" in named


def test_every_kind_has_its_words() -> None:
    assert {finding.kind for finding in FINDINGS} == set(VerdictKind)


def test_overfitting_reads_as_a_person_would_say_it() -> None:
    course = Course()
    for step in range(10, 1_241, 10):
        course.trained(step, 1.0, 1.0)
        course.close(2e-4, step / 1_000)
        if step % 20 == 0:
            course.evaluated(step, 0.981 + abs(step - 960) / 10_000, step / 1_000)
    finding = Finding(VerdictKind.OVERFITTING, 980, {"now": 1.009, "epoch": 0.96})
    verdict = describe_finding(finding, course, RunPlan.of({"training": {"epochs": 3.0}}, 3_000))
    assert verdict.sentence.startswith("OVERFITTING since step 980")
    assert "step 960, eval 0.9810" in verdict.sentence
    assert "1 epoch, dropout 0.1 or more samples" in verdict.next_time


def test_the_checkpoint_to_keep_stands_before_the_advice_and_the_least_advice_goes_first() -> None:
    verdict = Verdict(
        VerdictKind.OVERFITTING,
        7,
        "OVERFITTING since step 7.",
        (Advice("a", "1", "one"), Advice("b", "2", "two"), Advice("c", "3", "three")),
        keep_step=1_200,
    )
    assert verdict.text() == "OVERFITTING since step 7. Keep checkpoint 1,200. Next time: one, two or three."
    assert verdict.text(lambda words: len(words) < 75).endswith("Keep checkpoint 1,200. Next time: one or two.")
    assert verdict.text(lambda words: False) == "OVERFITTING since step 7. Keep checkpoint 1,200."


def test_a_verdict_is_json() -> None:
    verdict = describe_finding(FINDINGS[10], long_run(evaluated=True), RunPlan.of({}, 200_000))
    plain = json.loads(json.dumps(verdict.to_json()))
    assert plain["kind"] == "overfitting"
    assert plain["since_step"] == 112_960
    assert plain["best_step"] == 108_000
    assert plain["advice"][0] == {"setting": "training.epochs", "to": "1.5", "words": "1.5 epochs"}


def test_clipping_is_not_advised_where_gradients_are_clipped_already() -> None:
    settings = [
        advice.setting for advice in describe_finding(FINDINGS[6], long_run(evaluated=True), RunPlan.of({}, 100)).advice
    ]
    assert "training.max_grad_norm" not in settings
    recipe = {"training": {"max_grad_norm": 0.0}}
    settings = [
        advice.setting
        for advice in describe_finding(FINDINGS[6], long_run(evaluated=True), RunPlan.of(recipe, 100)).advice
    ]
    assert "training.max_grad_norm" in settings


def test_nothing_is_advised_that_the_task_does_not_do() -> None:
    """A DPO run with a GPU that waits was told to pack, which DPO refuses; one that overfits, to drop out."""
    plans = {task: RunPlan.of({"task": task}, 100) for task in ("sft", "dpo")}
    advised = {
        task: {
            advice.setting
            for finding in FINDINGS
            for advice in describe_finding(finding, long_run(evaluated=True), plan).advice
            if advice.to
        }
        for task, plan in plans.items()
    }
    assert advised["sft"] - advised["dpo"] == {"data.packing", "lora.dropout"}
    assert advised["dpo"] <= advised["sft"]
