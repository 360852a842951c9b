"""Runs on preference pairs: good ones, pairs without a preference, and pairs whose answers sink together."""

from __future__ import annotations

import random

from tests.curves.cases import Row

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

    return [paired(row) for row in train], [paired(row) for row in held_out]


def alike(train: list[Row], held_out: list[Row], chance: random.Random) -> tuple[list[Row], list[Row]]:
    """Both answers are the same but for one word near their end: what pushes one down pushes the other down."""

    def paired(row: Row) -> Row:
        words = _answer(row).split()
        place = max(0, len(words) - 1 - chance.randrange(3))
        other = [*words[:place], chance.choice(("never", "perhaps", "nothing")), *words[place + 1 :]]
        return _pair(row, " ".join(words), " ".join(other))

    return [paired(row) for row in train], [paired(row) for row in held_out]
