"""What is known of the memory of a model's runs here beyond the fast figure: exact forecasts, and measured peaks.

Exact forecasts (`core.training.forecast`) are kept in `.tunedeck/forecasts/KEY.json`: the key changes with everything
that such a figure depends on, the versions of the training packages included. The peaks of runs are lines of
`.tunedeck/measured.jsonl`, one for each run that has finished.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from core.errors import BadInput, TunedeckError
from core.jobs import files
from core.jobs.derived import digest
from core.jobs.launch import worker_python
from core.paths import hidden_dir
from core.recipe import model_files
from core.recipe.precision import DeviceType
from core.recipe.recipe import KNOBS, Recipe, put, to_json

_VERSION = 1
"""Of how exact figures are computed."""

_PACKAGES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate")

_BESIDE = frozenset(("name", "starts_from", "model.path", "model.revision", "model.chat_template"))
_OF_DATA = frozenset(("data.max_length", "data.packing"))
_UNRELATED = frozenset(
    f"training.{name}"
    for name in (
        *("learning_rate", "epochs", "max_steps", "scheduler", "warmup", "weight_decay", "max_grad_norm", "seed"),
        *("log_every", "eval_every", "eval_batch_size", "save_every", "keep_checkpoints", "early_stopping"),
        *("early_stopping_threshold", "keep_best", "devices", "cpu_threads", "group_by_length", "save_only_model"),
        *("best_metric", "deterministic", "min_learning_rate"),
    )
)
_SECTIONS = ("samples", "evaluation", "reporting", "data")
"""Sections and fields that change nothing about the memory of a step, but for `_OF_DATA`."""

_RUNS = 5
"""How many of the last measured runs correct a forecast."""
_ALIKE = 0.05
"""How much longer or shorter the longest sample of a run may be that counts as the same."""
_MOST = 1.5
"""The largest correction; its inverse is the smallest."""


@dataclass(frozen=True, slots=True)
class ExactMemory:
    """An exact forecast.

    Attributes:
        peak: the most bytes of tensors that are alive at once in a step, without the context of CUDA or Python.
        held: bytes that are alive between the steps.
    """

    peak: int
    held: int


@dataclass(frozen=True, slots=True)
class MeasuredPeak:
    """The peak of a run that has finished.

    Attributes:
        run: the name of its folder.
        peak: bytes: what torch reserved on a GPU and the CUDA context, or what the process held on a CPU.
        forecast: what the fast figure was for its recipe.
        longest: tokens of its longest sample.
        same: whether it ran with the very settings that are asked about.
    """

    run: str
    peak: float
    forecast: float
    longest: int
    same: bool = True


def settings_key(recipe: Recipe, device: DeviceType) -> str:
    """Twelve characters that change with all that the memory of a step depends on, but for the lengths of samples.

    Raises:
        BadInput: the model's config.json is not on this machine, or cannot be read.
    """
    return digest([_VERSION, model_key(recipe), device, _settings(recipe)])


def exact_key(recipe: Recipe, device: DeviceType, lengths: Sequence[tuple[int, int]] = ()) -> str:
    """The same with the lengths of the longest samples, and the versions of the packages that train.

    Raises:
        BadInput: see `settings_key`.
    """
    longest = [list(each) for each in lengths[: recipe.training.batch_size]]
    return digest([settings_key(recipe, device), longest, _versions()])


def model_key(recipe: Recipe) -> str:
    """Twelve characters that change with a model's config.json.

    Raises:
        BadInput: it is not there.
    """
    folder = model_files.find(recipe.model.path, recipe.model.revision)
    return digest(model_files.read_config(folder))


def _settings(recipe: Recipe) -> dict[str, Any]:
    """The fields that matter, with two batches a step in place of more."""
    for path, declared in KNOBS.items():
        unrelated = path.partition(".")[0] in _SECTIONS and path not in _OF_DATA
        if unrelated or path in _BESIDE or path in _UNRELATED:
            recipe = put(recipe, path, declared.default)
    recipe = put(recipe, "training.gradient_accumulation", min(2, recipe.training.gradient_accumulation))
    return to_json(recipe)


def _versions() -> list[str]:
    """What trains; another interpreter is known by its path."""
    found = [os.fspath(worker_python())]
    for name in _PACKAGES:
        try:
            found.append(metadata.version(name))
        except metadata.PackageNotFoundError:
            found.append("")
    return found


# --- exact forecasts


def read_exact(workspace: Path, key: str) -> ExactMemory | None:
    """A forecast that was computed before; None where there is none."""
    found = files.read_json(os.fspath(_folder(workspace) / f"{key}.json"))
    if not isinstance(found, dict):
        return None
    try:
        return ExactMemory(int(found["peak"]), int(found["held"]))
    except (KeyError, TypeError, ValueError):
        return None


def keep_exact(workspace: Path, key: str, found: ExactMemory) -> None:
    """Keeps a forecast; where it cannot be written, it is computed again the next time."""
    try:
        _folder(workspace).mkdir(parents=True, exist_ok=True)
        value = files.encode({"peak": found.peak, "held": found.held})
        files.replace(os.fspath(_folder(workspace) / f"{key}.json"), value, durable=False)
    except (OSError, TunedeckError):
        return


def _folder(workspace: Path) -> Path:
    return hidden_dir(workspace) / "forecasts"


# --- measured peaks


def keep_measured(workspace: Path, recipe: Recipe, device: DeviceType, machine: str, found: MeasuredPeak) -> None:
    """Adds the peak of a run that has finished.

    Args:
        workspace: the folder that holds `.tunedeck`.
        recipe: as it was trained.
        device: what it was trained on.
        machine: the name of the GPU, or `CPU`.
        found: the peak.

    Raises:
        OSError: it cannot be written.
        BadInput: the model is not there any more.
    """
    line = {
        "t": time.time(),
        "settings": settings_key(recipe, device),
        "model": model_key(recipe),
        "machine": machine,
        "run": found.run,
        "peak": found.peak,
        "forecast": found.forecast,
        "longest": found.longest,
    }
    hidden_dir(workspace).mkdir(parents=True, exist_ok=True)
    files.append_line(os.fspath(_measured(workspace)), files.encode(line))


def measured(
    workspace: Path, recipe: Recipe, device: DeviceType, machine: str, *, longest: int = 0
) -> list[MeasuredPeak]:
    """The runs of this model on this machine, the newest first; those with the same settings before others.

    Args:
        workspace: the folder that holds `.tunedeck`.
        recipe: what is to be trained.
        device: what it would be trained on.
        machine: the name of the GPU, or `CPU`.
        longest: tokens of its longest sample; 0 where that is not known.
    """
    try:
        lines = _measured(workspace).read_bytes().splitlines()
        model, settings = model_key(recipe), settings_key(recipe, device)
    except (OSError, BadInput):
        return []
    length = longest or recipe.data.max_length
    found: list[MeasuredPeak] = []
    for line in reversed(lines):
        known = _line(line)
        if known.get("model") == model and known.get("machine") == machine:
            numbers = [known.get(name) for name in ("peak", "forecast", "longest")]
            if all(isinstance(number, int | float) and number > 0 for number in numbers):
                peak, forecast, tokens = (float(number) for number in numbers if isinstance(number, int | float))
                same = known.get("settings") == settings and abs(tokens - length) <= _ALIKE * length
                found.append(MeasuredPeak(str(known.get("run", "")), peak, forecast, int(tokens), same))
    return sorted(found, key=lambda each: not each.same)


def _measured(workspace: Path) -> Path:
    return hidden_dir(workspace) / "measured.jsonl"


def correction(runs: Sequence[MeasuredPeak]) -> float:
    """What a forecast is multiplied with so that it would have been right for these runs; 1 where there are none."""
    if not runs:
        return 1.0
    factor = median(run.peak / run.forecast for run in runs[:_RUNS])
    return min(_MOST, max(1 / _MOST, factor))


def _line(line: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
