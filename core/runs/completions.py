"""Completions that an online run has generated and scored, read back from its `completions.jsonl`. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "completions.jsonl"


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion and what it was given.

    Attributes:
        prompt: the last turn of the prompt.
        text: the completion.
        reward: the sum of the scores times their weights.
        scores: the score of each reward by its name; None where it gave none.
        tokens: of the completion.
        answer: the dataset's own answer, or "".
    """

    prompt: str
    text: str
    reward: float
    scores: Mapping[str, float | None]
    tokens: int
    answer: str


@dataclass(frozen=True, slots=True)
class Generation:
    """What was kept of the completions that were generated at once.

    Attributes:
        step: the step that they were generated for.
        held_out: whether for the eval set.
        of: how many there were.
        completions: the best first.
    """

    step: int
    held_out: bool
    of: int
    completions: tuple[Completion, ...]


def has_completions(run: Path) -> bool:
    """Whether a run has generated any, so far."""
    return (run / NAME).exists()


def read_completions(run: Path) -> list[Generation]:
    """The generations of a run, in their order; a line that is cut short is left out. Never raises.

    Where a run went back to a checkpoint, what it had generated for later steps is void.

    Args:
        run: the run's folder.
    """
    try:
        lines = (run / NAME).read_bytes().splitlines()
    except OSError:
        return []
    found: list[Generation] = []
    for line in lines:
        try:
            record = json.loads(line)
            read = Generation(
                int(record["step"]),
                bool(record["held_out"]),
                int(record["of"]),
                tuple(_completion(value) for value in record["completions"]),
            )
        except (ValueError, KeyError, TypeError):
            continue
        while found and (found[-1].step > read.step or (found[-1].step == read.step and not read.held_out)):
            found.pop()
        found.append(read)
    return found


def _completion(value: Mapping[str, Any]) -> Completion:
    return Completion(
        prompt=str(value["prompt"]),
        text=str(value["completion"]),
        reward=float(value["reward"]),
        scores={str(name): None if score is None else float(score) for name, score in value["scores"].items()},
        tokens=int(value["tokens"]),
        answer=str(value.get("answer", "")),
    )
