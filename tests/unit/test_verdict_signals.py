"""Metrics beside the headline: kept in bounded memory, forgotten with what a resume takes back, and named."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.recipe.tasks import TASKS, Task
from core.verdict import VerdictJudge, VerdictKind
from core.verdict.course import BINS
from core.verdict.signals import Signals
from tests.kit.reward_task import REWARD, add_reward_task, rewarded

_GENERATES = replace(
    REWARD,
    signals={
        "length": "completions/mean_length",
        "truncated": "completions/clipped_ratio",
        "kl": "kl",
        "part": "rewards/*/mean",
    },
)


def pairs(
    steps: int,
    *,
    accuracy: Callable[[int], float],
    chosen: Callable[[int], float],
    rejected: Callable[[int], float],
    held_out: bool = True,
) -> list[dict[str, Any]]:
    """Records of a preference run whose loss falls."""
    chance = random.Random(3)
    records: list[dict[str, Any]] = []
    for step in range(steps + 1):
        numbers = {"rewards/accuracies": accuracy(step), "logps/chosen": chosen(step), "logps/rejected": rejected(step)}
        loss = 0.69 - 0.5 * step / steps
        if held_out and step % 10 == 0:
            own = {f"eval_{name}": value for name, value in numbers.items()}
            records.append({"step": step, "eval_loss": loss, "epoch": step / steps, **own})
        if step:
            noise = chance.gauss(0, 0.01)
            records.append(
                {
                    "step": step,
                    "loss": loss + noise,
                    "grad_norm": 1.0,
                    "learning_rate": 1e-5,
                    "epoch": step / steps,
                    **numbers,
                }
            )
    return records


def judged(task: str, records: list[dict[str, Any]], steps: int) -> Any:
    judge = VerdictJudge({"task": task}, steps)
    judge.add(records)
    return judge.verdict(over=True)


def test_pairs_that_stay_at_chance_are_named_though_the_loss_falls() -> None:
    coin = random.Random(1)
    found = judged(
        "dpo",
        pairs(80, accuracy=lambda n: 0.5 + coin.uniform(-0.05, 0.05), chosen=lambda n: -90.0, rejected=lambda n: -95.0),
        80,
    )
    assert found.kind is VerdictKind.AT_CHANCE
    assert "50%" in found.sentence
    good = judged(
        "dpo",
        pairs(80, accuracy=lambda n: min(0.95, n / 40), chosen=lambda n: -90.0, rejected=lambda n: -95.0 - n / 4),
        80,
    )
    assert good.kind is VerdictKind.HEALTHY


def test_answers_that_both_become_less_likely_are_named_with_their_numbers() -> None:
    records = pairs(80, accuracy=lambda n: 0.9, chosen=lambda n: -100.0 - n, rejected=lambda n: -110.0 - 2 * n)
    found = judged("dpo", records, 80)
    assert found.kind is VerdictKind.SINKING
    assert "-100" in found.sentence
    assert "-180" in found.sentence
    assert any(change.setting == "dpo.beta" for change in found.advice)


@pytest.mark.parametrize(
    ("key", "value", "kind", "word"),
    [
        ("completions/mean_length", lambda n: 200.0 if n < 40 else 20.0, VerdictKind.LENGTH_COLLAPSED, "200"),
        ("completions/clipped_ratio", lambda n: 0.1 if n < 40 else 1.0, VerdictKind.NEVER_ENDING, "100%"),
        ("kl", lambda n: 0.01 * 1.07**n, VerdictKind.KL_BLOWN_UP, "nats"),
        ("rewards/correct/mean", lambda n: max(0.05, 0.6 - n / 100), VerdictKind.HACKED, "correct"),
    ],
)
def test_a_reward_that_rises_does_not_hide_what_else_goes_wrong(
    monkeypatch: pytest.MonkeyPatch, key: str, value: Callable[[int], float], kind: VerdictKind, word: str
) -> None:
    add_reward_task(monkeypatch)
    monkeypatch.setitem(TASKS, REWARD.name, _GENERATES)  # type: ignore[arg-type]
    records = [{**record, key: value(record["step"])} for record in rewarded(160)]
    found = judged(REWARD.name, records, 160)
    assert found.kind is kind
    assert word in found.sentence
    steady = [{**record, key: value(1)} for record in rewarded(160)]
    assert judged(REWARD.name, steady, 160).kind is VerdictKind.HEALTHY


def test_signals_take_bounded_memory_and_a_resume_takes_back_what_never_was() -> None:
    signals = Signals({"kl": "kl"})
    for number in range(10 * BINS):
        signals.trained({"step": number, "kl": 1.0, "other": 2.0})
        signals.close()
        track = signals.one("kl")
        assert track is not None
        if len(track.sums) == BINS:
            signals.halve()
    assert len(track.sums) < BINS
    assert track.mean(0, len(track.sums)) == 1.0
    bins = len(track.sums)
    signals.evaluated(5, {"step": 5, "eval_kl": 0.5})
    signals.evaluated(9, {"step": 9, "eval_kl": 0.7})
    signals.rewind(bins // 2, 9)
    assert len(track.sums) == bins // 2
    assert track.held_out == [(5, 0.5)]
    signals.trained({"step": 9, "kl": 3.0})
    signals.close()
    assert track.mean(bins // 2, bins // 2 + 1) == 3.0


def test_values_that_are_no_numbers_do_not_count() -> None:
    signals = Signals({"part": "rewards/*/mean"})
    for value in ("nan", None, float("nan"), float("inf"), "text", 0.25):
        signals.trained({"step": 1, "rewards/a/mean": value, "rewards/a/std": 1.0})
    signals.close()
    ((name, track),) = signals.all("part")
    assert (name, track.mean(0, 1)) == ("rewards/a/mean", 0.25)


@pytest.mark.parametrize("task", list(TASKS.values()), ids=list(TASKS))
def test_each_signal_of_a_task_is_a_metric_that_it_logs(task: Task) -> None:
    for signal, metric in task.signals.items():
        assert metric in task.metrics or "*" in metric, signal
