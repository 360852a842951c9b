"""How much memory a run needs by all that is known here: a measured run, an exact forecast, an estimate."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core import units
from core.errors import BadInput
from core.recipe.devices import is_sharded, ranks_of
from core.recipe.memory import Forecast, context_bytes, forecast
from core.recipe.model_shape import ModelShape
from core.recipe.precision import DeviceType
from core.recipe.recipe import Recipe, put
from core.recipe.tasks import TASKS
from core.runs.exact_memory import (
    ExactMemory,
    MeasuredPeak,
    correction,
    exact_key,
    measured,
    read_exact,
)
from core.runs.memory_words import less_memory
from core.runs.placement import Placement

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset

NEAR = 0.7
"""The share of the free memory from which on an estimate is too close, and an exact forecast is waited for."""

_MOST_ROWS = 2_000_000
"""Rows whose token counts are looked at."""

MemorySource = Literal["measured", "exact", "estimate"]


@dataclass(frozen=True, slots=True)
class KnownMemory:
    """What a run needs.

    Attributes:
        recipe: as it will run, its precision settled.
        device: what it is forecast for.
        fast: the estimate, part by part.
        key: of its exact forecast; "" where there can be none.
        exact: that, where it has been computed.
        runs: the measured ones of this model on this machine, the same settings first.
        lengths: tokens and trained tokens of the longest samples, longest first; empty where nobody has counted.
        ranks: bytes beyond those of one process, where several train.
        free: bytes that are free, None where unknown.
    """

    recipe: Recipe
    device: DeviceType
    fast: Forecast
    key: str = ""
    exact: ExactMemory | None = None
    runs: tuple[MeasuredPeak, ...] = ()
    lengths: tuple[tuple[int, int], ...] = field(default=())
    ranks: float = 0.0
    free: int | None = None

    @property
    def longest(self) -> int:
        """Tokens of the longest sample; 0 where that is not known."""
        return self.lengths[0][0] if self.lengths else 0

    @property
    def factor(self) -> float:
        """What estimates are multiplied with, by the measured runs."""
        return correction(self.runs)

    @property
    def source(self) -> MemorySource:
        """Where `need` is from: the best that there is."""
        if self.runs and self.runs[0].same:
            return "measured"
        return "estimate" if self.exact is None else "exact"

    @property
    def need(self) -> float:
        """Bytes that must be free."""
        if self.source == "measured":
            return self.runs[0].peak
        if self.exact is not None:
            return self.exact.peak + context_bytes(self.device) + self.ranks
        return self.fast.total * self.factor

    @property
    def fits(self) -> bool | None:
        """Whether that is free; None where nobody knows what is."""
        return None if self.free is None else self.need <= self.free

    @property
    def close(self) -> bool:
        """Whether the estimate is so near to what is free that an exact forecast is worth waiting for."""
        return self.source == "estimate" and self.free is not None and self.fast.total > NEAR * self.free

    @property
    def figure(self) -> str:
        """What it needs: `8.06 GiB`, with `~` where it is an estimate."""
        return f"{'~' * (self.source == 'estimate')}{units.gib(self.need)}"

    def words(self) -> str:
        """Where the figure is from, a sentence."""
        if self.source == "measured":
            run = self.runs[0]
            return f"Measured {units.gib(run.peak)} in run {run.run} with these settings."
        if self.exact is not None:
            return "Exact: two steps of the trainer, run without weights."
        if not self.runs:
            return "Estimated from tensor shapes."
        run = self.runs[0]
        return (
            f"Estimated, corrected by {self.factor - 1:+.0%}: run {run.run} of this model peaked at "
            f"{units.gib(run.peak)}, estimate {units.gib(run.forecast)}."
        )


def known_memory(
    recipe: Recipe,
    shape: ModelShape,
    place: Placement,
    workspace: Path,
    *,
    lengths: Sequence[tuple[int, int]] = (),
) -> KnownMemory:
    """Everything that is known, in a few milliseconds: nothing is computed but the estimate.

    Args:
        recipe: as it will run, its precision settled (`core.runs.precision`).
        shape: the model's.
        place: where it will compute.
        workspace: the folder that holds `.tunedeck`.
        lengths: of the longest samples, by `longest_samples`.
    """
    device, longest = place.device, lengths[0][0] if lengths else 0
    fast = forecast(recipe, shape, device, longest=longest)
    ranks = 0.0
    if ranks_of(recipe) > 1:
        ranks = fast.total - forecast(put(recipe, "training.devices", ""), shape, device, longest=longest).total
    key = ""
    if not is_sharded(recipe) and not TASKS[recipe.task].generates:
        with suppress(BadInput):
            key = exact_key(recipe, device, lengths)
    return KnownMemory(
        recipe,
        device,
        fast,
        key,
        read_exact(workspace, key) if key else None,
        tuple(measured(workspace, recipe, device, machine_of(place), longest=longest)),
        tuple(lengths),
        ranks,
        place.free,
    )


def machine_of(place: Placement) -> str:
    """The name by which measured runs are compared: that of the GPU, or `CPU`."""
    if place.cpu:
        return "CPU"
    gpus = place.devices.gpus
    return (gpus[0].name or "") if gpus else (place.reach.name if place.reach is not None else "") or ""


def longest_samples(recipe: Recipe, workspace: Path, dataset: Dataset | None) -> tuple[tuple[int, int], ...]:
    """Tokens and trained tokens of the longest samples, longest first; none where their tokens are not all counted.

    Args:
        recipe: with absolute paths.
        workspace: the folder that holds `.tunedeck`.
        dataset: the training data, opened.
    """
    data = recipe.data
    if dataset is None or data.mix or data.packing != "none" or "input_ids" not in TASKS[recipe.task].columns:
        return ()
    from core.runs.token_job import key_of
    from core.runs.token_key import find_facts, recipe_key

    lookup = find_facts(workspace, key_of(dataset), recipe_key(recipe, workspace))
    facts = lookup.facts
    if lookup.standing != "known" or not facts.complete or facts.count > _MOST_ROWS:
        return ()
    found = ((row.tokens, row.trained) for row in facts.rows() if row.tokens and row.trained)
    return tuple(heapq.nlargest(recipe.training.batch_size, found))


def memory_line(known: KnownMemory, shape: ModelShape) -> tuple[Literal["ok", "warn"], str, str]:
    """The line of the preflight: verdict, sentence, and the field to change first.

    Args:
        known: by `known_memory`.
        shape: the model's.
    """
    place = "RAM" if known.device == "cpu" else "GPU memory"
    need = f"{'about ' * (known.source == 'estimate')}{units.gib(known.need)}"
    where = known.words()
    if known.free is None:
        return "warn", f"Needs {need}; free {place} is unknown. {where}", ""
    free = units.gib(known.free)
    if known.fits:
        return "ok", f"Needs {need} of {place}, {free} free. {where}", ""
    from core.runs.fitting import changes_that_fit

    found = changes_that_fit(known.recipe, shape, known.device, known.free, longest=known.longest, factor=known.factor)
    words = f"Does not fit: needs {need} of {place}, {free} free. {where}"
    if found and found[0].fits:
        best = found[0]
        return "warn", f"{words} {best.title} needs ~{units.gib(best.total)}.", next(iter(best.values))
    advice, path = less_memory(known.recipe, shape, known.fast, known.device)
    return "warn", f"{words} {advice}", path
