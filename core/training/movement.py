"""How many of the trained weights have moved since the base model: an update can be too small for how a weight is held.

A bfloat16 weight has 8 bits. At a learning rate of 1e-5 nearly every update is less than half a step and is rounded
away, and the loss still falls by what the few others do. Float32 weights all move. A sample of each tensor is compared
now and then, which costs a few milliseconds.
"""

from __future__ import annotations

from typing import Any

METRIC = "weights_changed"
"""The key in `metrics.jsonl`: a share, of the weights as they are held."""

SAMPLED = 4_096
"""Weights of a tensor that are looked at, evenly spread."""

EVERY, TIMES = 10, 20
"""Steps between two looks at least, and looks in a run at most, or so."""


class WeightMovement:
    """Compares the trained weights with what they were when it was made: before the first step, and before a resume.

    Embeddings are left out: rows of tokens that do not occur never move.

    Args:
        model: as it was loaded; not yet shared out among ranks.
    """

    def __init__(self, model: Any) -> None:
        outer = model.get_input_embeddings()
        unseen = None if outer is None else id(outer.weight)
        self._trained = [weight for weight in model.parameters() if weight.requires_grad and id(weight) != unseen]
        self._before = [_sample(weight).clone() for weight in self._trained]

    def due(self, step: int, every: int, of: int) -> bool:
        """Whether a log event is one of those that say how many weights have moved.

        Args:
            step: of the event.
            every: steps between two events.
            of: steps of the run.
        """
        apart = max(EVERY, of // TIMES)
        return step // apart != (step - every) // apart

    def share(self) -> float | None:
        """The share of weights that are not what they were, from 0 to 1; None where none is trained."""
        moved = total = 0.0
        for weight, before in zip(self._trained, self._before, strict=True):
            now = _sample(weight)
            moved += weight.numel() * float((now != before).float().mean())
            total += weight.numel()
        return moved / total if total else None


def _sample(weight: Any) -> Any:
    flat = weight.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // SAMPLED)]
