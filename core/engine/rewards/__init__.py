"""What scores completions: one file per kind of reward, found by the name that its row in `core.recipe.rewards` gives.

A module has `make(reward, setting)`, which returns a function of completions. It is called as TRL calls rewards, with
what all kinds need read out of it first: the texts, the token ids, and the columns of the dataset.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.errors import BadInput
from core.recipe.recipe import Recipe
from core.recipe.rewards import ANSWER, KINDS
from core.recipe.sections.rewards import RewardEntry

Score = float | None
"""What a completion gets; None for one that cannot be scored, which then counts as none."""

_NAME = re.compile(r"[^\w.-]+")
_COPY = re.compile(r"^[0-9a-f]{16}-")
"""What stands before a file's name in the copy that a run keeps (`core.runs.reward_files`)."""


@dataclass(frozen=True, slots=True)
class Completions:
    """A batch of completions, with what is known of each.

    Attributes:
        prompts: turns or texts, as the dataset has them.
        completions: lists of one turn, or texts.
        texts: the completions as text.
        ids: their token ids, the end of turn included.
        columns: further columns of the dataset, among them the data's own answer.
    """

    prompts: Sequence[Any]
    completions: Sequence[Any]
    texts: Sequence[str]
    ids: Sequence[Sequence[int]]
    columns: Mapping[str, Sequence[Any]]

    def references(self, reward: RewardEntry) -> list[str]:
        """What the answers are compared with: the column that the reward names, else the data's own answer.

        Raises:
            BadInput: a row has none.
        """
        name = reward.column or ANSWER
        found = self.columns.get(name, [None] * len(self.texts))
        if (place := next((place for place, value in enumerate(found) if value is None), None)) is not None:
            what = "has no answer" if name == ANSWER else f"has nothing in the column {name!r}"
            raise BadInput(
                f"A row {what}, which the reward {reward.kind} compares with (prompt: {said(self.prompts[place])})",
                where="rewards",
                do="Name the column with the reference, as column=solution",
            )
        return [value if isinstance(value, str) else str(value) for value in found]

    def one(self, place: int) -> Completions:
        """One of them."""
        here = slice(place, place + 1)
        return Completions(
            self.prompts[here],
            self.completions[here],
            self.texts[here],
            self.ids[here],
            {name: values[here] for name, values in self.columns.items()},
        )


@dataclass(slots=True)
class RewardSetting:
    """Where rewards are computed.

    Attributes:
        recipe: with absolute paths.
        device: of reward models.
        tick: called while a reward takes long; may raise to end it.
    """

    recipe: Recipe
    device: Any = "cpu"
    tick: Callable[[], None] = field(default=lambda: None)

    def look(self) -> None:
        """Calls the current `tick`: a trainer sets its own once it is built."""
        self.tick()


Scorer = Callable[[Completions], Sequence[Score]]
"""A reward of one kind: one score for each completion."""


class NamedReward:
    """A reward under the name of its chart, as TRL calls it.

    Args:
        name: names its metric: `rewards/NAME/mean`.
        reward: the recipe's entry.
        scorer: what computes it.
    """

    def __init__(self, name: str, reward: RewardEntry, scorer: Scorer) -> None:
        self.__name__ = name
        self.reward = reward
        self._scorer = scorer

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[Score]:
        """One score for each completion.

        Raises:
            BadInput: the reward cannot score them; the sentence says which, and why.
        """
        texts = [text_of(each) for each in completions]
        beside = {name: values for name, values in columns.items() if name not in _OF_TRL}
        return self.score(Completions(prompts, completions, texts, completion_ids, beside))

    def end(self) -> None:
        """Ends the process that computes it, where there is one."""
        process = getattr(self._scorer, "__self__", None)
        if process is not None:
            process.end()

    def score(self, batch: Completions) -> list[Score]:
        """As `__call__`, of a batch at hand."""
        scores = [None if score is None else float(score) for score in self._scorer(batch)]
        if len(scores) != len(batch.texts):
            raise BadInput(
                f"The reward {self.__name__} gave {len(scores):,} scores for {len(batch.texts):,} completions",
                where="rewards",
                do="It must return one per completion",
            )
        for place, score in enumerate(scores):
            if score is not None and not math.isfinite(score):
                raise BadInput(
                    f"The reward {self.__name__} gave {score} for completion {place + 1:,} of {len(scores):,} "
                    f"(prompt: {said(batch.prompts[place])})",
                    where="rewards",
                    do="Return a number, or None for a completion that cannot be scored",
                )
        return scores


_OF_TRL = ("trainer_state", "log_extra", "log_metric", "environments")


def text_of(completion: Any) -> str:
    """A completion as text: itself, or what its turns say."""
    if isinstance(completion, str):
        return completion
    return "\n".join(str(turn.get("content") or "") for turn in completion)


def said(prompt: Any, most: int = 80) -> str:
    """The beginning of a prompt's last turn, for a sentence."""
    text = prompt if isinstance(prompt, str) else str(prompt[-1].get("content") or "") if prompt else ""
    return f"'{clean_line(' '.join(text.split()), most)}'"


def names_of(rewards: Sequence[RewardEntry]) -> list[str]:
    """The name of each reward's chart; all are different."""
    found: list[str] = []
    for reward in rewards:
        plain = reward.name
        if not plain and KINDS[reward.kind].runs_code:
            usual = reward.function == RewardEntry().function
            plain = _COPY.sub("", Path(reward.file).stem) if usual else reward.function
        name = base = _NAME.sub("_", plain or reward.kind).strip("_")[:40] or reward.kind
        number = 1
        while name in found:
            number += 1
            name = f"{base}-{number}"
        found.append(name)
    return found


class Rewards(list[NamedReward]):
    """The rewards of a recipe, ready to score; as a context manager it ends their processes."""

    def __enter__(self) -> Rewards:
        return self

    def __exit__(self, *_: object) -> None:
        for reward in self:
            reward.end()


def reward_functions(setting: RewardSetting) -> Rewards:
    """The rewards of a recipe, in its order, ready to score.

    Raises:
        BadInput: a package is missing, a file cannot be read, or a pattern is wrong.
        NotAgreed: a Python file needs the user's yes first.
    """
    rewards = setting.recipe.rewards
    if not rewards:
        raise BadInput(
            "No reward scores the answers, so there is nothing to learn",
            where="rewards",
            do="Add one, such as exact_match=1",
        )
    made = Rewards()
    for name, reward in zip(names_of(rewards), rewards, strict=True):
        kind = KINDS[reward.kind]
        package, module = kind.package
        if module and find_spec(module) is None:
            raise BadInput(
                f"The reward {reward.kind} needs the package {package}, which is not installed",
                where="rewards",
                do=f"Install it with: pip install {package}",
            )
        scorer: Scorer = import_module(f"core.engine.rewards.{kind.module}").make(reward, setting)
        made.append(NamedReward(name, reward, scorer))
    return made
