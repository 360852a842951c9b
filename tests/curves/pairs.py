"""Runs on preference pairs: good ones, pairs without a preference, and pairs whose answers sink together."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from tests.curves.cases import Case, Row

_RATES = {"dpo": (2e-4, 5e-4, 1e-3), "orpo": (1e-3, 2e-3), "reward": (1e-3, 2e-3)}
"""Learning rates at which the tiny base learns, by task."""

_POOR = (
    "Please look into the manual, it is all in there.",
    "That is not possible at the moment. Try again another day.",
    "I do not know. Somebody else may be able to help.",
)


def _pair(row: Row, chosen: str, rejected: str) -> Row:
    """A row of preference data with two answers to the prompt of a conversation."""
    sample = row["sample"]
    answers = {
        name: [{"role": "assistant", "content": text}] for name, text in (("chosen", chosen), ("rejected", rejected))
    }
    return {**row, "sample": {**sample, "kind": "preference", "messages": sample["messages"][:-1], **answers}}


def _answer(row: Row) -> str:
    text: str = row["sample"]["messages"][-1]["content"]
    return text


def preferred(train: list[Row], held_out: list[Row], chance: random.Random) -> tuple[list[Row], list[Row]]:
    """The desk's own answer is preferred to a poor one."""

    def paired(row: Row) -> Row:
        return _pair(row, _answer(row), chance.choice(_POOR))

    return [paired(row) for row in train], [paired(row) for row in held_out]


def undecided(train: list[Row], held_out: list[Row], chance: random.Random) -> tuple[list[Row], list[Row]]:
    """Which of two of the desk's answers is preferred was drawn by lot."""

    def paired(row: Row) -> Row:
        one, other = _answer(row), _answer(chance.choice(train))
        return _pair(row, one, other) if chance.random() < 0.5 else _pair(row, other, one)

    return [paired(row) for row in train], [paired(row) for row in held_out * 4]


def alike(train: list[Row], held_out: list[Row], chance: random.Random) -> tuple[list[Row], list[Row]]:
    """Both answers are the same but for one word near their end: what pushes one down pushes the other down."""

    def paired(row: Row) -> Row:
        words = _answer(row).split()
        place = max(0, len(words) - 1 - chance.randrange(3))
        other = [*words[:place], chance.choice(("never", "perhaps", "nothing")), *words[place + 1 :]]
        return _pair(row, " ".join(words), " ".join(other))

    return [paired(row) for row in train], [paired(row) for row in held_out]


def pair_cases(seed: int, spoiled_seed: int, each: int) -> Iterator[Case]:
    """Runs of each task on pairs, good and spoiled.

    Args:
        seed: where the seeds of good runs begin.
        spoiled_seed: where those of spoiled runs begin.
        each: runs of each task and kind.
    """
    for number in range(each):
        for task, rates in _RATES.items():
            own, common = seed + number, _common(task, seed + number)
            pick = random.Random(f"{task}-{own}")
            beta = {f"{task}.beta": pick.choice((0.1, 0.3))} if task == "dpo" else {}
            good = {**common, **beta, "training.learning_rate": pick.choice(rates)}
            yield Case(f"{task}_healthy", number, good, preferred)
            own = spoiled_seed + number
            spoiled = {**_common(task, own), "training.learning_rate": rates[-1]}
            yield Case(f"{task}_chance", number, {**spoiled, "training.max_steps": 60}, undecided)
        own = spoiled_seed + number
        pick = random.Random(f"alike-{own}")
        sinking = {"training.learning_rate": pick.choice((5e-3, 7e-3)), "dpo.beta": pick.choice((0.01, 0.02))}
        yield Case("dpo_sinking", number, {**_common("dpo", own), **sinking}, alike)


def _common(task: str, seed: int) -> dict[str, Any]:
    pick = random.Random(f"{task}-common-{seed}")
    return {
        "task": task,
        "training.seed": seed,
        "training.eval_every": 0.2,
        "training.max_steps": pick.choice((36, 44)),
        "training.scheduler": pick.choice(("linear", "cosine")),
        "data.max_length": 128,
        "lora.rank": pick.choice((8, 16)),
    }
