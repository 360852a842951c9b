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
        consequence="grpo favors short right answers and long wrong ones; dapo, dr_grpo and bnpo do not.",
        choices={
            "dapo": "the mean over all tokens of the batch; TRL's default",
            "grpo": "as published: the mean over each completion, then over completions",
            "dr_grpo": "divides by the max completion length: no length bias",
            "bnpo": "the mean over the tokens of the local batch",
            "cispo": "clips the importance weights; every token keeps its gradient",
            "sapo": "a smooth gate instead of clipping",
            "luspo": "weights each sequence by its length; meant for sequence-level importance",
            "vespo": "smooth sequence weights; for stale completions",
        },
        source="TRL's GRPOConfig, which cites the paper for each loss",
        witness=argument("loss_type"),
    )
    beta: float = knob(
        0.0,
        title="KL beta",
        help="How strongly the model is kept close to the base model. 0 needs no reference model.",
        consequence="0.001 to 0.04 is common. Above 0, full fine-tuning also holds the base model in memory.",
        ge=0,
        le=10,
        source="TRL's default is 0; DeepSeekMath used 0.04, arXiv 2402.03300",
        witness=argument("beta"),
    )
    scale_rewards: str = knob(
        "group",
        title="Scale rewards",
        help="Which standard deviation the advantages are divided by.",
        consequence="group gives very easy and very hard prompts more weight; none is what Dr. GRPO uses.",
        choices={
            "group": "over the completions of each prompt",
            "batch": "over the whole batch",
            "none": "no division",
        },
        source="Dr. GRPO, arXiv 2503.20783",
        witness=argument("scale_rewards"),
    )
    epsilon: float = knob(
        0.2,
        title="Epsilon",
        help="How far the probability of a token may move before it is clipped.",
        consequence="Only matters when completions are reused: several iterations, or several steps per generation.",
        gt=0,
        le=10,
        when=_CLIPPED,
        advanced=True,
        witness=argument("epsilon"),
    )
    epsilon_high: float = knob(
        0.0,
        title="Epsilon high",
        help="A separate limit for probabilities that rise. 0 uses epsilon; DAPO uses 0.28, CISPO 5.",
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
        consequence="sequence is steadier for long completions and MoE models; use it with loss_type grpo.",
        choices={"token": "per token, as in GRPO", "sequence": "per completion, as in GSPO"},
        source="GSPO, arXiv 2507.18071",
        advanced=True,
        witness=argument("importance_sampling_level"),
    )
    top_entropy_quantile: float = knob(
        1.0,
        title="Top entropy share",
        help="Trains only on this share of the tokens: those where the model is least certain. 1 trains on all.",
        consequence="0.2 trains only where the answer could have gone another way. Short answers leave too few tokens.",
        gt=0,
        le=1,
        source="Beyond the 80/20 rule, arXiv 2506.01939 (0.2)",
        advanced=True,
        witness=argument("top_entropy_quantile"),
    )
    entropy_coef: float = knob(
        0.0,
        title="Entropy bonus",
        help="Rewards the model for staying uncertain. 0 turns it off.",
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
        consequence="With a single reward, the two differ only in scale.",
        choices={
            "sum_then_normalize": "added first: the reward with the widest range dominates",
            "normalize_then_sum": "each normalized first: all count equally (GDPO)",
        },
        advanced=True,
        witness=argument("multi_objective_aggregation"),
    )
    sapo_temperature_neg: float = knob(
        1.05,
        title="SAPO temp, below mean",
        help="The gate's temperature for completions below the mean.",
        consequence="A higher value makes bad completions count less once the model has moved.",
        gt=0,
        when=one_of("grpo.loss_type", "sapo"),
        advanced=True,
        witness=argument("sapo_temperature_neg"),
    )
    sapo_temperature_pos: float = knob(
        1.0,
        title="SAPO temp, above mean",
        help="The gate's temperature for completions above the mean.",
        consequence="A higher value makes good completions count less once the model has moved.",
        gt=0,
        when=one_of("grpo.loss_type", "sapo"),
        advanced=True,
        witness=argument("sapo_temperature_pos"),
    )
    use_bias_correction_kl: bool = knob(
        True,
        title="Unbiased KL",
        help="Corrects the KL term by the importance ratio, as DeepSeek-V3.2 does. no keeps the GRPO paper's term.",
        consequence="Only matters when completions are reused: several iterations, or several steps per generation.",
        when=positive("grpo.beta"),
        advanced=True,
        witness=argument("use_bias_correction_kl"),
    )
