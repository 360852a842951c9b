"""GRPO: how groups of completions become a loss."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.conditions import none_of, one_of, positive
from core.recipe.declare import knob
from core.recipe.witness import argument

_CLIPPED = none_of("grpo.loss_type", "sapo", "vespo")


@dataclass(frozen=True, slots=True)
class Grpo:
    """Settings of GRPO (group relative policy optimization); only used by the task grpo."""

    loss_type: str = knob(
        "dapo",
        title="Loss type",
        help="How the tokens of a group become one loss. TRL's default is dapo, not the loss of the GRPO paper.",
        consequence="grpo prefers short right and long wrong answers; dapo, dr_grpo and bnpo do not.",
        choices={
            "dapo": "the mean over all tokens of the batch; TRL's default",
            "grpo": "as published: the mean over each completion, then over completions",
            "dr_grpo": "divides by the max completion length: no bias by length",
            "bnpo": "the mean over the tokens of the local batch",
            "cispo": "clips the weights, not the gradients; every token keeps one",
            "sapo": "a smooth gate instead of clipping",
            "luspo": "weighs a sequence by its length; made for importance per sequence",
            "vespo": "smooth weights of whole sequences; for stale completions",
        },
        source="TRL's GRPOConfig, which cites the paper for each loss",
        witness=argument("loss_type"),
    )
    beta: float = knob(
        0.0,
        title="KL beta",
        help="How strongly the model is held to the base model. 0 needs no reference.",
        consequence="0.001 to 0.04 are common. Above 0, full fine-tuning also holds the base model in memory.",
        ge=0,
        le=10,
        source="TRL's default is 0; DeepSeekMath used 0.04, arXiv 2402.03300",
        witness=argument("beta"),
    )
    scale_rewards: str = knob(
        "group",
        title="Scale rewards",
        help="By which standard deviation advantages are divided.",
        consequence="group gives very easy and very hard prompts more weight; none is the choice of Dr. GRPO.",
        choices={
            "group": "of the completions of the same prompt",
            "batch": "of the whole batch",
            "none": "not divided",
        },
        source="Dr. GRPO, arXiv 2503.20783",
        witness=argument("scale_rewards"),
    )
    epsilon: float = knob(
        0.2,
        title="Epsilon",
        help="How far the probability of a token may move before its gradient is cut.",
        consequence="Only matters once completions are trained on more than once or over several steps.",
        gt=0,
        le=10,
        when=_CLIPPED,
        advanced=True,
        witness=argument("epsilon"),
    )
    epsilon_high: float = knob(
        0.0,
        title="Epsilon high",
        help="The same upward. 0 for the same as epsilon; dapo uses 0.28, cispo 5.",
        consequence="A higher value lets unlikely tokens become likely faster, which keeps answers varied.",
        ge=0,
        le=100,
        when=_CLIPPED,
        advanced=True,
        witness=argument("epsilon_high"),
    )
    importance_sampling_level: str = knob(
        "token",
        title="Importance level",
        help="Whether the ratio between the new and the old model is taken per token or per completion.",
        consequence="sequence is steadier for long completions and mixtures of experts; use loss_type grpo with it.",
        choices={"token": "per token, as GRPO", "sequence": "per completion, as GSPO"},
        source="GSPO, arXiv 2507.18071",
        advanced=True,
        witness=argument("importance_sampling_level"),
    )
    top_entropy_quantile: float = knob(
        1.0,
        title="Top entropy share",
        help="Train only on the share of tokens where the model is least sure. 1 for all.",
        consequence="0.2 trains only where the answer could have gone another way. Short answers leave too little.",
        gt=0,
        le=1,
        source="Beyond the 80/20 rule, arXiv 2506.01939 (0.2)",
        advanced=True,
        witness=argument("top_entropy_quantile"),
    )
    entropy_coef: float = knob(
        0.0,
        title="Entropy bonus",
        help="Rewards the model for staying undecided. 0 for none.",
        consequence="Small values (0.001) keep answers varied; large ones keep the model from learning.",
        ge=0,
        le=1,
        advanced=True,
        witness=argument("entropy_coef"),
    )
    multi_objective_aggregation: str = knob(
        "sum_then_normalize",
        title="Combine rewards",
        help="Whether several rewards are added before or after they are normalized.",
        consequence="With one reward, both train alike but for the scale.",
        choices={
            "sum_then_normalize": "added first: the largest counts most",
            "normalize_then_sum": "each normalized first: all count alike (GDPO)",
        },
        advanced=True,
        witness=argument("multi_objective_aggregation"),
    )
    sapo_temperature_neg: float = knob(
        1.05,
        title="SAPO temperature -",
        help="The gate's temperature for completions below the mean.",
        consequence="Higher lets bad completions count less once the model has moved.",
        gt=0,
        when=one_of("grpo.loss_type", "sapo"),
        advanced=True,
        witness=argument("sapo_temperature_neg"),
    )
    sapo_temperature_pos: float = knob(
        1.0,
        title="SAPO temperature +",
        help="The gate's temperature for completions above the mean.",
        consequence="Higher lets good completions count less once the model has moved.",
        gt=0,
        when=one_of("grpo.loss_type", "sapo"),
        advanced=True,
        witness=argument("sapo_temperature_pos"),
    )
    use_bias_correction_kl: bool = knob(
        True,
        title="Unbiased KL",
        help="Correct the KL term by the importance ratio, as DeepSeek-V3.2 does; no is the term of the GRPO paper.",
        consequence="Only matters once completions are trained on more than once or over several steps.",
        when=positive("grpo.beta"),
        advanced=True,
        witness=argument("use_bias_correction_kl"),
    )
