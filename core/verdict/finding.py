"""What a rule finds, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.recipe.recipe import Recipe, read
from core.recipe.schedule import steps_of, warms_up
from core.recipe.tasks import Headline, headline_of
from core.units import count


class VerdictKind(StrEnum):
    """How a run goes. The value is the word on the screen."""

    WARMING_UP = "warming up"
    TOO_EARLY = "too early to judge"
    HEALTHY = "healthy"
    PLATEAU = "plateau"
    OSCILLATING = "oscillating"
    DIVERGING = "diverging"
    OVERFITTING = "overfitting"
    MEMORIZED = "memorized"
    NOT_LEARNING = "not learning"
    SPIKES = "gradient spikes"
    NOT_FINITE = "not finite"
    STARVED = "starved GPU"
    THROTTLED = "thermal throttling"
    HARDLY_MOVES = "weights hardly move"
    STALLED = "stalled"
    FAILED = "failed"


QUIET = frozenset({VerdictKind.WARMING_UP, VerdictKind.TOO_EARLY, VerdictKind.HEALTHY})
"""Kinds that nobody need do anything about."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has found.

    Attributes:
        kind: what it is.
        since: the step that it began at.
        facts: the numbers for its sentence, by name.
        cause: which of its causes it is, where it has several.
    """

    kind: VerdictKind
    since: int
    facts: Mapping[str, float] = field(default_factory=dict)
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """A change for the next run.

    Attributes:
        setting: the recipe field's path, or "" where no field says it.
        to: its value as a recipe would write it, or "".
        words: the same for people, without a full stop: `learning rate 2e-5`.
    """

    setting: str
    to: str
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run goes, in words.

    Attributes:
        kind: in one word or two.
        since_step: the step that it began at; None where that means nothing.
        sentence: what is seen, with its numbers; begins with the kind in capitals, plain text.
        advice: what to change next time, the most likely remedy first; empty where nothing need change.
        best_step: step of the best evaluation so far, or None.
        best_eval: the headline metric there.
        keep_step: step of the checkpoint on disk that is nearest to it; filled in by `core.verdict.run` where the last
            weights are not the best, else None.
    """

    kind: VerdictKind
    since_step: int | None
    sentence: str
    advice: tuple[Advice, ...] = ()
    best_step: int | None = None
    best_eval: float | None = None
    keep_step: int | None = None

    @property
    def quiet(self) -> bool:
        """Whether nothing is wrong as far as can be seen."""
        return self.kind in QUIET

    @property
    def next_time(self) -> str:
        """The advice as a sentence, or ""."""
        return _next_time(self.advice)

    def text(self, fits: Callable[[str], bool] = lambda text: True) -> str:
        """Sentence, checkpoint to keep, and advice.

        Args:
            fits: whether a text is short enough; advice is left out, the least of it first, until it is.
        """
        seen = self.sentence if self.keep_step is None else f"{self.sentence} Keep checkpoint {count(self.keep_step)}."
        for number in range(len(self.advice), 0, -1):
            whole = f"{seen} {_next_time(self.advice[:number])}"
            if fits(whole):
                return whole
        return seen

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {
            "kind": self.kind.value,
            "since_step": self.since_step,
            "sentence": self.sentence,
            "advice": [{"setting": a.setting, "to": a.to, "words": a.words} for a in self.advice],
            "best_step": self.best_step,
            "best_eval": self.best_eval,
            "keep_step": self.keep_step,
        }


def _next_time(advice: Sequence[Advice]) -> str:
    *first, last = [change.words for change in advice] or [""]
    if not last:
        return ""
    return f"Next time: {', '.join(first)} or {last}." if first else f"Next time: {last}."


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What the run was to be.

    Attributes:
        recipe: its recipe.
        headline: the metric that says how it goes.
        steps: steps in all, or None while that is unknown.
        events: log events of training in all, or None.
        warmup: steps of rising learning rate.
    """

    recipe: Recipe
    headline: Headline
    steps: int | None
    events: int | None
    warmup: int

    @classmethod
    def of(cls, recipe: Mapping[str, Any], steps: int | None) -> RunPlan:
        """The plan of a run.

        Args:
            recipe: its recipe as JSON; fields that are missing or unknown take their defaults.
            steps: steps in all, None if unknown.
        """
        found, _ = read(recipe)
        training = found.training
        warmup = 0
        if warms_up(found):
            warmup = steps_of(training.warmup, steps or 0)
        headline = headline_of(recipe)
        return cls(found, headline, steps, steps // training.log_every if steps else None, warmup)
