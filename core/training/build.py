"""From recipe, model, tokenizer and encoded rows to a trainer: the one place where these meet.

An adapter that is trained further comes as a model of peft's with its weights in it. TRL's trainers that compare with
a reference then keep a frozen copy of that adapter (`ref`) for it, so that the reference is the model that the run
started from, not the bare base.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback

from core.engine.load import Hardware
from core.engine.unloaded import only_shapes
from core.engine.worker import Worker
from core.recipe.recipe import Recipe, put
from core.recipe.trackers import point_to_run
from core.runs.checkpoint import Checkpoint
from core.runs.origin import started
from core.training.adapter_start import start
from core.training.configuration import adapter_config, trainer_config
from core.training.durable import DurableTrainer
from core.training.finite import Guard
from core.training.starting import continued, with_own_base
from core.training.targets import freeze_first_layers, freeze_outside
from core.training.tasks import training_of
from core.training.trackers import guard_trackers, usable_trackers


def build(
    worker: Worker,
    recipe: Recipe,
    on: Hardware,
    model: Any,
    tokenizer: Any,
    rows: tuple[Any, Any],
    *,
    resumed: Checkpoint | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> DurableTrainer:
    """The trainer of a recipe's task, ready for its first step.

    Args:
        worker: the job's folder, where checkpoints go.
        recipe: the recipe.
        on: device and precision.
        model: as `load_base` gives it; the adapter is put into it here.
        tokenizer: of the model.
        rows: what is trained on and what is held out (None for nothing), as `encode_view` gives them.
        resumed: what the run resumes from.
        callbacks: called after each step.

    Raises:
        BadInput: recipe and model do not fit together.
    """
    train_rows, eval_rows = rows
    if recipe.reporting.report_to:  # else the environment of a process that only forecasts would name its folder
        point_to_run(recipe, worker.folder.path)
    trackers = usable_trackers(recipe.reporting.report_to, worker)
    reported = put(recipe, "reporting.report_to", tuple(trackers))
    evaluates = eval_rows is not None
    config = trainer_config(reported, on, worker.folder.checkpoints, evaluates=evaluates, resumed=resumed)
    adapter = adapter_config(recipe, model)
    if adapter is None:
        freeze_outside(model)
        freeze_first_layers(model, recipe)
    task, run = training_of(recipe), worker.folder.path
    begun = continued(model, run, adapter)
    trainer = task.trainer(
        worker=worker,
        guard=Guard(recipe, on.mixed),
        recipe=recipe,
        model=model if begun is None else begun,
        args=config,
        train_dataset=train_rows,
        eval_dataset=eval_rows if config.eval_strategy != "no" else None,
        processing_class=tokenizer,
        peft_config=adapter if begun is None else None,
        callbacks=list(callbacks),
        **task.models(with_own_base(recipe, run), on, adapter),
        **task.companions(worker, recipe, on),
    )
    trainer.begun = started(run)
    trainer.remove_callback(PrinterCallback)
    guard_trackers(trainer, trackers, worker)
    if on.mixed == "fp16":
        widen(trainer.model)
    if adapter is not None and not only_shapes():
        start(trainer, recipe, worker, resumed=resumed is not None, continued=begun is not None)
    return trainer


def widen(model: Any) -> None:
    """Makes what is trained float32: TRL makes the adapter of a quantized base bfloat16, which float16's loss scaling
    cannot handle.

    Args:
        model: the trainer's.
    """
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.to(torch.float32)
