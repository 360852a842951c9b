"""Trackers of TRL's own, held off from the training: what fails there is told, and costs no run."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from functools import partialmethod
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations.integration_utils import get_reporting_integration_callbacks

from core.clean import clean_line
from core.engine.worker import Worker

_NAMES: Mapping[str, str] = {
    "tensorboard": "TensorBoard",
    "wandb": "Weights & Biases",
    "mlflow": "MLflow",
    "trackio": "Trackio",
}


class Guarded(TrainerCallback):
    """A tracker that is dropped at its first failure: no login, no network, a store that cannot be written.

    Args:
        tracker: one of transformers' callbacks.
        name: of the tracker, for people.
        worker: hears of the failure.
    """

    def __init__(self, tracker: Any, name: str, worker: Worker) -> None:
        self._tracker = tracker
        self._name = name
        self._worker = worker
        self._failed = False

    def _pass_on(
        self, event: str, args: TrainingArguments, state: TrainerState, control: TrainerControl, **names: Any
    ) -> None:
        if self._failed:
            return
        try:
            getattr(self._tracker, event)(args, state, control, **names)
        except Exception as error:  # whatever a service or its client does must not cost the night's training
            self._failed = True
            traceback.print_exc()
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self._worker.event(
                "alert",
                f"{self._name} gets no more metrics of this run: {clean_line(first, 200).rstrip('.')}. The run goes "
                "on, and metrics.jsonl has them all; the traceback is in output.log.",
            )


for _event in [name for name in vars(TrainerCallback) if name.startswith("on_")]:
    setattr(Guarded, _event, partialmethod(Guarded._pass_on, _event))


def guard_trackers(trainer: Trainer, names: Sequence[str], worker: Worker) -> None:
    """Puts a guard around each tracker of a trainer.

    Args:
        trainer: with the trackers of its `report_to`.
        names: that `report_to`.
        worker: hears of failures.
    """
    kinds = dict(zip(get_reporting_integration_callbacks(list(names)), names, strict=True))
    for place, callback in enumerate(trainer.callback_handler.callbacks):
        name = kinds.get(type(callback))
        if name is not None:
            trainer.callback_handler.callbacks[place] = Guarded(callback, _NAMES.get(name, name), worker)
