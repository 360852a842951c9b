"""Checkpoints of several ranks: rank 0 writes for all, with what each of the others has of its own.

So only one process meets a full disk, waits for room and tries again; the others wait for it. Under FSDP each rank
holds a part of the weights: at every try they put them together again, and rank 0 says whether there is another.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.engine.worker import Worker
from core.recipe.adapters import adapter_of
from core.recipe.devices import is_sharded
from core.recipe.recipe import Recipe
from core.training.sharded import checkpoint_parts


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
        self._trained_only = not adapter_of(recipe).whole
        self._random: list[bytes] = []

    def gather(self, trainer: Any, facts: dict[str, Any]) -> None:
        """Collects what the ranks have of their own; each must call this at the same point.

        Args:
            trainer: a `DurableTrainer`.
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
    def writing(self, trainer: Any) -> Iterator[None]:
        """While rank 0 alone has the trainer write its part."""
        args = trainer.args
        strategy = args.save_strategy
        self.alone_now = self._worker.rank is not None
        if self.alone_now:
            args.save_strategy = (
                "no"  # else the trainer waits for all ranks, once it knows which checkpoint is the best
            )
        try:
            yield
        finally:
            args.save_strategy = strategy
            self.alone_now = False

    def write_parts(self, trainer: Any, folder: Path) -> None:
        """Writes what each rank has a part of, while the others are in `help_write`. On rank 0, and only there.

        Raises:
            Exception: it could not be written. All parts have been put together all the same,
                so this may be called again.
        """
        assert self._worker.rank is not None
        self._worker.rank.share([1])
        failure: Exception | None = None
        for part in checkpoint_parts(trainer, trained_only=self._trained_only):
            whole = part.gather()
            try:
                if failure is None:
                    part.write(whole, folder)
            except Exception as error:  # whatever it was, the others are still giving their parts
                failure = error
            del whole
        if failure is not None:
            raise failure

    def help_write(self, trainer: Any) -> None:
        """Puts this rank's parts to the others' as often as rank 0 tries to write them. On all ranks but that."""
        assert self._worker.rank is not None
        while self._worker.rank.share([0]) == [1]:
            for part in checkpoint_parts(trainer, trained_only=self._trained_only):
                part.gather()

    def written(self) -> None:
        """Tells those in `help_write` that there is nothing left to write. On rank 0."""
        if self._worker.rank is not None and self.sharded:
            self._worker.rank.share([0])

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

    def barrier(self) -> None:
        """Waits until every rank is here."""
        if self._worker.rank is not None:
            self._worker.rank.gather(None)
