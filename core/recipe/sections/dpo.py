"""Preference training: what the loss does with a pair of answers."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.declare import knob


@dataclass(frozen=True, slots=True)
class Dpo:
    """Preference pairs. Read only where the task is dpo."""

    beta: float = knob(
        0.1,
        title="Beta",
        help="How closely the model is held to the base model: rewards are log-probability ratios times beta.",
        consequence="Lower: moves further from the base model, learns the preference harder. 0.01 to 0.5 is common.",
        gt=0,
        le=10,
        source="DPO, arXiv 2305.18290, section 6 (0.1; 0.5 for summaries)",
    )
    loss_type: str = knob(
        "sigmoid",
        title="Loss",
        help="How the difference between chosen and rejected answer becomes a loss.",
        consequence="Values of different losses cannot be compared with each other.",
        choices={
            "sigmoid": "DPO as published",
            "sigmoid_norm": "DPO on log-probabilities per token, so that length counts less",
            "ipo": "squared distance to a target margin; overfits pairs less",
            "hinge": "no loss once the margin is reached",
            "apo_zero": "raises chosen and lowers rejected answers; for answers better than the model's own",
            "apo_down": "lowers both, the rejected ones more; for answers worse than the model's own",
            "nca_pair": "also keeps the chosen answer's own probability from falling",
            "bco_pair": "a binary classifier on each answer's reward",
            "sppo_hard": "pushes each answer to a fixed win rate",
            "discopop": "a blend of logistic and exponential loss, found by search",
            "aot": "compares sorted margins within a batch; needs a batch size above 1",
            "aot_unpaired": "the same without pairing the answers; needs a batch size above 1",
        },
        source="TRL's DPOConfig; each loss with its paper there",
        advanced=True,
    )
