"""What a kind of training says of itself: the type of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.dataset.sample import SampleKind
from core.recipe.declare import ProblemLevel
from core.recipe.values import Value

Better = Literal["lower", "higher"]

ColumnKind = Literal["tokens", "flag", "number", "text", "json"]
"""What a column of a trainer's dataset holds: a list of token ids, true or false, a number, a text, or any JSON."""

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
        encoder: the module of `core.engine` that turns a sample into those columns.
        measure: the module of `core.evaluation` that measures base and tuned model on held-out samples.
        columns: what the trainer's dataset holds of each sample: its columns in order, and what is in them.
        metrics: what it logs besides loss, rate, gradients and speed: each with its title on a chart. A `*` stands for
            a name that the recipe gives, and `{}` for it in the title.
        headline: the metric that says how it goes.
        rates: the usual learning rates with each `method`, from and to.
        artifact: what it leaves, as the model hub names it.
        sequences: how many sequences the model computes for one sample.
        marks: whether its loss mask comes from the generation markers of the chat template.
        reference: whether full fine-tuning also needs the base model in memory.
        generates: whether the model writes the answers while it trains, so that no token of a sample carries loss.
        refuses: fields of which it only supports some values.
    """

    name: str
    meaning: str
    title: str
    module: str
    samples: tuple[SampleKind, ...]
    wants: str
    encoder: str
    measure: str
    columns: Mapping[str, ColumnKind]
    headline: Headline
    rates: Mapping[str, tuple[float, float]]
    unused: Mapping[SampleKind, str] = field(default_factory=dict)
    sections: tuple[str, ...] = ()
    metrics: Mapping[str, str] = field(default_factory=dict)
    artifact: str = "text-generation"
    sequences: int = 1
    marks: bool = False
    reference: bool = False
    generates: bool = False
    refuses: tuple[Limit, ...] = ()

    @property
    def both_answers(self) -> bool:
        """Whether it learns from the chosen and the rejected answer of a pair."""
        return "preference" in self.samples and "preference" not in self.unused


TOKEN_METRICS = {"entropy": "entropy", "mean_token_accuracy": "token accuracy"}
"""What TRL's trainers log of the tokens that carry loss."""
