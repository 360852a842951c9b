"""Contrastive preference training without a reference model, SimPO included."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import none_of, one_of
from core.recipe.declare import knob
from core.recipe.witness import argument


@dataclass(frozen=True, slots=True)
class Cpo:
    """Settings for CPO and SimPO; only used by the task cpo."""

    loss_type: str = knob(
        "sigmoid",
        title="Loss type",
        help="How the difference between the chosen and the rejected answer becomes a loss.",
        consequence="Loss values of different types cannot be compared.",
        choices={
            "sigmoid": "CPO as published",
            "hinge": "no loss once the margin is reached",
            "ipo": "squared distance to a target margin, on log-probabilities per token",
            "simpo": "SimPO: log-probabilities per token and a target margin; set the SFT weight to 0 for plain SimPO",
            "alphapo": "SimPO without the SFT term, with rewards shaped by alpha",
        },
        source="CPO, arXiv 2401.08417; SimPO, arXiv 2405.14734; AlphaPO, arXiv 2501.03884",
        witness=argument("loss_type", lambda recipe: recipe.cpo.loss_type.replace("alphapo", "simpo")),
    )
    beta: float = knob(
        0.1,
        title="Beta",
        help="The scale of the rewards: log-probabilities of the answers times beta.",
        consequence="CPO uses 0.1. SimPO needs 2 to 2.5, since its rewards are per token.",
        gt=0,
        le=100,
        source="CPO, arXiv 2401.08417 (0.1); SimPO, arXiv 2405.14734 (2.0 to 2.5)",
        witness=argument("beta"),
    )
    sft_weight: float = knob(
        1.0,
        title="SFT weight",
        help="The weight of the SFT loss on the chosen answer, added to the preference loss (cpo_alpha in TRL).",
        consequence="0 trains on the preference loss alone, as SimPO does; the probability of the chosen answer can "
        "then fall.",
        ge=0,
        le=100,
        source="CPO, arXiv 2401.08417 (1.0)",
        when=none_of("cpo.loss_type", "alphapo"),
        witness=argument("cpo_alpha"),
    )
    target_margin: float = knob(
        0.5,
        title="Target margin",
        help="How much higher the reward of the chosen answer should be (simpo_gamma in TRL).",
        consequence="SimPO uses 0.3 to 1.6: about 0.15 to 0.8 times beta.",
        ge=0,
        le=100,
        source="SimPO, arXiv 2405.14734 (gamma)",
        when=one_of("cpo.loss_type", "simpo", "alphapo"),
        witness=argument("simpo_gamma"),
    )
    alpha: float = knob(
        0.0,
        title="Alpha",
        help="The shape of the rewards: (1 - p^-alpha) / alpha for an answer of probability p. 0 uses the log.",
        consequence="AlphaPO uses 0.1 to 0.25 with alphapo or simpo. With losses on the whole answer's probability "
        "(sigmoid, hinge), long answers overflow.",
        ge=-10,
        le=10,
        advanced=True,
        source="AlphaPO, arXiv 2501.03884",
        witness=argument("alpha"),
    )
    label_smoothing: float = knob(
        0.0,
        title="Label smoothing",
        help="The share of pairs assumed to be labeled the wrong way around.",
        consequence="0.1 keeps noisy labels from driving the margins ever higher.",
        ge=0,
        lt=0.5,
        advanced=True,
        source="TRL's CPOConfig",
        when=one_of("cpo.loss_type", "sigmoid", "simpo", "alphapo"),
        witness=argument("label_smoothing"),
    )
