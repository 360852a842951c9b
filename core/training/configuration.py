"""The recipe as TRL and PEFT read it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import peft

from core.engine import bottleneck
from core.engine.load import Hardware
from core.errors import BadInput
from core.recipe import schedule as schedules
from core.recipe.adapters import PeftConfig, Reach, adapter_of
from core.recipe.best_metric import best_metric
from core.recipe.devices import is_sharded
from core.recipe.optimizers import OPTIMIZERS
from core.recipe.recipe import Recipe
from core.recipe.schedulers import SCHEDULERS
from core.recipe.tasks import TASKS
from core.runs.checkpoint import Checkpoint
from core.training.adapter_details import details_of
from core.training.sharded import fsdp_settings
from core.training.targets import peft_targets
from core.training.tasks import training_of


def trainer_config(
    recipe: Recipe, on: Hardware, checkpoints: Path, *, evaluates: bool, resumed: Checkpoint | None = None
) -> Any:
    """TRL's configuration for a recipe, of the kind that its task's trainer takes; the arguments of the next."""
    arguments = trainer_arguments(recipe, on, checkpoints, evaluates=evaluates, resumed=resumed)
    return training_of(recipe).config(**arguments)


def trainer_arguments(
    recipe: Recipe, on: Hardware, checkpoints: Path, *, evaluates: bool, resumed: Checkpoint | None = None
) -> dict[str, Any]:
    """What that configuration is called with: plain values, which `core.training.script` prints as well.

    Args:
        recipe: the recipe.
        on: device and precision.
        checkpoints: where checkpoints go.
        evaluates: whether there are held-out samples.
        resumed: what the run resumes from; the base model's loss is known then.
    """
    training, best = recipe.training, best_metric(recipe)
    schedule, optimizer = SCHEDULERS[training.scheduler], OPTIMIZERS[training.optimizer]
    evaluates = evaluates and schedules.evaluates(recipe)
    sharded = is_sharded(recipe)
    seeks_best = evaluates and (training.keep_best or training.early_stopping > 0 or schedule.follows_eval)
    task = training_of(recipe)
    shared: dict[str, Any] = {
        "output_dir": str(checkpoints),
        "use_cpu": on.device.type == "cpu",
        "bf16": on.mixed == "bf16",
        "fp16": on.mixed == "fp16",
        "learning_rate": training.learning_rate,
        "num_train_epochs": training.epochs,
        "max_steps": training.max_steps or -1,
        "per_device_train_batch_size": training.batch_size,
        "per_device_eval_batch_size": training.eval_batch_size,
        "gradient_accumulation_steps": training.gradient_accumulation,
        "lr_scheduler_type": training.scheduler,
        "lr_scheduler_kwargs": _scheduler_arguments(recipe),
        "warmup_steps": _steps(training.warmup),
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "optim": training.optimizer,
        "optim_args": ",".join(f"{name}={value}" for name, value in optimizer.arguments(training).items()) or None,
        "adam_beta1": training.adam_beta1,
        "adam_beta2": training.adam_beta2,
        "adam_epsilon": training.adam_epsilon,
        "use_liger_kernel": training.liger,
        "torch_compile": training.compile != "none",
        "torch_compile_mode": None if training.compile == "none" else training.compile,
        "tf32": training.tf32 or None,
        "full_determinism": training.deterministic,
        "activation_checkpointing": training.activation_checkpointing and not sharded,
        "fsdp": sharded or None,
        "fsdp_config": fsdp_settings(recipe) if sharded else None,
        "train_sampling_strategy": "group_by_length" if training.group_by_length else "random",
        "neftune_noise_alpha": training.neftune_alpha or None,
        "seed": training.seed,
        "logging_steps": training.log_every,
        # Else a nan would be replaced by an average before anybody could see it.
        "logging_nan_inf_filter": False,
        # Per epoch becomes so many steps when these are counted: see `core.training.durable`.
        "eval_strategy": training.eval_strategy if evaluates else "no",
        "eval_steps": _steps(training.eval_every) if evaluates and training.eval_every > 0 else None,
        "eval_on_start": evaluates and (resumed is None or resumed.evaluation_due),
        # Not load_best_model_at_end: that wants an evaluation at each checkpoint. See `core.training.best`.
        "metric_for_best_model": best.name if seeks_best else None,
        "greater_is_better": best.better == "higher" if seeks_best else None,
        "save_strategy": training.save_strategy if schedules.saves(recipe) else "no",
        "save_steps": _steps(training.save_every) if training.save_every > 0 else 500,
        "save_only_model": training.save_only_model,
        "max_length": recipe.data.max_length,
        "dataloader_pin_memory": on.device.type == "cuda",
        "ddp_find_unused_parameters": False,
        "report_to": list(recipe.reporting.report_to) or "none",
        "run_name": checkpoints.parent.name,
        "project": recipe.reporting.project,
        "trackio_static_space_id": False,  # nothing goes to the hub by itself
        "disable_tqdm": True,
    }
    shared = {name: value for name, value in shared.items() if name not in task.lacks}
    return {**shared, **_of_some_tasks(recipe), **task.settings(recipe)}


def _of_some_tasks(recipe: Recipe) -> dict[str, Any]:
    """What only the configurations of some tasks have."""
    supports = TASKS[recipe.task].supports
    found: dict[str, Any] = {}
    if "data.truncation" in supports:
        found["truncation_mode"] = recipe.data.truncation
    if "training.activation_offloading" in supports:
        found["activation_offloading"] = recipe.training.activation_offloading
    return found


def _scheduler_arguments(recipe: Recipe) -> dict[str, Any] | None:
    """What the schedule takes besides the warmup; None where it takes nothing."""
    found = SCHEDULERS[recipe.training.scheduler].arguments(recipe.training)
    if SCHEDULERS[recipe.training.scheduler].follows_eval:
        found["mode"] = "max" if best_metric(recipe).better == "higher" else "min"
    return found or None


def _steps(value: float) -> int | float:
    """Steps as the trainer reads them: a share stays a fraction, a count becomes whole."""
    return value if value < 1 else int(value)


def adapter_config(recipe: Recipe, model: Any) -> peft.PeftConfig | None:
    """PEFT's configuration for a recipe; None where the model's own weights are trained.

    Raises:
        BadInput: a target names no layer of the language model, or one that cannot have an adapter.
    """
    found = adapter_arguments(recipe, model)
    return None if found is None else config_class(found.name)(**found.arguments)


def adapter_arguments(recipe: Recipe, model: Any) -> PeftConfig | None:
    """What that configuration is called with, its targets as this model names them.

    Raises:
        BadInput: as `adapter_config`.
    """
    adapter = adapter_of(recipe)
    plain = adapter.peft_config(recipe)
    if plain is None:
        return None
    chosen: dict[str, Any] = {}
    if head := TASKS[recipe.task].head:
        chosen["task_type"] = "SEQ_CLS"
    reach = adapter.reach(recipe)
    if reach is not None:
        chosen |= peft_targets(reach, model)
        if whole := (*reach.whole, *([head] if head else ())):
            chosen["modules_to_save"] = _whole_modules(replace(reach, whole=whole), model)
    arguments = {**plain.arguments, **chosen}
    return PeftConfig(plain.name, {**arguments, **details_of(plain.name, arguments, recipe, model)})


def config_class(name: str) -> Any:
    """PEFT's class of a configuration, or our own where PEFT has none; None where the installed one lacks it."""
    if name != bottleneck.BottleneckConfig.__name__:
        return getattr(peft, name, None)
    bottleneck.register()
    return bottleneck.BottleneckConfig


def _whole_modules(reach: Reach, model: Any) -> list[str]:
    """What peft is told to train whole, so that it is what was named.

    Peft takes every module whose name ends in the letters of one that is named (`norm` is `input_layernorm` as well),
    and ignores a name that no module has: such names are spelled out, and refused.

    Raises:
        BadInput: no module with weights of its own has the name.
    """
    modules = dict(model.named_modules())
    with_weights = [name for name in modules if next(modules[name].parameters(recurse=False), None) is not None]
    found: list[str] = []
    for wanted in reach.whole:
        meant = [name for name in with_weights if name == wanted or name.endswith(f".{wanted}")]
        if not meant:
            last = list(dict.fromkeys(name.rpartition(".")[2] for name in with_weights))
            raise BadInput(
                f"The model has no module named {wanted!r}",
                where=f"{reach.section}.modules_to_save",
                do=f"Use some of {', '.join(last[:12])}, or leave it empty",
            )
        taken = [name for name in modules if name.endswith(wanted)]
        found += [wanted] if taken == meant else meant
    return found
