"""Sample outputs while training, on a few fixed prompts, read back from a run's `samples.jsonl`. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Sampled:
    """One prompt and its answer at one step.

    Attributes:
        prompt: the turns before the answer, as `(role, content)`.
        reference: the dataset's own answer, "" for a prompt of the recipe's.
        answer: of the model in training.
        ended: whether it ended its turn, rather than being cut at the limit.
    """

    prompt: tuple[tuple[str, str], ...]
    reference: str
    answer: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Round:
    """All prompts at one step; at step 0 the base model answered."""

    step: int
    samples: tuple[Sampled, ...]


def read_rounds(run: Path) -> list[Round]:
    """The rounds of a run, by step; a line that is cut short is left out. Never raises.

    Where a run went back to a checkpoint, what it had answered at later steps is void.

    Args:
        run: the run's folder.
    """
    try:
        lines = (run / "samples.jsonl").read_bytes().splitlines()
    except OSError:
        return []
    found: list[Round] = []
    for line in lines:
        try:
            record = json.loads(line)
            read = Round(int(record["step"]), tuple(_sampled(value) for value in record["samples"]))
        except (ValueError, KeyError, TypeError):
            continue
        while found and found[-1].step >= read.step:
            found.pop()
        found.append(read)
    return found


def _sampled(value: Mapping[str, Any]) -> Sampled:
    return Sampled(
        prompt=tuple((str(turn["role"]), str(turn["content"])) for turn in value["messages"]),
        reference=str(value["reference"]),
        answer=str(value["answer"]),
        ended=bool(value["ended"]),
    )
