"""The rows on which near-duplicates are measured: all public datasets as text, and copies of some with slips."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from core.dataset.dataset import Dataset
from core.dataset.item import Item, normalize
from core.dataset.records import Unreadable
from core.errors import BadInput

_PIECE = 1_000
_SLIPS = (0, 0.005, 0.01, 0.02, 0.03, 0.05)


def near_rows(folder: Path, count: int) -> list[str]:
    """That many normalized texts, always the same.

    Args:
        folder: the public datasets. Every row is taken; a text longer than 500,000 characters in pieces of 1,000.
        count: rows wanted. What is missing is made of random rows by replacing, deleting and inserting characters at
            rates up to 5%.
    """
    rows = [normalize(text) for text in _texts(folder)]
    rows = [text for text in rows if text]
    made = random.Random(0)
    real = len(rows)
    while len(rows) < count:
        rows.append(normalize(_with_slips(rows[made.randrange(real)], made)))
    made.shuffle(rows)
    return rows[:count]


def _texts(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        try:
            dataset = Dataset.open(path)
        except BadInput:
            continue  # the git LFS pointer and the read-me are no data
        if not dataset.recognition.known:
            continue
        dataset.reader.extend()
        for entry in range(dataset.count):
            try:
                text = Item(entry, dataset.sample(entry)).text
            except Unreadable:
                continue
            if len(text) <= 500_000:
                yield text
            else:
                yield from (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def _with_slips(text: str, made: random.Random) -> str:
    characters = list(text)
    for _ in range(int(len(text) * made.choice(_SLIPS)) + 1):
        at, kind = made.randrange(len(characters)), made.random()
        letter = made.choice("abcdefghij ")
        characters[at] = letter if kind < 0.4 else "" if kind < 0.7 else characters[at] + letter
    return "".join(characters)
