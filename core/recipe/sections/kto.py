"""Training on rated answers: what the loss does with a good and a bad one."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.declare import knob
from core.recipe.witness import argument


@dataclass(frozen=True, slots=True)
class KtoSettings:
    """Settings for training on rated answers; only used by the task kto."""

    loss_type: str = knob(
        "kto",
        title="Loss type",
        help="How an answer's reward and its rating become a loss.",
        consequence="kto compares each batch with mismatched prompts and answers, so it needs a batch size above 1.",
        choices={
            "kto": "KTO as published: rewards are measured against the KL divergence from the base model",
            "apo_zero_unpaired": "without the KL term; for good answers that are better than the model's own",
        },
        source="KTO, arXiv 2402.01306; APO, arXiv 2408.06266",
        witness=argument("loss_type"),
    )
    beta: float = knob(
        0.1,
        title="Beta",
        help="How close the model stays to the base model: rewards are log-probability ratios times beta.",
        consequence="A lower beta lets the model move further from the base model, and needs a lower learning rate.",
        gt=0,
        le=10,
        source="KTO, arXiv 2402.01306, section 4 (0.1)",
        witness=argument("beta"),
    )
    desirable_weight: float = knob(
        1.0,
        title="Good answer weight",
        help="Multiplies the loss of good answers, to make up for an unequal number of good and bad ones.",
        consequence="Keep the ratio of weighted good answers to weighted bad answers between 1:1 and 4:3, and "
        "change only one of the two weights.",
        gt=0,
        le=100,
        source="KTO, arXiv 2402.01306, equation 8",
        witness=argument("desirable_weight"),
    )
    undesirable_weight: float = knob(
        1.0,
        title="Bad answer weight",
        help="Multiplies the loss of bad answers, to make up for an unequal number of good and bad ones.",
        consequence="Raise it where one bad answer does more harm than one good answer helps.",
        gt=0,
        le=100,
        source="KTO, arXiv 2402.01306, equation 8",
        witness=argument("undesirable_weight"),
    )
