"""Odds ratio preference training: how much the comparison of answers counts."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.declare import knob
from core.recipe.witness import argument


@dataclass(frozen=True, slots=True)
class Orpo:
    """Settings for odds ratio training; only used by the task orpo."""

    beta: float = knob(
        0.1,
        title="Beta",
        help="The weight of the odds ratio term relative to the SFT loss on the chosen answer (lambda in the paper).",
        consequence="A higher beta separates chosen from rejected answers more, and imitates the chosen ones less.",
        gt=0,
        le=10,
        source="ORPO, arXiv 2403.07691, section 5 (0.1; 0.2 to 0.25 for larger models)",
        witness=argument("beta"),
    )
