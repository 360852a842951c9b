"""Lines about the machine: packages, devices, precision, memory, disk, workspace."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import util

from core import units
from core.clean import clean_line
from core.errors import BadInput
from core.gpu.selection import label_of
from core.gpu.users import gpu_user
from core.jobs.files import free_inodes, no_more_files
from core.jobs.launch import worker_python
from core.jobs.short_lived import short_lived
from core.jobs.trust import COMMAND
from core.recipe import memory
from core.recipe.adapters import adapter_of
from core.recipe.asks import FIELD_OF, asks_of
from core.recipe.devices import devices_of, ranks_of
from core.recipe.optimizers import OPTIMIZERS
from core.recipe.precision import precision_of
from core.recipe.trackers import missing
from core.runs.known_memory import memory_line
from core.runs.placement import Placement
from core.runs.precision import FIELD as PRECISION
from core.runs.preflight.line import PreflightFinding, ok, stop, warn
from core.runs.preflight.seen import BeforeStart

_REST_BYTES = 50 * 2**20
"""What a run writes besides its checkpoints: weights of an adapter, logs, the view."""
_REST_FILES = 50
_CHECKPOINT_FILES = 20
"""Files of one checkpoint, its folder included: weights, optimizer, tokenizer, states."""
_STACK = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "jinja2")


def packages(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether what trains is installed."""
    if worker_python() != sys.executable:
        yield ok(f"The run uses the packages installed for {clean_line(worker_python())}.")
        return
    recipe = seen.recipe
    wanted = list(_STACK)
    stored = "" if seen.shape is None else seen.shape.quantized
    optimizer = OPTIMIZERS[recipe.training.optimizer].package
    if recipe.model.quantization != "none" or stored == "bitsandbytes" or optimizer == "bitsandbytes":
        wanted.append("bitsandbytes")
    absent = [name for name in wanted if util.find_spec(name) is None]
    if absent:
        yield stop(f"Not installed: {', '.join(absent)}. Run `pip install 'tunedeck[train]'` here.")
    else:
        yield ok("The training packages are installed.")


def trackers(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether the chosen trackers are installed."""
    for name in missing(seen.recipe):
        yield stop(
            f"{name} is not installed where the training runs. Install it with `{clean_line(worker_python())} -m pip "
            f"install {name}`, or remove it here. The live screen does not need it.",
            "reporting.report_to",
        )


def consent(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """What the user has to allow before it runs."""
    for ask in asks_of(seen.recipe):
        if not ask.agreed:
            yield warn(f"{ask.question}. You will be asked when the run starts.", FIELD_OF[ask.kind])


def notify(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """What is run at the end."""
    for ask in asks_of(seen.recipe):
        if ask.agreed and ask.kind == COMMAND:
            yield ok(f"When the run ends: {clean_line(ask.text)}", FIELD_OF[COMMAND])


def devices(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Where the run will compute."""
    recipe, place = seen.recipe, seen.place
    chosen, where = recipe.training.devices.strip(), "training.devices"
    try:
        devices_of(recipe)
    except BadInput:
        return  # a rule of the recipe says so
    if chosen.startswith("cpu"):
        ranks = ranks_of(recipe)
        yield ok("Trains on the CPU." if ranks == 1 else f"Trains on the CPU with {ranks} processes.")
    elif place.devices.fault:
        yield stop(place.devices.fault, where)
    elif place.unable and chosen:
        words = f"{place.unable}. Install a torch build that can, where the training runs, or set devices to cpu."
        yield stop(words, where)
    elif place.unable:
        yield warn(f"{place.unable}: the run would train on the CPU.", where)
    elif not seen.gpus and place.cpu:
        why = f" {seen.gpu_fault}" if seen.gpu_fault else ""
        if chosen:
            words = f"No GPU found, but devices is set to {chosen}.{why} Set devices to cpu, or clear it."
            yield stop(clean_line(words), where)
        else:
            yield warn(f"No GPU found: the run would train on the CPU.{why}", where)
    elif place.cpu:
        yield warn(f"{place.devices.note} The run would train on the CPU.", where)
    else:
        yield from _on_gpus(place, seen.gpu_fault)


def _on_gpus(place: Placement, unread: str) -> Iterator[PreflightFinding]:
    where, names = "training.devices", clean_line(", ".join(place.names) or "a GPU", 400)
    if place.checking:
        words = f"Checking whether torch can use {names}; this takes a few seconds."
        yield warn(words, where, "checking torch")
    elif place.torch is not None and place.reach is None:
        python = clean_line(worker_python(), 200)
        words = f"Could not check whether the torch of {python} can use {names}. The run reports it when it starts."
        yield warn(words, where)
    else:
        rocm = place.torch is not None and place.torch.rocm
        no_gauges = " with ROCm. GPU readings are not available for it" if rocm else ""
        yield ok(f"Trains on {names}{no_gauges}.")
    faults = [gpu.problem for gpu in place.devices.gpus if gpu.problem]
    if unread and not place.devices.gpus and not (place.torch is not None and place.torch.rocm):
        faults.append(unread)
    for fault in faults:
        yield warn(clean_line(fault, 300), where)
    if place.devices.note:
        yield warn(place.devices.note, where)


def busy(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """What else is running on the GPUs of the run."""
    gpus = [gpu for gpu in seen.place.devices.gpus if gpu.processes]
    if seen.place.cpu or not seen.place.devices.gpus:
        return
    for gpu in gpus:
        users = [gpu_user(pid, held) for pid, held in gpu.processes or ()]
        listed = ", ".join(
            f"{user.words}{f' holds {units.gib(user.held)}' if user.held is not None else ''}"
            for user in users[:_NAMED]
        )
        more = f" and {len(users) - _NAMED} more" if len(users) > _NAMED else ""
        words = f"{label_of(gpu)} is in use: {listed}{more}. Both will be slower and share its memory."
        yield warn(f"{words} Choose another device, or add the run to the queue (F7).", "training.devices", "in use")
    if not gpus and all(gpu.processes is not None for gpu in seen.place.devices.gpus):
        names = ", ".join(label_of(gpu) for gpu in seen.place.devices.gpus)
        yield ok(f"Nothing else is running on {names}.")


_NAMED = 3
"""Processes that a sentence names."""


def precision(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether the device can compute in the recipe's type."""
    recipe, place, choice = seen.recipe, seen.place, seen.choice
    if choice.sentence:
        words = (
            f"{choice.sentence} You will be asked to confirm when the run starts."
            if choice.confirm
            else choice.sentence
        )
        path = "" if choice.level == "ok" else PRECISION
        yield PreflightFinding(choice.level, words, path, "pure bfloat16" if choice.confirm else "")
    held = precision_of(recipe.model.dtype, place.device, whole=adapter_of(recipe).whole)
    # Where the recipe names a CPU, a rule of the recipe says so.
    if place.cpu and not recipe.training.devices.strip().startswith("cpu") and held.mixed == "fp16":
        yield stop("float16 cannot train on a CPU. Use float32 or auto.", PRECISION)
    if place.device == "cuda_fp16":
        names = clean_line(", ".join(place.names), 200)
        if held.mixed == "bf16":
            words = f"{names} has no bfloat16. Use auto, float16, mixed_float16 or float32."
            yield stop(words, PRECISION)
        if recipe.model.attention == "flash_attention_2":
            words = f"flash_attention_2 needs an Ampere GPU or newer, and {names} is older. Use auto."
            yield stop(words, "model.attention")


def memory_fits(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether the run fits into what is free."""
    if seen.shape is None:
        return
    verdict, words, path = memory_line(seen.known_memory(seen.shape), seen.shape)
    yield ok(words) if verdict == "ok" else warn(words, path)


def disk(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether the checkpoints fit on the disk."""
    if seen.shape is None:
        return
    training = seen.recipe.training
    each = memory.checkpoint_bytes(seen.as_run, seen.shape, seen.place.device)
    kept = training.keep_checkpoints + 1 + training.keep_best  # a new one is written before the oldest goes
    fewest = kept - training.keep_checkpoints + 1
    need = kept * each + _REST_BYTES
    names = kept * _CHECKPOINT_FILES + _REST_FILES
    place = next(folder for folder in (seen.workspace, *seen.workspace.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK | os.X_OK):
        yield stop(f"{place} is not writable. Start tunedeck in a folder you own.")
    elif full := no_more_files(place):
        yield stop(f"{full}. Delete some files in {place}.")
    elif (inodes := free_inodes(place)) is not None and inodes < names:
        helps = fewest * _CHECKPOINT_FILES + _REST_FILES <= inodes and training.keep_checkpoints > 1
        advice = "Keep fewer checkpoints." if helps else f"Delete some files in {place}."
        words = f"A run writes about {names:,} files, but the disk has only {inodes:,} free inodes. {advice}"
        yield stop(words, "training.keep_checkpoints" if helps else "")
    elif need > free and training.keep_checkpoints > 1 and fewest * each + _REST_BYTES <= free:
        yield stop(
            f"{kept} checkpoints need about {units.size(need)}, only {units.size(free)} free. Keep fewer checkpoints.",
            "training.keep_checkpoints",
        )
    elif need > free:
        least = fewest * each + _REST_BYTES
        words = f"This run needs at least {units.size(least)} of disk space, only {units.size(free)} free."
        words += " Free some space, or start tunedeck in a folder on a larger disk."
        yield stop(words)
    else:
        yield ok(f"Checkpoints need about {units.size(need)}, {units.size(free)} free.")


def workspace(seen: BeforeStart) -> Iterator[PreflightFinding]:
    """Whether the workspace keeps its files."""
    if why := short_lived(seen.workspace):
        yield warn(
            f"{clean_line(why)} Start tunedeck in a permanent folder, or copy what you want to keep.",
        )
