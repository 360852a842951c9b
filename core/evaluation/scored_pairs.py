"""Held-out pairs of a reward model: how often it scores the chosen answer higher."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch

from core.engine.load import Hardware
from core.engine.scored_pairs import collator
from core.errors import TunedeckError
from core.recipe.recipe import Recipe

Scores = Sequence[tuple[float, float]]
"""Of each pair the scores of its chosen and its rejected answer."""


def measure(
    model: Any, rows: Any, tokenizer: Any, on: Hardware, recipe: Recipe, *, tick: Callable[[int], None]
) -> Scores:
    """The scores of both answers of each pair.

    Args:
        model: with its head, with or without an adapter.
        rows: a dataset with the tokens of both conversations.
        tokenizer: with a padding token.
        on: device and precision.
        recipe: for the batch size.
        tick: called with the number of pairs done; may raise to stop.

    Raises:
        TunedeckError: a score is not finite.
    """
    collate, size = collator(tokenizer), recipe.training.eval_batch_size
    cast = torch.bfloat16 if on.mixed == "bf16" else torch.float16
    found: list[tuple[float, float]] = []
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id  # by it the last token is found
    model.eval()
    for start in range(0, len(rows), size):
        tick(start)
        batch = collate(list(rows.select(range(start, min(start + size, len(rows))))))
        casting = nullcontext() if on.mixed == "no" else torch.autocast(on.device.type, dtype=cast)
        with torch.no_grad(), casting:
            output = model(**{name: value.to(on.device) for name, value in batch.items()}, use_cache=False)
        chosen, rejected = output.logits.squeeze(-1).double().chunk(2)
        found += zip(chosen.tolist(), rejected.tolist(), strict=True)
        if not all(math.isfinite(value) for pair in found[start:] for value in pair):
            raise TunedeckError(
                f"A score for pairs {start} to {len(found) - 1} is not finite",
                do="The weights are damaged, or overflow this precision: check the last steps of training",
            )
    return found


def summary(base: Scores | None, tuned: Scores | None, recipe: Recipe) -> dict[str, Any]:
    """What `summary.json` says of the measurement: TRL's `accuracy` and `margin`; a base model has no score."""
    margins = [chosen - rejected for chosen, rejected in tuned or ()]
    values = [value for pair in tuned or () for value in pair]
    mean = sum(values) / len(values) if values else 0.0
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)) if values else None
    return {
        "eval_samples": len(margins),
        "reward_accuracy": sum(margin > 0 for margin in margins) / len(margins) if margins else None,
        "reward_margin": sum(margins) / len(margins) if margins else None,
        "mean_reward": mean if values else None,
        "reward_spread": spread,
    }


def words(facts: Mapping[str, Any]) -> str:
    """The measurement in a few words, or ""."""
    if facts["reward_accuracy"] is None:
        return ""
    return (
        f"The reward model scores the chosen answer higher in {facts['reward_accuracy']:.0%} of "
        f"{facts['eval_samples']:,} held-out pairs, margin {facts['reward_margin']:.3f}; scores are "
        f"{facts['mean_reward']:.2f} on average, give or take {facts['reward_spread']:.2f}"
    )


def findings(facts: Mapping[str, Any]) -> list[str]:
    """What a person must not miss."""
    if facts["reward_accuracy"] is None or facts["reward_accuracy"] > 0.55:
        return []
    return [
        f"The reward model is hardly better than a coin flip: it scores the chosen answer higher in "
        f"{facts['reward_accuracy']:.0%} of {facts['eval_samples']:,} held-out pairs. Do not train with it; try more "
        "pairs or steps."
    ]
