"""No silent success: a loss, gradient or weight that is no number ends the run in that very step."""

from __future__ import annotations

import math
from typing import Any

from core.errors import TunedeckError
from core.recipe.recipe import Recipe
from core.recipe.values import number_text

_SKIPPED_STEPS = 30
"""Optimizer steps in a row that float16's loss scaling may skip. It halves the scale each time, and after 30 of
them nothing is left of it: the gradients are not too large then, they are broken."""


class NotFinite(TunedeckError):
    """A loss, gradient or weight became nan or infinite."""


class Guard:
    """Watches that everything stays finite.

    Args:
        recipe: for what to change.
        mixed: the trainer's mixed precision; under `fp16` a gradient may overflow now and then.
    """

    def __init__(self, recipe: Recipe, mixed: str) -> None:
        self._recipe = recipe
        self._mixed = mixed
        self._skipped = 0
        self.good_checkpoint = ""

    def loss(self, value: float, step: int) -> None:
        """Checks the loss of one batch.

        Args:
            value: the loss.
            step: the step that it belongs to, from 1; 0 for the evaluation before the first.

        Raises:
            NotFinite: it is none.
        """
        if math.isfinite(value):
            return
        if step == 0:
            raise NotFinite(
                f"The base model's loss is {value} before the first step: its weights are damaged, "
                "or overflow this precision",
                where="model.path",
                do="Use float32 or bfloat16, or download the model again",
            )
        raise NotFinite(f"The loss became {value} at step {step:,}", do=self._remedy())

    def gradient(self, norm: float, step: int) -> None:
        """Checks the norm of the gradient, before it is applied.

        Raises:
            NotFinite: it is no number, or float16's loss scaling has run out.
        """
        if math.isfinite(norm):
            self._skipped = 0
            return
        if self._mixed == "fp16":
            self._skipped += 1
            if self._skipped <= _SKIPPED_STEPS:
                return
        raise NotFinite(f"The gradient became {norm} at step {step:,}", do=self._remedy())

    def weights(self, model: Any, step: int) -> None:
        """Checks the trained weights, before they are saved.

        Raises:
            NotFinite: a weight is none.
        """
        import torch

        for name, weight in model.named_parameters():
            if weight.requires_grad and not torch.isfinite(weight).all():
                raise NotFinite(
                    f"The trained weights are not finite after step {step:,} ({name}); they are not saved",
                    do=self._remedy(),
                )

    def _remedy(self) -> str:
        training = self._recipe.training
        words = f"Lower the learning rate (it is {number_text(training.learning_rate)})"
        if training.max_grad_norm == 0:
            words += ", clip the gradients (training.max_grad_norm 1)"
        if self._mixed == "fp16":
            words += ", or train in bfloat16 or float32"
        kept = f"; the last good checkpoint is {self.good_checkpoint}" if self.good_checkpoint else ""
        return f"{words}, or check for damaged samples{kept}"
