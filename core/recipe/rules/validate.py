"""What is wrong or unwise in a recipe, in plain words; fast enough for every keystroke. Reads no file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from core import units
from core.clean import clean_line
from core.dataset.flag_names import CONTROL_TOKENS, NOT_RENDERED
from core.dataset.without import PARTS
from core.recipe import templates
from core.recipe.adapters import adapter_of
from core.recipe.declare import Problem, ProblemLevel
from core.recipe.devices import is_sharded
from core.recipe.model_shape import ModelShape
from core.recipe.recipe import KNOBS, Recipe, default_of, get, why_without_effect
from core.recipe.rules import adapters as adapter_rules
from core.recipe.rules import devices as device_rules
from core.recipe.rules import families as family_rules
from core.recipe.rules import kernels as kernel_rules
from core.recipe.rules import loop as loop_rules
from core.recipe.rules import online as online_rules
from core.recipe.rules import preference as preference_rules
from core.recipe.schedule import Schedule, schedule_of, steps_of
from core.recipe.schedulers import SCHEDULERS
from core.recipe.tasks import TASKS
from core.recipe.values import number_text

_LEAST_NEAR = 0.5
_MUCH_MIXED = 0.5
_MANY_EPOCHS = 5
_SMALL = 50_000_000
"""Parameters: a smaller model learns at any rate."""

_ORDER: dict[ProblemLevel, int] = {"error": 0, "warn": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class _Seen:
    """Everything a rule may look at; what is not known yet is None."""

    recipe: Recipe
    shape: ModelShape | None
    schedule: Schedule | None
    samples: int | None = None


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
        # Chunks of a text are samples that only its tokens tell.
        schedule = schedule_of(recipe, samples) if samples and not recipe.data.chunk_text else None
        seen = _Seen(recipe, shape, schedule, samples)
        refused = list(_task(seen))  # also about fields that the task does not show
        problems = [
            problem for rule in _RULES for problem in rule(seen) if not why_without_effect(recipe, problem.path)
        ]
        named = {problem.path for problem in refused}
        problems += refused + [problem for problem in without_effect(recipe) if problem.path not in named]
    return sorted(problems, key=lambda problem: _ORDER[problem.severity])


def without_effect(recipe: Recipe) -> list[Problem]:
    """A problem for each field that was set and has no effect in this recipe."""
    return [
        Problem(path, f"{knob.title}: no effect because {why}.", "warn", "no effect")
        for path, knob in KNOBS.items()
        if get(recipe, path) != default_of(recipe, path) and (why := why_without_effect(recipe, path))
    ]


def _range_problem(recipe: Recipe, path: str) -> Problem | None:
    outcome = KNOBS[path].coerce(get(recipe, path))
    return outcome if isinstance(outcome, Problem) else None


def _needed(seen: _Seen) -> Iterator[Problem]:
    if not seen.recipe.model.path:
        yield Problem("model.path", "No model yet. Enter a Hub model ID (org/name) or the folder of a model.")
    if not seen.recipe.data.train:
        yield Problem("data.train", "No training data yet. Enter a file or folder.")


def _method(seen: _Seen) -> Iterator[Problem]:
    recipe, shape = seen.recipe, seen.shape
    adapter, chosen = adapter_of(recipe), recipe.training.learning_rate
    if refused := adapter.over_quantized(recipe, recipe.model.quantization):
        yield refused
    elif shape is not None and shape.quantized == "bitsandbytes" and not adapter.whole:
        yield from _over_stored(recipe)
    if shape is not None and shape.quantized == "bitsandbytes" and adapter.whole:
        yield Problem(
            "method",
            f"The model's weights are quantized ({shape.quantized}) and cannot be trained. Set the method to lora.",
        )
    task, rates, rate = TASKS[recipe.task], adapter.rates, number_text(chosen)
    low, high = rates.usual(task.rates)
    usual = f"{rates.name} with {task.title} (usually {number_text(low)} to {number_text(high)})"
    if chosen > high * rates.above and (shape is None or shape.parameters > _SMALL):
        yield Problem("training.learning_rate", f"{rate} is high for {usual}. The loss may diverge.", "warn", "high")
    elif chosen < low * rates.below:
        yield Problem(
            "training.learning_rate", f"{rate} is low for {usual}. The model may learn little.", "warn", "low"
        )


def _over_stored(recipe: Recipe) -> Iterator[Problem]:
    """Why a base whose weights are stored in 4 bits is no base for the adapter."""
    if refused := adapter_of(recipe).over_quantized(recipe, "nf4"):
        plain = "16-bit weights of the same model"
        words = refused.sentence.replace("Set quantization to none", f"Use {plain}")
        words = words.replace("set quantization to none", f"use {plain}")
        path = "method" if refused.path == "model.quantization" else refused.path
        yield Problem(path, f"The model's weights are stored quantized. {words}", brief="stored quantized")


def _task(seen: _Seen) -> Iterator[Problem]:
    recipe = seen.recipe
    for limit in TASKS[recipe.task].refuses:
        holds = all(get(recipe, path) == value for path, value in limit.given.items())
        if holds and not limit.allows(get(recipe, limit.path)):
            yield Problem(limit.path, limit.sentence, limit.severity)
    steps = seen.schedule.steps if seen.schedule is not None else recipe.training.max_steps
    yield from preference_rules.check(recipe, steps)


def _adapters(seen: _Seen) -> Iterator[Problem]:
    yield from adapter_rules.check(seen.recipe, seen.shape)


def _model(seen: _Seen) -> Iterator[Problem]:
    shape, recipe = seen.shape, seen.recipe
    if recipe.model.trust_remote_code:
        yield Problem(
            "model.trust_remote_code",
            "The model's own Python code will run with your permissions.",
            "warn",
            "runs its code",
        )
    if shape is None:
        return
    if not shape.tokenizer:
        yield Problem(
            "model.path", "The model's folder has no tokenizer. Copy it from the original model.", brief="no tokenizer"
        )
    if shape.context and recipe.data.max_length > shape.context:
        yield Problem(
            "data.max_length",
            f"{units.count(recipe.data.max_length)} exceeds the model's context of {units.count(shape.context)} "
            "tokens; "
            "it learns little from tokens beyond that.",
            "warn",
            "exceeds context",
        )
    completion = recipe.rollouts.max_completion_length
    if "rollouts" in TASKS[recipe.task].sections and 0 < shape.context < completion:
        words = f"{units.count(completion)} exceeds the model's context of {units.count(shape.context)} tokens; "
        words += "longer answers are beyond what it can read."
        yield Problem("rollouts.max_completion_length", words, "warn", "exceeds context")
    if shape.quantized == "bitsandbytes" and recipe.model.quantization != "none":
        yield Problem(
            "model.quantization",
            f"The model's weights are already quantized ({shape.quantized}). Set this to none.",
        )
    if shape.quantized and is_sharded(recipe):
        yield Problem("training.parallel", "fsdp cannot shard a quantized base model here. Use ddp.")


def _family(seen: _Seen) -> Iterator[Problem]:
    if seen.shape is not None:
        yield from family_rules.check(seen.recipe, seen.shape)


def _template(seen: _Seen) -> Iterator[Problem]:
    shape, recipe = seen.shape, seen.recipe
    chosen = recipe.model.chat_template
    known = ", ".join((*templates.names(), templates.NO_TEMPLATE))
    close = difflib.get_close_matches(chosen.lower(), templates.names(), n=1, cutoff=0.8)
    hint = f"Did you mean {close[0]}? " if close else ""
    texts = recipe.data.format == "text" or TASKS[recipe.task].samples == ("text",)
    if chosen == templates.NO_TEMPLATE and not TASKS[recipe.task].plain and not texts:
        yield Problem(
            "model.chat_template",
            f"{TASKS[recipe.task].title} renders conversations and needs a chat template; none only works with the "
            "task sft. Choose one, such as chatml, or leave this empty for the model's own.",
            brief="needs a template",
        )
    elif chosen and not chosen.endswith(".jinja") and chosen not in (templates.NO_TEMPLATE, *templates.names()):
        yield Problem(
            "model.chat_template", f"No template has that name. {hint}tunedeck ships {known}.", brief="no such template"
        )
    if shape is not None and not chosen and not shape.template and not texts:
        yield Problem(
            "model.chat_template",
            "The model has no chat template. Conversations need one, such as chatml; plain text needs none. To join "
            "each prompt and its completion as plain text, set this to none.",
            "warn",
            "needs a template",
        )


def _data(seen: _Seen) -> Iterator[Problem]:
    data = seen.recipe.data
    both = sorted(set(data.train) & set(data.eval))
    if both:
        yield Problem(
            "data.eval",
            "The same file is in the training data and in the eval set, so the eval loss "
            "would be meaningless. Remove it from one of them.",
            brief="also trained on",
        )
    if not data.eval and data.eval_fraction == 0:
        sentence = "No eval set: overfitting cannot be detected, and the base and tuned models cannot be compared."
        yield Problem("data.eval_fraction", sentence, "warn", "no eval set")
    answers = data.loss_on == "answers" and not why_without_effect(seen.recipe, "data.loss_on")
    if data.packing == "wrapped" and answers:
        yield Problem(
            "data.packing",
            "wrapped cuts answers in the middle and joins unrelated samples. Use bfd for chat samples.",
            "warn",
            "cuts answers",
        )


def _row_tasks(seen: _Seen) -> Iterator[Problem]:
    tasks = seen.recipe.data.tasks
    names = [task.name for task in tasks]
    if twice := next((name for name in names if names.count(name) > 1), None):
        yield Problem("data.tasks", f"{clean_line(twice, 60)} is listed twice. List it once.", brief="listed twice")
    for task in tasks:
        if task.weight == 1 and not task.system.strip() and not task.prefix.strip():
            words = f"{clean_line(task.name, 60)} has no weight, system prompt or prefix, so nothing changes."
            yield Problem("data.tasks", words, "note")


def _split(seen: _Seen) -> Iterator[Problem]:
    data = seen.recipe.data
    if 0 < data.split_near < _LEAST_NEAR:
        yield Problem(
            "data.split_near", f"Use a similarity from {_LEAST_NEAR:g} to 1, such as 0.8, or 0 for exact prompts only."
        )
    files = [source.path for source in data.mix]
    if twice := next((path for path in files if files.count(path) > 1), None):
        yield Problem("data.mix", f"{clean_line(twice, 60)} is mixed in twice. List it once.", brief="listed twice")
    mixed = sum(data.shares.values())
    if not data.own_share:
        yield Problem(
            "data.mix",
            f"The mixed-in files add up to {mixed:.0%} of the training set and leave nothing for the training data. "
            "Their shares must add up to less than 1.",
            brief="shares too large",
        )
    elif mixed > _MUCH_MIXED:
        sentence = f"{mixed:.0%} of the training set is mixed in; 10% is usual."
        yield Problem("data.mix", sentence, "warn", "a large share")
    both = sorted(set(files) & {*data.train, *data.eval})
    if both:
        yield Problem(
            "data.mix", f"{clean_line(both[0], 60)} is mixed in, but it is already training data or the eval set."
        )


def _flags(seen: _Seen) -> Iterator[Problem]:
    from core.dataset.checks import CHECKS

    known = [*(check.name for check in CHECKS), NOT_RENDERED, CONTROL_TOKENS]
    wrong = [name for name in seen.recipe.data.drop_flags if name not in known]
    if not wrong:
        return
    near = [match for name in wrong for match in difflib.get_close_matches(name, known, n=1, cutoff=0.5)]
    hint = f"Did you mean {', '.join(near)}?" if len(near) == len(wrong) else f"The flags are {', '.join(known)}."
    yield Problem("data.drop_flags", f"There is no flag {_quoted(wrong)}. {hint}", brief="no such flag")


def _train_without(seen: _Seen) -> Iterator[Problem]:
    wrong = [name for name in seen.recipe.data.train_without if name not in PARTS]
    if wrong:
        sentence = f"{_quoted(wrong)} cannot be left out of training. Use {', '.join(PARTS)}."
        yield Problem("data.train_without", sentence, brief="no such part")


def _quoted(names: Sequence[str]) -> str:
    """Names that a person wrote, for a sentence: 'a', 'b' or 'c'."""
    *first, last = [f"'{clean_line(name, 60)}'" for name in names]
    return f"{', '.join(first)} or {last}" if first else last


def _steps(seen: _Seen) -> Iterator[Problem]:
    training, schedule = seen.recipe.training, seen.schedule
    if training.epochs > _MANY_EPOCHS and not training.max_steps:
        sentence = (
            f"{number_text(training.epochs)} epochs: more than {_MANY_EPOCHS} almost always overfits. Use 1 to 3, or "
            "turn on early stopping."
        )
        yield Problem("training.epochs", sentence, "warn", "overfits")
    if schedule and training.max_steps and schedule.epochs > _MANY_EPOCHS:
        sentence = (
            f"{units.count(schedule.steps)} steps are {number_text(round(schedule.epochs, 1))} epochs of these "
            f"samples: more than {_MANY_EPOCHS} almost always overfits. Use fewer steps, or 0 and 1 to 3 epochs."
        )
        yield Problem("training.max_steps", sentence, "warn", "overfits")
    if schedule is None and not training.max_steps:
        return
    steps = schedule.steps if schedule else training.max_steps
    for path, every in (("training.eval_every", training.eval_every), ("training.save_every", training.save_every)):
        if every > steps and not why_without_effect(seen.recipe, path):
            yield Problem(
                path, f"The run has only {units.count(steps)} steps, so this only happens at the end.", "note"
            )
    if training.warmup >= 1 and training.warmup >= steps:
        yield Problem(
            "training.warmup",
            f"The warmup is longer than the run, which has {units.count(steps)} steps. Use fewer warmup steps, "
            "or 0.03.",
            "error" if training.warmup > steps else "warn",
            "exceeds the steps",
        )
    if "training.lr_decay" in SCHEDULERS[training.scheduler].fields:
        phases = steps_of(training.warmup, steps) + steps_of(training.lr_decay, steps)
        if phases > steps:
            sentence = (
                f"Warmup and decay take {units.count(phases)} steps, but the run has {units.count(steps)}. Make them "
                "shorter."
            )
            yield Problem("training.lr_decay", sentence, brief="exceeds the steps")
    if steps < 10:
        yield Problem(
            "training.epochs" if not training.max_steps else "training.max_steps",
            f"Only {units.count(steps)} step{'s' if steps != 1 else ''}: too few to learn much. "
            "Use more epochs or a smaller batch.",
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
        if recipe.model.dtype in ("float16", "mixed_float16"):
            yield Problem("model.dtype", "float16 cannot train on a CPU. Use float32 or auto.")
        yield from kernel_rules.on_a_cpu(recipe)
    yield from kernel_rules.check(recipe)


def _online(seen: _Seen) -> Iterator[Problem]:
    if "rollouts" in TASKS[seen.recipe.task].sections:
        yield from online_rules.check(seen.recipe, seen.samples)


def _precision(seen: _Seen) -> Iterator[Problem]:
    recipe = seen.recipe
    if recipe.model.dtype == "bfloat16" and adapter_of(recipe).whole and not is_sharded(recipe):
        yield Problem(
            "model.dtype",
            "In pure bfloat16, most small updates are rounded away when every weight is trained. Use auto or "
            "mixed_bfloat16 if float32 weights fit in memory, otherwise method lora.",
            "warn",
            "loses updates",
        )


_RULES: tuple[_Rule, ...] = (
    _needed,
    _method,
    _adapters,
    _model,
    _family,
    _template,
    _data,
    _row_tasks,
    _split,
    _flags,
    _train_without,
    _steps,
    _loop,
    _hardware,
    _precision,
    _online,
)
