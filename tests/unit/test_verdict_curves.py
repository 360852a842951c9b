"""The verdict on real runs, good and spoiled, that `tests/curves/record.py` has trained.

The thresholds were set on `tests/curves/tuning`; what counts is `tests/curves/held_out`, runs of other seeds.
"""

from __future__ import annotations

from collections import Counter

import pytest

from core.verdict import Kind, VerdictJudge
from core.verdict.finding import QUIET
from tests.curves import HELD_OUT, TUNING, Recording, load

EXPECTED = {
    "memorised": Kind.MEMORISED,
    "not_learning": Kind.NOT_LEARNING,
    "masked": Kind.NOT_LEARNING,
}
"""The kinds that are named on every run recorded so far; `python -m tests.curves` shows how the others do."""
RUNS = [pytest.param(run, id=f"{folder.name}-{run.name}") for folder in (TUNING, HELD_OUT) for run in load(folder)]
HEALTHY = [case for case in RUNS if case.values[0].kind == "healthy"]
SPOILED = [case for case in RUNS if case.values[0].kind in EXPECTED]


def changes(run: Recording) -> list[tuple[int, Kind]]:
    """What the verdict was after each record, where it changed; the last as it is once the run is over."""
    judge = VerdictJudge(run.recipe, run.steps)
    found: list[tuple[int, Kind]] = []
    for record in run.records:
        judge.add([record])
        kind = judge.verdict().kind
        if not found or found[-1][1] is not kind:
            found.append((record["step"], kind))
    over = judge.verdict(over=True).kind
    return found if over is found[-1][1] else [*found, (run.records[-1]["step"], over)]


def test_healthy_runs_are_many_and_apart_from_those_used_for_tuning() -> None:
    kinds = Counter(run.kind for run in load(HELD_OUT))
    assert kinds["healthy"] >= 20
    seeds = [{run.recipe["training"]["seed"] for run in load(folder)} for folder in (TUNING, HELD_OUT)]
    assert seeds[0].isdisjoint(seeds[1])


@pytest.mark.parametrize("run", HEALTHY)
def test_a_good_run_gives_no_alarm_at_any_moment(run: Recording) -> None:
    found = changes(run)
    assert {kind for _, kind in found} <= {Kind.WARMING_UP, Kind.HEALTHY}
    assert found[-1][1] is Kind.HEALTHY


@pytest.mark.parametrize("run", HEALTHY)
def test_runs_that_count_as_good_end_on_their_best_eval_loss(run: Recording) -> None:
    """What is called healthy here is so by a measure of its own, not by the rules that are tested."""
    losses = [record["eval_loss"] for record in run.records if "eval_loss" in record]
    assert losses[-1] < 0.5 * losses[0]
    assert losses[-1] < 1.01 * min(losses)


@pytest.mark.parametrize("run", SPOILED)
def test_a_spoiled_run_is_named_and_its_words_do_not_flap(run: Recording) -> None:
    found = changes(run)
    assert found[-1][1] is EXPECTED[run.kind], found
    assert len(found) <= 6, found


@pytest.mark.parametrize("run", [case for case in SPOILED if case.values[0].kind not in ("not_finite", "memorised")])
def test_a_spoiled_run_is_told_while_there_is_time_to_save_it(run: Recording) -> None:
    first = next(step for step, kind in changes(run) if kind not in QUIET)
    assert first <= 0.7 * run.records[-1]["step"]
