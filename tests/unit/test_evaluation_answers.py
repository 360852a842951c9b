"""What is said of held-out answers: rewards, accuracies and margins from log-probabilities and scores."""

from __future__ import annotations

import math

import pytest

from core.evaluation import contrastive, odds_ratio, rated, scored_pairs
from core.recipe.recipe import Recipe, put

PAIRS = [((-4.0, 4), (-9.0, 3)), ((-8.0, 2), (-9.0, 9))]
"""Sum of log-probabilities and tokens; per token the second pair is the other way round."""


def test_orpo_compares_answers_per_token() -> None:
    facts = odds_ratio.summary([PAIRS[1]], PAIRS[:1], Recipe())
    assert (facts["base_accuracy"], facts["reward_accuracy"], facts["eval_samples"]) == (0.0, 1.0, 1)
    assert facts["reward_margin"] == pytest.approx(0.1 * (-1 + 3))
    assert "100%" in odds_ratio.words(facts)
    assert "base model: 0%" in odds_ratio.words(facts)
    assert odds_ratio.findings(facts) == []
    worse = odds_ratio.summary(PAIRS[:1], PAIRS[1:], Recipe())
    assert "100% before, 0% after" in odds_ratio.findings(worse)[0]


@pytest.mark.parametrize(
    ("loss", "alpha", "accuracy", "margin"),
    [
        ("sigmoid", 0.0, 1.0, 0.1 * (5 + 1) / 2),
        ("simpo", 0.0, 0.5, 0.1 * (2 - 3) / 2),
        ("alphapo", 0.5, 0.5, 0.1 * (2 * (math.exp(1.5) - math.exp(0.5)) + 2 * (math.exp(0.5) - math.exp(2))) / 2),
    ],
)
def test_cpo_compares_what_its_loss_compares(loss: str, alpha: float, accuracy: float, margin: float) -> None:
    recipe = put(put(Recipe(), "cpo.loss_type", loss), "cpo.alpha", alpha)
    facts = contrastive.summary(None, PAIRS, recipe)
    assert facts["reward_accuracy"] == accuracy
    assert facts["reward_margin"] == pytest.approx(margin)
    overflowing = contrastive.summary(None, [((-9e5, 3), (-1.0, 3))], put(recipe, "cpo.loss_type", "sigmoid"))
    assert math.isfinite(overflowing["reward_margin"])


def test_good_and_bad_answers_are_all_compared_with_each_other() -> None:
    base = [(True, -5.0), (False, -5.0), (True, -5.0), (False, -5.0)]
    tuned = [(True, -3.0), (False, -5.0), (True, -6.0), (False, -6.0)]
    facts = rated.summary(base, tuned, Recipe())
    assert facts["reward_accuracy"] == (2 + 0 + 0.5) / 4
    assert facts["reward_margin"] == pytest.approx(0.1 * ((2 - 1) / 2 - (0 - 1) / 2))
    assert "62%" in rated.words(facts)
    alone = rated.summary(base[:1], tuned[:1], Recipe())
    assert (alone["reward_accuracy"], rated.words(alone), rated.findings(alone)) == (None, "", [])


def test_a_reward_model_at_chance_is_named() -> None:
    good = scored_pairs.summary(None, [(2.0, -1.0), (1.0, 0.0)], Recipe())
    assert (good["reward_accuracy"], good["reward_margin"], good["mean_reward"]) == (1.0, 2.0, 0.5)
    assert scored_pairs.findings(good) == []
    chance = scored_pairs.summary(None, [(2.0, -1.0), (0.0, 1.0)], Recipe())
    assert "50%" in scored_pairs.findings(chance)[0]
    assert scored_pairs.words(scored_pairs.summary(None, None, Recipe())) == ""
