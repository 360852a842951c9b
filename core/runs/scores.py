"""The evaluation of a run: base against tuned model on held-out samples, read back without torch."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.errors import BadInput

_LONG = 1_500
"""Characters of a question above which one sees little else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One held-out prompt with the answers of the dataset, the base and the tuned model.

    Attributes:
        number: from 0, in the order of the eval set.
        prompt: the turns before the answer, as `(role, content)`.
        reference: the dataset's own answer.
        base: the base model's answer.
        tuned: the tuned model's answer.
    """

    number: int
    prompt: tuple[tuple[str, str], ...]
    reference: str
    base: str
    tuned: str

    @property
    def long(self) -> bool:
        """Whether the question alone would fill the screen."""
        return sum(len(text) for _, text in self.prompt[-1:]) > _LONG

    @property
    def changed(self) -> float:
        """The part of both answers' words that only one of them has: 0 where the answers are the same."""
        if self.base == self.tuned:
            return 0.0
        base, tuned = Counter(self.base.split()), Counter(self.tuned.split())
        both = sum((base & tuned).values()) * 2
        return max(1e-6, 1 - both / max(1, base.total() + tuned.total()))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Base against tuned model on held-out samples.

    Attributes:
        base_loss: mean cross-entropy a trained token, in nats.
        tuned_loss: the same for the tuned model.
        eval_samples: samples that the losses were measured on.
        reward_accuracy: of pairs or rated answers, the share in which the tuned model prefers the better answer, as the
            task of the run measures it; else None.
        reward_margin: by how much on average, in the task's rewards.
        base_accuracy: the same share of the base model, where the task measures one of it.
        base_reward: the base model's mean reward on held-out prompts, where rewards score answers; else None.
        tuned_reward: the same of the tuned model.
        writes: whether the model writes text at all; a reward model does not.
        measured: all of that in words, "" where nothing says it.
        answers: answers side by side, as many as the recipe asked for.
        step: the training step of the tuned model; None where nothing says it.
    """

    base_loss: float | None
    tuned_loss: float | None
    eval_samples: int
    answers: tuple[Answer, ...]
    reward_accuracy: float | None = None
    reward_margin: float | None = None
    step: int | None = None
    base_accuracy: float | None = None
    writes: bool = True
    measured: str = ""
    base_reward: float | None = None
    tuned_reward: float | None = None

    @property
    def reward_words(self) -> str:
        """What was measured on preference pairs, rated answers or by rewards, or ""."""
        if self.measured and self.base_loss is None:
            return self.measured
        if self.reward_accuracy is None or self.reward_margin is None:
            return ""
        if self.measured:
            return self.measured
        return (
            f"chosen answer preferred in {self.reward_accuracy:.0%} of {self.eval_samples:,} held-out pairs "
            f"(reward margin {self.reward_margin:.3f})"
        )

    def most_changed_first(self) -> tuple[Answer, ...]:
        """The answers, those that differ most from the base's first; of very long prompts, after all others."""
        return tuple(sorted(self.answers, key=lambda one: (one.long, -one.changed, one.number)))

    @property
    def like_the_reference(self) -> int | None:
        """How many tuned answers are the dataset's own, apart from white space; None where it has none."""
        known = [answer for answer in self.answers if answer.reference.strip()]
        return sum(one.tuned.split() == one.reference.split() for one in known) if known else None

    @property
    def differing(self) -> int:
        """How many answers of the tuned model are not the base model's to the letter."""
        return sum(answer.base != answer.tuned for answer in self.answers)


def read_comparison(run: Path) -> Comparison | None:
    """The comparison in a run's folder, or None while there is none.

    Raises:
        BadInput: its files cannot be read.
    """
    folder = run / "evaluation"
    summary_file, answers_file = folder / "summary.json", folder / "answers.jsonl"
    if not summary_file.exists():
        return None
    try:
        summary: dict[str, Any] = json.loads(summary_file.read_text(encoding="utf-8"))
        lines = answers_file.read_text(encoding="utf-8").splitlines() if answers_file.exists() else []
        answers = tuple(_answer(json.loads(line)) for line in lines if line)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"Cannot read the comparison ({error})", where=str(folder), do="Restore or delete this folder"
        ) from error
    return Comparison(
        base_loss=_number(summary.get("base_loss")),
        tuned_loss=_number(summary.get("tuned_loss")),
        eval_samples=int(summary.get("eval_samples", 0)),
        answers=answers,
        step=summary["adapter_step"] if isinstance(summary.get("adapter_step"), int) else None,
        reward_accuracy=_number(summary.get("reward_accuracy")),
        reward_margin=_number(summary.get("reward_margin")),
        base_accuracy=_number(summary.get("base_accuracy")),
        base_reward=_number(summary.get("base_reward")),
        tuned_reward=_number(summary.get("tuned_reward")),
        writes=summary.get("writes") is not False,
        measured=clean_line(str(summary.get("measured") or ""), 400),
    )


def _answer(value: dict[str, Any]) -> Answer:
    return Answer(
        number=int(value["n"]),
        prompt=tuple((str(turn["role"]), str(turn["content"])) for turn in value["messages"]),
        reference=str(value["reference"]),
        base=str(value["base"]),
        tuned=str(value["tuned"]),
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
