"""Losses and fields of DPO that TRL refuses together, or that change nothing together. No files."""

from __future__ import annotations

from collections.abc import Iterator

from core.recipe.adapters import adapter_of
from core.recipe.declare import Problem
from core.recipe.devices import devices_of
from core.recipe.dpo_losses import WITH_DIVERGENCE, installed_losses
from core.recipe.recipe import Recipe
from core.recipe.sections.dpo import names_of
from core.recipe.tasks import TASKS

_LOSSES, _SORTED = "dpo.loss_type", ("aot", "aot_unpaired")


def check(recipe: Recipe, steps: int = 0) -> Iterator[Problem]:
    """Problems of the section `dpo`, where the task reads it.

    Args:
        recipe: the recipe.
        steps: of the run; 0 where they are not known.
    """
    if "dpo" not in TASKS[recipe.task].sections:
        return
    yield from _losses(recipe)
    yield from _together(recipe)
    yield from _reference(recipe, steps)


def _losses(recipe: Recipe) -> Iterator[Problem]:
    dpo, names = recipe.dpo, [each.loss for each in recipe.dpo.loss_type]
    if not names:
        yield Problem(_LOSSES, "Without a loss nothing can be learned. Use sigmoid.", brief="no loss")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield Problem(_LOSSES, f"{twice[0]} is listed twice. Give it once, with the sum of its weights.")
    installed = installed_losses()
    missing = [name for name in names if installed and name not in installed]
    if missing:
        known = ", ".join(sorted(installed))
        yield Problem(_LOSSES, f"The installed TRL has no DPO loss {missing[0]}. Use one of {known}.")
    if names == ["sft"]:
        words = "sft alone ignores the rejected answers. Add another loss, such as sigmoid, or set the task to sft."
        yield Problem(_LOSSES, words, "warn", "ignores rejected")
    if "exo_pair" in names and dpo.label_smoothing == 0:
        words = "exo_pair needs label smoothing above 0: its target would be infinite. Use 0.001."
        yield Problem("dpo.label_smoothing", words, brief="exo_pair needs it")
    if "robust" in names and dpo.label_smoothing == 0:
        words = (
            "With label smoothing 0, robust is the same as sigmoid. Set it to the share of wrong labels, such as 0.1."
        )
        yield Problem("dpo.label_smoothing", words, "warn", "robust needs it")
    for name in _SORTED:
        if name in names and recipe.training.batch_size == 1:
            words = f"{name} sorts the pairs of a batch, so with batch size 1 it is the same as sigmoid. Use 2 or more."
            yield Problem("training.batch_size", words, "warn", "nothing to sort")


def _together(recipe: Recipe) -> Iterator[Problem]:
    """Fields that TRL refuses with a loss."""
    dpo, names = recipe.dpo, names_of(recipe.dpo.loss_type)
    if dpo.f_divergence_type != "reverse_kl" and (other := sorted(names - WITH_DIVERGENCE)):
        words = (
            f"{other[0]} only works with reverse_kl: other divergences need a loss on the difference of the rewards. "
            f"Use reverse_kl, or a loss of {', '.join(sorted(WITH_DIVERGENCE))}."
        )
        yield Problem("dpo.f_divergence_type", words, brief=f"not with {other[0]}")
    if dpo.use_weighting and (other := sorted(names.intersection(_SORTED))):
        words = (
            f"{other[0]} sorts the pairs of a batch, so weights would hit wrong pairs. Turn this off or use sigmoid."
        )
        yield Problem("dpo.use_weighting", words, brief=f"not with {other[0]}")


def _reference(recipe: Recipe, steps: int) -> Iterator[Problem]:
    """What does not work with the reference that there is."""
    dpo, whole = recipe.dpo, adapter_of(recipe).whole
    if dpo.sync_ref_model and not whole:
        words = (
            "With an adapter the reference is the base model itself, which cannot move. Turn this off, or set the "
            "method to full."
        )
        yield Problem("dpo.sync_ref_model", words, brief="needs method full")
    elif dpo.sync_ref_model and dpo.precompute_ref_log_probs:
        words = "A moving reference cannot be precomputed. Turn one of the two off."
        yield Problem("dpo.sync_ref_model", words, brief="not with precompute")
    elif dpo.sync_ref_model and 0 < steps < dpo.ref_model_sync_steps:
        words = f"The reference never moves: the run has {steps:,} steps. Use fewer, such as {steps // 4 or 1}."
        yield Problem("dpo.ref_model_sync_steps", words, "warn", "never moves")
    if dpo.precompute_ref_log_probs and devices_of(recipe).ranks > 1:
        words = "Precomputing the reference works on one device: ranks cannot share their results."
        yield Problem("dpo.precompute_ref_log_probs", f"{words} Turn this off.", brief="one device only")
