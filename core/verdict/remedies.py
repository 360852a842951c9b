"""What to change next time: recipe fields and values, from the recipe and from what the run has shown."""

from __future__ import annotations

import math

from core.recipe.adapters import adapter_of
from core.recipe.recipe import why_without_effect
from core.recipe.tasks import TASKS
from core.recipe.values import Value, number_text
from core.verdict.finding import Advice, RunPlan

USUAL_EPOCHS = 3.0
"""The most that the help of `training.epochs` names for most data."""

MORE_SAMPLES = Advice("", "", "more samples")
WHOLE_SAMPLES = Advice("", "", "no damaged samples")
TRAIN_ON = Advice("data.loss_on", "", "answers that are trained on (1 Data, t shows them)")
CONTRAST = Advice("", "", "pairs whose answers differ in quality")
COOLING = Advice("", "", "better cooling or a lower power limit")
FLOAT32_WEIGHTS = Advice("model.dtype", "mixed_bfloat16", "float32 weights (mixed_bfloat16)")
LORA = Advice("method", "lora", "method lora")
BFLOAT16 = Advice("model.dtype", "bfloat16", "bfloat16")
EVAL_DATA = Advice("data.eval_fraction", "0.1", "an eval set (10% held out)")
EVERY_STEP = Advice("training.log_every", "1", "logging every step")


def _useful(plan: RunPlan, path: str, value: Value) -> bool:
    """Whether a field has an effect in the run, and its task takes that value."""
    limits = [limit for limit in TASKS[plan.recipe.task].refuses if limit.path == path]
    return not why_without_effect(plan.recipe, path) and all(limit.allows(value) for limit in limits)


def holds_few_bits(plan: RunPlan) -> bool:
    """Whether the weights may be held in 16 bits, of which a small update needs more."""
    return plan.recipe.model.dtype in ("auto", "bfloat16")


def rate(plan: RunPlan, times: float) -> Advice:
    """The learning rate times a factor, with one digit."""
    value = plan.recipe.training.learning_rate * times
    digit = 10.0 ** math.floor(math.log10(value))
    text = number_text(float(f"{round(value / digit) * digit:.1g}"))
    return Advice("training.learning_rate", text, f"learning rate {text}")


def usual_rate(plan: RunPlan) -> Advice:
    """What the method usually takes, or five times as much where the rate is that high already."""
    low, _ = adapter_of(plan.recipe).rates.usual(TASKS[plan.recipe.task].rates)
    return rate(plan, max(2 * low / plan.recipe.training.learning_rate, 5.0))


def signal(plan: RunPlan) -> Advice:
    """What the gradient comes from: tokens that are trained on, or pairs with a better and a worse answer."""
    return TRAIN_ON if plan.headline.per_token else CONTRAST


def clip(plan: RunPlan, limit: float = 1.0) -> list[Advice]:
    """Clip gradients, where they are not clipped so low already."""
    if 0 < plan.recipe.training.max_grad_norm <= limit:
        return []
    text = number_text(limit)
    return [Advice("training.max_grad_norm", text, f"gradients clipped at {text}")]


def longer_warmup(plan: RunPlan, since: int) -> list[Advice]:
    """A longer warmup, where the trouble began early."""
    if plan.steps is None or since > 0.15 * plan.steps or plan.warmup >= 0.1 * plan.steps:
        return []
    return [Advice("training.warmup", "0.1", "warmup 0.1")]


def epochs(plan: RunPlan, useful: float) -> list[Advice]:
    """As many epochs as were of use, in halves, at least a half; nothing where the run had no more."""
    value = max(0.5, math.ceil(2 * useful) / 2)
    if plan.recipe.training.max_steps == 0 and value >= plan.recipe.training.epochs:
        return []
    text = number_text(value)
    return [Advice("training.epochs", text, f"{text} epoch{'' if value == 1 else 's'}")]


def dropout(plan: RunPlan) -> list[Advice]:
    """More dropout, where method and task have it and it is low."""
    if plan.recipe.lora.dropout >= 0.1 or not _useful(plan, "lora.dropout", 0.1):
        return []
    return [Advice("lora.dropout", "0.1", "dropout 0.1")]


def rank(plan: RunPlan) -> list[Advice]:
    """Twice the rank, where there is one."""
    if why_without_effect(plan.recipe, "lora.rank"):
        return []
    text = str(2 * plan.recipe.lora.rank)
    return [Advice("lora.rank", text, f"rank {text}")]


def accumulation(plan: RunPlan) -> Advice:
    """Four times the batches a step, which halves the noise of its gradient."""
    text = str(4 * plan.recipe.training.gradient_accumulation)
    return Advice("training.gradient_accumulation", text, f"accumulation {text}")


def packing(plan: RunPlan) -> list[Advice]:
    """Packed samples, where the task can pack and they are not packed already."""
    if plan.recipe.data.packing != "none" or not _useful(plan, "data.packing", "bfd"):
        return []
    return [Advice("data.packing", "bfd", "packing bfd")]


def larger_batch(plan: RunPlan) -> Advice:
    """Twice the samples at once; the accumulation halves where it can, so that the effective batch stays."""
    training = plan.recipe.training
    batch = str(2 * training.batch_size)
    if training.gradient_accumulation % 2:
        return Advice("training.batch_size", batch, f"batch size {batch}")
    half = training.gradient_accumulation // 2
    return Advice("training.batch_size", batch, f"batch size {batch} with accumulation {half}")
