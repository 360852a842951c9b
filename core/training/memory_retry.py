"""When the GPU's memory is not enough: the same effective batch in smaller pieces, or what else would make it fit."""

from __future__ import annotations

from dataclasses import dataclass

from core.engine.short_memory import GPU, ran_out_of
from core.engine.worker import Worker
from core.errors import BadInput, TunedeckError
from core.recipe.adapters import adapter_of
from core.recipe.model_files import find, read_config
from core.recipe.quantized import method_of
from core.recipe.recipe import Recipe, get
from core.recipe.tasks import TASKS, Limit
from core.runs.checkpoint import keep_batches, with_batches


class OutOfMemory(TunedeckError):
    """The memory was not enough: the GPU's, or the machine's."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """That memory was short. (Not the exception: that would hold on to all the memory of its frames.)

    Attributes:
        memory: which one, see `core.engine.short_memory.short_of`.
        reason: torch's own words.
        evaluating: whether an evaluation needed it.
    """

    memory: str
    reason: str
    evaluating: bool


def smaller(recipe: Recipe) -> Recipe | None:
    """The recipe with half the batch and twice the accumulation; None where the batch is as small as its task allows.

    A batch that is odd is divided by its smallest factor, so that the effective batch stays what it is.
    """
    training, least = recipe.training, _least_batch(recipe)
    size = training.batch_size
    factor = next((n for n in range(2, size + 1) if size % n == 0 and size // n >= least), None)
    if factor is None:
        return None
    return with_batches(
        recipe, training.batch_size // factor, training.gradient_accumulation * factor, training.eval_batch_size
    )


def _least_batch(recipe: Recipe) -> float:
    """The smallest batch that the task can be trained with."""
    limits = [limit for limit in TASKS[recipe.task].refuses if limit.path == "training.batch_size"]
    return max((limit.at_least or 1 for limit in limits if _applies(limit, recipe)), default=1)


def _applies(limit: Limit, recipe: Recipe) -> bool:
    return limit.severity == "error" and all(get(recipe, path) == value for path, value in limit.given.items())


def smaller_evaluation(recipe: Recipe) -> Recipe | None:
    """The recipe with half the batch in evaluations; None where that is one sample."""
    training = recipe.training
    if training.eval_batch_size == 1:
        return None
    return with_batches(
        recipe, training.batch_size, training.gradient_accumulation, max(1, training.eval_batch_size // 2)
    )


def shrink(worker: Worker, recipe: Recipe, shortage: Shortage) -> Recipe:
    """Says what happened and what is tried instead, and keeps that in the run's folder.

    Returns:
        The recipe to continue with.

    Raises:
        OutOfMemory: nothing is left to make smaller; with the changes that would make it fit.
    """
    now = smaller_evaluation(recipe) if shortage.evaluating else smaller(recipe)
    training = recipe.training if now is None else now.training
    ran_out = ran_out_of(shortage.memory)
    if now is None:
        words = f"{ran_out}."
    elif shortage.evaluating:
        words = f"{ran_out} during evaluation: now {_samples(training.eval_batch_size)} per batch."
    else:
        words = (
            f"{ran_out}: {_samples(training.batch_size)} per batch from now on, gradient accumulation "
            f"{training.gradient_accumulation}, the same effective batch size."
        )
    worker.event(
        "oom",
        words,
        batch_size=training.batch_size,
        gradient_accumulation=training.gradient_accumulation,
        eval_batch_size=training.eval_batch_size,
        max_length=recipe.data.max_length,
        reason=shortage.reason,
    )
    if now is None:
        raise no_room(recipe, shortage.memory)
    worker.write_with_room(lambda: keep_batches(worker.folder.path, now), "the smaller batch could not be written")
    return now


def no_room(recipe: Recipe, memory: str = GPU) -> OutOfMemory:
    """The end of a run that does not fit, with the changes that would make it.

    Args:
        recipe: what does not fit.
        memory: which memory was short, see `core.engine.short_memory.short_of`.
    """
    training = recipe.training
    changes = []
    less = smaller(recipe)
    if less is not None:
        changes.append(
            f"batch size {less.training.batch_size} and accumulation {less.training.gradient_accumulation} "
            "(the same effective batch size)"
        )
    if not training.activation_checkpointing:
        changes.append("gradient checkpointing")
    takes_nf4 = adapter_of(recipe).over_quantized(recipe, "nf4") is None
    if recipe.model.quantization == "none" and takes_nf4 and not _stored_quantized(recipe):
        changes.append("quantization nf4")
    changes.append(f"a max length below {recipe.data.max_length:,}")
    return OutOfMemory(ran_out_of(memory), do=f"To make it fit, try, smallest change first: {'; '.join(changes)}")


def _stored_quantized(recipe: Recipe) -> bool:
    try:
        return bool(method_of(read_config(find(recipe.model.path, recipe.model.revision))))
    except BadInput:
        return False


def _samples(number: int) -> str:
    return "one sample" if number == 1 else f"{number:,} samples"
