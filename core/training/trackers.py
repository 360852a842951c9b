"""Trackers of TRL's own, held off from the training: failures there are reported, and end no run."""

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
        worker: gets an event of the failure.
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
            _warn(self._worker, f"{self._name} receives no more metrics from this run", error)


for _event in [name for name in vars(TrainerCallback) if name.startswith("on_")]:
    setattr(Guarded, _event, partialmethod(Guarded._pass_on, _event))


def usable_trackers(names: Sequence[str], worker: Worker) -> list[str]:
    """Those trackers whose package can be imported, in the versions that are there.

    Args:
        names: a recipe's `report_to`.
        worker: gets an event of the others.
    """
    found = []
    for name, kind in zip(names, get_reporting_integration_callbacks(list(names)), strict=True):
        try:
            kind()
        except Exception as error:  # what another package raises while it is imported can be anything
            _warn(worker, f"{_NAMES.get(name, name)} cannot be used here, so it receives no metrics", error)
        else:
            found.append(name)
    return found


def guard_trackers(trainer: Trainer, names: Sequence[str], worker: Worker) -> None:
    """Puts a guard around each tracker of a trainer.

    Args:
        trainer: with the trackers of its `report_to`.
        names: that `report_to`.
        worker: gets an event of failures.
    """
    kinds = dict(zip(get_reporting_integration_callbacks(list(names)), names, strict=True))
    for place, callback in enumerate(trainer.callback_handler.callbacks):
        name = kinds.get(type(callback))
        if name is not None:
            trainer.callback_handler.callbacks[place] = Guarded(callback, _NAMES.get(name, name), worker)


def _warn(worker: Worker, what: str, error: Exception) -> None:
    traceback.print_exc()
    first = clean_line((str(error).strip().splitlines() or [type(error).__name__])[0], 200).rstrip(".")
    words = f"{what}: {first}. Training continues, and metrics.jsonl has all metrics. The traceback is in output.log."
    worker.event("alert", words)
