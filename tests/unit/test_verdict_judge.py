"""The judge of a run: the same verdict however records arrive, words that do not flap, bounded memory, resumed runs."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.verdict import VerdictJudge, VerdictKind
from core.verdict.course import BINS, EVALUATIONS, Course
from tests.kit.verdict_runs import RECIPE, course, falling, judged, kinds


def diverging(step: int) -> float:
    return falling(step) + (0.02 * (step - 150) if step > 150 else 0)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 420), max_size=12))
def test_how_records_are_cut_into_pieces_changes_nothing(cuts: list[int]) -> None:
    records = course(400, diverging, eval_loss=falling)
    whole = judged(records, 400).verdict(over=True)
    assert whole.kind is VerdictKind.DIVERGING
    judge = VerdictJudge(RECIPE, 400)
    ends = [0, *sorted(cuts), len(records)]
    for first, end in pairwise(ends):
        judge.add(records[first:end])
        judge.verdict()
    assert judge.verdict(over=True) == whole


def test_a_verdict_must_hold_before_it_is_shown_and_be_gone_before_it_is_taken_back() -> None:
    """A loss about the limit of divergence: without holding, the words changed at every other event."""
    records = course(400, lambda step: falling(step) * (1.17 if step > 100 else 1), noise=0.05)
    changes = [kind for _, kind in kinds(records, 2_000)]
    assert changes[:2] == [VerdictKind.WARMING_UP, VerdictKind.HEALTHY]
    assert len(changes) <= 6


def test_once_it_has_begun_its_step_stays_while_its_numbers_go_on() -> None:
    judge = VerdictJudge(RECIPE, 400)
    seen = []
    for record in course(400, diverging):
        judge.add([record])
        verdict = judge.verdict()
        if verdict.kind is VerdictKind.DIVERGING:
            seen.append(verdict)
    assert len(seen) > 100
    assert len({verdict.since_step for verdict in seen}) == 1
    assert seen[0].sentence != seen[-1].sentence


def test_memory_does_not_grow_with_the_length_of_a_run() -> None:
    found = Course()
    for step in range(1, 20_001):
        if found.trained(step, 1.0, 1.0 if step % 50 else 90.0):
            found.close(2e-4, step / 20_000)
        if step % 10 == 0:
            found.evaluated(step, 1.0 + abs(step - 7_770) * 1e-6, step / 20_000)
    assert found.events == 20_000
    assert len(found.bins) == len(found.means) < BINS
    assert len(found.evaluations) < EVALUATIONS
    assert len(found.spikes) <= 64
    assert found.best is not None
    assert found.best.step == 7_770


def test_bins_that_were_joined_keep_mean_and_deviation() -> None:
    found = Course()
    losses = [math.sin(step) + 2 for step in range(1, 1_025)]
    for step, loss in enumerate(losses, 1):
        if found.trained(step, loss, None):
            found.close(1.0, 0.0)
    level = found.level(0, len(found.bins))
    mean = sum(losses) / len(losses)
    assert level.events == 1_024
    assert level.mean == pytest.approx(mean)
    assert level.deviation == pytest.approx(math.sqrt(sum((loss - mean) ** 2 for loss in losses) / 1_023))


def test_a_run_that_is_resumed_forgets_what_never_was() -> None:
    records = course(200, diverging, eval_loss=diverging)
    broken = [*records, {"step": 201, "loss": "nan"}]
    judge = judged(broken, 400)
    assert judge.verdict().kind is VerdictKind.NOT_FINITE
    again = [record for record in course(400, falling, eval_loss=falling, seed=1) if record["step"] > 150]
    judge.add(again)
    verdict = judge.verdict()
    assert verdict.kind is VerdictKind.HEALTHY
    assert verdict.best_step == 400


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"step": "many", "loss": 1.0},
        {"step": 40, "loss": None},
        {"step": 40, "loss": "big"},
        {"step": 40, "loss": True},
        {"step": 40, "loss": 1.0, "grad_norm": None, "learning_rate": "x", "epoch": [], "t": "now"},
        {"step": 40, "train_loss": 1.0, "train_runtime": 3.0},
    ],
)
def test_records_of_any_shape_do_no_harm(record: dict[str, Any]) -> None:
    judge = judged([*course(39), record], 100)
    assert judge.verdict().kind is VerdictKind.HEALTHY


_NUMBERS = st.one_of(
    st.floats(-10, 10),
    st.sampled_from([1e308, -1e308, 1e200, 1e-320, 0.0, "nan", "inf", "-inf", None, True, "x", 10**400]),
)
_RECORDS = st.fixed_dictionaries(
    {"step": st.integers(-30, 60)},
    optional=dict.fromkeys(("loss", "eval_loss", "grad_norm", "learning_rate", "epoch", "t"), _NUMBERS),
)


@settings(max_examples=60, deadline=None)
@given(records=st.lists(_RECORDS, min_size=20, max_size=120), ascending=st.booleans())
def test_no_number_and_no_order_of_steps_ends_the_judge(records: list[dict[str, Any]], ascending: bool) -> None:
    """A gradient of 1e308, or steps that go back while a verdict is shown, raised in the thread that follows."""
    judge = VerdictJudge({}, 60)
    for at, record in enumerate(records):
        judge.add([{**record, "step": at} if ascending else record])
        assert judge.verdict().text()


def test_evaluations_may_come_oftener_than_points_of_train_loss() -> None:
    """With fewer of those than a mean is taken over, an overfitting that was shown raised at the next evaluation."""
    judge = VerdictJudge({"training": {"log_every": 25}}, 300)
    seen = []
    for step in range(5, 301, 5):
        if step % 25 == 0:
            judge.add([{"step": step, "loss": 3 * 0.9 ** (step / 25), "learning_rate": 1e-4, "epoch": step / 100}])
        judge.add([{"step": step, "eval_loss": 2 + abs(step - 60) / 60, "epoch": step / 100}])
        seen.append(judge.verdict())
    assert VerdictKind.OVERFITTING in {verdict.kind for verdict in seen}
    assert seen[-1].best_step == 60


def test_an_eval_loss_above_its_start_is_overfitting_where_the_train_loss_is_at_its_lowest() -> None:
    """It was called diverging, with a tenth of the learning rate as the remedy."""
    records = course(
        400, lambda step: 1.2 * math.exp(-step / 300), eval_loss=lambda step: 1.2 - 0.2 * step / 80
        if step <= 80 else 1 + 0.6 * (step - 80) / 320, epochs=8, noise=0.03,
    )  # fmt: skip
    verdict = judged(records, 400).verdict(over=True)
    assert verdict.kind is VerdictKind.OVERFITTING
    assert verdict.best_step == 80


def test_a_recipe_with_unknown_or_missing_fields_is_judged_by_the_defaults() -> None:
    judge = VerdictJudge({"training": {"learning_rate": "fast", "colour": 1}, "extra": {}}, None)
    judge.add([*course(20), {"step": 21, "loss": "nan"}])
    assert judge.verdict().advice[0].to == "2e-5"
