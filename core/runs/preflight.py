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
from typing import Any, Literal

from core import units
from core.clean import clean_line
from core.errors import BadInput
from core.gpu import host
from core.gpu.readings import GpuSample
from core.jobs.files import free_inodes, no_more_files
from core.jobs.launch import worker_python
from core.jobs.short_lived import short_lived
from core.jobs.trust import COMMAND
from core.recipe import memory
from core.recipe.asks import FIELD_OF, asks_of
from core.recipe.devices import ranks_of
from core.recipe.mapped import with_mapping
from core.recipe.model_files import NotDownloaded
from core.recipe.model_shape import ModelShape, marks_answers, read_shape
from core.recipe.recipe import KNOBS, Recipe
from core.recipe.rules import tokens
from core.recipe.rules.template import marked_twin, template_text
from core.recipe.rules.validate import validate
from core.recipe.tasks import TASKS
from core.recipe.tokenizer_files import read_tokenizer
from core.recipe.trackers import missing
from core.recipe.worker_packages import TorchBuild, torch_build
from core.runs.memory_words import less_memory

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
    gpus: tuple[GpuSample, ...]
    gpu_fault: str
    kinds: frozenset[str] | None
    torch: TorchBuild | None


def preflight(
    recipe: Recipe,
    workspace: Path,
    *,
    gpus: Sequence[GpuSample] = (),
    gpu_problem: str = "",
) -> list[PreflightCheck]:
    """Every check of a recipe, in the order a reader needs them. Takes about ten milliseconds and opens the data.

    Args:
        recipe: with absolute paths.
        workspace: where `runs/` will lie.
        gpus: what `GpuReader.read` says now; empty where there is none.
        gpu_problem: its sentence on why there is none.
    """
    recipe = with_mapping(recipe, workspace)
    shape: ModelShape | None = None
    fault: BadInput | None = None
    if recipe.model.path:
        try:
            shape = read_shape(recipe.model.path, recipe.model.revision)
        except BadInput as error:
            fault = error
    data, kinds = _data(recipe, workspace)
    seen = _Seen(recipe, workspace, shape, fault, tuple(gpus), gpu_problem, kinds, torch_build() if gpus else None)
    found = [*_fields(seen), *data, *(check for rule in _RULES for check in rule(seen))]
    stopped = {check.path for check in stops(found) if check.path}
    return [check for check in found if check.name != "recipe" or check.verdict != "warn" or check.path not in stopped]


def stops(checks: Sequence[PreflightCheck]) -> list[PreflightCheck]:
    """The checks that keep the run from starting."""
    return [check for check in checks if check.verdict == "stop"]


def device_of(recipe: Recipe, gpus: Sequence[GpuSample], torch: TorchBuild | None) -> memory.DeviceType:
    """Where the run computes.

    Args:
        recipe: the recipe.
        gpus: those that the driver knows.
        torch: the one that trains, None where it is not known.
    """
    if recipe.training.devices.strip().startswith("cpu") or not gpus:
        return "cpu"
    return "cpu" if torch is not None and torch.unable(["any"]) else "cuda"


def _fields(seen: _Seen) -> Iterator[PreflightCheck]:
    problems = validate(seen.recipe, seen.shape)
    for problem in problems:
        if problem.severity != "note":
            yield PreflightCheck(
                "recipe", "stop" if problem.severity == "error" else "warn", problem.sentence, problem.path
            )
    if not any(problem.severity == "error" for problem in problems):
        yield PreflightCheck("recipe", "ok", "All fields are valid.")


def _data(recipe: Recipe, workspace: Path) -> tuple[list[PreflightCheck], frozenset[str] | None]:
    """Whether the sources open, and the kinds of samples in them."""
    from core.dataset.dataset import Dataset

    checks: list[PreflightCheck] = []
    kinds: set[str] = set()
    columns = dict(recipe.data.columns)
    form = None if recipe.data.format == "auto" else recipe.data.format
    task = TASKS[recipe.task]
    trained: Dataset | None = None
    for path, paths in (("data.train", recipe.data.train), ("data.eval", recipe.data.eval)):
        if not paths:
            continue
        try:
            dataset = Dataset.open(list(paths), form, columns) if trained is None else trained.open_beside(list(paths))
        except BadInput as error:
            checks.append(PreflightCheck("data", "stop", str(error), path))
            continue
        found = dataset.recognition
        trained = trained or dataset
        if found.kind is None:
            checks.append(
                PreflightCheck("data", "stop", f"The format was not recognized: {clean_line(found.why)}", path)
            )
        else:
            kinds.add(found.kind)
            checks.append(PreflightCheck("data", "ok", f"{KNOBS[path].title}: {clean_line(found.why)}"))
            if found.kind not in task.samples:
                words = f"{task.title} trains on {task.wants}, but these samples are {found.kind}. Choose another task."
                checks.append(PreflightCheck("data", "stop", words, path))
            elif found.kind in task.unused:
                checks.append(PreflightCheck("data", "warn", task.unused[found.kind], path))
    if trained is not None and trained.recognition.kind is not None and recipe.model.path:
        from core.runs.token_checks import token_checks

        lines = token_checks(recipe, workspace, trained)
        checks += [PreflightCheck("tokens", line.verdict, line.sentence, line.path) for line in lines]
    if trained is not None and recipe.data.mix:
        from core.runs.mix_words import mix_words  # orjson: only where data is read

        for readable, sentence in mix_words(recipe, trained, workspace):
            checks.append(
                PreflightCheck("mix", "ok", sentence)
                if readable
                else PreflightCheck("mix", "stop", sentence, "data.mix")
            )
    return checks, frozenset(kinds) if kinds else None


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
    if seen.shape is not None:
        shape = seen.shape
        trained = memory.trained_parameters(seen.recipe, shape)
        yield PreflightCheck(
            "model",
            "ok",
            f"{shape.architecture or shape.model_type}, {units.short_count(shape.parameters)} parameters, "
            f"{units.short_count(trained)} trainable.",
        )


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
    if recipe.model.attention == "flash_attention_2":
        wanted.append("flash_attn")
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
    chosen = seen.recipe.training.devices.strip()
    if chosen.startswith("cpu"):
        ranks = ranks_of(seen.recipe)
        yield PreflightCheck(
            "device", "ok", "Trains on the CPU." if ranks == 1 else f"Trains on the CPU with {ranks} processes."
        )
    elif not seen.gpus:
        why = f" {seen.gpu_fault}" if seen.gpu_fault else ""
        if chosen:
            words = f"No GPU found, but the recipe names {chosen}.{why} Set devices to cpu, or clear it."
            yield PreflightCheck("device", "stop", clean_line(words), "training.devices")
        else:
            yield PreflightCheck(
                "device", "warn", f"No GPU found: the run would train on the CPU.{why}", "training.devices"
            )
    else:
        known = {gpu.index for gpu in seen.gpus}
        wrong = [part for part in _numbers(chosen) if part not in known]
        if wrong:
            there = ", ".join(str(index) for index in sorted(known))
            yield PreflightCheck(
                "device", "stop", f"There is no GPU {wrong[0]}; this machine has {there}.", "training.devices"
            )
            return
        names = [f"GPU {gpu.index} {gpu.name or ''}".rstrip() for gpu in _chosen(seen)]
        unable = "" if seen.torch is None else seen.torch.unable([f"GPU {gpu.index}" for gpu in _chosen(seen)])
        if unable and chosen:
            words = f"{unable}. Install a CUDA build of torch where the training runs, or set devices to cpu."
            yield PreflightCheck("device", "stop", words, "training.devices")
        elif unable:
            yield PreflightCheck("device", "warn", f"{unable}: the run would train on the CPU.", "training.devices")
        else:
            yield PreflightCheck("device", "ok", f"Trains on {clean_line(', '.join(names))}.")


def _memory(seen: _Seen) -> Iterator[PreflightCheck]:
    if seen.shape is None:
        return
    device = device_of(seen.recipe, seen.gpus, seen.torch)
    forecast = memory.forecast(seen.recipe, seen.shape, device)
    need = forecast.total
    if device == "cpu":
        free, place = host.memory()[1], "RAM"
    else:
        rooms = [
            gpu.memory_total - gpu.memory_used
            for gpu in _chosen(seen)
            if gpu.memory_total is not None and gpu.memory_used is not None
        ]
        free, place = min(rooms, default=None), "GPU memory"
    if free is None:
        yield PreflightCheck("memory", "warn", f"Needs about {units.gib(need)}; free {place} is unknown.")
    elif need > free:
        advice, field = less_memory(seen.recipe, seen.shape, forecast, device)
        words = f"Does not fit: needs about {units.gib(need)} of {place}, {units.gib(free)} free. {advice}"
        yield PreflightCheck("memory", "warn", words, field)
    else:
        yield PreflightCheck("memory", "ok", f"Needs about {units.gib(need)} of {place}, {units.gib(free)} free.")


def _disk(seen: _Seen) -> Iterator[PreflightCheck]:
    if seen.shape is None:
        return
    training = seen.recipe.training
    each = memory.checkpoint_bytes(seen.recipe, seen.shape)
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
        yield PreflightCheck(
            "disk",
            "stop",
            f"A run writes about {names:,} files, and the disk has inodes for {inodes:,} more. "
            f"Delete some files in {place}.",
        )
    elif need > free and training.keep_checkpoints > 1 and fewest * each + _REST_BYTES <= free:
        yield PreflightCheck(
            "disk",
            "stop",
            f"{kept} checkpoints need about {units.size(need)}, only {units.size(free)} free. Keep fewer checkpoints.",
            "training.keep_checkpoints",
        )
    elif need > free:
        least = fewest * each + _REST_BYTES
        words = f"This run needs at least {units.size(least)} on the disk, only {units.size(free)} free."
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


def _numbers(devices: str) -> list[int]:
    return [int(part) for part in devices.split(",") if part.strip().isdigit()]


def _chosen(seen: _Seen) -> list[GpuSample]:
    wanted = _numbers(seen.recipe.training.devices) or [seen.gpus[0].index]
    return [gpu for gpu in seen.gpus if gpu.index in wanted]


_RULES: tuple[Callable[[_Seen], Iterator[PreflightCheck]], ...] = (
    _eval,
    _model,
    _tokenizer,
    _template,
    _installed,
    _reporting,
    _devices,
    _memory,
    _disk,
    _workspace,
)
