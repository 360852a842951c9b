"""What a run has trained, saved in another place, where its own folder was deleted or cannot be reached at its end."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any

from core.engine.worker import Worker, WorkerStopped
from core.jobs.files import JobGone, Unreachable, apply_umask, sync_tree
from core.jobs.rescue import new_folders
from core.jobs.status import STOPPED
from core.recipe.adapters import adapter_of
from core.recipe.devices import is_sharded
from core.recipe.recipe import Recipe
from core.recipe.tasks import headline_of
from core.runs.saved import weights_at
from core.training.finite import Guard
from core.training.saving import saved_bytes, weights_writer

Lost = JobGone | Unreachable | WorkerStopped

_REASONS = {JobGone: "was deleted", Unreachable: "could not be reached", WorkerStopped: "could not be written to"}


def rescued(worker: Worker, recipe: Recipe, trainer: Any, tokenizer: Any, lost: Lost) -> Lost:
    """Saves the weights as they are now in the next place that is writable, on the rank that writes.

    Args:
        worker: of the run that ends.
        recipe: of the run.
        trainer: with the model; nothing is saved before its first step.
        tokenizer: as training used it.
        lost: why the run ends.

    Returns:
        The same, which says now where they are, or that they are lost.
    """
    step = trainer.state.global_step
    if not step or not trainer.args.should_save:
        return lost
    try:
        words = _save(worker, recipe, trainer, tokenizer, lost)
    except Exception as error:  # whatever goes wrong here, the run ends for the reason that it had
        words = f"The trained weights could not be saved anywhere: {error}"
    if isinstance(lost, WorkerStopped):
        return WorkerStopped(f"{lost.message} {words}")
    return type(lost)(lost.what, where=lost.where, do=words)


def _save(worker: Worker, recipe: Recipe, trainer: Any, tokenizer: Any, lost: Lost) -> str:
    from core.recipe.yamlfile import save  # PyYAML: only where a recipe is written

    step, of = trainer.state.global_step, trainer.state.max_steps
    if is_sharded(recipe):
        return "The trained weights are lost: each rank holds a part of them, and one alone cannot save them."
    Guard(recipe, "no").weights(trainer.model, step)
    model = trainer.accelerator.unwrap_model(trainer.model)
    own = worker.folder
    note = f"Saved here because its run lost its folder, `{own.path}`"
    saved = weights_at(trainer.state.log_history, step, step, of, recipe.task, headline_of(recipe))
    write = weights_writer(model, tokenizer, recipe, saved, begun=trainer.begun, note=note)
    for folder in new_folders(own.path, worker.job, saved_bytes(model)):
        target = folder.path / adapter_of(recipe).folder
        try:
            write(target)
            apply_umask(target)
            save(recipe, folder.recipe, portable=False)
            sync_tree(folder.path)
            reason = _REASONS[type(lost)]
            message = f"The folder of run {own.id} {reason}; these are the weights of step {step:,} of {of:,}."
            folder.append_event("summary", message, path=os.fspath(target), steps=step, saved_step=step)
            folder.write_status(state=STOPPED, message=message, step=step, of=of, ended=round(time.time(), 3))
        except Exception:  # no room after all, as each writer says it in its own way
            shutil.rmtree(folder.path, ignore_errors=True)
            continue
        return f"The weights of step {step:,} are saved in {target}"
    return "The trained weights are lost: no other folder could be written"
