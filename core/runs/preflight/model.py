"""Lines about the model, its tokenizer and its chat template."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from core import units
from core.errors import BadInput
from core.recipe import memory
from core.recipe.adapters import adapter_of
from core.recipe.families import refusal
from core.recipe.model_files import NotDownloaded
from core.recipe.model_shape import ModelShape, marks_answers
from core.recipe.quantized import can_be_trained_on
from core.recipe.recipe import Recipe
from core.recipe.rules import tokens
from core.recipe.rules.template import marked_twin, template_text, why_it_refuses
from core.recipe.tasks import TASKS
from core.recipe.tokenizer_files import read_tokenizer
from core.runs.preflight.line import CheckResult, PreflightFinding, ok, stop, warn
from core.runs.preflight.seen import BeforeStart


def base(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether the model can be read, and how much of it is trained."""
    if seen.model_fault is not None:
        missing = isinstance(seen.model_fault, NotDownloaded)
        brief = "not downloaded" if missing else "cannot be read"
        yield PreflightFinding("warn" if missing else "stop", str(seen.model_fault), "model.path", brief)
    if seen.shape is not None and can_be_trained_on(seen.shape.quantized) and not refusal(seen.shape.family):
        shape = seen.shape
        trained = memory.trained_parameters(seen.recipe, shape)
        yield ok(
            f"{shape.architecture or shape.model_type}, {units.short_count(shape.parameters)} parameters, "
            f"{'about ' * shape.family.inexact}{units.short_count(trained)} trainable.{_of_parts(seen.recipe, shape)}",
        )


def _of_parts(recipe: Recipe, shape: ModelShape) -> str:
    """What is not adapted or not loaded of a model that is more than a dense language model."""
    found = ""
    if shape.family.text_only:
        found += " Only its language model is loaded."
    elif shape.outside_parameters:
        found += (
            f" Only its language model is trained; the other {units.short_count(shape.outside_parameters)} parameters "
            "are frozen."
        )
    if shape.expert_parameters and not adapter_of(recipe).whole:
        adapted = shape.targeted_experts(recipe.lora.targets)
        experts = f" The experts ({units.short_count(shape.expert_parameters)})"
        ends = " have adapters, the routers do not." if adapted else " and the routers have no adapters."
        found += f"{experts}{ends}"
    return found


def tokenizer(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """What the tokenizer's files say against the model and against the chosen chat template."""
    recipe, shape = seen.recipe, seen.shape
    if shape is None:
        return
    facts = read_tokenizer(shape.folder)
    problems = [*tokens.check(shape, facts)]
    if not problems and seen.kinds is not None and seen.kinds != {"text"}:
        with suppress(BadInput):  # the template's own check says so
            text = template_text(recipe.model.chat_template, shape)
            problems += tokens.check_template(shape, facts, text, recipe.model.chat_template)
    for problem in problems:
        verdict: CheckResult = "stop" if problem.severity == "error" else "warn"
        yield PreflightFinding(verdict, problem.sentence, problem.path, problem.brief)


def template(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Which template renders the samples, and whether it marks the answers."""
    recipe, shape = seen.recipe, seen.shape
    if shape is None or seen.kinds is None or seen.kinds == {"text"}:
        return
    try:
        text = template_text(recipe.model.chat_template, shape)
    except BadInput as error:
        yield stop(str(error), "model.chat_template")
        return
    path, own = "model.chat_template", recipe.model.chat_template or "the model's own"
    if not text:
        yield stop("The model has no chat template. Choose one, such as chatml.", path)
    elif refused := why_it_refuses(text):
        words = f"The chat template cannot render a question and its answer: {refused}. Choose another template."
        yield stop(words, path)
    elif not TASKS[recipe.task].marks:
        yield ok(f"Prompts and answers are rendered with {own}.")
    elif recipe.data.loss_on == "everything" or marks_answers(text):
        yield ok(f"Chat template: {own}; it marks the answers.")
    elif twin := marked_twin(text):
        yield ok(f"The answers are marked with the built-in {twin}, which renders the same text.")
    else:
        yield warn(
            "The chat template does not mark the answers, and no built-in one renders the same text. Unless TRL knows "
            "the template, the run will fail when it starts: choose another template, or train on everything.",
            path,
        )
