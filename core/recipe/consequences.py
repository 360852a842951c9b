"""What a field's value means in this recipe: effective batch, steps, trainable parameters, checkpoint sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from core import units
from core.recipe import memory
from core.recipe.adapters import adapter_of
from core.recipe.asks import FIELD_OF, asks_of
from core.recipe.model_shape import ModelShape
from core.recipe.precision import DeviceType
from core.recipe.recipe import KNOBS, Recipe
from core.recipe.schedule import Schedule, schedule_of, steps_of
from core.recipe.values import number_text


@dataclass(frozen=True, slots=True)
class _Known:
    recipe: Recipe
    shape: ModelShape | None
    schedule: Schedule | None
    samples: int | None
    device: DeviceType


def consequence(
    path: str,
    recipe: Recipe,
    shape: ModelShape | None = None,
    samples: int | None = None,
    device: DeviceType = "cuda",
) -> str:
    """What the field's value means: its general consequence, then the numbers for this recipe.

    Args:
        path: a path of `KNOBS`.
        recipe: without errors (`validate`).
        shape: the model's, where known.
        samples: how many are trained on, where known.
        device: where it will run.
    """
    schedule = schedule_of(recipe, samples) if samples else None
    describe = _DESCRIPTIONS.get(path)
    now = describe(_Known(recipe, shape, schedule, samples, device)) if describe else ""
    return " ".join(part for part in (KNOBS[path].consequence, now) if part)


def summary(path: str, recipe: Recipe, shape: ModelShape | None = None, samples: int | None = None) -> str:
    """A few characters to show beside a field in a form, or "": `= 2r`, `= 16 per step`, `128 steps`."""
    schedule = schedule_of(recipe, samples) if samples else None
    brief = _BRIEF.get(path)
    return brief(_Known(recipe, shape, schedule, samples, "cuda")) if brief else ""


def _model(known: _Known) -> str:
    shape = known.shape
    if shape is None:
        return ""
    weights = memory.weight_bytes(known.recipe, shape, known.device)
    return (
        f"{shape.architecture or shape.model_type}: {units.short_count(shape.parameters)} parameters in {shape.layers} "
        f"layers, context {units.count(shape.context)}, stored as {shape.dtype}. Loaded weights: {units.size(weights)}."
    )


def _weights(known: _Known) -> str:
    if known.shape is None:
        return ""
    return f"Here: {units.size(memory.weight_bytes(known.recipe, known.shape, known.device))} of weights."


def _trained(known: _Known) -> str:
    if known.shape is None:
        return ""
    trained = memory.trained_parameters(known.recipe, known.shape)
    share = 100 * trained / max(1, known.shape.parameters)
    return f"Here: {units.short_count(trained)} trainable parameters, {units.significant(share, 2)}% of the model."


def _targets(known: _Known) -> str:
    reach = adapter_of(known.recipe).reach(known.recipe)
    if known.shape is None or reach is None:
        return ""
    adapted = known.shape.reached(reach)
    leaves = Counter(module.name.rpartition(".")[2] for module in adapted)
    listed = ", ".join(f"{name} x{count}" for name, count in leaves.items())
    experts = len(known.shape.reached_experts(reach))
    also = f" and {units.count(experts)} fused expert weights" if experts else ""
    names = ", ".join(known.shape.target_names[:10])
    return (
        f"Here: {units.count(len(adapted))} of {units.count(len(known.shape.linear))} linear layers{also}."
        f"{f' {listed}.' if listed else ''} The model has {names}."
    )


def _alpha(known: _Known) -> str:
    return f"Here: the update is multiplied by {number_text(round(known.recipe.lora.scale, 3))}."


def _batch(known: _Known) -> str:
    training = known.recipe.training
    if known.schedule is None:
        return f"Here: an effective batch of {units.count(training.batch_size * training.gradient_accumulation)}."
    plan = known.schedule
    return f"Here: an effective batch of {units.count(plan.effective_batch)} and {units.count(plan.steps)} steps."


def _steps(known: _Known) -> str:
    plan = known.schedule
    if plan is None:
        return ""
    packed = " at most (fewer with packing)" if known.recipe.data.packing != "none" else ""
    packed = packed or (
        " at least (more with chunks)" if known.recipe.data.chunk_text and not known.recipe.training.max_steps else ""
    )
    return (
        f"Here: {units.count(plan.steps)} steps{packed}, {units.count(plan.steps_per_epoch)} per epoch of "
        f"{units.count(known.samples or 0)} samples."
    )


def _warmup(known: _Known) -> str:
    plan = known.schedule
    return f"Here: {units.count(plan.warmup)} of {units.count(plan.steps)} steps." if plan else ""


def _eval(known: _Known) -> str:
    plan = known.schedule
    if plan is None or not plan.eval_every:
        return ""
    return f"Here: every {units.count(plan.eval_every)} of {units.count(plan.steps)} steps."


def _save(known: _Known) -> str:
    plan = known.schedule
    every = (
        f"Here: every {units.count(plan.save_every)} of {units.count(plan.steps)} steps."
        if (plan and plan.save_every)
        else ""
    )
    if known.shape is None:
        return every
    size = units.size(memory.checkpoint_bytes(known.recipe, known.shape, known.device))
    return f"{every} One checkpoint takes about {size}.".strip()


def _length(known: _Known) -> str:
    if known.shape is None or not known.shape.context:
        return ""
    return f"The model's context is {units.count(known.shape.context)} tokens."


def _allowed(path: str, known: _Known) -> str:
    asks = [ask for ask in asks_of(known.recipe) if FIELD_OF[ask.kind] == path]
    return (
        "" if all(ask.agreed for ask in asks) else "You have not allowed it yet; you will be asked when the run starts."
    )


_DESCRIPTIONS: dict[str, Callable[[_Known], str]] = {
    "method": _trained,
    "model.path": _model,
    "model.dtype": _weights,
    "model.quantization": _weights,
    "data.max_length": _length,
    "lora.rank": _trained,
    "lora.targets": _targets,
    "lora.exclude": _targets,
    "lora.layers": _targets,
    "lora.parameters": _targets,
    "lora.patterns": _trained,
    "lora.init": _trained,
    "adapter.targets": _targets,
    "adapter.exclude": _targets,
    "adapter.layers": _targets,
    "adapter.width": _trained,
    "soft_prompt.tokens": _trained,
    "soft_prompt.projection": _trained,
    "soft_prompt.encoder": _trained,
    "soft_prompt.encoder_size": _trained,
    "last_layers.count": _trained,
    "last_layers.head": _trained,
    "lora.variant": _trained,
    "lora.modules_to_save": _trained,
    "lora.alpha": _alpha,
    "training.batch_size": _batch,
    "training.gradient_accumulation": _batch,
    "training.epochs": _steps,
    "training.max_steps": _steps,
    "training.warmup": _warmup,
    "training.eval_every": _eval,
    "training.save_every": _save,
    "training.keep_checkpoints": _save,
    **{path: partial(_allowed, path) for path in FIELD_OF.values()},
}


def _held_out(known: _Known) -> str:
    """About how many samples are held out, from how many are left to train on."""
    data = known.recipe.data
    if data.eval or not known.samples or not 0 < data.eval_fraction < 1:
        return ""
    own = known.samples * data.own_share
    held = round(own * data.eval_fraction / (1 - data.eval_fraction))
    return f"{units.count(held)} sample{'s' * (held != 1)}; Overview has the exact number"


def _every(amount: Callable[[Recipe], float], known: _Known) -> str:
    """A number of steps that may be written as a share of all."""
    value = amount(known.recipe)
    if not value:
        return "off"
    if known.schedule is None or value >= 1:
        return ""
    steps = steps_of(value, known.schedule.steps)
    return "every step" if steps == 1 else f"every {_count_steps(steps)}"


def _warmup_steps(known: _Known) -> str:
    share = 0 < known.recipe.training.warmup < 1
    return _count_steps(known.schedule.warmup) if known.schedule and share else ""


def _count_steps(steps: int) -> str:
    return f"{units.count(steps)} step{'s' * (steps != 1)}"


def _layers(known: _Known) -> str:
    reach = adapter_of(known.recipe).reach(known.recipe)
    return f"{units.count(len(known.shape.reached(reach)))} linear layers" if known.shape and reach else ""


_BRIEF: dict[str, Callable[[_Known], str]] = {
    "data.train": lambda known: f"{units.count(known.samples)} to train on" if known.samples else "",
    "training.warmup": _warmup_steps,
    "training.eval_every": partial(_every, lambda recipe: recipe.training.eval_every),
    "training.save_every": partial(_every, lambda recipe: recipe.training.save_every),
    "samples.every": partial(_every, lambda recipe: recipe.samples.every),
    "training.max_steps": lambda known: "" if known.recipe.training.max_steps else "off",
    "training.early_stopping": lambda known: "" if known.recipe.training.early_stopping else "off",
    "data.eval_fraction": _held_out,
    "lora.alpha": lambda known: f"= {number_text(round(known.recipe.lora.alpha / known.recipe.lora.rank, 2))}r",
    "lora.targets": _layers,
    "adapter.targets": _layers,
    "training.epochs": lambda known: _count_steps(known.schedule.steps) if known.schedule else "",
    "training.gradient_accumulation": lambda known: (
        f"= {known.recipe.training.batch_size * known.recipe.training.gradient_accumulation} per step"
    ),
}
