"""The training worker with something that happens to it at a step: `disturbed_training FOLDER`, told by variables.

`DISTURB_AT` is a step. Once its metrics are written, `DISTURB_BY` happens: `kill` (signal 9), or the name of a request
that is put into the folder and seen at once; `nan` makes a trained weight no number between that step and its metrics.
`DISTURB_TOKEN` is a number: the request is made before that token of the completions that are generated after the step.
`DISTURB_MEMORY` is a number of samples: a larger batch is more than the memory holds, from that step on
(`DISTURB_RANK`: on this rank alone). `DISTURB_GATE` makes something take long, until a file `open` lies in the folder:
the first `batch` after the step, a `prediction` of its evaluation, the `loading` of the model, the `saving` of a
checkpoint, the writing of its `weights`. It is reached when a file `reached` lies there.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.engine.worker import Worker
from core.jobs.folder import JobFolder
from core.recipe.recipe import from_json
from core.training import run
from tests.kit.waiting import until


def main(argv: Sequence[str]) -> int:
    """Trains, until it happens."""
    step, os.environ["DISTURB_FOLDER"] = int(os.environ["DISTURB_AT"]), argv[0]
    by, most = os.environ.get("DISTURB_BY", ""), int(os.environ.get("DISTURB_MEMORY", "0"))
    if by == "nan":
        _spoil_a_weight(step)
    elif "DISTURB_TOKEN" in os.environ:
        _disturb_generation(step, by, int(os.environ["DISTURB_TOKEN"]))
    else:
        _disturb(step, by)
    if most and os.environ.get("DISTURB_RANK") in (None, os.environ.get("RANK")):
        _limit_memory(step, most)
    if "DISTURB_GATE" in os.environ:
        _shut_gate(Path(argv[0]), os.environ["DISTURB_GATE"], step)
    return run.main(argv)


def _shut_gate(folder: Path, where: str, step: int) -> None:
    def wait() -> None:
        (folder / "reached").touch()
        until(lambda: (folder / "open").exists(), "somebody opens the gate", 600)

    if where == "loading":
        from core.engine import load

        load.load_base = _behind(load.load_base, lambda *_: wait())  # type: ignore[assignment]
        return
    if where == "saving":
        _before("_save_checkpoint", lambda *_: wait())
        return

    if where == "weights":
        _before("_save", lambda *_: wait())
        return

    def first(trainer: Any, *_: Any) -> None:
        if trainer.state.global_step == step and trainer.model.training == (where == "batch"):
            wait()

    _before("compute_loss", first)


def _before(method: str, first: Callable[..., None]) -> None:
    """Has something happen before a method of TRL's trainer for the run's task."""
    from core.training.tasks import training_of

    recipe = from_json(JobFolder(os.environ["DISTURB_FOLDER"]).read_job()["payload"]["recipe"])
    mine = training_of(recipe).trainer.__mro__
    trainer = next(each for each in mine if each.__module__.startswith("trl."))
    setattr(trainer, method, _behind(getattr(trainer, method), first))


def _behind(function: Callable[..., Any], first: Callable[..., None]) -> Callable[..., Any]:
    def both(*arguments: Any, **names: Any) -> Any:
        first(*arguments)
        return function(*arguments, **names)

    return both


def _disturb(step: int, by: str) -> None:
    write = Worker.metric

    def metric(self: Worker, values: Mapping[str, Any]) -> None:
        write(self, values)
        if values["step"] != step or "loss" not in values or not by:
            return
        if by == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        (self.folder.requests / by).write_text("{}")
        self._next_look = 0.0

    Worker.metric = metric  # type: ignore[method-assign]


def _disturb_generation(step: int, by: str, token: int) -> None:
    from core.training.rollouts import OnlineTrainer

    tick, seen = OnlineTrainer.tick, [0]

    def ticking(self: Any) -> None:
        if self.state.global_step == step and self._stepping:
            seen[0] += 1
            if seen[0] == token:
                for name in by.split(","):
                    (self._worker.folder.requests / name).write_text("{}")
                self._worker._next_look = 0.0
        tick(self)

    OnlineTrainer.tick = ticking  # type: ignore[method-assign]


def _spoil_a_weight(step: int) -> None:
    def first(trainer: Any, *_: Any) -> None:
        if trainer.state.global_step == step:
            weight = next(weight for weight in trainer.model.parameters() if weight.requires_grad)
            weight.data.view(-1)[0] = float("nan")

    _before("_maybe_log_save_evaluate", first)


def _limit_memory(step: int, most: int) -> None:
    import torch

    def first(trainer: Any, model: Any, inputs: Any, *_: Any) -> None:
        if trainer.state.global_step >= step and len(next(iter(inputs.values()))) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore words.")

    _before("compute_loss", first)
