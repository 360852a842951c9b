"""What an adapter needs between being put into the model and the first step: data for EVA, its optimizer for LoRA+.

PiSSA and OLoRA take a part out of the base model's weights, and the adapter starts as that part. What was taken out is
kept: the saved adapter is the difference from it, so that it fits the base model as anybody else has it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from core.engine.token_rows import readable_head
from core.engine.worker import Worker
from core.errors import BadInput
from core.recipe.adapters import adapter_of
from core.recipe.adapters.lora import LORA, RESIDUAL
from core.recipe.recipe import Recipe
from core.runs.origin import RESIDUE

FILE = RESIDUE
"""In a run's folder: what PiSSA or OLoRA took out of the base model."""

_BATCHES = 32
"""Batches that EVA reads at most."""

_NAME = "default"


def start(trainer: Any, recipe: Recipe, worker: Worker, *, resumed: bool, continued: bool) -> None:
    """Makes an adapter what the recipe says that it starts as.

    Args:
        trainer: as it was built.
        recipe: that it was built from.
        worker: the run's folder.
        resumed: whether a checkpoint's weights are about to be loaded.
        continued: whether it is the adapter of another run, which is trained further.

    Raises:
        BadInput: it cannot start like this with this task.
    """
    lora = recipe.lora
    readable_head(trainer.model)
    if continued:
        trainer.initialized = lora.init
    elif lora.init == "eva":
        if not resumed:
            worker.phase("loading", "Initializing the adapter from your data (EVA).")
            _eva(trainer, recipe)
        trainer.initialized = "eva"
    elif lora.init in RESIDUAL:
        taken = _factors(trainer.model)
        _keep(worker.folder.path / FILE, taken, trainer.model, first=worker.rank is None or worker.rank.number == 0)
        trainer.model.initial_adapter = taken
        if any(factor.any() for name, factor in taken.items() if ".lora_B." in name):
            trainer.initialized = lora.init


def _eva(trainer: Any, recipe: Recipe) -> None:
    from peft import initialize_lora_eva_weights

    rows, size = trainer.train_dataset, max(1, recipe.training.batch_size)
    batches = []
    for first in range(0, min(len(rows), _BATCHES * size), size):
        ids = [_ids(rows[place])[: recipe.data.max_length] for place in range(first, min(len(rows), first + size))]
        longest = max(map(len, ids))
        padded = torch.zeros((len(ids), longest), dtype=torch.long)
        mask = torch.zeros_like(padded)
        for place, row in enumerate(ids):
            padded[place, : len(row)] = torch.tensor(row)
            mask[place, : len(row)] = 1
        batches.append({"input_ids": padded, "attention_mask": mask})
    model = trainer.model
    before = model.peft_config[_NAME].eva_config
    state = torch.random.get_rng_state()
    try:
        initialize_lora_eva_weights(model, batches, gather_distributed_inputs=False, show_progress_bar=False)
    except ValueError as error:
        raise BadInput(
            f"EVA could not be computed on these samples: {error}",
            where="lora.init",
            do="Use more or longer samples, a smaller rank, or the default",
        ) from error
    finally:
        torch.random.set_rng_state(state)  # the order of the samples must not hang on how EVA converged
    model.peft_config[_NAME].eva_config = before


def _ids(row: Mapping[str, Any]) -> list[int]:
    """The tokens of a sample, whatever the task's columns are."""
    if "input_ids" in row:
        return list(row["input_ids"])
    parts = [row[name] for name in ("prompt_ids", "chosen_ids", "completion_ids") if name in row]
    if not parts:
        raise BadInput(
            "EVA reads tokens of the training data, which this task does not have before it generates",
            where="lora.init",
            do="Use the default",
        )
    return [token for part in parts for token in part]


def _factors(model: Any) -> dict[str, torch.Tensor]:
    """Copies of the adapter's factors, by the names that they have in the saved file."""
    from peft import get_peft_model_state_dict

    found = get_peft_model_state_dict(model)
    return {
        name: weight.detach().cpu().clone()
        for name, weight in found.items()
        if ".lora_A." in name or ".lora_B." in name
    }


def _keep(path: Path, taken: dict[str, torch.Tensor], model: Any, *, first: bool) -> None:
    """Writes what was taken out of the base model; where a run before this one took something else, that counts.

    A decomposition may come out otherwise on another machine. The base model's rest is then made what it was.
    """
    if not path.exists():
        if first:
            save_file(taken, path)
        return
    before = load_file(path)
    if all(name in before and torch.equal(before[name], taken[name]) for name in taken):
        return
    for name, module in model.named_modules():
        key = f"{name}.lora_A.weight"
        if key not in before:
            continue
        down, up = before[key], before[f"{name}.lora_B.weight"]
        weight = module.get_base_layer().weight
        now = taken[f"{name}.lora_B.weight"].float() @ taken[key].float()
        change = module.scaling[_NAME] * (now - up.float() @ down.float())
        change = change.T if module.fan_in_fan_out else change
        weight.data = (weight.data.float() + change.to(weight.device)).to(weight.dtype)
    taken.update(before)


def plus_ratio(recipe: Recipe) -> float:
    """How much faster B is trained than A; 0 where LoRA+ is off."""
    return recipe.lora.plus_ratio if adapter_of(recipe).section == LORA.section else 0.0


def loraplus(trainer: Any, ratio: float) -> Any:
    """The optimizer of the recipe with a learning rate of its own for B, by peft's own groups."""
    from peft.optimizers import create_loraplus_optimizer

    kind, arguments = trainer.get_optimizer_cls_and_kwargs(trainer.args, trainer.model)
    rate = arguments.pop("lr")
    return create_loraplus_optimizer(
        trainer.model,
        kind,
        lr=rate,
        loraplus_lr_ratio=ratio,
        loraplus_weight_decay=trainer.args.weight_decay,
        **arguments,
    )


def fit_base(model: Any, folder: Path) -> None:
    """Makes a saved adapter fit the base model: it becomes the difference from what it started as.

    Args:
        model: as it was trained.
        folder: where it was saved.
    """
    taken: dict[str, torch.Tensor] = getattr(model, "initial_adapter", {})
    if not taken:
        return
    file, settings = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    weights = load_file(file)
    for name, start in taken.items():
        now = weights[name]
        start = start.to(now.dtype)
        joined = (now, start) if ".lora_A." in name else (now, -start)
        weights[name] = torch.cat(joined, dim=0 if ".lora_A." in name else 1).contiguous()
    save_file(weights, file, metadata={"format": "pt"})
    config = json.loads(settings.read_text(encoding="utf-8"))
    by_root = math.sqrt(2) if config.get("use_rslora") else 2
    config.update(r=2 * config["r"], lora_alpha=by_root * config["lora_alpha"], init_lora_weights=True)
    config["rank_pattern"] = {key: 2 * rank for key, rank in (config.get("rank_pattern") or {}).items()}
    config["alpha_pattern"] = {key: by_root * alpha for key, alpha in (config.get("alpha_pattern") or {}).items()}
    settings.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
