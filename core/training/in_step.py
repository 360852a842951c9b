"""Requests in the middle of a step or an evaluation: the last whole step is saved as if nothing had come after it.

A step of many batches, or a long evaluation, may take minutes. Weights and optimizer are still those of the last whole
step then; the generators of random numbers and what was gathered for the next line of metrics are not, so they are kept
at the beginning of each step.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy
import torch


class StepAbandoned(Exception):
    """The run is to stop in the middle of a step: what follows is as if the step had not begun."""


@dataclass(frozen=True, slots=True)
class RandomStates:
    """The states of all generators of random numbers."""

    python: Any
    numbers: Any
    cpu: torch.Tensor
    gpus: list[torch.Tensor]

    @classmethod
    def now(cls) -> RandomStates:
        """As they are."""
        return cls(
            random.getstate(),
            numpy.random.get_state(),
            torch.random.get_rng_state(),
            torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        )

    def put(self) -> None:
        """Brings them back."""
        random.setstate(self.python)
        numpy.random.set_state(self.numbers)
        torch.random.set_rng_state(self.cpu)
        if self.gpus:
            torch.cuda.set_rng_state_all(self.gpus)


@dataclass(frozen=True, slots=True)
class _Before:
    """What a step changes besides weights and optimizer."""

    randoms: RandomStates
    loss: torch.Tensor
    metrics: dict[str, list[Any]]
    tokens: Any
    beside: Any

    @classmethod
    def of(cls, trainer: Any) -> _Before:
        return cls(
            RandomStates.now(),
            trainer._tr_loss.clone(),
            {name: list(values) for name, values in trainer._metrics["train"].items()},
            trainer._total_train_tokens,
            trainer.beside(),
        )

    def bring_back(self, trainer: Any) -> None:
        self.randoms.put()
        trainer._tr_loss.copy_(self.loss)
        trainer._metrics["train"].clear()
        trainer._metrics["train"].update({name: list(values) for name, values in self.metrics.items()})
        trainer._total_train_tokens = self.tokens
        trainer.put_beside(self.beside)


class InStep:
    """Saves in the middle of things.

    Args:
        trainer: a `DurableTrainer`.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._before: _Before | None = None
        self._first = False
        self._always = False

    def keep_always(self) -> None:
        """Also where a step has one batch: it may take long all the same."""
        self._always = True

    @property
    def _keeps(self) -> bool:
        return self._always or self._trainer.args.gradient_accumulation_steps > 1

    def epoch_begins(self, *, whole: bool) -> None:
        """Before the samples of an epoch are put in order, which draws random numbers.

        Args:
            whole: whether the epoch is trained from its beginning, not from a checkpoint in the middle of it.
        """
        self._first = whole
        if whole and self._keeps and self._trainer.state.global_step:
            self._before = _Before.of(self._trainer)

    def step_begins(self) -> None:
        """Before the first batch of a step. Some 50 us, and only where a step has several."""
        if self._keeps and not self._first:
            self._before = _Before.of(self._trainer)
        self._first = False

    def save(self) -> None:
        """Writes a checkpoint of the last whole step, between two batches of the next."""
        assert self._before is not None, "a step with several batches has begun"
        with self._as_before(self._before):
            self._trainer._save_now()

    def back_to_last_step(self) -> None:
        """Forgets the batches of the step that is not whole: what follows is as if it had not begun."""
        if self._before is not None:
            self._before.bring_back(self._trainer)

    def save_evaluating(self) -> None:
        """Writes a checkpoint of this step in the middle of its evaluation, which is then still to be made."""
        self._trainer._evaluation_due = True
        try:
            self._trainer._save_now()
        finally:
            self._trainer._evaluation_due = False

    @contextmanager
    def _as_before(self, before: _Before) -> Iterator[None]:
        now = _Before.of(self._trainer)
        before.bring_back(self._trainer)
        try:
            yield
        finally:
            now.bring_back(self._trainer)
