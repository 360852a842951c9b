"""The mean reward of a model on held-out prompts: what online training raises."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from core.engine.generate import generate, stop_ids
from core.engine.load import Hardware
from core.engine.rewards import Completions, RewardSetting, reward_functions
from core.engine.template import use_template
from core.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class MeanReward:
    """A mean reward and what it was measured on.

    Attributes:
        value: the mean over the prompts of the rewards times their weights; None where no reward gave a score.
        samples: how many prompts.
        each: the mean of each reward by its name.
    """

    value: float | None
    samples: int
    each: Mapping[str, float | None] = field(default_factory=dict)


def measure(
    model: Any, rows: Any, tokenizer: Any, on: Hardware, recipe: Recipe, *, tick: Callable[[int], None]
) -> MeanReward:
    """Answers the first held-out prompts, as many as `evaluation.prompts`, and scores the answers."""
    count = min(len(rows), recipe.evaluation.prompts)
    if not count:
        return MeanReward(None, 0)
    part = rows[:count]
    read = [json.loads(row) if isinstance(row, str) else row for row in part["row"]]
    template = use_template(tokenizer, recipe.model.chat_template)
    model.eval()
    answers = generate(
        model,
        tokenizer,
        part["prompt_ids"],
        stops=stop_ids(model, tokenizer, template),
        max_new_tokens=recipe.rollouts.max_completion_length,
        temperature=recipe.evaluation.temperature,
        batch_size=recipe.evaluation.batch_size,
        tick=tick,
    )
    texts = [answer.text for answer in answers]
    plain = isinstance(read[0]["prompt"], str)
    batch = Completions(
        prompts=[row["prompt"] for row in read],
        completions=texts if plain else [[{"role": "assistant", "content": text}] for text in texts],
        texts=texts,
        ids=[answer.ids for answer in answers],
        columns={name: [row.get(name) for row in read] for name in read[0] if name != "prompt"},
    )
    setting = RewardSetting(recipe, on.device, tick=lambda: tick(count))
    with reward_functions(setting) as rewards:
        scores = {reward.__name__: (reward.reward.weight, reward.score(batch)) for reward in rewards}
    totals: list[float] = []
    for place in range(count):
        given = [weight * score for weight, found in scores.values() if (score := found[place]) is not None]
        if given:
            totals.append(sum(given))
    return MeanReward(
        fmean(totals) if totals else None,
        count,
        {
            name: fmean(known) if (known := [one for one in found if one is not None]) else None
            for name, (_, found) in scores.items()
        },
    )


def summary(base: MeanReward | None, tuned: MeanReward | None, recipe: Recipe) -> dict[str, Any]:
    """What `summary.json` says of the measurement."""
    return {
        "base_loss": None,
        "tuned_loss": None,
        "eval_samples": base.samples if base else 0,
        "base_reward": base.value if base else None,
        "tuned_reward": tuned.value if tuned else None,
        "base_rewards": dict(base.each) if base else {},
        "tuned_rewards": dict(tuned.each) if tuned else {},
    }


def words(facts: Mapping[str, Any]) -> str:
    """The measurement in a few words, or ""."""
    if facts["base_reward"] is None or facts["tuned_reward"] is None:
        return ""
    before, after, prompts = facts["base_reward"], facts["tuned_reward"], facts["eval_samples"]
    return f"Mean reward on {prompts:,} held-out prompts: base {before:.3f}, tuned {after:.3f}"


def findings(facts: Mapping[str, Any]) -> list[str]:
    """What a person must not miss."""
    before, after = facts["base_reward"], facts["tuned_reward"]
    if before is None or after is None or after > before:
        return []
    return [
        f"The tuned model gets no higher reward on held-out prompts: {after:.3f}, base {before:.3f}. "
        "Train longer, raise the learning rate, or check that the rewards differ between answers."
    ]
