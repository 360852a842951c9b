"""The arithmetic of online training: how many completions are generated at once, of how many prompts."""

from __future__ import annotations

from core.recipe.devices import ranks_of
from core.recipe.recipe import Recipe, why_without_effect
from core.recipe.rewards import ANSWER, KINDS
from core.recipe.tasks import TASKS


def _compares(recipe: Recipe) -> bool:
    """Whether several completions of a prompt are compared: a distilled model writes one for each."""
    return "rollouts" in TASKS[recipe.task].sections


def steps_per_generation(recipe: Recipe) -> int:
    """For how many batches completions are generated at once."""
    chosen = recipe.rollouts.steps_per_generation if _compares(recipe) else 0
    return chosen or recipe.training.gradient_accumulation


def generation_batch(recipe: Recipe) -> int:
    """Completions that are generated at once, over all devices."""
    return recipe.training.batch_size * ranks_of(recipe) * steps_per_generation(recipe)


def eval_generations(recipe: Recipe) -> int:
    """Completions of each prompt of the eval set: as many as in training, or the most below that divide a batch."""
    if recipe.rollouts.eval_generations:
        return recipe.rollouts.eval_generations
    size = recipe.training.eval_batch_size * ranks_of(recipe)
    return max(count for count in range(1, recipe.rollouts.num_generations + 1) if size % count == 0)


def prompts_at_once(recipe: Recipe) -> int:
    """Prompts of one generation; an epoch leaves out what does not fill one."""
    return max(1, generation_batch(recipe) // (recipe.rollouts.num_generations if _compares(recipe) else 1))


def batches_in_epoch(recipe: Recipe, prompts: int) -> int:
    """Batches of completions that are trained on in one pass over so many prompts, on one device."""
    whole = prompts // prompts_at_once(recipe)
    return whole * steps_per_generation(recipe) * (recipe.rollouts.num_iterations if _compares(recipe) else 1)


def kept_columns(recipe: Recipe) -> tuple[str, ...]:
    """Further columns of the dataset that the rewards read; none for a task without rewards."""
    if why_without_effect(recipe, "rewards"):
        return ()
    named = [reward.column for reward in recipe.rewards if "column" in KINDS[reward.kind].uses and reward.column]
    return tuple(dict.fromkeys((*(name for name in named if name != ANSWER), *recipe.rollouts.columns)))


def nearest(wanted: int, product: int) -> tuple[int, ...]:
    """The divisors of a number, from 2 on, nearest to what is wanted: one below and one above, where there are any."""
    divisors = [number for number in range(2, product + 1) if product % number == 0]
    below = [number for number in divisors if number < wanted]
    above = [number for number in divisors if number > wanted]
    return (*below[-1:], *above[:1])


_ABOUT_ANSWERS = ("missing_turn", "empty_answer")
"""Flags that say nothing against a prompt whose answer the model writes itself."""


def drop_flags(recipe: Recipe) -> tuple[str, ...]:
    """The flags whose rows are left out: those of the recipe that matter to its task."""
    generates = TASKS[recipe.task].generates
    return tuple(name for name in recipe.data.drop_flags if not (generates and name in _ABOUT_ANSWERS))
