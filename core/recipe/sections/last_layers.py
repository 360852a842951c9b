"""Training the model's own last layers."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.declare import knob
from core.recipe.witness import reading


@dataclass(frozen=True, slots=True)
class LastLayers:
    """Which of the model's own layers are trained."""

    count: int = knob(
        2,
        title="Trained layers",
        help="How many transformer layers are trained, counted from the end, together with the final norm.",
        consequence="Each trained layer needs gradients and optimizer states; earlier layers need neither.",
        unit="layers",
        ge=1,
        le=1024,
        witness=reading("trained_layers"),
    )
    head: bool = knob(
        False,
        title="Train the output layer",
        help="Trains the output layer as well. If its weights are tied, this trains the embedding too.",
        consequence="Adds vocabulary size x model width trainable parameters.",
        witness=reading("trained_heads"),
    )
