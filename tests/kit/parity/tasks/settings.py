"""Settings of the training loop that are no task's own: schedules, optimizers, truncation, evaluation per epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.kit.parity.case import Case
from tests.kit.parity.tasks.sft import CASES as SFT
from tests.kit.parity.tasks.sft import long
from tests.kit.training_runs import talk

_SFT = SFT[0]
_FEW = [talk(number) for number in range(10)] + [long(number) for number in range(2)]
"""Three steps an epoch."""


def _case(name: str, changes: Mapping[str, Any], options: Mapping[str, Any], **more: Any) -> Case:
    """SFT with other settings on both sides."""
    given = {"soak": True, "ranks": False, **more}
    return replace(
        _SFT,
        name=f"sft-{name}",
        changes={**_SFT.changes, **changes},
        options=options,
        tokens=name == "settings",
        **given,
    )


def _schedule(name: str, arguments: Mapping[str, Any] | None = None, **changes: Any) -> Case:
    changes = {f"training__{field}": value for field, value in {"scheduler": name, **changes}.items()}
    return _case(f"schedule-{name}", changes, {"lr_scheduler_type": name, "lr_scheduler_kwargs": arguments})


def _optimizer(name: str, arguments: str | None = None, rate: float = 1e-3, **changes: Any) -> Case:
    changes = {f"training__{field}": value for field, value in {"optimizer": name, **changes}.items()}
    changes["training__learning_rate"] = rate
    options = {"optim": name, "optim_args": arguments, "learning_rate": rate}
    return _case(f"optimizer-{name}", changes, options, falls=False)


CASES = (
    _case(
        "settings",
        {
            "data__truncation": "keep_end",
            "training__scheduler": "warmup_stable_decay",
            "training__lr_decay": 2.0,
            "training__lr_decay_shape": "linear",
            "training__min_lr": 0.2,
            "training__optimizer": "adamw_torch",
            "training__adam_beta1": 0.8,
            "training__adam_beta2": 0.95,
            "training__adam_epsilon": 1e-6,
            "training__deterministic": True,
            "training__eval_strategy": "epoch",
            "training__save_strategy": "epoch",
            "training__keep_best": True,
            "training__best_metric": "mean_token_accuracy",
        },
        {
            "truncation_mode": "keep_end",
            "lr_scheduler_type": "warmup_stable_decay",
            "lr_scheduler_kwargs": {"num_decay_steps": 2, "decay_type": "linear", "min_lr_ratio": 0.2},
            "optim": "adamw_torch",
            "adam_beta1": 0.8,
            "adam_beta2": 0.95,
            "adam_epsilon": 1e-6,
            "full_determinism": True,
            "eval_strategy": "epoch",
        },
        train=_FEW,
        soak=True,
        ranks=True,
    ),
    _schedule("cosine_with_min_lr", {"min_lr_rate": 0.3}, min_lr=0.3),
    _schedule("cosine_warmup_with_min_lr", {"min_lr_rate": 0.3}, min_lr=0.3),
    _schedule("cosine_with_restarts", {"num_cycles": 3}, lr_cycles=3),
    _schedule("polynomial", {"power": 2.0, "lr_end": 1e-4}, lr_power=2.0, lr_end=1e-4),
    _schedule("inverse_sqrt", {"timescale": 5}, lr_timescale=5),
    _schedule(
        "warmup_stable_decay",
        {"num_decay_steps": 10, "decay_type": "1-sqrt", "min_lr_ratio": 0.0},
        lr_decay=0.5,
        min_lr=0.0,
    ),
    _schedule("reduce_lr_on_plateau", {"factor": 0.5, "patience": 0, "min_lr": 1e-3}, lr_patience=0, min_lr=0.1),
    _schedule(
        "greedy", {"factor": 0.5, "patience": 0, "min_lr": 1e-3, "max_lr": 2e-2}, lr_patience=0, min_lr=0.1, max_lr=2.0
    ),
    _optimizer("lion_32bit", rate=3e-4),
    _optimizer("lion_8bit", rate=3e-4),
    _optimizer("ademamix", "alpha=3.0,beta3=0.99", ademamix_alpha=3.0, ademamix_beta3=0.99),
    _optimizer("ademamix_8bit", "alpha=3.0,beta3=0.99", ademamix_alpha=3.0, ademamix_beta3=0.99),
    _optimizer("adamw_8bit"),
    _optimizer("adafactor"),
    _optimizer("sgd", "momentum=0.9", momentum=0.9),
    _optimizer("adagrad"),
    _optimizer("rmsprop", "momentum=0.5", momentum=0.5),
    _optimizer("rmsprop_bnb_8bit"),
)
