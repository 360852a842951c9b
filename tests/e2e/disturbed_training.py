"""The training worker with something that happens to it at a step: `disturbed_training FOLDER`, told by variables.

`DISTURB_AT` is a step. Once its metrics are written, `DISTURB_BY` happens: `kill` (signal 9), or the name of a request
that is put into the folder and seen at once. `DISTURB_MEMORY` is a number of samples: a larger batch is more than the
memory holds, from that step on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from core.engine.worker import Worker
from core.training import run


def main(argv: Sequence[str]) -> int:
    """Trains, until it happens."""
    step = int(os.environ["DISTURB_AT"])
    by, most = os.environ.get("DISTURB_BY", ""), int(os.environ.get("DISTURB_MEMORY", "0"))
    _disturb(step, by)
    if most:
        _limit_memory(step, most)
    return run.main(argv)


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


def _limit_memory(step: int, most: int) -> None:
    import torch
    from trl import SFTTrainer

    compute = SFTTrainer.compute_loss

    def compute_loss(self: Any, model: Any, inputs: Any, *arguments: Any, **names: Any) -> Any:
        if self.state.global_step >= step and len(inputs["input_ids"]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore words.")
        return compute(self, model, inputs, *arguments, **names)

    SFTTrainer.compute_loss = compute_loss
