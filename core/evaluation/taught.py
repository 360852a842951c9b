"""How far a model is from its teacher on held-out prompts: what distillation lowers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from core.engine.generate import generate, stop_ids
from core.engine.load import Hardware
from core.engine.teacher import load_teacher
from core.engine.template import use_template
from core.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Divergence:
    """A divergence and what it was measured on.

    Attributes:
        value: the mean over answer tokens of KL(teacher, model) in nats; None without an answer.
        samples: how many prompts.
    """

    value: float | None
    samples: int


def measure(
    model: Any, rows: Any, tokenizer: Any, on: Hardware, recipe: Recipe, *, tick: Callable[[int], None]
) -> Divergence:
    """Lets a model answer the first held-out prompts, as many as `evaluation.prompts`; the teacher reads along."""
    count = min(len(rows), recipe.evaluation.prompts)
    if not count:
        return Divergence(None, 0)
    prompts = rows[:count]["prompt_ids"]
    model.eval()
    answers = generate(
        model,
        tokenizer,
        prompts,
        stops=stop_ids(model, tokenizer, use_template(tokenizer, recipe.model.chat_template)),
        max_new_tokens=recipe.distill.max_completion_length,
        temperature=recipe.evaluation.temperature,
        batch_size=recipe.evaluation.batch_size,
        tick=tick,
    )
    other = load_teacher(recipe, on)
    total, tokens = 0.0, 0
    for prompt, answer in zip(prompts, answers, strict=True):
        if not answer.ids:
            continue
        ids = torch.tensor([[*prompt, *answer.ids]], device=on.device)
        with torch.no_grad():
            theirs, ours = (
                each(ids).logits[0, len(prompt) - 1 : -1].float().log_softmax(-1) for each in (other, model)
            )
        total += float((theirs.exp() * (theirs - ours)).sum())
        tokens += len(answer.ids)
    return Divergence(total / tokens if tokens else None, count)


def summary(base: Divergence | None, tuned: Divergence | None, recipe: Recipe) -> dict[str, Any]:
    """What `summary.json` says of the measurement."""
    return {
        "base_divergence": base.value if base else None,
        "tuned_divergence": tuned.value if tuned else None,
        "eval_samples": base.samples if base else 0,
    }


def words(facts: Mapping[str, Any]) -> str:
    """The measurement in a few words, or ""."""
    before, after = facts["base_divergence"], facts["tuned_divergence"]
    if before is None or after is None:
        return ""
    return (
        f"Divergence from the teacher: base {before:.3f}, tuned {after:.3f} nats per token "
        f"on {facts['eval_samples']} held-out prompts"
    )


def findings(facts: Mapping[str, Any]) -> list[str]:
    """What a person must not miss."""
    before, after = facts["base_divergence"], facts["tuned_divergence"]
    if before is None or after is None or after < before:
        return []
    return [
        f"The tuned model is no closer to its teacher on held-out prompts: divergence {after:.3f}, base {before:.3f}. "
        "Train longer, or try another learning rate."
    ]
