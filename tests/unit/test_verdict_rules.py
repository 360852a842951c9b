"""Each rule of the verdict at its edges, on made-up courses. That they hold on real runs: `test_verdict_curves`."""

from __future__ import annotations

import math

import pytest

from core.verdict import VerdictKind
from tests.kit.verdict_runs import course, falling, judged, kinds


def kind_of(records: list[dict[str, object]], steps: int | None = None, **recipe: object) -> VerdictKind:
    return judged(records, steps, **recipe).verdict().kind


def quiet(changes: list[tuple[int, VerdictKind]]) -> bool:
    return {kind for _, kind in changes} <= {VerdictKind.WARMING_UP, VerdictKind.HEALTHY}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
def test_a_falling_loss_is_healthy_at_every_moment_whatever_the_noise(noise: float, seed: int) -> None:
    steps = 600
    records = course(
        steps,
        eval_loss=lambda step: falling(step) + 0.05,
        every=60,
        noise=noise,
        seed=seed,
        rate=lambda step: 2e-4 * (1 - step / steps),
    )
    assert quiet(kinds(records, steps))


def test_nothing_is_said_before_the_warmup_is_over() -> None:
    changes = kinds(course(100), 100, training={"warmup": 40, "scheduler": "linear"})
    assert changes == [(1, VerdictKind.WARMING_UP), (40, VerdictKind.HEALTHY)]


def test_a_run_of_eleven_events_is_too_early_to_judge_and_says_what_is_missing() -> None:
    verdict = judged(course(11), 11).verdict(over=True)
    assert verdict.kind is VerdictKind.TOO_EARLY
    assert verdict.sentence.startswith("TOO EARLY TO JUDGE")
    assert "12 logged steps, 11 so far" in verdict.sentence


def test_a_run_that_ended_in_its_warmup_says_when_that_would_have_ended() -> None:
    """Said was: a verdict takes 12 points and the end of the warmup; there are 22 points."""
    judge = judged(course(22), 100, training={"warmup": 34, "scheduler": "linear"})
    words = judge.verdict(over=True).sentence
    assert words.startswith("TOO EARLY TO JUDGE")
    assert "step 34" in words
    assert "step 22" in words


def test_a_pilot_of_twenty_steps_is_judged() -> None:
    verdict = judged(course(20, eval_loss=falling, every=10), 20).verdict(over=True)
    assert verdict.kind is VerdictKind.HEALTHY
    assert (verdict.best_step, verdict.best_eval) == (20, falling(20))


# --- not finite


@pytest.mark.parametrize("value", ["nan", "inf", math.nan, math.inf])
@pytest.mark.parametrize("key", ["loss", "eval_loss"])
def test_a_loss_that_is_not_finite_is_reported_at_once(key: str, value: object) -> None:
    judge = judged([*course(30), {"step": 31, key: value}], 100)
    verdict = judge.verdict()
    assert (verdict.kind, verdict.since_step) == (VerdictKind.NOT_FINITE, 31)
    assert verdict.advice[0].setting == "training.learning_rate"
    assert verdict.advice[0].to == "2e-5"


def test_a_gradient_that_ended_the_run_is_reported() -> None:
    verdict = judged([*course(3), {"step": 4, "grad_norm": "inf", "epoch": 0.1}], 100).verdict(over=True)
    assert (verdict.kind, verdict.since_step) == (VerdictKind.NOT_FINITE, 4)
    assert "gradient" in verdict.sentence


def test_single_gradients_that_overflow_are_float16s_loss_scaling_and_no_fault() -> None:
    records = course(60)
    for step in (3, 4, 20, 41):
        records[step - 1]["grad_norm"] = "inf"
    assert quiet(kinds(records, 200))
    for step in (50, 51, 52):
        records[step - 1]["grad_norm"] = "inf"
    assert judged(records, 200).verdict().since_step == 52


# --- not learning


def test_an_eval_loss_that_does_not_move_is_not_learning() -> None:
    verdict = judged(course(60, lambda step: 2.0, eval_loss=lambda step: 2.0 - step * 1e-5), 300).verdict()
    assert verdict.kind is VerdictKind.NOT_LEARNING
    assert "eval loss 1.999 after 60 steps, 2.000 at the start" in verdict.sentence
    assert verdict.advice[0].setting == "training.learning_rate"


def test_a_slow_start_is_not_called_not_learning() -> None:
    assert quiet(kinds(course(200, lambda step: 2 - step * 2e-3, eval_loss=lambda step: 2 - step * 2e-3), 1_000))


def test_without_eval_data_a_level_train_loss_is_not_learning_once_its_noise_allows_to_say_so() -> None:
    assert kind_of(course(400, lambda step: 2.0, noise=0.1), 1_000) is VerdictKind.NOT_LEARNING
    assert kind_of(course(60, lambda step: 2.0, noise=0.6), 1_000) is not VerdictKind.NOT_LEARNING


def test_a_loss_near_zero_on_samples_never_seen_before_means_that_next_to_nothing_carries_loss() -> None:
    verdict = judged(course(40, lambda step: 8.0 if step < 5 else 0.001, noise=0), 100).verdict()
    assert (verdict.kind, verdict.since_step) == (VerdictKind.NOT_LEARNING, 5)
    assert verdict.advice[0].setting == "data.loss_on"


def test_an_easy_task_that_is_solved_within_the_first_epoch_is_learned() -> None:
    records = course(400, lambda step: 0.01 + 0.7 * math.exp(-step / 30), noise=0.003)
    assert quiet(kinds(records, 800))


def test_that_next_to_nothing_carries_loss_is_still_known_after_ten_thousand_steps() -> None:
    records = course(10_000, lambda step: 8.0 if step < 5 else 0.001, noise=0)
    assert judged(records, 20_000).verdict().since_step == 5


def test_a_gradient_of_exactly_zero_means_that_nothing_carries_loss() -> None:
    verdict = judged(course(20, lambda step: 2.0, norm=lambda step: 0.0), 100).verdict()
    assert verdict.kind is VerdictKind.NOT_LEARNING
    assert "gradient" in verdict.sentence


# --- diverging and oscillating


def test_a_loss_that_rises_and_stays_up_is_diverging_from_where_it_left_its_noise() -> None:
    records = course(200, lambda step: falling(step) + (0.02 * (step - 120) if step > 120 else 0))
    verdict = judged(records, 400).verdict()
    assert verdict.kind is VerdictKind.DIVERGING
    assert verdict.since_step is not None
    assert 120 < verdict.since_step < 150
    assert verdict.advice[0].to == "2e-5"


def test_a_loss_that_blew_up_and_came_back_to_its_start_is_diverging_not_healthy() -> None:
    verdict = judged(
        course(200, lambda step: 2.0 if step < 10 else 2.1 + 3 * math.exp(-(step - 10) / 15)), 400
    ).verdict()
    assert verdict.kind is VerdictKind.DIVERGING
    assert "about where it started" in verdict.sentence
    assert "training.warmup" in {advice.setting for advice in verdict.advice}


def test_an_eval_loss_that_rises_while_the_train_loss_does_not_fall_is_diverging() -> None:
    records = course(200, lambda step: 1.5, eval_loss=lambda step: 1.4 if step <= 60 else 1.4 + 0.002 * (step - 60))
    assert kind_of(records, 400) is VerdictKind.DIVERGING


def test_one_bad_batch_is_no_divergence() -> None:
    records = course(200)
    for step in (50, 120, 121):
        records[step - 1]["loss"] = 6.0
    assert quiet(kinds(records, 400))


def test_a_loss_that_rises_and_comes_back_is_oscillating() -> None:
    records = course(240, lambda step: 1.3 + (0.5 * math.sin(step / 20) if step > 40 else 0.7 - step / 60))
    verdict = judged(records, 300).verdict()
    assert verdict.kind is VerdictKind.OSCILLATING
    assert verdict.advice[0].setting == "training.learning_rate"


def test_an_eval_loss_that_swings_is_oscillating_even_if_batches_hide_it_in_the_train_loss() -> None:
    records = course(
        240, lambda step: 1.3, eval_loss=lambda step: 2.0 if step == 0 else 1.3 + 0.12 * (step // 20 % 2), noise=0.5
    )
    assert kind_of(records, 300) is VerdictKind.OSCILLATING


def test_a_swing_that_the_run_has_left_far_below_is_forgotten() -> None:
    records = course(400, lambda step: falling(step) + (0.6 if 40 <= step < 70 else 0.0) - 0.001 * step)
    assert kind_of(records, 400) is VerdictKind.HEALTHY


# --- overfitting and memorized


def overfit(step: int) -> float:
    return falling(step) if step <= 200 else falling(200) + 0.001 * (step - 200)


def test_overfitting_names_the_best_step_and_when_it_began() -> None:
    records = course(400, lambda step: 1.9 - 0.004 * step, eval_loss=overfit, epochs=3)
    verdict = judged(records, 400).verdict()
    assert verdict.kind is VerdictKind.OVERFITTING
    assert (verdict.since_step, verdict.best_step, verdict.best_eval) == (220, 200, overfit(200))
    assert [(advice.setting, advice.to) for advice in verdict.advice] == [
        ("training.epochs", "1.5"),
        ("lora.dropout", "0.1"),
        ("", ""),
    ]


def test_one_evaluation_that_is_worse_is_not_overfitting() -> None:
    records = course(
        200, lambda step: 1.9 - 0.004 * step, eval_loss=lambda step: falling(step) + (0.2 if step == 100 else 0)
    )
    assert VerdictKind.OVERFITTING not in {kind for _, kind in kinds(records, 200)}


def test_a_run_whose_eval_loss_finds_a_new_best_is_well_again() -> None:
    def eval_loss(step: int) -> float:
        return 1.5 if step < 60 else 1.54 if step <= 100 else 1.4 - 0.0005 * step

    changes = kinds(course(400, lambda step: 1.9 - 0.002 * step, eval_loss=eval_loss), 400)
    assert [kind for _, kind in changes] == [
        VerdictKind.WARMING_UP,
        VerdictKind.HEALTHY,
        VerdictKind.OVERFITTING,
        VerdictKind.HEALTHY,
    ]


def by_heart(step: int) -> float:
    return 0.03 + 2 * math.exp(-step / 40)


def test_samples_known_by_heart_after_several_epochs_are_memorized() -> None:
    verdict = judged(course(300, by_heart, epochs=10, noise=0.005), 300).verdict()
    assert verdict.kind is VerdictKind.MEMORIZED
    assert verdict.since_step is not None
    assert by_heart(verdict.since_step) == pytest.approx(0.1, abs=0.01)


def test_a_task_that_is_solved_on_held_out_samples_too_is_not_memorized() -> None:
    records = course(300, by_heart, eval_loss=lambda step: by_heart(step) * 1.5, epochs=10, noise=0.005)
    assert kind_of(records, 300) is VerdictKind.HEALTHY


def test_without_eval_data_a_task_that_was_easy_from_the_first_epoch_on_is_not_memorized() -> None:
    records = course(400, lambda step: 0.08 + 0.7 * math.exp(-step / 10), epochs=4, noise=0.005)
    assert kind_of(records, 400) is VerdictKind.HEALTHY


# --- gradient spikes


def test_three_gradients_far_above_the_usual_are_a_habit_two_are_not() -> None:
    def norm(step: int, spikes: tuple[int, ...]) -> float:
        return 12.0 if step in spikes else 1.0

    assert quiet(kinds(course(100, norm=lambda step: norm(step, (40, 60))), 200))
    verdict = judged(course(100, norm=lambda step: norm(step, (40, 60, 70))), 200).verdict()
    assert (verdict.kind, verdict.since_step) == (VerdictKind.SPIKES, 40)
    assert "3 gradients" in verdict.sentence
    assert "the last at step 70" in verdict.sentence
    assert [advice.setting for advice in verdict.advice] == ["", "training.max_grad_norm", "training.learning_rate"]


def test_gradients_that_always_vary_much_are_no_spikes() -> None:
    assert quiet(kinds(course(300, norm=lambda step: 1.0 if step % 2 else 3.5), 400))


def test_a_norm_that_rises_for_good_is_a_new_usual_and_told_once() -> None:
    records = course(600, norm=lambda step: 1.0 if step < 100 else 8.0)
    assert kinds(records, 600)[-1][1] is VerdictKind.HEALTHY


# --- plateau


def level_off(step: int) -> float:
    return max(1.0, 2.0 - step / 50)


def test_a_loss_that_falls_no_more_under_a_high_learning_rate_is_a_plateau() -> None:
    verdict = judged(course(300, level_off, eval_loss=level_off, epochs=3, noise=0.05), 600).verdict()
    assert verdict.kind is VerdictKind.PLATEAU
    assert verdict.advice[0].setting == "training.epochs"


def test_a_loss_that_falls_by_stairs_from_epoch_to_epoch_is_no_plateau() -> None:
    """Within an epoch it lies level, as most fine-tunings do, and that was called a plateau."""

    def stairs(step: int) -> float:
        return (1.5 + 0.7 * math.exp(-step / 8)) * 0.88 ** int(3 * (step - 1) / 600)

    records = course(600, stairs, rate=lambda step: 2e-4 * (1 - step / 600), epochs=3, noise=0.03)
    assert {kind for _, kind in kinds(records, 600)} <= {VerdictKind.WARMING_UP, VerdictKind.HEALTHY}


def test_at_the_end_of_its_schedule_a_level_loss_is_as_it_should_be() -> None:
    records = course(300, level_off, eval_loss=level_off, noise=0.05, rate=lambda step: 2e-4 if step < 60 else 2e-5)
    assert kinds(records, 300)[-1][1] is VerdictKind.HEALTHY


def test_an_eval_loss_that_still_falls_is_no_plateau() -> None:
    records = course(300, level_off, eval_loss=lambda step: 2 - step / 300, noise=0.05)
    assert VerdictKind.PLATEAU not in {kind for _, kind in kinds(records, 600)}
