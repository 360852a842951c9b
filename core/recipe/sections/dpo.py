"""Preference training: what the loss does with a pair of answers."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.declare import knob
from core.recipe.witness import argument


@dataclass(frozen=True, slots=True)
class Dpo:
    """Settings for training on preference pairs; only used by the task dpo."""

    beta: float = knob(
        0.1,
        title="Beta",
        help="How closely the model stays to the base model: rewards are log-probability ratios times beta.",
        consequence="A lower beta lets the model move further from the base model to follow the "
        "preferences. 0.01 to 0.5 is common.",
        gt=0,
        le=10,
        source="DPO, arXiv 2305.18290, section 6 (0.1; 0.5 for summaries)",
        witness=argument("beta"),
    )
    loss_type: str = knob(
        "sigmoid",
        title="Loss type",
        help="How the difference between the chosen and the rejected answer becomes a loss.",
        consequence="Loss values of different types cannot be compared.",
        choices={
            "sigmoid": "DPO as published",
            "sigmoid_norm": "DPO on log-probabilities per token, so that length matters less",
            "ipo": "squared distance to a target margin; overfits pairs less",
            "hinge": "no loss once the margin is reached",
            "apo_zero": "raises chosen and lowers rejected answers; for answers better than the model's own",
            "apo_down": "lowers both, rejected answers more; for answers worse than the model's own",
            "nca_pair": "also keeps the probability of the chosen answer from falling",
            "bco_pair": "a binary classifier on the reward of each answer",
            "sppo_hard": "pushes each answer toward a fixed win rate",
            "discopop": "a blend of logistic and exponential loss, found by search",
            "aot": "compares sorted margins within a batch; needs a batch size above 1",
            "aot_unpaired": "the same without pairing the answers; needs a batch size above 1",
        },
        source="TRL's DPOConfig, which cites the paper for each loss",
        advanced=True,
        witness=argument("loss_type", lambda recipe: [recipe.dpo.loss_type]),
    )
