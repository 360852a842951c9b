"""The exact memory of a run before it starts: two steps of its own trainer on fake tensors, no weights loaded.

The trainer is the one of the run (`core.training.build.build`), and so are model class, adapter, collator, loss and
optimizer. Torch's fake tensors have shapes and types and no numbers, so a model of any size takes no memory, and a
tracker counts the bytes that would be alive at each operation. Kernels of a GPU that torch on this machine does not
have are represented by their shapes (`core.training.stand_ins`).

Not counted: the CUDA context, what the allocator reserves beyond what is in use, workspaces inside of kernels, and how
several ranks share weights. The first is added as in `core.recipe.memory`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from core.engine.load import Hardware, load_base, load_tokenizer
from core.engine.unloaded import without_weights
from core.engine.worker import Worker
from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.recipe.adapters import adapter_of
from core.recipe.devices import is_sharded
from core.recipe.precision import DeviceType, precision_of
from core.recipe.recipe import Recipe, put, to_json
from core.recipe.tasks import TASKS
from core.recipe.tasks.task import ColumnKind
from core.training.build import build, widen
from core.training.stand_ins import FakeStep, as_on, pack_linear, replaced

_STEPS = 2
"""Optimizer steps: the second has the optimizer's states from its beginning."""


@dataclass(frozen=True, slots=True)
class StepMemory:
    """What two steps take.

    Attributes:
        peak: the most bytes that were alive at once, weights included.
        held: bytes that are alive between the steps: weights, adapter, optimizer states.
        seconds: how long it took to find out.
    """

    peak: int
    held: int
    seconds: float


def measure_step(
    recipe: Recipe,
    device: DeviceType,
    *,
    lengths: Sequence[tuple[int, int]] = (),
    tokenizer: Any = None,
    triton: bool = True,
) -> StepMemory:
    """The memory of a step of this recipe.

    Args:
        recipe: what is trained and how; only the model's `config.json` and tokenizer are read.
        device: where the run would be.
        lengths: tokens and trained tokens of the longest samples, longest first; where unknown, all have the max
            length.
        tokenizer: the model's, where it is loaded already.
        triton: whether the GPU's torch has Triton.

    Raises:
        BadInput: model and recipe do not fit together.
    """
    began = time.monotonic()
    _refuse(recipe)
    small = two_steps(recipe)
    held = precision_of(recipe.model.dtype, device, whole=adapter_of(recipe).whole)
    # Float16 has the sizes of bfloat16, and accelerate refuses it without a GPU.
    weights = torch.bfloat16 if held.weights == "float16" else getattr(torch, held.weights)
    on = Hardware(torch.device("cpu"), weights, "bf16" if held.mixed != "no" else "no", device)
    tokenizer = load_tokenizer(recipe.model) if tokenizer is None else tokenizer
    rows = rows_of(small, lengths)
    with tempfile.TemporaryDirectory(prefix="tunedeck-") as name, ExitStack() as stack:
        folder = JobFolder.create(name, "forecast", "training", payload={"recipe": to_json(small)})
        worker = Worker(folder)
        fake = FakeTensorMode(allow_non_fake_inputs=True)
        step = FakeStep(fake, 64 if device == "cpu" else 512)
        stack.enter_context(_unmoved())
        stack.enter_context(as_on(device, triton=triton))
        stack.enter_context(without_weights(lambda model: _packed(model, recipe, on)))
        stack.enter_context(fake)
        stack.enter_context(step)
        model = load_base(small.model, on, head=TASKS[recipe.task].head)
        trainer = build(worker, small, on, model, tokenizer, (rows, None))
        if held.mixed == "fp16":
            widen(trainer.model)
        if device != "cpu":
            _as_foreach(trainer)
        trainer.args.train_sampling_strategy = "sequential"
        step.reset()
        trainer.train()
        found = StepMemory(step.peak, step.live, time.monotonic() - began)
        del trainer, model
    return found


def _refuse(recipe: Recipe) -> None:
    """Makes sure that two steps of one process say what the run takes.

    Raises:
        BadInput: they do not.
    """
    title, use = TASKS[recipe.task].title, "Use the estimate from tensor shapes"
    if is_sharded(recipe):
        raise BadInput("No exact forecast with fsdp, which shards the weights across GPUs", do=use)
    if TASKS[recipe.task].generates:
        raise BadInput(f"No exact forecast for {title}: its steps depend on the text that the model writes", do=use)


def two_steps(recipe: Recipe) -> Recipe:
    """The recipe of two steps with nothing around them; more than two batches a step take no more memory than two."""
    changes: dict[str, Any] = {
        "starts_from": "",
        "training.max_steps": _STEPS,
        "training.epochs": 1.0,
        "training.gradient_accumulation": min(2, recipe.training.gradient_accumulation),
        "training.eval_every": 0.0,
        "training.save_every": 0.0,
        "training.early_stopping": 0,
        "training.keep_best": False,
        "training.group_by_length": False,
        "training.devices": "cpu",
        "training.parallel": "ddp",
        "reporting.report_to": (),
    }
    for path, value in changes.items():
        recipe = put(recipe, path, value)
    return recipe


def rows_of(recipe: Recipe, lengths: Sequence[tuple[int, int]]) -> Any:
    """As many rows as two steps take, each batch the longest that there can be."""
    from datasets import Dataset

    training, most = recipe.training, recipe.data.max_length
    row = partial(_row, TASKS[recipe.task].columns)
    batches = _STEPS * training.gradient_accumulation
    if recipe.data.packing != "none":  # two documents in each sequence, so that there is a border between documents
        return Dataset.from_list([row(most // 2, most // 2)] * (2 * training.batch_size * batches))
    batch = [(min(tokens, most), min(trained, most)) for tokens, trained in lengths[: training.batch_size]]
    while len(batch) < training.batch_size:  # of unlike lengths, so that there is padding as in nearly every batch
        shorter = max(2, most - len(batch))
        batch.append((shorter, shorter))
    return Dataset.from_list([row(tokens, trained) for tokens, trained in batch] * batches)


def _row(columns: Mapping[str, ColumnKind], tokens: int, trained: int) -> dict[str, Any]:
    """A row of a trainer's dataset whose longest sequence has so many tokens, of which so many are trained."""
    trained = max(1, min(trained, tokens - 1))
    apart = "prompt_ids" in columns
    plain: dict[str, Any] = {"flag": True, "number": 0.0, "text": "", "json": "null"}
    row: dict[str, Any] = {}
    for name, kind in columns.items():
        if kind != "tokens":
            row[name] = plain[kind]
        elif name.endswith("labels"):
            row[name] = [-100] * (tokens - trained) + [1] * trained
        elif apart:
            row[name] = [1] * (tokens - trained if name == "prompt_ids" else trained)
        else:
            row[name] = [1] * tokens
    return row


def _packed(model: Any, recipe: Recipe, on: Hardware) -> None:
    """Packs the layers of a base that the recipe quantizes, or that is stored quantized."""
    settings, stored = recipe.model, getattr(model.config, "quantization_config", None)
    if stored:
        said = stored if isinstance(stored, dict) else stored.to_dict()
        kind = "nf4" if said.get("load_in_4bit") else "int8" if said.get("load_in_8bit") else ""
        if not kind:
            raise BadInput("No exact forecast for weights that are stored quantized in this way")
        double = bool(said.get("bnb_4bit_use_double_quant"))
        settings = replace(settings, quantization=kind, double_quantization=double)
    if settings.quantization != "none":
        pack_linear(model, settings, on.compute, TASKS[recipe.task].head)


@contextmanager
def _unmoved() -> Iterator[None]:
    """Leaves fake tensors where they are, and random numbers alone."""
    import peft.tuners.tuners_utils as tuners

    def to(module: Any, *arguments: Any, **named: Any) -> Any:
        kind = named.get("dtype") or next((each for each in arguments if isinstance(each, torch.dtype)), None)
        if kind is not None:
            for weight in module.parameters():
                if weight.is_floating_point():
                    weight.data = weight.data.to(kind)
        return module

    with ExitStack() as stack:
        stack.enter_context(replaced(torch.nn.Module, "to", to))
        stack.enter_context(
            replaced(tuners.BaseTunerLayer, "_move_adapter_to_device_of_base_layer", lambda *_, **__: None)
        )
        yield


def _as_foreach(trainer: Any) -> None:
    """Has AdamW's many small kernels work on all weights at once, as they do on a GPU."""
    if trainer.args.optim == "adamw_torch":
        trainer.create_optimizer()
        for group in trainer.optimizer.param_groups:
            group["foreach"] = True
