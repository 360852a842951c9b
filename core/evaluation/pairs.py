"""Held-out preference pairs: how often the tuned model prefers the chosen answer more than the base model does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch

from core.engine.load import Hardware
from core.engine.pairs import collator
from core.errors import TunedeckError
from core.recipe.recipe import Recipe

Likelihoods = Sequence[tuple[float, float]]
"""Of each pair the log-probabilities of its chosen and its rejected answer."""


def measure(
    model: Any, rows: Any, tokenizer: Any, on: Hardware, recipe: Recipe, *, tick: Callable[[int], None]
) -> Likelihoods:
    """The log-probabilities of both answers of each pair, summed over their tokens as DPO sums them.

    Args:
        model: prepared by `core.evaluation.scores.prepare_losses`, with or without an adapter.
        rows: a dataset with the tokens of prompts and answers.
        tokenizer: with a padding token.
        on: device and precision.
        recipe: for the batch size and the max length.
        tick: called with the number of pairs done; may raise to stop.

    Raises:
        TunedeckError: a log-probability is not finite.
    """
    size, keeps_end = recipe.training.eval_batch_size, recipe.data.truncation == "keep_end"
    collate = collator(tokenizer, recipe.data.max_length, keeps_end=keeps_end)
    cast = torch.bfloat16 if on.mixed == "bf16" else torch.float16
    found: list[tuple[float, float]] = []
    model.eval()
    for start in range(0, len(rows), size):
        tick(start)
        part = rows[start : start + size]
        batch = collate([{name: part[name][n] for name in part} for n in range(len(part["prompt_ids"]))])
        batch = {name: value.to(on.device) for name, value in batch.items()}
        mask = batch.pop("completion_mask")
        labels = batch["input_ids"].masked_fill(mask == 0, -100)
        casting = nullcontext() if on.mixed == "no" else torch.autocast(on.device.type, dtype=cast)
        with torch.no_grad(), casting:
            output = model(**batch, labels=labels, fused_lm_head=True, use_cache=False)
        chosen, rejected = output.log_probs.sum(dim=1).double().chunk(2)
        found += zip(chosen.tolist(), rejected.tolist(), strict=True)
        if not all(math.isfinite(value) for pair in found[start:] for value in pair):
            raise TunedeckError(
                f"A log-probability for pairs {start} to {len(found) - 1} is not finite",
                do="The weights are damaged, or overflow this precision: check the last steps of training",
            )
    return found


def summary(base: Likelihoods | None, tuned: Likelihoods | None, recipe: Recipe) -> dict[str, Any]:
    """What `summary.json` says of the measurement: TRL's `rewards/accuracies` and `rewards/margins` of each pair."""
    margins = [
        recipe.dpo.beta * ((after[0] - before[0]) - (after[1] - before[1]))
        for before, after in zip(base or (), tuned or (), strict=True)
    ]
    return {
        "eval_samples": len(margins),
        "reward_accuracy": sum(margin > 0 for margin in margins) / len(margins) if margins else None,
        "reward_margin": sum(margins) / len(margins) if margins else None,
    }


def words(facts: Mapping[str, Any]) -> str:
    """The measurement in a few words, or ""."""
    if facts["reward_accuracy"] is None:
        return ""
    share, margin = f"{facts['reward_accuracy']:.0%} of {facts['eval_samples']:,}", facts["reward_margin"]
    return f"The tuned model prefers the chosen answer in {share} held-out pairs, reward margin {margin:.3f}"


def findings(facts: Mapping[str, Any]) -> list[str]:
    """What a person must not miss."""
    if facts["reward_accuracy"] is None or facts["reward_accuracy"] > 0.5:
        return []
    return [
        f"The tuned model does not prefer the chosen answers: {facts['reward_accuracy']:.0%} of "
        f"{facts['eval_samples']} held-out pairs, no better than chance. Try more pairs or steps."
    ]
