"""Preference training: what the loss does with a pair of answers."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.adapters import whole_methods
from core.recipe.conditions import Field, on, one_of
from core.recipe.declare import knob
from core.recipe.dpo_losses import LOSSES, SMOOTHED, WITH_DIVERGENCE, DpoLosses
from core.recipe.witness import argument, reading


@dataclass(frozen=True, slots=True)
class DpoLoss:
    """One of the losses that are added up."""

    loss: str = knob("sigmoid", title="Loss", help="Its name.", choices=DpoLosses(LOSSES))
    weight: float = knob(1.0, title="Weight", help="What it is multiplied by.", gt=0, le=100)


def names_of(losses: tuple[DpoLoss, ...]) -> set[str]:
    """The names of some losses."""
    return {each.loss for each in losses}


def _among(*names: str) -> Field:
    """One of the losses is one of these."""
    said = " or ".join(names)
    return Field("dpo.loss_type", f"includes {said}", f"has no {said}", lambda found: bool(names_of(found) & {*names}))


def _other_than(*names: str) -> Field:
    """One of the losses is none of these."""
    said = " or ".join(names)
    return Field(
        "dpo.loss_type", f"is not only {said}", f"is only {said}", lambda found: bool(names_of(found) - {*names})
    )


def _within(names: frozenset[str], otherwise: str) -> Field:
    """All losses are among these."""
    said = f"has only {', '.join(sorted(names))}"
    return Field("dpo.loss_type", said, otherwise, lambda found: names_of(found) <= names)


_DIVERGENCE = _within(WITH_DIVERGENCE, "has a loss that is not a difference of rewards") & _other_than("sft")


@dataclass(frozen=True, slots=True)
class Dpo:
    """Settings for training on preference pairs; only used by the task dpo."""

    beta: float = knob(
        0.1,
        title="Beta",
        help="How close the model stays to the base model: rewards are log-probability ratios times beta.",
        consequence="A lower beta lets the model move further from the base model to follow the "
        "preferences. 0.01 to 0.5 is common.",
        gt=0,
        le=10,
        source="DPO, arXiv 2305.18290, section 6 (0.1; 0.5 for summaries)",
        when=_other_than("sft"),
        witness=argument("beta"),
    )
    loss_type: tuple[DpoLoss, ...] = knob(
        (DpoLoss(),),
        title="Loss",
        help="How the difference between the chosen and the rejected answer becomes a loss. Several are summed, each "
        "times its weight: sigmoid=0.8, bco_pair=0.2, sft=1 is MPO.",
        consequence="Loss values of different types cannot be compared. Adding sft keeps the chosen answers from "
        "becoming less likely along with the rejected ones.",
        source="TRL's DPOConfig, which cites the paper for each loss",
        witness=reading("dpo_losses"),
    )
    label_smoothing: float = knob(
        0.0,
        title="Label smoothing",
        help="The share of pairs that may be labeled the wrong way around. 0.1 is common for robust, 0.001 for "
        "exo_pair, which needs a value.",
        consequence="A higher value learns less from each pair and is misled less by wrong ones.",
        ge=0,
        lt=0.5,
        source="Robust DPO, arXiv 2403.00409; EXO, arXiv 2402.00856",
        when=_among(*SMOOTHED),
        witness=argument("label_smoothing"),
    )
    discopop_tau: float = knob(
        0.05,
        title="DiscoPOP temperature",
        help="How sharply the loss switches between its logistic and its exponential part.",
        consequence="The paper's 0.05 was found together with the loss; few have a reason to change it.",
        gt=0,
        le=10,
        source="DiscoPOP, arXiv 2406.08414",
        advanced=True,
        when=_among("discopop"),
        witness=argument("discopop_tau"),
    )
    ld_alpha: float = knob(
        1.0,
        title="Length desensitizing",
        help="How much the tokens of the longer answer count past the length of the shorter one: 1 counts them "
        "fully, 0 ignores them.",
        consequence="A lower value keeps the model from learning that longer is better.",
        ge=0,
        le=1,
        source="LD-DPO, arXiv 2409.06411",
        advanced=True,
        when=_other_than("sft"),
        witness=argument("ld_alpha"),
    )
    f_divergence_type: str = knob(
        "reverse_kl",
        title="Divergence",
        help="How the distance from the base model is measured.",
        consequence="forward_kl and js_divergence keep answers more varied; reverse_kl follows the preferences most.",
        choices={
            "reverse_kl": "DPO as published",
            "forward_kl": "covers everything the base model would say",
            "js_divergence": "between the two",
            "alpha_divergence": "anywhere from forward to reverse KL, set by its coefficient",
        },
        source="f-DPO, arXiv 2309.16240",
        advanced=True,
        when=_DIVERGENCE,
        witness=argument("f_divergence_type"),
    )
    f_alpha_divergence_coef: float = knob(
        0.5,
        title="Divergence coefficient",
        help="The alpha of alpha_divergence. At 1 it is reverse_kl.",
        consequence="A lower value keeps answers more varied and follows the preferences less.",
        gt=0,
        lt=1,
        source="f-DPO, arXiv 2309.16240",
        advanced=True,
        when=_DIVERGENCE & one_of("dpo.f_divergence_type", "alpha_divergence"),
        witness=argument("f_alpha_divergence_coef"),
    )
    use_weighting: bool = knob(
        False,
        title="Weighted pairs (WPO)",
        help="Weights each pair by how likely the model is to write its two answers.",
        consequence="Answers written by another model count less.",
        source="WPO, arXiv 2406.11827",
        advanced=True,
        when=_within(frozenset(LOSSES) - {"aot", "aot_unpaired"}, "has aot, which sorts the batch"),
        witness=argument("use_weighting"),
    )
    precompute_ref_log_probs: bool = knob(
        False,
        title="Precompute reference",
        help="Computes the base model's log-probabilities of all pairs once, before the first step.",
        consequence="With method full, no second model is in memory; with LoRA, steps are about a quarter faster. "
        "The first step has to wait for one pass over the data.",
        advanced=True,
        witness=argument("precompute_ref_log_probs"),
    )
    precompute_ref_batch_size: int = knob(
        0,
        title="Precompute batch size",
        help="Pairs per batch while precomputing. 0 uses the training and eval batch sizes.",
        consequence="There are no gradients in that pass, so a larger batch fits and is faster.",
        unit="pairs",
        ge=0,
        le=4096,
        advanced=True,
        when=on("dpo.precompute_ref_log_probs"),
        witness=argument("precompute_ref_batch_size"),
    )
    sync_ref_model: bool = knob(
        False,
        title="Moving reference",
        help="Moves the reference toward the trained model every few steps, so that the model can move far from "
        "the base (TR-DPO).",
        consequence="Checkpoints hold the reference as well. The reward margins are measured from the moved reference.",
        source="TR-DPO, arXiv 2404.09656",
        advanced=True,
        when=whole_methods(),
        witness=argument("sync_ref_model"),
    )
    ref_model_mixup_alpha: float = knob(
        0.6,
        title="Reference step",
        help="How far the reference moves toward the trained model each time: 1 makes it a copy.",
        consequence="A larger step lets the model move further from the base model.",
        gt=0,
        le=1,
        source="TR-DPO, arXiv 2404.09656",
        advanced=True,
        when=whole_methods() & on("dpo.sync_ref_model"),
        witness=argument("ref_model_mixup_alpha"),
    )
    ref_model_sync_steps: int = knob(
        512,
        title="Steps between moves",
        help="How many steps pass between two moves of the reference.",
        consequence="If the run has fewer steps than this, the reference never moves.",
        unit="steps",
        ge=1,
        le=1_000_000,
        source="TR-DPO, arXiv 2404.09656",
        advanced=True,
        when=whole_methods() & on("dpo.sync_ref_model"),
        witness=argument("ref_model_sync_steps"),
    )
