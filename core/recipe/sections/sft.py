"""Supervised training: what each answer token counts for."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.declare import knob
from core.recipe.witness import argument


@dataclass(frozen=True, slots=True)
class Sft:
    """Settings for supervised training; only used by the task sft."""

    loss_type: str = knob(
        "nll",
        title="Loss type",
        help="nll is the usual loss. dft weights each token by the probability the model already gives it, so rare and "
        "surprising tokens pull less.",
        consequence="dft forgets less and generalizes better on reasoning data; it learns new facts and formats more "
        "slowly. Its loss may rise while the model learns, so the run is judged by token accuracy.",
        choices={
            "nll": "negative log-likelihood: every token counts the same",
            "dft": "Dynamic Fine-Tuning: each token counts in proportion to its probability",
        },
        source="DFT, arXiv 2508.05629",
        advanced=True,
        witness=argument("loss_type"),
    )
