"""The best evaluation by the metric that the recipe chooses: it ends runs, and its weights are saved."""

from __future__ import annotations

from typing import Any

from transformers import EarlyStoppingCallback, TrainerControl, TrainerState, TrainingArguments

from core.engine.worker import Worker
from core.errors import BadInput
from core.recipe.best_metric import best_metric
from core.recipe.recipe import Recipe
from core.runs.checkpoint import Checkpoint, read, refuse_damaged
from core.training.durable import DurableTrainer


class EarlyStopping(EarlyStoppingCallback):
    """transformers' own rule; says so when it ends a run, and counts on where a checkpoint left off.

    Args:
        worker: gets an event of the end.
        recipe: for patience and minimum improvement; a patience of 0 never ends a run.
        resumed: what the run resumes from.
    """

    def __init__(self, worker: Worker, recipe: Recipe, resumed: Checkpoint | None) -> None:
        training = recipe.training
        super().__init__(training.early_stopping, training.early_stopping_threshold)
        self._worker = worker
        self._best = best_metric(recipe)
        self.early_stopping_patience_counter = 0 if resumed is None else resumed.without_gain

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Makes room for its count in a state that comes from a checkpoint without one."""
        state.stateful_callbacks.setdefault(type(self).__name__, self.state())

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: Any, **_: Any
    ) -> None:
        """Counts; after too many evaluations without a gain, the run ends."""
        if not self.early_stopping_patience or state.global_step == 0:
            return
        super().on_evaluate(args, state, control, metrics)
        if control.should_training_stop and self.early_stopping_patience_counter >= self.early_stopping_patience:
            waited, best = self.early_stopping_patience_counter, f"{state.best_metric:.4f}"
            gain = f"{'lower' if self._best.better == 'lower' else 'raise'} the {self._best.title}"
            self._worker.event(
                "early_stop",
                f"Early stopping at step {state.global_step:,}: {waited} evaluations in a row did not {gain}. "
                f"The best was {best} at step {state.best_global_step:,}.",
                step=state.global_step,
                best_step=state.best_global_step,
                **{f"best_{self._best.name}": state.best_metric},
            )


def load_best(worker: Worker, trainer: DurableTrainer) -> int | None:
    """Puts the weights of the best checkpoint into a trained model.

    Args:
        worker: gets an event where a checkpoint is no longer there.
        trainer: at its end.

    Returns:
        The step of the best; None where no evaluation was better than another, or the checkpoint is damaged: then
        the last weights stay.
    """
    step: int | None = trainer.state.best_global_step
    if step is None or step == trainer.state.global_step:
        return step
    path = worker.folder.checkpoints / f"checkpoint-{step}"
    try:
        read(path)
        refuse_damaged(path)
    except BadInput as error:
        worker.event(
            "alert", f"The best weights (step {step:,}) cannot be read; the last weights are saved instead. {error}"
        )
        return None
    trainer.load_weights(path)
    return step
