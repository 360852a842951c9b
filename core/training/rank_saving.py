"""Checkpoints of several ranks: rank 0 writes for all, with what each of the others has of its own.

So only one process meets a full disk, waits for room and tries again; the others wait for it. Under FSDP each rank
holds a part of the weights, so all of them write together, and a full disk ends the run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.engine.worker import Worker
from core.errors import TunedeckError
from core.recipe.devices import is_sharded
from core.recipe.recipe import Recipe


class RankSaving:
    """What one checkpoint needs of all ranks; of a run of one process, nothing.

    Attributes:
        sharded: whether each rank holds a part of the weights.
        facts: of the checkpoint that is being written, what each rank has of its own; empty for one process.
        alone_now: whether rank 0 is writing while the others wait.
    """

    def __init__(self, worker: Worker, recipe: Recipe) -> None:
        self._worker = worker
        self.sharded = is_sharded(recipe)
        self.facts: list[dict[str, Any]] = []
        self.alone_now = False
        self._random: list[bytes] = []

    def gather(self, trainer: Any, facts: dict[str, Any]) -> None:
        """Collects what the ranks have of their own; each must call this at the same point.

        Args:
            trainer: a `SupervisedTrainer`.
            facts: of this rank.
        """
        rank = self._worker.rank
        if rank is None:
            return
        trainer.store_flos()
        with tempfile.TemporaryDirectory() as folder:
            trainer.save_random(folder)
            own = (Path(folder) / f"rng_state_{rank.number}.pth").read_bytes()
        self.facts, self._random = rank.gather(facts), rank.gather(own)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While the trainer writes its part.

        Raises:
            TunedeckError: the disk is full and the ranks cannot write again: they have met already.
        """
        self.alone_now = self._worker.rank is not None
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            if self.sharded:
                raise TunedeckError(
                    f"The checkpoint cannot be written: {error}", do="See that there is room"
                ) from error
            raise
        finally:
            self.alone_now = False

    def write_random(self, folder: Path) -> bool:
        """Writes the generators' states of all ranks; False for a run of one process, which writes its own."""
        rank = self._worker.rank
        if rank is None or not self.alone_now:
            return False
        if rank.number == 0:
            folder.mkdir(parents=True, exist_ok=True)
            for number, state in enumerate(self._random):
                (folder / f"rng_state_{number}.pth").write_bytes(state)
        return True

    def meet(self) -> None:
        """Waits until every rank is here."""
        if self._worker.rank is not None:
            self._worker.rank.gather(None)


def fsdp_settings(recipe: Recipe) -> dict[str, Any]:
    """FSDP as transformers takes it: whole layers a part, checkpoints that one process can load again."""
    return {
        "version": 2,
        "state_dict_type": "FULL_STATE_DICT",
        "activation_checkpointing": recipe.training.activation_checkpointing,
    }
