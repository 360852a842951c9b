"""Curves of real runs, good and bad, on which the verdict is tuned (`tuning/`) and tested (`held_out/`).

`python -m tests.curves.record` records them again. A file holds the runs of one kind, a line of JSON each.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TUNING = HERE / "tuning"
HELD_OUT = HERE / "held_out"

KEPT = (
    "step",
    "loss",
    "eval_loss",
    "grad_norm",
    "learning_rate",
    "mean_token_accuracy",
    "num_tokens",
    "epoch",
    "weights_changed",
)
"""The metrics that are recorded; speeds depend on the machine."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded run.

    Attributes:
        kind: what was done wrong, or `healthy`; see `tests.curves.cases`.
        number: of the run among those of its kind in its folder.
        recipe: the run's recipe as JSON, without paths.
        steps: the steps that the run was to make.
        records: the records of `metrics.jsonl` as a follower reads them.
    """

    kind: str
    number: int
    recipe: Mapping[str, Any]
    steps: int
    records: tuple[dict[str, Any], ...]

    @property
    def name(self) -> str:
        """For messages of a test."""
        return f"{self.kind}-{self.number}"


def load(folder: Path) -> list[Recording]:
    """The recordings of a folder, by kind and number."""
    found = []
    for file in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            found += [_recording(json.loads(line)) for line in lines]
    return found


def _recording(value: Mapping[str, Any]) -> Recording:
    records = tuple({key: _number(entry) for key, entry in record.items()} for record in value["records"])
    return Recording(value["kind"], value["number"], value["recipe"], value["steps"], records)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value
