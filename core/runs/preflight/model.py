"""Lines about the model, its tokenizer and its chat template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from core import units
from core.clean import clean_line
from core.dataset.plain import runs_together, why_no_plain_pair
from core.dataset.records import Unreadable
from core.dataset.sample import Message, Sample
from core.errors import BadInput
from core.recipe import memory, templates
from core.recipe import teacher as teachers
from core.recipe.adapters import adapter_of
from core.recipe.declare import Problem
from core.recipe.families import refusal
from core.recipe.model_files import NotDownloaded
from core.recipe.model_shape import ModelShape, marks_answers
from core.recipe.quantized import can_be_trained_on
from core.recipe.recipe import Recipe, why_without_effect
from core.recipe.rules import tokens
from core.recipe.rules.template import marked_twin, template_text, why_it_refuses
from core.recipe.rules.template_use import template_use
from core.recipe.special_tokens import special_tokens
from core.recipe.tasks import TASKS
from core.recipe.templates import NO_TEMPLATE
from core.recipe.templates.marks import marked
from core.recipe.tokenizer_files import read_tokenizer, unknown_tokens
from core.runs.origin import origin_findings
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
        reach = adapter_of(recipe).reach(recipe)
        adapted = reach is not None and shape.reached_experts(reach)
        experts = f" The experts ({units.short_count(shape.expert_parameters)})"
        ends = " have adapters; the routers do not." if adapted else " and the routers have no adapters."
        found += f"{experts}{ends}"
    return found


def origin(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """The weights that it starts from, where these are not the bare base model's."""
    for found in origin_findings(seen.recipe, seen.workspace, seen.shape, later=seen.later):
        give = {"error": stop, "warn": warn, "note": ok}[found.severity]
        yield give(found.sentence, "" if found.severity == "note" else found.path)


def targets(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Which layers get an adapter."""
    recipe, shape = seen.recipe, seen.shape
    reach = adapter_of(recipe).reach(recipe)
    if shape is None or reach is None or not can_be_trained_on(shape.quantized):
        return
    adapted = [module.name for module in shape.reached(reach)] if reach.linear else [*shape.reached_modules(reach)]
    experts = shape.reached_experts(reach)
    if not (adapted or experts) or (reach.experts and shape.missing_targets(reach.targets)):
        return
    names = list(dict.fromkeys(name.rpartition(".")[2] for name in adapted))
    names += dict.fromkeys(f"experts.{one.name}" for one in experts)
    listed = clean_line(", ".join(names[:_LEAVES]), 200) + (", ..." if len(names) > _LEAVES else "")
    of = f"{len(shape.linear):,} linear layers" if reach.linear else f"{len(shape.language_modules):,} modules"
    more = f" and {len(experts):,} expert weight{'s' * (len(experts) != 1)}" if experts else ""
    yield ok(f"{len(adapted):,} of {of}{more} get an adapter: {listed}.")


_LEAVES = 8
"""Names of layers that a sentence lists."""


def teacher(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """The teacher of a distillation."""
    if why_without_effect(seen.recipe, teachers.FIELD):
        return
    for found in teachers.problems(seen.recipe, seen.shape):
        give = {"error": stop, "warn": warn, "note": ok}[found.severity]
        yield give(found.sentence, "" if found.severity == "note" else found.path, found.brief)


def then(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """The recipes that run after this one."""
    from core.runs.pipeline import pipeline_findings  # which prepares runs, and so reads these lines

    for found in pipeline_findings(seen.recipe):
        yield ok(found.sentence) if found.severity == "note" else stop(found.sentence, found.path)


def tokenizer(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """What the tokenizer's files say against the model and against the chosen chat template."""
    recipe, shape = seen.recipe, seen.shape
    if shape is None:
        return
    facts = read_tokenizer(shape.folder)
    problems = [*tokens.check(shape, facts)]
    chats = seen.kinds is not None and seen.kinds != {"text"} and recipe.model.chat_template != NO_TEMPLATE
    if not problems and chats:
        with suppress(BadInput):  # the template's own check says so
            text = template_text(recipe.model.chat_template, shape)
            problems += tokens.check_template(shape, facts, text, recipe.model.chat_template)
    if not why_without_effect(recipe, "lora.trained_tokens") and recipe.lora.trained_tokens:
        wanted = [each for each in recipe.lora.trained_tokens if each not in recipe.model.added_tokens]
        problems += _unknown(unknown_tokens(shape.folder, wanted))
    for problem in problems:
        verdict: CheckResult = "stop" if problem.severity == "error" else "warn"
        yield PreflightFinding(verdict, problem.sentence, problem.path, problem.brief)


def _unknown(names: Sequence[str]) -> Iterator[Problem]:
    """Tokens to train that there are none of."""
    if names:
        words = f"The tokenizer has no token {clean_line(names[0], 60)}. Spell it as the vocabulary does, or add it in"
        yield Problem("lora.trained_tokens", f"{words} model.added_tokens.", brief="no such token")


def template(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Which template renders the samples, and whether it marks the answers."""
    recipe, shape = seen.recipe, seen.shape
    if shape is None or seen.kinds is None or seen.kinds == {"text"} or TASKS[recipe.task].samples == ("text",):
        return
    try:
        text = template_text(recipe.model.chat_template, shape)
    except BadInput as error:
        yield stop(str(error), "model.chat_template")
        return
    path, own = "model.chat_template", recipe.model.chat_template or "the model's own"
    if own == NO_TEMPLATE:
        yield from _plain(seen)
    elif not text:
        yield stop(f"The model has no chat template. {_instead(seen)}", path)
    elif refused := why_it_refuses(text):
        words = f"The chat template cannot render a question and its answer: {refused}. Choose another template."
        yield stop(words, path)
    elif not TASKS[recipe.task].marks:
        yield from _in_use(seen, shape, text, f"Prompts and answers are rendered with {own}")
    elif recipe.data.loss_on == "everything" or marks_answers(text):
        yield from _in_use(seen, shape, text, f"Chat template: {own}; it marks the answers")
    elif known := marked(text):
        words = f"Chat template: {own} ({known.family}); the run puts marks around its answers"
        yield from _in_use(seen, shape, known.text, words)
    elif twin := marked_twin(text):
        words = f"The answers are marked with the built-in {twin}, which renders the same text"
        yield from _in_use(seen, shape, templates.text(twin), words)
    else:
        yield warn(
            "The chat template does not mark the answers, and no built-in one renders the same text. Unless TRL knows "
            "the template, the run will fail when it starts: choose another template, or train on everything.",
            path,
        )


def _instead(seen: BeforeStart) -> str:
    """What to choose where the model has no chat template: by what the data holds, where the task reads both."""
    if not TASKS[seen.recipe.task].plain:
        return "Choose one, such as chatml."
    looked = list(islice(_first_samples(seen), _PLAIN_FEW))
    pairs = looked and not any(why_no_plain_pair(_answered(sample), sample.tools) for sample in looked)
    if pairs:
        return (
            "Set this to none to train on prompt and completion as plain text; or choose one, such as chatml, to train "
            "on them as chats."
        )
    return "Choose one, such as chatml; none only works for one prompt with one completion."


def _answered(sample: Sample) -> tuple[Message, ...]:
    """The turns to learn from."""
    return sample.messages if sample.kind == "messages" else (*sample.messages, *sample.chosen)


_PLAIN_FEW = 50
"""Rows that tell which of the two to recommend."""

_PLAIN_LOOKED_AT = 500
"""Rows that are looked at for whether they are a prompt and a completion."""


def _plain(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Without a chat template: whether the samples are prompts with completions, and how these meet."""
    path = "model.chat_template"
    looked, refused, why, joined, shown = 0, 0, "", 0, ""
    for sample in _first_samples(seen):
        turns = _answered(sample)
        looked += 1
        if wrong := why_no_plain_pair(turns, sample.tools):
            refused += 1
            why = why or wrong
        elif runs_together(turns[0].content, turns[1].content):
            joined += 1
            shown = shown or f"{turns[0].content[-12:]}{turns[1].content[:12]}"
    among = f"the first {looked:,} samples" if looked == _PLAIN_LOOKED_AT else f"{looked:,} samples"
    if refused == looked and looked:
        words = f"Without a chat template, a sample is one prompt and one completion, but these have {why}. Choose a "
        yield stop(f"{words}chat template, such as chatml.", path)
        return
    if refused:
        words = f"{refused:,} of {among} are not one prompt and one completion (the first has {why}) and will not be "
        yield warn(f"{words}trained on. Choose a chat template, such as chatml, to train on them.", path)
    if joined:
        words = f"In {joined:,} of {among} the prompt runs into the completion ({clean_line(shown, 40)}): nothing is "
        yield warn(f"{words}added between them. End prompts with a newline, or start completions with a space.", path)
    if looked and not refused and not joined:
        yield ok("No chat template: prompt and completion are joined as plain text, and the end token follows.")


def _first_samples(seen: BeforeStart) -> Iterator[Sample]:
    """The first samples of the training data that are no plain text."""
    dataset, found = seen.data.train, 0
    for entry in range(dataset.count if dataset is not None else 0):
        assert dataset is not None
        row = dataset.row(entry)
        try:
            sample = dataset.sample_of(row) if row.value is not None else None
        except Unreadable:
            continue
        if sample is None or sample.kind == "text":
            continue
        yield sample
        found += 1
        if found == _PLAIN_LOOKED_AT:
            return


def _in_use(seen: BeforeStart, shape: ModelShape, text: str, words: str) -> Iterator[PreflightFinding]:
    """Whether the stop is trained, a text begins once, and a server will prompt with what was trained."""
    path, recipe = "model.chat_template", seen.recipe
    special = special_tokens(recipe.model.path, recipe.model.revision)
    added = read_tokenizer(shape.folder).ids
    use = template_use(text, shape.folder, begin=special.begin, end=special.end, added=added)
    if use is None:
        yield ok(f"{words}.")
        return
    good = []
    if use.stop_trained is False and TASKS[recipe.task].marks and recipe.data.loss_on == "answers":
        yield warn(
            f"The template does not train {clean_line(use.stop, 40)}, which ends an answer, so the model may never "
            "stop. Choose another template, or train on everything.",
            path,
            "stop not trained",
        )
    elif use.stop:
        good.append(f"answers end with {clean_line(use.stop, 40)}" + (", trained" if use.stop_trained else ""))
    if use.begins is not None and use.begins > 1:
        name = clean_line(special.begin, 40)
        yield warn(
            f"The template writes {name} {use.begins} times in one text. Choose another template.", path, "BOS twice"
        )
    elif use.begins == 0 and use.adds_begin:
        words_ = f"The template does not begin with {clean_line(special.begin, 40)}, as the model's training data did."
        yield warn(f"{words_} Choose the model's own template.", path, "no BOS")
    if use.system == "yes":
        good.append("system prompts are rendered")
    else:
        does = "rejects system prompts" if use.system == "refused" else "drops system prompts"
        good.append(f"it {does}: put that text into the first question")
    if not use.prompt_kept:
        shown = clean_line(use.prompt_end.strip() or use.prompt_end, 60)
        yield warn(
            f"A server's prompt will end with {shown!r}, which never appears there in training: the model is prompted "
            "differently from how it was trained. Choose another template, or turn that off when serving.",
            path,
            "prompt differs",
        )
    else:
        good.append("a server's prompt matches training")
    if use.think:
        good.append(f"each answer begins with {clean_line(use.think, 40)}")
    yield ok(f"{words}; {', '.join(good)}." if good else f"{words}.")
