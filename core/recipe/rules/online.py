"""What is wrong or unwise in the rewards and rollouts of a recipe; rules of `core.recipe.rules.validate`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import partial

from core.clean import clean_line
from core.recipe.declare import Problem
from core.recipe.devices import ranks_of
from core.recipe.generation import (
    batches_in_epoch,
    eval_generations,
    generation_batch,
    nearest,
    prompts_at_once,
    steps_per_generation,
)
from core.recipe.recipe import KNOBS, Recipe, get
from core.recipe.rewards import KINDS
from core.recipe.sections.data import HELD_OUT
from core.recipe.sections.rewards import RewardEntry
from core.recipe.values import number_text

_RESERVED = ("prompt", "prompts", "completion", "completions", "completion_ids", "trainer_state", "log_extra")
"""Names under which TRL itself hands things to rewards."""

_COLUMNS = {column.name: column for column in KNOBS["rewards"].columns}
_ALWAYS = ("kind", "weight", "name")


def check(recipe: Recipe, samples: int | None) -> Iterator[Problem]:
    """Every problem with rewards and rollouts.

    Args:
        recipe: of a task that generates.
        samples: how many prompts are trained on, where known.
    """
    yield from _rewards(recipe)
    yield from _batches(recipe)
    if samples is not None and not batches_in_epoch(recipe, samples):
        at_once = prompts_at_once(recipe)
        yield Problem(
            "training.batch_size",
            f"One generation takes {at_once:,} prompts, but there are only {samples:,}. Use a smaller batch size, "
            "fewer steps per generation or more generations per prompt.",
            brief="too few prompts",
        )
    yield from _eval_batches(recipe)


def _rewards(recipe: Recipe) -> Iterator[Problem]:
    rewards = recipe.rewards
    if not rewards:
        yield Problem(
            "rewards",
            "No rewards yet, so nothing would be learned. Add one, such as exact_match=1.",
            brief="no rewards",
        )
        return
    for reward in rewards:
        kind = KINDS[reward.kind]
        missing = [name for name in kind.needs if not getattr(reward, name)]
        if missing:
            yield Problem("rewards", f"{reward.kind} needs {' and '.join(missing)}: {reward.kind}=1; {missing[0]}=...")
        unused = [
            name
            for name, column in _COLUMNS.items()
            if name not in (*_ALWAYS, *kind.uses) and getattr(reward, name) != column.default
        ]
        if unused:
            used = f"it reads {', '.join(kind.uses)}" if kind.uses else "it has no settings"
            yield Problem("rewards", f"{reward.kind} does not read {', '.join(unused)}; {used}. Remove the others.")
        yield from _values(reward, recipe)
    if not any(reward.weight for reward in rewards):
        yield Problem("rewards", "Every reward has weight 0, so nothing would be learned. Raise one.")
    for name in recipe.rollouts.columns:
        if name in _RESERVED:
            yield Problem("rollouts.columns", f"TRL passes something else as {name}. Rename the column in the data.")


def _values(reward: RewardEntry, recipe: Recipe) -> Iterator[Problem]:
    if reward.pattern:
        try:
            re.compile(reward.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            shown = clean_line(reward.pattern, 60)
            yield Problem("rewards", f"'{shown}' is not a valid regular expression: {clean_line(str(error), 100)}.")
    if reward.kind == "length" and not (reward.min_tokens or reward.max_tokens):
        yield Problem("rewards", "length needs min_tokens or max_tokens: length=1; max_tokens=100.")
    if reward.max_tokens and reward.min_tokens > reward.max_tokens:
        yield Problem("rewards", f"min_tokens {reward.min_tokens:,} is more than max_tokens {reward.max_tokens:,}.")
    if reward.kind == "soft_overlong" and reward.margin >= recipe.rollouts.max_completion_length:
        longest = recipe.rollouts.max_completion_length
        words = f"margin {reward.margin:,} is not below the max completion of {longest:,}, so every answer loses."
        yield Problem("rewards", f"{words} Use a smaller margin, such as {max(1, longest // 4):,}.")
    if reward.column in _RESERVED:
        yield Problem("rewards", f"TRL passes something else as {reward.column}. Rename the column in the data.")


def _batches(recipe: Recipe) -> Iterator[Problem]:
    size, wanted, rollouts = generation_batch(recipe), recipe.rollouts.num_generations, recipe.rollouts
    if size % wanted:
        ranks, steps = ranks_of(recipe), steps_per_generation(recipe)
        parts = [f"batch size {recipe.training.batch_size}"]
        parts += [f"{ranks} ranks"] if ranks > 1 else []
        parts += [f"{steps} steps per generation"] if steps > 1 else []
        others = nearest(wanted, size)
        whole = wanted // math.gcd(wanted, ranks * steps)
        batch = whole * max(1, math.ceil(recipe.training.batch_size / whole))
        instead = f"Use {' or '.join(map(str, others))} generations, or" if others else "Use"
        yield Problem(
            "rollouts.num_generations",
            f"{wanted} generations do not divide the {size} completions that are generated at once "
            f"({' x '.join(parts)}). {instead} a batch size of {batch}.",
            brief="does not divide",
        )
    if rollouts.temperature < 0.5:
        yield Problem(
            "rollouts.temperature",
            f"At {number_text(rollouts.temperature)}, the completions of a prompt are nearly the same, so there is "
            "little to learn from. 0.7 to 1.2 is usual.",
            "warn",
            "too similar",
        )
    if recipe.grpo.loss_type == "luspo" and recipe.grpo.importance_sampling_level == "token":
        yield Problem(
            "grpo.importance_sampling_level",
            "luspo is meant for sequence-level importance. Set this to sequence.",
            "warn",
            "meant for sequence",
        )


def _eval_batches(recipe: Recipe) -> Iterator[Problem]:
    if recipe.training.eval_every <= 0 or HELD_OUT.why_not(partial(get, recipe)):
        return
    size, wanted = recipe.training.eval_batch_size * ranks_of(recipe), eval_generations(recipe)
    if size % wanted == 0:
        return
    others = nearest(wanted, size)
    whole = wanted // math.gcd(wanted, ranks_of(recipe))
    batch = whole * max(1, math.ceil(recipe.training.eval_batch_size / whole))
    instead = f"Use {' or '.join(map(str, others))} eval generations, or" if others else "Use"
    yield Problem(
        "training.eval_batch_size",
        f"{wanted} eval generations do not divide the eval batch of {size}. {instead} an eval batch size of {batch}.",
        brief="does not divide",
    )
