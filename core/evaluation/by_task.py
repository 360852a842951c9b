"""The measurement of base and tuned model for each task of the rows, where the dataset holds several."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.recipe.recipe import Recipe

if TYPE_CHECKING:
    from core.evaluation.measures import Measure

_MOST = 20
"""Tasks that are measured: each costs a pass over its samples."""


def rows_by_task(view: Path, each: Sequence[int], rows: int) -> dict[str, list[int]]:
    """The places of each task's samples among the encoded rows; empty where there are not several tasks.

    Args:
        view: the file of held-out samples.
        each: for each sample of it its tokens, and how many of them carry loss (`EncodingSummary.each`).
        rows: how many were encoded; one sample may have become several, and is then in no task.
    """
    found: dict[str, list[int]] = {}
    place = 0
    with view.open("rb") as lines:
        for number, line in enumerate(lines):
            if not each[2 * number]:
                continue
            found.setdefault(str(json.loads(line).get("task") or ""), []).append(place)
            place += 1
    known = len([name for name in found if name])
    return found if place == rows and 1 < known <= _MOST else {}


class TaskScores:
    """Measures a model on the samples of each task.

    Args:
        measure: of the recipe's task.
        rows: the encoded held-out samples.
        places: of `rows_by_task`.
    """

    def __init__(self, measure: Measure, rows: Any, places: Mapping[str, Sequence[int]]) -> None:
        self._measure = measure
        self._rows = rows
        self._places = places
        self._found: dict[str, dict[str, Any]] = {"base": {}, "tuned": {}}

    def add(self, model: Any, name: str, of: Callable[[Any, Any], Any]) -> None:
        """Measures one of both models, `base` or `tuned`; `of` measures a model on rows."""
        for task, places in self._places.items():
            self._found[name][task] = of(model, self._rows.select(places))

    def summary(self, recipe: Recipe) -> list[dict[str, Any]]:
        """What `summary.json` says of each task, with the measurement in words as `words`."""
        base, tuned, lines = self._found["base"], self._found["tuned"], []
        for task in self._places:
            facts = self._measure.summary(base.get(task), tuned.get(task), recipe)
            lines.append({"task": task or "(no task)", **facts, "words": self._measure.words(facts)})
        return lines
