"""Measurements of base and tuned model on held-out samples: one module for each form of encoded rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from core.recipe.recipe import Recipe
from core.recipe.tasks import TASKS

if TYPE_CHECKING:
    from core.engine.load import Hardware


class Measure(Protocol):
    """What such a module does; the row of a task names it."""

    def measure(
        self, model: Any, rows: Any, tokenizer: Any, on: Hardware, recipe: Recipe, *, tick: Callable[[int], None]
    ) -> Any:
        """Measures one model."""

    def summary(self, base: Any, tuned: Any, recipe: Recipe) -> dict[str, Any]:
        """What `summary.json` says of both."""

    def words(self, facts: Mapping[str, Any]) -> str:
        """That in a few words, or ""."""

    def findings(self, facts: Mapping[str, Any]) -> list[str]:
        """What a person must not miss of it: each a sentence."""


def measure_of(recipe: Recipe) -> Measure:
    """The measurement of a recipe's task."""
    return cast(Measure, import_module(f"core.evaluation.{TASKS[recipe.task].measure}"))
