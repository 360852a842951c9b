"""What optimizers there are: one row each, with the fields that shape it, its states, and what it needs.

Left out: GaLore and APOLLO, whose checkpoints hold Python objects that are not loaded again, so a run could not be
resumed; schedule-free, LOMO, StableAdamW, GrokAdamW and torchao's, which are packages of their own; layerwise ones,
which rule out gradient accumulation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.recipe.conditions import Condition, one_of

if TYPE_CHECKING:
    from core.recipe.sections.training import Training

_BETAS = ("training.adam_beta1", "training.adam_beta2")
_ADAM = (*_BETAS, "training.adam_epsilon")
_MIXED = (*_ADAM, "training.ademamix_alpha", "training.ademamix_beta3")


def _no_arguments(training: Training) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class OptimizerKind:
    """An algorithm that updates the weights.

    Attributes:
        name: transformers' name, and the value of `training.optimizer`.
        meaning: what it does, shown beside the name.
        fields: the fields that shape it.
        states: how many numbers it keeps for each trained parameter.
        width: bytes of such a number; 0 where it has the parameter's own type.
        package: what has to be installed, or "".
        paged: whether it moves states between GPU and RAM, so that it needs a GPU.
        arguments: what transformers gets as `optim_args`, from the training section.
    """

    name: str
    meaning: str
    fields: tuple[str, ...] = ()
    states: int = 2
    width: int = 0
    package: str = ""
    paged: bool = False
    arguments: Callable[[Training], Mapping[str, Any]] = _no_arguments

    def state_bytes(self, training: Training, width: float) -> float:
        """Bytes of state per trained parameter.

        Args:
            training: the training section.
            width: bytes of a trained parameter.
        """
        states = self.states + ("training.momentum" in self.fields and training.momentum > 0)
        return states * (self.width or width)


def _bnb(name: str, meaning: str, fields: tuple[str, ...], states: int, width: int, **more: Any) -> OptimizerKind:
    return OptimizerKind(
        name, f"{meaning} (bitsandbytes)", fields, states, width, "bitsandbytes", name.startswith("paged"), **more
    )


def _momentum(training: Training) -> Mapping[str, Any]:
    return {"momentum": training.momentum} if training.momentum else {}


def _mixed(training: Training) -> Mapping[str, Any]:
    return {"alpha": training.ademamix_alpha, "beta3": training.ademamix_beta3}


OPTIMIZERS: Mapping[str, OptimizerKind] = {
    each.name: each
    for each in (
        OptimizerKind("adamw_torch_fused", "AdamW, fused into one kernel", _ADAM),
        OptimizerKind("adamw_torch", "AdamW in many small kernels; slower on GPUs", _ADAM),
        _bnb("adamw_8bit", "AdamW with 8-bit states", _ADAM, 2, 1),
        _bnb("paged_adamw_8bit", "adamw_8bit that moves to RAM when GPU memory runs short", _ADAM, 2, 1),
        _bnb("paged_adamw_32bit", "AdamW with 32-bit states that move to RAM", _ADAM, 2, 4),
        OptimizerKind("adafactor", "factored second moments; hardly any state", states=0),
        _bnb("lion_8bit", "Lion: one 8-bit state instead of two; needs a lower learning rate", _BETAS, 1, 1),
        _bnb("lion_32bit", "Lion with a 32-bit state", _BETAS, 1, 4),
        _bnb("paged_lion_8bit", "lion_8bit that moves to RAM when GPU memory runs short", _BETAS, 1, 1),
        _bnb("paged_lion_32bit", "lion_32bit that moves to RAM when GPU memory runs short", _BETAS, 1, 4),
        _bnb("ademamix", "AdEMAMix: AdamW with a second, slow momentum; for long runs", _MIXED, 3, 4, arguments=_mixed),
        _bnb("ademamix_8bit", "AdEMAMix with 8-bit states", _MIXED, 3, 1, arguments=_mixed),
        _bnb("paged_ademamix_32bit", "ademamix that moves to RAM", _MIXED, 3, 4, arguments=_mixed),
        _bnb("paged_ademamix_8bit", "ademamix_8bit that moves to RAM", _MIXED, 3, 1, arguments=_mixed),
        OptimizerKind(
            "sgd",
            "plain SGD: no state without momentum; rarely good enough for language models",
            ("training.momentum",),
            states=0,
            arguments=_momentum,
        ),
        OptimizerKind("adagrad", "sums all squared gradients, so steps only shrink; for sparse gradients", states=1),
        OptimizerKind(
            "rmsprop",
            "divides by a running mean of squared gradients; Adam without momentum",
            ("training.momentum",),
            states=1,
            arguments=_momentum,
        ),
        _bnb("rmsprop_bnb_8bit", "rmsprop with an 8-bit state", (), 1, 1),
    )
}
"""Every optimizer by its name, in the order of the form."""


ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("adam", "adamw", "adamw_hf"), "Use adamw_torch_fused."),
    **dict.fromkeys(("paged_adamw",), "Use paged_adamw_32bit or paged_adamw_8bit."),
    **dict.fromkeys(("adamw_bnb_8bit",), "Use adamw_8bit."),
    **dict.fromkeys(
        ("galore", "galore_adamw", "apollo", "apollo_adamw"),
        "The optimizer states of GaLore and APOLLO cannot be loaded again, so a run could not be resumed. Use "
        "adamw_8bit or adafactor to save memory.",
    ),
    "muon": "transformers has no Muon yet. Use adamw_torch_fused.",
}
"""What people look for in vain, in lower case, each with what to use."""


def optimizers_with(path: str) -> Condition:
    """That the optimizer is one that this field shapes."""
    return one_of("training.optimizer", *(each.name for each in OPTIMIZERS.values() if path in each.fields))
