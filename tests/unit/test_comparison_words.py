"""What the answers of a comparison say beside its losses."""

from __future__ import annotations

from dataclasses import replace

from core.runs.scores import Answer, Comparison
from tui.evaluate.screen import _facts as facts_of


def compared(*pairs: tuple[str, str]) -> Comparison:
    """A comparison of the pairs (reference, tuned answer)."""
    answers = tuple(
        Answer(n, (("user", "why?"),), reference, "base", tuned) for n, (reference, tuned) in enumerate(pairs)
    )
    return Comparison(2.0, 1.0, len(answers), answers)


def test_answers_equal_to_their_reference_are_counted_where_there_are_references() -> None:
    assert compared(("so", "so\n"), ("yes", "no")).like_the_reference == 1
    assert compared(("so", "thus")).like_the_reference == 0
    assert compared(("", "thus")).like_the_reference is None


def test_a_mean_reward_is_compared_with_the_base_models_and_pairs_with_chance() -> None:
    measured = Comparison(None, None, 2, (), measured="Mean reward", base_reward=1.0, tuned_reward=1.5)
    assert "reward improved" in facts_of(measured).plain
    assert "NOT improved" in facts_of(replace(measured, tuned_reward=1.0)).plain
    assert "chance" not in facts_of(measured).plain
    pairs = replace(measured, base_reward=None, tuned_reward=None, reward_accuracy=0.4, reward_margin=0.1)
    assert "NOT above chance" in facts_of(pairs).plain
