"""What a case of the parity harness is: a plain TRL script, and our recipe and samples that must train the same."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.jobs.folder import JobFolder
    from tests.kit.warm.process import WarmPython

SHORT, LONG = 6, 20
"""Steps of a case in `make test` and in `make soak`; both stop and resume in the middle."""

ARGUMENTS: Mapping[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "learning_rate": 1e-3,
    "per_device_train_batch_size": 2,
    "per_device_eval_batch_size": 4,
    "gradient_accumulation_steps": 2,
    "lr_scheduler_type": "linear",
    "warmup_steps": 0.1,
    "optim": "adamw_torch_fused",
    "logging_steps": 1,
    "eval_strategy": "steps",
    "eval_steps": 3,
    "eval_on_start": True,
    "save_strategy": "no",
    "activation_checkpointing": False,
    "seed": 7,
    "report_to": "none",
}
"""What every plain script tells its trainer; it may change any of it for both sides."""

CHANGES: Mapping[str, Any] = {
    "data__max_length": 64,
    "lora__rank": 8,
    "lora__alpha": 16.0,
    "training__learning_rate": 1e-3,
    "training__batch_size": 2,
    "training__eval_batch_size": 4,
    "training__gradient_accumulation": 2,
    "training__warmup": 0.1,
    "training__eval_every": 3.0,
    "training__save_every": 0.0,
    "training__seed": 7,
    "evaluation__after_training": False,
}
"""The same as changes of our recipe (`tests.kit.training_runs.recipe`)."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a plain script gets: nothing that our code has touched.

    Attributes:
        model: folder of the base model.
        models: folders of all models of the case, by the recipe field that names them; `model.path` is `model`.
        train: the samples of the view, as the case lists them.
        held_out: those of the eval set.
        arguments: `ARGUMENTS`, the output folder and the number of steps.
        options: those of the case.
    """

    model: str
    models: Mapping[str, str]
    train: Sequence[dict[str, Any]]
    held_out: Sequence[dict[str, Any]]
    arguments: Mapping[str, Any]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A plain script and a recipe that must log the same.

    Attributes:
        name: of the case; starts with the task's name.
        plain: builds the trainer as a user of TRL would, without a line of ours (a test reads its source).
        changes: of our recipe, beyond `CHANGES`.
        train: samples in the normal form.
        held_out: those of the eval set.
        logged: keys that both must log at the first step, so that no comparison is empty.
        eval_logged: the same of the evaluations.
        options: given to `plain`; what the cases of a task differ in.
        models: for a recipe field that names a model, the module that makes one: `python -m MODULE FOLDER`.
        tokens: whether our mask view and counts are compared with what the trainer's collator makes of its dataset.
        ordered: whether the trainer's dataset is in the order of the view.
        varies: logged keys that are measured in time, or that only we log.
        falls: whether the loss of the last step is under that of the first.
        soak: whether it only runs in `make soak`.
        each_rank: of two ranks, changes of our recipe beyond half the batch.
        ranks: whether `make soak` also trains it on two gloo ranks, with a stop and a resume.
        script: whether `make test` also runs the script of `tunedeck script`; `make soak` always does.
        expressed: whether that script can train the same.
        disturbed: variables of `tests.kit.disturbed_training`, where the short run stops elsewhere than after step 3.
        finished: called with the warm process, the finished short run and what the plain script logged.
    """

    name: str
    plain: Callable[[Given], Any]
    changes: Mapping[str, Any]
    train: Sequence[dict[str, Any]]
    held_out: Sequence[dict[str, Any]]
    logged: tuple[str, ...] = ("grad_norm",)
    eval_logged: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    tokens: bool = True
    ordered: bool = True
    varies: tuple[str, ...] = ()
    falls: bool = True
    soak: bool = False
    ranks: bool = False
    disturbed: Mapping[str, str] = field(default_factory=dict)
    each_rank: Mapping[str, Any] = field(default_factory=dict)
    script: bool = False
    expressed: bool = True
    finished: Callable[[WarmPython, JobFolder, Sequence[Mapping[str, Any]]], None] | None = None


def all_cases() -> dict[str, Case]:
    """Every case of every file in `tasks/`, by name."""
    tasks = importlib.import_module("tests.kit.parity.tasks")
    found: dict[str, Case] = {}
    for module in sorted(each.name for each in pkgutil.iter_modules([str(Path(str(tasks.__file__)).parent)])):
        for case in importlib.import_module(f"{tasks.__name__}.{module}").CASES:
            assert case.name not in found, f"two cases are called {case.name}"
            found[case.name] = case
    return found
