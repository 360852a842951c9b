"""The verdict on real runs, good and spoiled, that `tests/curves/record.py` has trained.

The thresholds were set on `tests/curves/tuning`; what counts is `tests/curves/held_out`, runs of other seeds.
"""

from __future__ import annotations

from collections import Counter

import pytest

from core.verdict import VerdictJudge, VerdictKind
from core.verdict.finding import QUIET
from tests.curves import HELD_OUT, TUNING, Recording, load
from tests.curves.truth import shows

EXPECTED = {
    "not_finite": VerdictKind.NOT_FINITE,
    "diverging": VerdictKind.DIVERGING,
    "oscillating": VerdictKind.OSCILLATING,
    "overfitting": VerdictKind.OVERFITTING,
    "memorized": VerdictKind.MEMORIZED,
    "not_learning": VerdictKind.NOT_LEARNING,
    "masked": VerdictKind.NOT_LEARNING,
    "plateau": VerdictKind.PLATEAU,
    "spikes": VerdictKind.SPIKES,
    "hardly_moves": VerdictKind.HARDLY_MOVES,
}
ALSO = {"spikes": (VerdictKind.HEALTHY,)}  # once the damaged samples are learned, there are no more
"""What else the last verdict of a kind may be."""

LATE = ("not_finite", "memorized", "plateau", "spikes")
"""Kinds that show only when most of these short runs is over: the first ends its run, spikes count from the third."""

RUNS = [pytest.param(run, id=f"{folder.name}-{run.name}") for folder in (TUNING, HELD_OUT) for run in load(folder)]
GOOD = ("healthy", "float32_weights")
HEALTHY = [case for case in RUNS if case.values[0].kind in GOOD]
SPOILED = [case for case in RUNS if case.values[0].kind not in GOOD]


def changes(run: Recording) -> list[tuple[int, VerdictKind]]:
    """What the verdict was after each record, where it changed; the last as it is once the run is over."""
    judge = VerdictJudge(run.recipe, run.steps)
    found: list[tuple[int, VerdictKind]] = []
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


def test_each_way_of_spoiling_is_held_out_three_times_each_from_a_seed_of_its_own() -> None:
    held_out = load(HELD_OUT)
    for kind in EXPECTED:
        seeds = [run.recipe["training"]["seed"] for run in held_out if run.kind == kind]
        assert len(seeds) >= 3, kind
        assert len(set(seeds)) == len(seeds), kind


@pytest.mark.parametrize("run", HEALTHY)
def test_a_good_run_gives_no_alarm_at_any_moment(run: Recording) -> None:
    found = changes(run)
    assert {kind for _, kind in found} <= {VerdictKind.WARMING_UP, VerdictKind.HEALTHY}
    assert found[-1][1] is VerdictKind.HEALTHY


@pytest.mark.parametrize("run", RUNS)
def test_a_recorded_run_shows_what_it_is_named_after_by_a_measure_of_its_own(run: Recording) -> None:
    assert shows(run.kind, run.records)


@pytest.mark.parametrize("run", SPOILED)
def test_a_spoiled_run_is_named_and_its_words_do_not_flap(run: Recording) -> None:
    found = changes(run)
    allowed = {EXPECTED[run.kind], *ALSO.get(run.kind, ())}
    assert EXPECTED[run.kind] in {kind for _, kind in found}, found
    assert found[-1][1] in allowed, found
    assert len(found) <= 6, found


@pytest.mark.parametrize("run", [case for case in SPOILED if case.values[0].kind not in LATE])
def test_a_spoiled_run_is_reported_while_there_is_time_to_save_it(run: Recording) -> None:
    first = next(step for step, kind in changes(run) if kind not in QUIET)
    assert first <= 0.75 * run.records[-1]["step"]
