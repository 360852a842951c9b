"""Held-out rated answers: how much more the tuned model likes good answers than bad ones, measured against the base."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch

from core.engine.load import Hardware
from core.engine.rated import collator
from core.errors import TunedeckError
from core.recipe.recipe import Recipe

RatedLikelihoods = Sequence[tuple[bool, float]]
"""Of each answer whether it is good, and its log-probability."""


def measure(
    model: Any, rows: Any, tokenizer: Any, on: Hardware, recipe: Recipe, *, tick: Callable[[int], None]
) -> RatedLikelihoods:
    """The log-probability of each answer, summed over its tokens as KTO sums them.

    Args:
        model: prepared by `core.evaluation.scores.prepare_losses`, with or without an adapter.
        rows: a dataset with the tokens of prompts and answers.
        tokenizer: with a padding token.
        on: device and precision.
        recipe: for the batch size and the max length.
        tick: called with the number of answers done; may raise to stop.

    Raises:
        TunedeckError: a log-probability is not finite.
    """
    collate, size = collator(tokenizer, recipe.data.max_length), recipe.training.eval_batch_size
    cast = torch.bfloat16 if on.mixed == "bf16" else torch.float16
    found: list[tuple[bool, float]] = []
    model.eval()
    for start in range(0, len(rows), size):
        tick(start)
        batch = collate(list(rows.select(range(start, min(start + size, len(rows))))))
        batch = {name: value.to(on.device) for name, value in batch.items()}
        good, mask = batch.pop("label"), batch.pop("completion_mask")
        labels = batch["input_ids"].masked_fill(mask == 0, -100)
        casting = nullcontext() if on.mixed == "no" else torch.autocast(on.device.type, dtype=cast)
        with torch.no_grad(), casting:
            output = model(**batch, labels=labels, fused_lm_head=True, use_cache=False)
        found += zip(good.tolist(), output.log_probs.sum(dim=1).double().tolist(), strict=True)
        if not all(math.isfinite(value) for _, value in found[start:]):
            raise TunedeckError(
                f"A log-probability for answers {start} to {len(found) - 1} is not finite",
                do="The weights are damaged, or overflow this precision: check the last steps of training",
            )
    return found


def summary(base: RatedLikelihoods | None, tuned: RatedLikelihoods | None, recipe: Recipe) -> dict[str, Any]:
    """What `summary.json` says of the measurement.

    The margin is TRL's `rewards/margins`, of the whole eval set; the accuracy is the share of all ways to take a good
    and a bad answer in which the good one has the higher reward, ties counting half.
    """
    rewards: dict[bool, list[float]] = {True: [], False: []}
    for (label, before), (_, after) in zip(base or (), tuned or (), strict=True):
        rewards[label].append(recipe.kto.beta * (after - before))
    good, bad = rewards[True], sorted(rewards[False])
    found: dict[str, Any] = {
        "eval_samples": len(good) + len(bad),
        "good_samples": len(good),
        "good_reward": sum(good) / len(good) if good else None,
        "bad_reward": sum(bad) / len(bad) if bad else None,
        "reward_accuracy": None,
        "reward_margin": None,
    }
    if good and bad:
        wins = sum(bisect_left(bad, each) + bisect_right(bad, each) for each in good) / 2
        found["reward_accuracy"] = wins / (len(good) * len(bad))
        found["reward_margin"] = found["good_reward"] - found["bad_reward"]
    return found


def words(facts: Mapping[str, Any]) -> str:
    """The measurement in a few words, or ""."""
    if facts["reward_accuracy"] is None:
        return ""
    return (
        f"A good answer gets a higher reward than a bad one in {facts['reward_accuracy']:.0%} of all comparisons of "
        f"{facts['eval_samples']:,} held-out answers, reward margin {facts['reward_margin']:.3f}"
    )


def findings(facts: Mapping[str, Any]) -> list[str]:
    """What a person must not miss."""
    if facts["reward_accuracy"] is None or facts["reward_accuracy"] > 0.5:
        return []
    return [
        f"The tuned model does not prefer good answers: {facts['reward_accuracy']:.0%} of the comparisons of "
        f"{facts['eval_samples']:,} held-out answers, no better than chance. Try more samples or steps."
    ]
