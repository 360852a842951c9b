"""The checks before a run starts: each is one line, ok, warn or stop. No torch, no network."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core import units
from core.clean import clean_line
from core.errors import BadInput
from core.gpu.nvml import DriverVersion
from core.gpu.readings import GpuSample
from core.jobs.files import free_inodes, no_more_files
from core.jobs.launch import worker_python
from core.jobs.short_lived import short_lived
from core.jobs.trust import COMMAND
from core.recipe import memory
from core.recipe.adapters import adapter_of
from core.recipe.asks import FIELD_OF, asks_of
from core.recipe.devices import devices_of, ranks_of
from core.recipe.families import refusal
from core.recipe.mapped import with_mapping
from core.recipe.model_files import NotDownloaded
from core.recipe.model_shape import ModelShape, marks_answers, read_shape
from core.recipe.precision import precision_of
from core.recipe.quantized import can_be_trained_on
from core.recipe.recipe import KNOBS, Recipe
from core.recipe.rules import tokens
from core.recipe.rules.template import marked_twin, template_text, why_it_refuses
from core.recipe.rules.validate import validate
from core.recipe.tasks import TASKS
from core.recipe.tokenizer_files import read_tokenizer
from core.recipe.trackers import missing
from core.runs.memory_words import less_memory
from core.runs.origin import origin_findings
from core.runs.placement import Placement, placement_of
from core.runs.precision import FIELD as PRECISION
from core.runs.precision import PrecisionChoice, choose_precision, with_precision
from core.runs.row_words import left_out, source_words, unreadable

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset

CheckResult = Literal["ok", "warn", "stop"]

_REST_BYTES = 50 * 2**20
"""What a run writes besides its checkpoints: weights of an adapter, logs, the view."""
_REST_FILES = 50
_CHECKPOINT_FILES = 20
"""Files of one checkpoint, its folder included: weights, optimizer, tokenizer, states."""
_STACK = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "jinja2")


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """One line of the preflight.

    Attributes:
        name: what was checked, one or two words.
        verdict: `stop` keeps the run from starting.
        sentence: what was found, and what to do.
        path: the field to change, or "".
        brief: what is wrong in two or three words, for the field's row; may be "".
    """

    name: str
    verdict: CheckResult
    sentence: str
    path: str = ""
    brief: str = ""

    def to_json(self) -> dict[str, Any]:
        """The line of `tunedeck preflight --json`; `fields` are those of the recipe that it is about."""
        fields = [self.path] if self.path else []
        return {"level": self.verdict, "topic": self.name, "sentence": self.sentence, "fields": fields}


@dataclass(frozen=True, slots=True)
class _Seen:
    recipe: Recipe
    workspace: Path
    shape: ModelShape | None
    model_fault: BadInput | None
    place: Placement
    choice: PrecisionChoice
    gpus: tuple[GpuSample, ...]
    gpu_fault: str
    kinds: frozenset[str] | None
    later: bool

    @property
    def trained(self) -> Recipe:
        """The recipe as it will run: with what its precision comes to."""
        return with_precision(self.recipe, self.choice, pure_bf16=True)


def preflight(
    recipe: Recipe,
    workspace: Path,
    *,
    gpus: Sequence[GpuSample] = (),
    gpu_problem: str = "",
    driver: DriverVersion | None = None,
    wait: bool = True,
    later: bool = False,
) -> list[PreflightCheck]:
    """Every check of a recipe, in the order a reader needs them. Takes about ten milliseconds and opens the data.

    Where there is a GPU, torch is asked once whether it can use it, which takes seconds.

    Args:
        recipe: with absolute paths.
        workspace: where `runs/` will lie.
        gpus: what `GpuReader.read` says now; empty where there is none.
        gpu_problem: its sentence on why there is none.
        driver: NVIDIA's, None where it does not say its version.
        wait: whether to wait for torch's answer; else a warning says that it is being asked.
        later: whether the run will wait in a queue, see `core.runs.precision.choose_precision`.
    """
    recipe = with_mapping(recipe, workspace)
    shape: ModelShape | None = None
    fault: BadInput | None = None
    if recipe.model.path:
        try:
            shape = read_shape(recipe.model.path, recipe.model.revision)
        except BadInput as error:
            fault = error
    data, kinds = _data(recipe, workspace, shape)
    place = placement_of(recipe, gpus, driver, problem=gpu_problem, wait=wait)
    choice = choose_precision(recipe, shape, place, later=later)
    seen = _Seen(recipe, workspace, shape, fault, place, choice, tuple(gpus), gpu_problem, kinds, later)
    found = [*_fields(seen), *data, *(check for rule in _RULES for check in rule(seen))]
    return _once_each(found)


def _once_each(found: Sequence[PreflightCheck]) -> list[PreflightCheck]:
    """One sentence for a field whose value is wrong: what else cannot be done with it is no news.

    A field of files may have several, each about another file.
    """
    stopped = {check.path for check in stops(found) if check.path}
    wrong = {check.path for check in stops(found) if check.name == "recipe" and check.path}
    return [
        check
        for check in found
        if not (check.name == "recipe" and check.verdict == "warn" and check.path in stopped)
        and (check.name == "recipe" or check.verdict == "ok" or check.path not in wrong)
    ]


def stops(checks: Sequence[PreflightCheck]) -> list[PreflightCheck]:
    """The checks that keep the run from starting."""
    return [check for check in checks if check.verdict == "stop"]


def _fields(seen: _Seen) -> Iterator[PreflightCheck]:
    problems = validate(seen.recipe, seen.shape)
    for problem in problems:
        if problem.severity != "note":
            yield PreflightCheck(
                "recipe", "stop" if problem.severity == "error" else "warn", problem.sentence, problem.path
            )
    if not any(problem.severity == "error" for problem in problems):
        yield PreflightCheck("recipe", "ok", "All fields are valid.")


def _data(
    recipe: Recipe, workspace: Path, shape: ModelShape | None
) -> tuple[list[PreflightCheck], frozenset[str] | None]:
    """Whether the sources open, and the kinds of samples in them."""
    from core.dataset.dataset import Dataset
    from core.dataset.mapping import Chosen

    checks: list[PreflightCheck] = []
    kinds: set[str] = set()
    data = recipe.data
    said = Chosen(data.eval_format, data.eval_columns)
    trained: Dataset | None = None
    held: Dataset | None = None
    for path, paths in (("data.train", data.train), ("data.eval", data.eval)):
        if not paths:
            continue
        try:
            if trained is None:
                dataset = trained = Dataset.open(list(paths), Chosen(data.format).named, dict(data.columns))
            else:
                dataset = held = trained.open_eval(list(paths), said)
        except BadInput as error:
            if error.where == "columns":  # it is the mapping that names what the data has not
                error, path = BadInput(error.what, do=error.do), "data.columns"
            checks.append(PreflightCheck("data", "stop", str(error), path))
            continue
        for words in source_words(dataset, TASKS[recipe.task], training=dataset is trained):
            lead = f"{KNOBS[path].title}: " if words.verdict == "ok" else ""
            field = "" if words.verdict == "ok" else path
            checks.append(PreflightCheck(words.topic, words.verdict, f"{lead}{words.sentence}", field))
        kinds.update(kind for each in dataset.recognitions.at_open() for kind in each.kinds)
        for sentence in dataset.recognitions.unused().warnings:
            checks.append(PreflightCheck("data", "warn", clean_line(sentence), path))
        if dataset is trained and (masked := dataset.recognitions.masked_rows()):
            sentence = (
                f"The data excludes every answer in the first {masked:,} rows from the loss (such as `weight` 0), so "
                "nothing is learned from them."
            )
            checks.append(PreflightCheck("data", "warn", sentence, path))
    if trained is not None:
        checks += _rows(recipe, workspace, trained, held)
    if trained is not None and trained.recognition.kind is not None and recipe.model.path:
        from core.runs.token_checks import token_checks

        lines = token_checks(recipe, workspace, trained, shape)
        checks += [PreflightCheck("tokens", line.verdict, line.sentence, line.path, line.brief) for line in lines]
    if trained is not None and recipe.data.mix:
        from core.runs.mix_words import mix_words  # orjson: only where data is read

        for readable, sentence in mix_words(recipe, trained, workspace):
            checks.append(
                PreflightCheck("mix", "ok", sentence)
                if readable
                else PreflightCheck("mix", "stop", sentence, "data.mix")
            )
    return checks, frozenset(kinds) if kinds else None


def _rows(recipe: Recipe, workspace: Path, trained: Dataset, held: Dataset | None) -> Iterator[PreflightCheck]:
    """What is known of all rows: those that cannot be read, and those that the flags to drop leave out."""
    from core.runs.known_rows import known_rows

    mixed = [Path(path) for path in recipe.data.shares]
    try:
        files = [*trained.reader.files, *(() if held is None else held.reader.files), *mixed]
        trained.chosen.check_files(files, "data.columns")
    except BadInput as error:
        yield PreflightCheck("data", "stop", str(error), "data.columns")
    if (known := known_rows(trained, recipe, workspace)) is None:
        return
    for each in (*unreadable(known[0], recipe), *left_out(known[1], recipe)):
        yield PreflightCheck("rows", each.verdict, each.sentence, each.path, each.brief)


def _eval(seen: _Seen) -> Iterator[PreflightCheck]:
    data = seen.recipe.data
    if data.eval:
        checked = "identical and near-duplicate prompts" if data.split_near else "identical prompts"
        yield PreflightCheck("eval data", "ok", f"Separate eval file; the training data is checked for {checked}.")
    elif data.eval_fraction:
        together = f"; {data.split_near:.0%}+ similar samples stay on the same side" if data.split_near else ""
        yield PreflightCheck(
            "eval data", "ok", f"About {data.eval_fraction:.0%} of the samples are held out as the eval set{together}."
        )


def _model(seen: _Seen) -> Iterator[PreflightCheck]:
    if seen.model_fault is not None:
        missing = isinstance(seen.model_fault, NotDownloaded)
        brief = "not downloaded" if missing else "cannot be read"
        yield PreflightCheck("model", "warn" if missing else "stop", str(seen.model_fault), "model.path", brief)
    if seen.shape is not None and can_be_trained_on(seen.shape.quantized) and not refusal(seen.shape.family):
        shape = seen.shape
        trained = memory.trained_parameters(seen.recipe, shape)
        yield PreflightCheck(
            "model",
            "ok",
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


def _origin(seen: _Seen) -> Iterator[PreflightCheck]:
    """The weights that it starts from, where these are not the bare base model's."""
    for found in origin_findings(seen.recipe, seen.workspace, seen.shape, later=seen.later):
        verdict: CheckResult = {"error": "stop", "warn": "warn", "note": "ok"}[found.severity]  # type: ignore[assignment]
        yield PreflightCheck("starts from", verdict, found.sentence, "" if verdict == "ok" else found.path)


def _tokenizer(seen: _Seen) -> Iterator[PreflightCheck]:
    """What the tokenizer's files say against the model and against the chosen chat template."""
    recipe, shape = seen.recipe, seen.shape
    if shape is None:
        return
    facts = read_tokenizer(shape.folder)
    problems = [*tokens.check(shape, facts)]
    if not problems and seen.kinds is not None and seen.kinds != {"text"}:
        with suppress(BadInput):  # the template's own check says so
            template = template_text(recipe.model.chat_template, shape)
            problems += tokens.check_template(shape, facts, template, recipe.model.chat_template)
    for problem in problems:
        verdict: CheckResult = "stop" if problem.severity == "error" else "warn"
        yield PreflightCheck("tokenizer", verdict, problem.sentence, problem.path, problem.brief)


def _template(seen: _Seen) -> Iterator[PreflightCheck]:
    recipe, shape = seen.recipe, seen.shape
    if shape is None or seen.kinds is None or seen.kinds == {"text"}:
        return
    try:
        template = template_text(recipe.model.chat_template, shape)
    except BadInput as error:
        yield PreflightCheck("chat template", "stop", str(error), "model.chat_template")
        return
    path, own = "model.chat_template", recipe.model.chat_template or "the model's own"
    if not template:
        yield PreflightCheck(
            "chat template", "stop", "The model has no chat template. Choose one, such as chatml.", path
        )
    elif refused := why_it_refuses(template):
        words = f"The chat template cannot render a question and its answer: {refused}. Choose another template."
        yield PreflightCheck("chat template", "stop", words, path)
    elif not TASKS[recipe.task].marks:
        yield PreflightCheck("chat template", "ok", f"Prompts and answers are rendered with {own}.")
    elif recipe.data.loss_on == "everything" or marks_answers(template):
        yield PreflightCheck("chat template", "ok", f"Chat template: {own}; it marks the answers.")
    elif twin := marked_twin(template):
        yield PreflightCheck(
            "chat template", "ok", f"The answers are marked with the built-in {twin}, which renders the same text."
        )
    else:
        yield PreflightCheck(
            "chat template",
            "warn",
            "The chat template does not mark the answers, and no built-in one renders the same text. Unless TRL knows "
            "the template, the run will fail when it starts: choose another template, or train on everything.",
            path,
        )


def _installed(seen: _Seen) -> Iterator[PreflightCheck]:
    if worker_python() != sys.executable:
        yield PreflightCheck("packages", "ok", f"The run uses the packages of {clean_line(worker_python())}.")
        return
    recipe = seen.recipe
    wanted = list(_STACK)
    stored = "" if seen.shape is None else seen.shape.quantized
    if recipe.model.quantization != "none" or stored == "bitsandbytes" or recipe.training.optimizer.endswith("8bit"):
        wanted.append("bitsandbytes")
    able = seen.place.device == "cuda"  # elsewhere it is the device that is the reason
    if able and recipe.model.attention == "flash_attention_2" and util.find_spec("flash_attn") is None:
        words = "flash_attn is not installed here. Install it with `pip install flash-attn`, or set attention to auto."
        yield PreflightCheck("packages", "stop", words, "model.attention")
    missing = [name for name in wanted if util.find_spec(name) is None]
    if missing:
        yield PreflightCheck(
            "packages", "stop", f"Not installed: {', '.join(missing)}. Run `pip install 'tunedeck[train]'` here."
        )
    else:
        yield PreflightCheck("packages", "ok", "The training packages are installed.")


def _reporting(seen: _Seen) -> Iterator[PreflightCheck]:
    for name in missing(seen.recipe):
        yield PreflightCheck(
            "trackers",
            "stop",
            f"{name} is not installed where the training runs. Install it with `{clean_line(worker_python())} -m pip "
            f"install {name}`, or remove it here. The live screen does not need it.",
            "reporting.report_to",
        )
    for ask in asks_of(seen.recipe):
        if not ask.agreed:
            yield PreflightCheck(
                "allowed", "warn", f"{ask.question}. You will be asked when the run starts.", FIELD_OF[ask.kind]
            )
        elif ask.kind == COMMAND:
            yield PreflightCheck("notify", "ok", f"When the run ends: {clean_line(ask.text)}", FIELD_OF[COMMAND])


def _devices(seen: _Seen) -> Iterator[PreflightCheck]:
    recipe, place = seen.recipe, seen.place
    chosen, where = recipe.training.devices.strip(), "training.devices"
    try:
        devices_of(recipe)
    except BadInput:
        return  # a rule of the recipe says so
    if chosen.startswith("cpu"):
        ranks = ranks_of(recipe)
        yield PreflightCheck(
            "device", "ok", "Trains on the CPU." if ranks == 1 else f"Trains on the CPU with {ranks} processes."
        )
    elif place.devices.fault:
        yield PreflightCheck("device", "stop", place.devices.fault, where)
    elif place.unable and chosen:
        words = f"{place.unable}. Install a torch that can where the training runs, or set devices to cpu."
        yield PreflightCheck("device", "stop", words, where)
    elif place.unable:
        yield PreflightCheck("device", "warn", f"{place.unable}: the run would train on the CPU.", where)
    elif not seen.gpus and place.cpu:
        why = f" {seen.gpu_fault}" if seen.gpu_fault else ""
        if chosen:
            words = f"No GPU found, but the recipe names {chosen}.{why} Set devices to cpu, or clear it."
            yield PreflightCheck("device", "stop", clean_line(words), where)
        else:
            yield PreflightCheck("device", "warn", f"No GPU found: the run would train on the CPU.{why}", where)
    elif place.cpu:
        yield PreflightCheck("device", "warn", f"{place.devices.note} The run would train on the CPU.", where)
    else:
        yield from _on_gpus(place, seen.gpu_fault)


def _on_gpus(place: Placement, unread: str) -> Iterator[PreflightCheck]:
    where, names = "training.devices", clean_line(", ".join(place.names) or "a GPU", 400)
    if place.checking:
        words = f"Checking whether torch can use {names}; this takes a few seconds."
        yield PreflightCheck("device", "warn", words, where, "checking torch")
    elif place.torch is not None and place.reach is None:
        python = clean_line(worker_python(), 200)
        words = f"Could not check whether the torch of {python} can use {names}. The run reports it when it starts."
        yield PreflightCheck("device", "warn", words, where)
    else:
        rocm = place.torch is not None and place.torch.rocm
        no_gauges = " with ROCm. GPU readings are not available for it" if rocm else ""
        yield PreflightCheck("device", "ok", f"Trains on {names}{no_gauges}.")
    faults = [gpu.problem for gpu in place.devices.gpus if gpu.problem]
    if unread and not place.devices.gpus and not (place.torch is not None and place.torch.rocm):
        faults.append(unread)
    for fault in faults:
        yield PreflightCheck("device", "warn", clean_line(fault, 300), where)
    if place.devices.note:
        yield PreflightCheck("device", "warn", place.devices.note, where)


def _precision(seen: _Seen) -> Iterator[PreflightCheck]:
    recipe, place, choice = seen.recipe, seen.place, seen.choice
    if choice.sentence:
        words = (
            f"{choice.sentence} You will be asked to confirm when the run starts."
            if choice.confirm
            else choice.sentence
        )
        path = "" if choice.level == "ok" else PRECISION
        yield PreflightCheck("precision", choice.level, words, path, "pure bfloat16" if choice.confirm else "")
    held = precision_of(recipe.model.dtype, place.device, whole=adapter_of(recipe).whole)
    if place.cpu and not recipe.training.devices.strip().startswith("cpu"):  # else a rule of the recipe says so
        if held.mixed == "fp16":
            yield PreflightCheck("precision", "stop", "float16 cannot train on a CPU. Use float32 or auto.", PRECISION)
        if recipe.model.attention == "flash_attention_2":
            words = "flash_attention_2 needs a GPU. Use auto."
            yield PreflightCheck("precision", "stop", words, "model.attention")
    if place.device == "cuda_fp16":
        names = clean_line(", ".join(place.names), 200)
        if held.mixed == "bf16":
            words = f"{names} has no bfloat16. Use auto, float16, mixed_float16 or float32."
            yield PreflightCheck("precision", "stop", words, PRECISION)
        if recipe.model.attention == "flash_attention_2":
            words = f"flash_attention_2 needs an Ampere GPU or newer, and {names} is older. Use auto."
            yield PreflightCheck("precision", "stop", words, "model.attention")


def _memory(seen: _Seen) -> Iterator[PreflightCheck]:
    if seen.shape is None:
        return
    recipe, device, free = seen.trained, seen.place.device, seen.place.free
    forecast = memory.forecast(recipe, seen.shape, device)
    need, place = forecast.total, "RAM" if device == "cpu" else "GPU memory"
    if free is None:
        yield PreflightCheck("memory", "warn", f"Needs about {units.gib(need)}; free {place} is unknown.")
    elif need > free:
        advice, field = less_memory(recipe, seen.shape, forecast, device)
        words = f"Does not fit: needs about {units.gib(need)} of {place}, {units.gib(free)} free. {advice}"
        yield PreflightCheck("memory", "warn", words, field)
    else:
        yield PreflightCheck("memory", "ok", f"Needs about {units.gib(need)} of {place}, {units.gib(free)} free.")


def _disk(seen: _Seen) -> Iterator[PreflightCheck]:
    if seen.shape is None:
        return
    training = seen.recipe.training
    each = memory.checkpoint_bytes(seen.trained, seen.shape, seen.place.device)
    kept = training.keep_checkpoints + 1 + training.keep_best  # a new one is written before the oldest goes
    fewest = kept - training.keep_checkpoints + 1
    need = kept * each + _REST_BYTES
    names = kept * _CHECKPOINT_FILES + _REST_FILES
    place = next(folder for folder in (seen.workspace, *seen.workspace.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK | os.X_OK):
        yield PreflightCheck("disk", "stop", f"{place} is not writable. Start tunedeck in a folder you own.")
    elif full := no_more_files(place):
        yield PreflightCheck("disk", "stop", f"{full}. Delete some files in {place}.")
    elif (inodes := free_inodes(place)) is not None and inodes < names:
        helps = fewest * _CHECKPOINT_FILES + _REST_FILES <= inodes and training.keep_checkpoints > 1
        advice = "Keep fewer checkpoints." if helps else f"Delete some files in {place}."
        words = f"A run writes about {names:,} files, but the disk has only {inodes:,} free inodes. {advice}"
        yield PreflightCheck("disk", "stop", words, "training.keep_checkpoints" if helps else "")
    elif need > free and training.keep_checkpoints > 1 and fewest * each + _REST_BYTES <= free:
        yield PreflightCheck(
            "disk",
            "stop",
            f"{kept} checkpoints need about {units.size(need)}, only {units.size(free)} free. Keep fewer checkpoints.",
            "training.keep_checkpoints",
        )
    elif need > free:
        least = fewest * each + _REST_BYTES
        words = f"This run needs at least {units.size(least)} of disk space, only {units.size(free)} free."
        words += " Free some space, or start tunedeck in a folder on a larger disk."
        yield PreflightCheck("disk", "stop", words)
    else:
        yield PreflightCheck("disk", "ok", f"Checkpoints need about {units.size(need)}, {units.size(free)} free.")


def _workspace(seen: _Seen) -> Iterator[PreflightCheck]:
    if why := short_lived(seen.workspace):
        yield PreflightCheck(
            "workspace",
            "warn",
            f"{clean_line(why)} Start tunedeck in a permanent folder, or copy what you want to keep.",
        )


_RULES: tuple[Callable[[_Seen], Iterator[PreflightCheck]], ...] = (
    _eval,
    _model,
    _origin,
    _tokenizer,
    _template,
    _installed,
    _reporting,
    _devices,
    _precision,
    _memory,
    _disk,
    _workspace,
)
