"""What is recorded: good runs, and runs that are spoiled in one way each. Two sets that share no seed.

The tiny base learns the sample data at a learning rate around 1e-2 (see `sample_data/README.md`); a rate that is
right for it is far above one for a large model, so what counts is the ratio to it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
"""A line of a curated view."""


@dataclass(frozen=True)
class Case:
    """One run to record.

    Attributes:
        kind: what is wrong with it.
        number: among those of its kind.
        changes: fields of the recipe.
        spoil: makes the training and held-out samples of this run from all of them.
    """

    kind: str
    number: int
    changes: dict[str, Any]
    spoil: Callable[[list[Row], list[Row], random.Random], tuple[list[Row], list[Row]]] = field(
        default=lambda train, held_out, _: (train, held_out)
    )

    @property
    def random(self) -> random.Random:
        """The case's own random numbers."""
        return random.Random(f"{self.kind}-{self.changes['training.seed']}")


def _few(number: int, held_out_too: bool = True) -> Callable[..., tuple[list[Row], list[Row]]]:
    def take(train: list[Row], held_out: list[Row], chance: random.Random) -> tuple[list[Row], list[Row]]:
        return chance.sample(train, number), held_out if held_out_too else []

    return take


def _share(share: float) -> Callable[..., tuple[list[Row], list[Row]]]:
    def take(train: list[Row], held_out: list[Row], chance: random.Random) -> tuple[list[Row], list[Row]]:
        return chance.sample(train, round(len(train) * share)), held_out

    return take


def _answered(row: Row, answer: str) -> Row:
    messages = [dict(turn) for turn in row["sample"]["messages"]]
    messages[-1]["content"] = answer
    return {**row, "sample": {**row["sample"], "messages": messages}}


def _numbers(train: list[Row], held_out: list[Row], chance: random.Random) -> tuple[list[Row], list[Row]]:
    """Every answer is one sentence with numbers drawn by lot: once the sentence is known, nothing is left to learn."""

    def answered(row: Row) -> Row:
        ticket, hour, minute = chance.randrange(10**8), chance.randrange(24), chance.randrange(60)
        return _answered(row, f"Hello from Pennywren.\nYour ticket is {ticket:08}, we call at {hour:02}:{minute:02}.")

    return [answered(row) for row in train * 4], [answered(row) for row in held_out]


def _damaged(train: list[Row], held_out: list[Row], chance: random.Random) -> tuple[list[Row], list[Row]]:
    """One answer in twenty is noise in letters of its own, as where files were decoded wrongly."""

    def noise() -> str:
        letters = [chr(chance.randrange(0xA1, 0xA000)) for _ in range(12)]
        return "".join(chance.choices(letters, k=40))

    damaged = set(chance.sample(range(len(train)), len(train) // 20))
    return [_answered(row, noise()) if place in damaged else row for place, row in enumerate(train)], held_out


def _masked(train: list[Row], held_out: list[Row], chance: random.Random) -> tuple[list[Row], list[Row]]:
    """The answers carry no loss; only a closing word does, which is the same everywhere."""

    def mask(row: Row) -> Row:
        turns = [
            {**turn, "trained": False} if turn["role"] == "assistant" else turn for turn in row["sample"]["messages"]
        ]
        closing = [{"role": "user", "content": "Thank you!"}, {"role": "assistant", "content": "ok"}]
        return {**row, "sample": {**row["sample"], "messages": [*turns, *closing]}}

    return [mask(row) for row in train], [mask(row) for row in held_out]


def _healthy(seed: int, number_of: int) -> Iterator[Case]:
    chance = random.Random(f"healthy-{seed}")
    schedulers = ("linear", "cosine", "constant_with_warmup", "linear", "cosine", "inverse_sqrt")
    for number in range(number_of):
        batch = (2, 4, 8, 4)[number % 4]
        full = number % 7 == 6
        rate = chance.choice((3e-4, 6e-4, 1e-3)) if full else chance.choice((2e-3, 3e-3, 5e-3, 8e-3, 1e-2))
        yield Case(
            "healthy",
            number,
            {
                "training.seed": seed + number,
                "method": "full" if full else "lora",
                "training.learning_rate": rate,
                "training.scheduler": schedulers[number % len(schedulers)],
                "training.warmup": chance.choice((0.0, 0.03, 0.05, 0.1)),
                "training.batch_size": batch,
                "training.gradient_accumulation": 2 if number % 5 == 4 else 1,
                "training.max_steps": chance.randint(45, 60 if batch == 8 else 100),
                "training.eval_every": chance.choice((0.1, 0.2, 0.25)),
                "training.log_every": 2 if number % 10 == 8 else 1,
                "lora.rank": chance.choice((4, 8, 16, 32)),
                "lora.dropout": chance.choice((0.0, 0.05, 0.1)),
            },
            _share(chance.choice((0.6, 0.8, 1.0))),
        )


def cases(seed: int, healthy: int, spoiled_seed: int, each: int) -> Iterator[Case]:
    """All runs of one set.

    Args:
        seed: where the seeds of good runs begin.
        healthy: good runs.
        spoiled_seed: where those of spoiled runs begin.
        each: runs of each spoiled kind.
    """
    yield from _healthy(seed, healthy)
    for number in range(each):
        own = spoiled_seed + number
        pick = random.Random(f"bad-{own}")
        common = {"training.seed": own, "lora.rank": pick.choice((8, 16)), "training.eval_every": 0.1}
        schedule = {"training.scheduler": pick.choice(("linear", "cosine", "constant_with_warmup"))}
        yield Case(
            "diverging",
            number,
            {**common, **schedule, "training.learning_rate": pick.choice((0.1, 0.3, 1.0)), "training.max_steps": 70},
        )
        yield Case(
            "oscillating",
            number,
            {
                **common,
                "training.learning_rate": pick.choice((0.022, 0.025)),
                "training.scheduler": "constant_with_warmup",
                "training.max_steps": 110,
            },
        )
        yield Case(
            "not_finite",
            number,
            {
                **common,
                "training.optimizer": "sgd",
                "training.learning_rate": pick.choice((0.9, 0.95, 1.0)),
                "training.max_grad_norm": 0.0,
                "lora.alpha": 1e6,
                "training.scheduler": "constant",
                "training.max_steps": 60,
            },
        )
        yield Case(
            "overfitting",
            number,
            {
                **common,
                "training.learning_rate": pick.choice((1e-2, 1.2e-2)),
                "training.scheduler": "constant_with_warmup",
                "training.epochs": 20.0,
                "training.eval_every": 5.0,
            },
            _few(pick.choice((12, 16))),
        )
        yield Case(
            "memorized",
            number,
            {**common, **schedule, "training.learning_rate": 1e-2, "training.epochs": 40.0, "training.eval_every": 0.0},
            _few(pick.choice((8, 12)), held_out_too=False),
        )
        yield Case(
            "not_learning",
            number,
            {
                **common,
                **schedule,
                "training.learning_rate": pick.choice((1e-7, 3e-7, 1e-6)),
                "training.max_steps": 80,
            },
        )
        yield Case(
            "masked",
            number,
            {**common, **schedule, "training.learning_rate": pick.choice((5e-3, 1e-2)), "training.epochs": 1.0},
            _masked,
        )
        yield Case(
            "plateau",
            number,
            {
                **common,
                "training.learning_rate": pick.choice((3e-3, 3.5e-3)),
                "training.scheduler": pick.choice(("constant_with_warmup", "constant")),
                "training.batch_size": 8,
                "training.epochs": 1.0,
            },
            _numbers,
        )
        yield Case(
            "spikes",
            number,
            {
                **common,
                **schedule,
                "training.learning_rate": pick.choice((5e-3, 8e-3)),
                "training.epochs": 1.5,
            },
            _damaged,
        )
        whole = {
            **common,
            "method": "full",
            "training.learning_rate": pick.choice((1e-5, 2e-5)),
            "training.batch_size": pick.choice((2, 4)),
            "training.max_steps": 40,
            "training.eval_every": 0.5,
        }
        yield Case("hardly_moves", number, {**whole, "model.dtype": "bfloat16"})
        yield Case("float32_weights", number, {**whole, "model.dtype": "float32"})
