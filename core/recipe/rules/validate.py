"""What is wrong or unwise in a recipe, in plain words; fast enough for every keystroke. Reads no file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from core import units
from core.clean import clean_line
from core.recipe import templates
from core.recipe.adapters import adapter_of
from core.recipe.declare import Problem, ProblemLevel
from core.recipe.devices import is_sharded
from core.recipe.model_shape import ModelShape
from core.recipe.recipe import KNOBS, Recipe, get, why_without_effect
from core.recipe.rules import devices as device_rules
from core.recipe.rules import loop as loop_rules
from core.recipe.schedule import Schedule, schedule_of
from core.recipe.tasks import TASKS
from core.recipe.values import number_text

_LEAST_NEAR = 0.5
_MUCH_MIXED = 0.5
_SMALL = 50_000_000
"""Parameters: a smaller model learns at any rate."""

_ORDER: dict[ProblemLevel, int] = {"error": 0, "warn": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class _Seen:
    """All that a rule may look at; what is not known yet is None."""

    recipe: Recipe
    shape: ModelShape | None
    schedule: Schedule | None


_Rule = Callable[[_Seen], Iterator[Problem]]


def validate(recipe: Recipe, shape: ModelShape | None = None, samples: int | None = None) -> list[Problem]:
    """Every problem of a recipe, errors first.

    Args:
        recipe: as the form holds it.
        shape: the model's, where it is known; without it the rules that need it are silent.
        samples: how many samples are trained on, where known.
    """
    problems = [problem for path in KNOBS if (problem := _range_problem(recipe, path))]
    if not problems:  # the rules may count on every value being in its range
        schedule = schedule_of(recipe, samples) if samples else None
        seen = _Seen(recipe, shape, schedule)
        refused = list(_task(seen))  # also of fields that the task does not show
        problems = [
            problem for rule in _RULES for problem in rule(seen) if not why_without_effect(recipe, problem.path)
        ]
        named = {problem.path for problem in refused}
        problems += refused + [problem for problem in without_effect(recipe) if problem.path not in named]
    return sorted(problems, key=lambda problem: _ORDER[problem.severity])


def without_effect(recipe: Recipe) -> list[Problem]:
    """A problem for each field that was set and has no effect in this recipe."""
    return [
        Problem(path, f"{knob.title} has no effect because {why}.", "warn")
        for path, knob in KNOBS.items()
        if get(recipe, path) != knob.default and (why := why_without_effect(recipe, path))
    ]


def _range_problem(recipe: Recipe, path: str) -> Problem | None:
    outcome = KNOBS[path].coerce(get(recipe, path))
    return outcome if isinstance(outcome, Problem) else None


def _needed(seen: _Seen) -> Iterator[Problem]:
    if not seen.recipe.model.path:
        yield Problem("model.path", "No model is chosen: name a model's folder, or one on the hub.")
    if not seen.recipe.data.train:
        yield Problem("data.train", "No training data is chosen: name a file or a folder.")


def _method(seen: _Seen) -> Iterator[Problem]:
    recipe, shape = seen.recipe, seen.shape
    adapter, chosen = adapter_of(recipe), recipe.training.learning_rate
    if refused := adapter.over_quantized(recipe, recipe.model.quantization):
        yield refused
    if shape is not None and shape.quantized and adapter.whole:
        yield Problem(
            "method", f"The stored weights are quantized ({shape.quantized}) and cannot be trained: take lora."
        )
    task, rates, rate = TASKS[recipe.task], adapter.rates, number_text(chosen)
    low, high = task.rates[adapter.kind]
    usual = f"{rates.name} with {task.title}, which takes {number_text(low)} to {number_text(high)}"
    if chosen > high * rates.above and (shape is None or shape.parameters > _SMALL):
        yield Problem("training.learning_rate", f"{rate} is high for {usual}: the loss may blow up.", "warn")
    elif chosen < low * rates.below:
        yield Problem("training.learning_rate", f"{rate} is low for {usual}: little may be learned.", "warn")


def _task(seen: _Seen) -> Iterator[Problem]:
    recipe = seen.recipe
    for limit in TASKS[recipe.task].refuses:
        holds = all(get(recipe, path) == value for path, value in limit.given.items())
        if holds and get(recipe, limit.path) not in limit.takes:
            yield Problem(limit.path, limit.sentence, limit.severity)


def _lora(seen: _Seen) -> Iterator[Problem]:
    lora = seen.recipe.lora
    if not lora.targets:
        yield Problem("lora.targets", "No layer gets an adapter: write all-linear, or names such as q_proj.")
    if "lm_head" in lora.targets:
        yield Problem(
            "lora.targets",
            "The output layer lm_head cannot get an adapter here: put it under Trained whole instead.",
        )
    if "all-linear" in lora.targets and len(lora.targets) > 1:
        yield Problem("lora.targets", "all-linear names every layer already: leave the other names out.")
    ratio = lora.alpha / lora.rank
    if lora.variant != "rslora" and not 0.25 <= ratio <= 8:
        yield Problem(
            "lora.alpha",
            f"Alpha is {number_text(round(ratio, 3))} times the rank; 1 to 2 times is common.",
            "warn",
        )


def _lora_fits(seen: _Seen) -> Iterator[Problem]:
    shape, lora = seen.shape, seen.recipe.lora
    if shape is None:
        return
    missing = [name for name in shape.missing_targets(lora.targets) if name != "lm_head"]
    if missing:
        known = ", ".join(shape.target_names[:12])
        yield Problem(
            "lora.targets", f"The model has no layer {clean_line(', '.join(missing), 80)}; it has {clean_line(known)}."
        )
    smallest = min((min(module.inputs, module.outputs) for module in shape.targeted(lora.targets)), default=0)
    if 0 < smallest < lora.rank:
        yield Problem(
            "lora.rank",
            f"Rank {lora.rank} is more than the smallest adapted layer is wide ({smallest}): it adds nothing there.",
            "warn",
        )


def _model(seen: _Seen) -> Iterator[Problem]:
    shape, recipe = seen.shape, seen.recipe
    if recipe.model.trust_remote_code:
        yield Problem("model.trust_remote_code", "The model's own Python code will run with your rights.", "warn")
    if shape is None:
        return
    if not shape.tokenizer:
        yield Problem("model.path", "The model's folder has no tokenizer: copy it from the original model.")
    if shape.context and recipe.data.max_length > shape.context:
        yield Problem(
            "data.max_length",
            f"{units.count(recipe.data.max_length)} is more than the model's context of "
            f"{units.count(shape.context)} tokens: what lies beyond it is not learned well.",
            "warn",
        )
    if shape.quantized and recipe.model.quantization != "none":
        yield Problem(
            "model.quantization",
            f"The stored weights are quantized already ({shape.quantized}): leave this at none.",
        )
    if shape.quantized and is_sharded(recipe):
        yield Problem("training.parallel", "A quantized base is not shared out here: take ddp.")


def _template(seen: _Seen) -> Iterator[Problem]:
    shape, recipe = seen.shape, seen.recipe
    chosen = recipe.model.chat_template
    if chosen and not chosen.endswith(".jinja") and chosen not in templates.names():
        known = ", ".join(templates.names())
        yield Problem("model.chat_template", f"There is no template of that name; shipped are {known}.")
    if shape is not None and not chosen and not shape.template and recipe.data.format != "text":
        yield Problem(
            "model.chat_template",
            "The model has no chat template: chat samples need one, such as chatml. Plain text needs none.",
            "warn",
        )


def _data(seen: _Seen) -> Iterator[Problem]:
    data = seen.recipe.data
    both = sorted(set(data.train) & set(data.eval))
    if both:
        yield Problem("data.eval", "The same file is trained on and evaluated on: the eval loss would mean nothing.")
    if not data.eval and data.eval_fraction == 0:
        sentence = "No eval data: overfitting cannot be seen, and base and tuned cannot be compared."
        yield Problem("data.eval_fraction", sentence, "warn")
    if data.packing == "wrapped" and data.loss_on == "answers":
        yield Problem(
            "data.packing",
            "wrapped cuts answers in the middle and joins strangers: take bfd for chat samples.",
            "warn",
        )


def _split(seen: _Seen) -> Iterator[Problem]:
    data = seen.recipe.data
    if 0 < data.split_near < _LEAST_NEAR:
        yield Problem("data.split_near", f"Give a similarity from {_LEAST_NEAR:g} to 1, such as 0.8; or 0 for none.")
    files = [source.path for source in data.mix]
    if twice := next((path for path in files if files.count(path) > 1), None):
        yield Problem("data.mix", f"{clean_line(twice, 60)} is mixed in twice: give it one share.")
    mixed = sum(data.shares.values())
    if not data.own_share:
        yield Problem(
            "data.mix",
            f"What is mixed in makes {mixed:.0%} of the training set and leaves nothing for the training data: give "
            "shares of less than 1 together.",
        )
    elif mixed > _MUCH_MIXED:
        sentence = f"{mixed:.0%} of the training set is mixed in: a tenth is the usual cure."
        yield Problem("data.mix", sentence, "warn")
    both = sorted(set(files) & {*data.train, *data.eval})
    if both:
        yield Problem("data.mix", f"{clean_line(both[0], 60)} is mixed in and is training or eval data, too.")


def _flags(seen: _Seen) -> Iterator[Problem]:
    from core.dataset.checks import CHECKS

    known = [check.name for check in CHECKS]
    for name in seen.recipe.data.drop_flags:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"the nearest is {near[0]}." if near else f"there are {', '.join(known)}."
            yield Problem("data.drop_flags", f"No check sets the flag {clean_line(name, 60)}; {hint}")


def _steps(seen: _Seen) -> Iterator[Problem]:
    training, schedule = seen.recipe.training, seen.schedule
    if training.epochs > 10 and not training.max_steps:
        sentence = f"{number_text(training.epochs)} epochs: the model will know the samples by heart."
        yield Problem("training.epochs", sentence, "warn")
    if schedule is None and not training.max_steps:
        return
    steps = schedule.steps if schedule else training.max_steps
    for path, every in (("training.eval_every", training.eval_every), ("training.save_every", training.save_every)):
        if every > steps:
            yield Problem(path, f"The run has only {units.count(steps)} steps: this happens at the end alone.", "note")
    if training.warmup >= 1 and training.warmup >= steps:
        yield Problem(
            "training.warmup",
            f"The run ends after {units.count(steps)} steps, before the warmup does: take fewer steps, or 0.03.",
            "error" if training.warmup > steps else "warn",
        )
    if steps < 10:
        yield Problem(
            "training.epochs" if not training.max_steps else "training.max_steps",
            f"Only {units.count(steps)} step{'s' if steps != 1 else ''}: too few to learn much. "
            "More epochs or a smaller batch make more.",
            "note",
        )


def _loop(seen: _Seen) -> Iterator[Problem]:
    yield from loop_rules.check(seen.recipe)


def _hardware(seen: _Seen) -> Iterator[Problem]:
    recipe = seen.recipe
    devices, problems = device_rules.check(recipe)
    yield from problems
    if devices is None:
        return
    if devices.cpu:
        if recipe.model.dtype == "float16":
            yield Problem("model.dtype", "float16 does not train on a CPU: take float32 or auto.")
        if recipe.model.attention == "flash_attention_2":
            yield Problem("model.attention", "flash_attention_2 needs a GPU: take auto.")
        if recipe.training.optimizer == "paged_adamw_8bit":
            yield Problem("training.optimizer", "Paged optimizers need a GPU: take adamw_torch_fused.")
    if recipe.model.dtype == "float32" and recipe.model.attention == "flash_attention_2":
        yield Problem("model.attention", "flash_attention_2 computes in 16 bits only: take auto.")


_RULES: tuple[_Rule, ...] = (
    _needed,
    _method,
    _lora,
    _lora_fits,
    _model,
    _template,
    _data,
    _split,
    _flags,
    _steps,
    _loop,
    _hardware,
)
