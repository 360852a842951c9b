"""What a kind of training says of itself: the type of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from core.dataset.sample import SampleKind
from core.recipe.declare import ProblemLevel
from core.recipe.values import Value

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe

Better = Literal["lower", "higher"]

ColumnKind = Literal["tokens", "flag", "number", "text", "json"]
"""What a column of a trainer's dataset holds: a list of token ids, true or false, a number, a text, or any JSON."""

LOSS, EVAL_LOSS = "loss", "eval_loss"
"""What every trainer logs of what it minimizes, whatever says how the run goes."""

LOSS_TITLES = {LOSS: "loss", EVAL_LOSS: "eval loss"}
"""What these are called when they are not the headline."""


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
        """What sentences call it when they also mention the eval set's value."""
        return f"train {self.title}"

    @property
    def eval_title(self) -> str:
        """What the value on the eval set is called."""
        return f"eval {self.title}"

    def cost(self, value: float) -> float:
        """The value, negated if higher is better, so that lower is always better; its own inverse."""
        return value if self.better == "lower" else -value


@dataclass(frozen=True, slots=True)
class Limit:
    """A field of which a task only supports some values.

    Attributes:
        path: the field, dotted.
        sentence: what is wrong with other values, and what to do.
        accepts: the values that work; empty where `at_least` says it.
        at_least: the least number that works, or None.
        severity: of the problem with other values.
        given: values of other fields for which this limit applies.
    """

    path: str
    sentence: str
    accepts: tuple[Value, ...] = ()
    at_least: float | None = None
    severity: ProblemLevel = "error"
    given: Mapping[str, Value] = field(default_factory=dict)

    def allows(self, value: Value) -> bool:
        """Whether a value works, where the limit applies."""
        if self.at_least is None:
            return value in self.accepts
        return isinstance(value, int | float) and value >= self.at_least

    @property
    def nearest(self) -> Value:
        """The value that works instead of one that does not."""
        if self.at_least is None:
            return self.accepts[0]
        return int(self.at_least) if float(self.at_least).is_integer() else self.at_least


@dataclass(frozen=True, slots=True)
class TaskMemory:
    """The memory a task needs beyond one model that is trained on `Task.sequences` sequences per sample.

    Attributes:
        length: tokens of its longest sequence, prompt and completion; 0 for the recipe's max length.
        beside: paths of other models that are held in memory in 16 bits and not trained: a teacher, a reward model.
            A reference that is the base model itself is not among them.
        heads: how many output layers are computed in the loss; 0 for a model that has another head, such as a reward.
        logits: bytes per token and entry of the vocabulary, if the trainer holds all logits at once; 0 if it
            computes the loss in tiles, as most of TRL's trainers do.
        generated: how many sequences are generated at once; their keys and values are in memory together.
        reference: whether full fine-tuning also needs the base model in memory, if that depends on the recipe.
    """

    length: int = 0
    beside: tuple[str, ...] = ()
    heads: int = 1
    logits: float = 0.0
    generated: int = 0
    reference: bool = False


def plain_memory(recipe: Recipe) -> TaskMemory:
    """The terms of a task that trains one model on the samples as they are."""
    return TaskMemory()


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
        metrics: what it logs in addition to loss, learning rate, gradients and speed, each with its chart title. A
            `*` stands for a name that the recipe gives, and `{}` for it in the title.
        headline: the metric that shows whether training goes well.
        headlines: the same where a field has a certain value: its dotted path, the value, the metric.
        rates: the usual learning rates with each `method`, from and to.
        artifact: what it leaves, as the model hub names it.
        writes: whether the trained model writes text, which can be sampled and compared.
        head: a new, fully trained layer that replaces the model's output layer, such as `score`; or "".
        sequences: how many sequences the model computes for one sample.
        plain: whether it also reads one prompt with one completion as plain text, without a chat template.
        marks: whether its loss mask comes from the generation markers of the chat template.
        reference: whether full fine-tuning also needs the base model in memory.
        reference_freed_by: the dotted path of a switch in the recipe that makes this unnecessary, or "".
        generates: whether the model writes the answers while it trains, so that no token of a sample carries loss.
        virtual_tokens: whether its trainer handles virtual tokens before the prompt correctly (measured).
        dropout: whether its trainer leaves dropout on; one that compares two passes of a model turns it off.
        memory: what else it adds to the memory forecast, from the recipe.
        defaults: values of fields in a fresh recipe of this task, where they differ from the fields' own.
        refuses: fields of which it only supports some values.
        supports: fields that only some tasks' trainers have, and this one's has: `training.activation_offloading`.
        answers: what training does to each answer of a sample, by the answer's name in `core.engine.encoded.Sequence`.
        scores: what it measures on the eval set besides its headline, by the name in training, each with the way it
            moves when the model learns: by these the best weights can be chosen as well.
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
    headlines: tuple[tuple[str, Value, Headline], ...] = ()
    unused: Mapping[SampleKind, str] = field(default_factory=dict)
    sections: tuple[str, ...] = ()
    metrics: Mapping[str, str] = field(default_factory=dict)
    artifact: str = "text-generation"
    writes: bool = True
    head: str = ""
    sequences: int = 1
    plain: bool = False
    marks: bool = False
    reference: bool = False
    reference_freed_by: str = ""
    generates: bool = False
    dropout: bool = True
    virtual_tokens: bool = False
    memory: Callable[[Recipe], TaskMemory] = plain_memory
    defaults: Mapping[str, Value] = field(default_factory=dict)
    refuses: tuple[Limit, ...] = ()
    supports: tuple[str, ...] = ()
    scores: Mapping[str, Better] = field(default_factory=dict)
    answers: Mapping[str, str] = field(
        default_factory=lambda: {"chosen": "made more likely", "rejected": "made less likely"}
    )

    def headline_by(self, eval_metric: object) -> Headline:
        """The headline metric whose eval-set twin has this name; the default one if none has."""
        named = (found for _, _, found in self.headlines if found.eval_metric == eval_metric)
        return next(named, self.headline)

    def holds_reference(self, recipe: Recipe) -> bool:
        """Whether full fine-tuning holds the base model in memory as well, from the recipe."""
        if self.memory(recipe).reference:
            return True
        section, _, name = self.reference_freed_by.partition(".")
        return self.reference and not (name and getattr(getattr(recipe, section), name))

    @property
    def both_answers(self) -> bool:
        """Whether it learns from the chosen and the rejected answer of a pair."""
        return "preference" in self.samples and "preference" not in self.unused


TOKEN_METRICS = {"entropy": "entropy", "mean_token_accuracy": "token accuracy"}
"""What TRL's trainers log of the tokens that carry loss."""
