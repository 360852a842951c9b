"""What kinds of training there are: one row each, from which the form, validation and the docs take what differs.

Standard library only. What a task computes lives in `core.training.tasks`, one file per task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.dataset.sample import SampleKind
from core.recipe.conditions import Condition, one_of
from core.recipe.declare import ProblemLevel
from core.recipe.values import Value

Better = Literal["lower", "higher"]

LOSS, EVAL_LOSS = "loss", "eval_loss"
"""What every trainer logs of what it minimizes, whatever says how the run goes."""

LOSS_TITLES = {LOSS: "loss", EVAL_LOSS: "eval loss"}
"""What these are called where they are not the headline."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The one metric that shows whether a run of a task goes well.

    Attributes:
        metric: its name in `metrics.jsonl`, of the samples that are trained on.
        eval_metric: its twin, measured on the eval set.
        better: which way it moves when the model learns.
        title: what a chart and a list call it; the twin is `eval` and this.
        unit: what its values count, or "" for a bare number.
        per_token: whether its values are a mean negative log-likelihood per token: then a value near zero means that
            the samples are known by heart, or that nothing is left to predict.
    """

    metric: str
    eval_metric: str
    better: Better
    title: str
    unit: str
    per_token: bool

    @property
    def train_title(self) -> str:
        """What sentences call it where the eval set's value is spoken of, too."""
        return f"train {self.title}"

    @property
    def eval_title(self) -> str:
        """What the value on the eval set is called."""
        return f"eval {self.title}"

    def cost(self, value: float) -> float:
        """A value such that lower is better, and back again: the negative where higher is better."""
        return value if self.better == "lower" else -value


@dataclass(frozen=True, slots=True)
class Limit:
    """A field of which a task only supports some values.

    Attributes:
        path: the field, dotted.
        sentence: what is wrong with other values, and what to do.
        accepts: the values that work.
        severity: of the problem with other values.
        given: values of other fields for which this limit applies.
    """

    path: str
    sentence: str
    accepts: tuple[Value, ...]
    severity: ProblemLevel = "error"
    given: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of training.

    Attributes:
        name: its value of the recipe's key `task`.
        meaning: what it does, shown beside the name in the form.
        title: what sentences call it.
        module: its file in `core.training.tasks`.
        samples: the kinds of samples that it learns from.
        wants: the same as a phrase.
        unused: for some of those kinds, which part of a sample is ignored, as a sentence.
        sections: the recipe sections that only this task reads.
        columns: what the trainer's dataset holds of each sample.
        metrics: what it logs besides loss, rate, gradients and speed: each with its title on a chart.
        headline: the metric that says how it goes.
        rates: the usual learning rates with each `method`, from and to.
        artifact: what it leaves, as the model hub names it.
        sequences: how many sequences the model computes for one sample.
        marks: whether its loss mask comes from the generation markers of the chat template.
        reference: whether full fine-tuning also needs the base model in memory.
        refuses: fields of which it only supports some values.
    """

    name: str
    meaning: str
    title: str
    module: str
    samples: tuple[SampleKind, ...]
    wants: str
    columns: tuple[str, ...]
    headline: Headline
    rates: Mapping[str, tuple[float, float]]
    unused: Mapping[SampleKind, str] = field(default_factory=dict)
    sections: tuple[str, ...] = ()
    metrics: Mapping[str, str] = field(default_factory=dict)
    artifact: str = "text-generation"
    sequences: int = 1
    marks: bool = False
    reference: bool = False
    refuses: tuple[Limit, ...] = ()


_TOKEN_METRICS = {"entropy": "entropy", "mean_token_accuracy": "token accuracy"}

SFT = Task(
    name="sft",
    meaning="supervised fine-tuning: learn to give the answers in the data, or to continue its text",
    title="SFT",
    module="supervised",
    samples=("messages", "text", "preference", "kto"),
    wants="conversations, plain text, or the good answers of preference data",
    unused={
        "preference": "SFT trains on the chosen answers of preference pairs and ignores the rejected ones. "
        "Set the task to dpo to train on both.",
        "kto": "SFT trains on the answers labeled good and ignores the bad ones.",
    },
    columns=("input_ids", "labels"),
    marks=True,
    metrics=_TOKEN_METRICS,
    headline=Headline(LOSS, EVAL_LOSS, "lower", "loss", "nats per token", per_token=True),
    rates={"lora": (1e-4, 5e-4), "full": (1e-5, 5e-5)},
)

DPO = Task(
    name="dpo",
    meaning="preference pairs: make the chosen answer more likely than the rejected one, relative to the base model",
    title="DPO",
    module="preference",
    samples=("preference",),
    wants="preference pairs: a prompt with a chosen and a rejected answer",
    sections=("dpo",),
    columns=("prompt_ids", "chosen_ids", "rejected_ids"),
    metrics={
        "rewards/margins": "reward margin",
        "rewards/accuracies": "reward accuracy",
        "rewards/chosen": "chosen reward",
        "rewards/rejected": "rejected reward",
        "logps/chosen": "chosen log-prob",
        "logps/rejected": "rejected log-prob",
        **_TOKEN_METRICS,
    },
    headline=Headline(LOSS, EVAL_LOSS, "lower", "DPO loss", "", per_token=False),
    rates={"lora": (5e-6, 2e-5), "full": (5e-7, 5e-6)},
    sequences=2,
    reference=True,
    refuses=(
        Limit("data.packing", "DPO compares whole pairs and cannot pack them. Set packing to none.", accepts=("none",)),
        Limit(
            "data.loss_on",
            "DPO trains on answers, never on the prompt. Set this to answers.",
            accepts=("answers",),
        ),
        Limit(
            "training.group_by_length",
            "DPO cannot group batches by length because each sample is a pair. Set this to no.",
            accepts=(False,),
        ),
        Limit(
            "training.parallel",
            "Full DPO needs the whole base model as a reference on each GPU, which fsdp cannot shard "
            "here. Use ddp, or set the method to lora.",
            accepts=("ddp",),
            given={"method": "full"},
        ),
        Limit(
            "lora.dropout",
            "Dropout has no effect: DPO turns it off because it compares two passes of the same model.",
            accepts=(0.0,),
            severity="note",
            given={"method": "lora"},
        ),
    ),
)

TASKS: Mapping[str, Task] = {task.name: task for task in (SFT, DPO)}
"""Every task by its name, in the order of the form."""


def task_named(name: object) -> Task:
    """The task of a name; supervised training where a file, older than the key, has none that is known."""
    return TASKS.get(name, SFT) if isinstance(name, str) else SFT


def task_of(payload: object) -> Task:
    """The task of a job, from what `job.json` says of it; supervised training where that names none."""
    recipe = payload.get("recipe") if isinstance(payload, Mapping) else None
    return task_named(recipe.get("task")) if isinstance(recipe, Mapping) else SFT


def tasks_with(section: str) -> Condition:
    """That the task is one that reads this section of the recipe."""
    return one_of("task", *(task.name for task in TASKS.values() if section in task.sections))
