"""Held-out pairs without a reference model: how often each model finds the chosen answer the better one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch

from core.engine.answer_pairs import collate
from core.engine.encoded import MASKED
from core.engine.load import Hardware
from core.errors import TunedeckError
from core.recipe.recipe import Recipe

Answered = tuple[float, int]
"""The log-probability of an answer, and of how many tokens that is the sum."""

AnsweredPairs = Sequence[tuple[Answered, Answered]]
"""Of each pair the chosen and the rejected answer."""

Reward = Callable[[Answered], float]
"""What a task makes of that."""


def measure(
    model: Any, rows: Any, tokenizer: Any, on: Hardware, recipe: Recipe, *, tick: Callable[[int], None]
) -> AnsweredPairs:
    """The log-probabilities of both answers of each pair.

    Args:
        model: prepared by `core.evaluation.scores.prepare_losses`, with or without an adapter.
        rows: a dataset with both conversations as tokens and labels.
        tokenizer: with a padding token.
        on: device and precision.
        recipe: for the batch size.
        tick: called with the number of pairs done; may raise to stop.

    Raises:
        TunedeckError: a log-probability is not finite.
    """
    from trl.experimental.orpo import ORPOTrainer

    size, pad = recipe.training.eval_batch_size, tokenizer.pad_token_id
    cast = torch.bfloat16 if on.mixed == "bf16" else torch.float16
    found: list[tuple[Answered, Answered]] = []
    model.eval()
    for start in range(0, len(rows), size):
        tick(start)
        batch = collate(list(rows.select(range(start, min(start + size, len(rows))))), pad)
        both = ORPOTrainer.concatenated_inputs(batch, padding_value=pad, device=on.device)
        labels = both["concatenated_labels"].to(on.device)
        casting = nullcontext() if on.mixed == "no" else torch.autocast(on.device.type, dtype=cast)
        with torch.no_grad(), casting:
            output = model(
                both["concatenated_input_ids"],
                attention_mask=both["concatenated_attention_mask"],
                labels=labels,
                fused_lm_head=True,
                use_cache=False,
            )
        sums = output.log_probs.sum(dim=1).double().tolist()
        if not all(map(math.isfinite, sums)):
            raise TunedeckError(
                f"A log-probability for pairs {start} to {start + len(sums) // 2 - 1} is not finite",
                do="The weights are damaged, or overflow this precision: check the last steps of training",
            )
        answers = list(zip(sums, (labels[:, 1:] != MASKED).sum(dim=1).tolist(), strict=True))
        found += zip(answers[: len(answers) // 2], answers[len(answers) // 2 :], strict=True)
    return found


def per_token(answer: Answered) -> float:
    """The mean log-probability of an answer's tokens."""
    total, tokens = answer
    return total / max(1, tokens)


def summary(base: AnsweredPairs | None, tuned: AnsweredPairs | None, reward: Reward) -> dict[str, Any]:
    """What `summary.json` says of the measurement: TRL's `rewards/accuracies` and `rewards/margins` of each pair.

    Args:
        base: of the base model.
        tuned: of the tuned one.
        reward: what the task makes of an answer's log-probability.
    """
    before, after = ([reward(chosen) - reward(rejected) for chosen, rejected in pairs or ()] for pairs in (base, tuned))
    return {
        "eval_samples": len(after),
        "base_accuracy": _share(before),
        "reward_accuracy": _share(after),
        "reward_margin": sum(after) / len(after) if after else None,
    }


def _share(margins: Sequence[float]) -> float | None:
    return sum(margin > 0 for margin in margins) / len(margins) if margins else None


def words(facts: Mapping[str, Any]) -> str:
    """The measurement in a few words, or ""."""
    if facts["reward_accuracy"] is None:
        return ""
    before = "" if facts["base_accuracy"] is None else f" (base model: {facts['base_accuracy']:.0%})"
    return (
        f"The tuned model finds the chosen answer more likely in {facts['reward_accuracy']:.0%} of "
        f"{facts['eval_samples']:,} held-out pairs{before}, reward margin {facts['reward_margin']:.3f}"
    )


def findings(facts: Mapping[str, Any]) -> list[str]:
    """What a person must not miss."""
    accuracy, before = facts["reward_accuracy"], facts["base_accuracy"]
    if accuracy is None or before is None or accuracy > before or accuracy > 0.9:
        return []
    return [
        f"Training did not raise the share of held-out pairs whose chosen answer is more likely: {before:.0%} before, "
        f"{accuracy:.0%} after. Try more pairs or steps."
    ]
