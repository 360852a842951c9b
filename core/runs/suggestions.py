"""Suggested changes to a recipe from what was observed here: counted rows, measured runs. Each cites its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core import units
from core.recipe.memory import forecast
from core.recipe.model_shape import ModelShape
from core.recipe.recipe import Recipe, put
from core.recipe.tasks import TASKS
from core.recipe.values import Value
from core.runs.known_memory import KnownMemory

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset

_STEP = 128
"""Max lengths are suggested in multiples of it: kernels are faster with them."""
_FEW = 0.01
"""The share of the samples that may stay cut, where the longest are much longer than all others."""
_MUCH = 2.0
"""Times the max length: a sample that is longer than this is not worth raising it for alone."""
_ROOM = 0.45
"""The share of the memory below which a run's peak leaves room for twice the batch."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A change that the evidence supports.

    Attributes:
        values: the fields with their new values.
        sentence: what was seen, what the change does, and what it costs.
    """

    values: Mapping[str, Value]
    sentence: str


@dataclass(frozen=True, slots=True)
class CutSamples:
    """Samples that the max length cuts.

    Attributes:
        cut: how many.
        samples: how many there are.
        longest: tokens of the longest one, uncut.
        most: tokens of the longest one, but for the longest hundredth of all.
    """

    cut: int
    samples: int
    longest: int
    most: int


def cut_samples(recipe: Recipe, workspace: Path, dataset: Dataset | None) -> CutSamples | None:
    """The samples that are cut, from counted tokens; None where nobody has counted them, or none is.

    Args:
        recipe: with absolute paths.
        workspace: the folder that holds `.tunedeck`.
        dataset: the training data, opened.
    """
    if dataset is None or "input_ids" not in TASKS[recipe.task].columns:
        return None
    from core.runs.token_job import key_of
    from core.runs.token_key import find_facts, recipe_key

    lookup = find_facts(workspace, key_of(dataset), recipe_key(recipe, workspace))
    if lookup.standing != "known" or not lookup.facts.complete:
        return None
    cut, totals = 0, []
    for row in lookup.facts.rows():
        if row.state == "measured":
            totals.append(row.total)
            cut += row.lost > 0
    if not cut:
        return None
    totals.sort()
    return CutSamples(cut, len(totals), totals[-1], totals[int((len(totals) - 1) * (1 - _FEW))])


def suggestions(recipe: Recipe, shape: ModelShape, known: KnownMemory, cut: CutSamples | None) -> Iterator[Suggestion]:
    """The observations that are worth a change.

    Args:
        recipe: the recipe.
        shape: the model's.
        known: its memory.
        cut: of its data, by `cut_samples`.
    """
    if cut is not None:
        yield from _longer(recipe, shape, known, cut)
    yield from _larger_batch(recipe, shape, known)


def _longer(recipe: Recipe, shape: ModelShape, known: KnownMemory, cut: CutSamples) -> Iterator[Suggestion]:
    now = recipe.data.max_length
    far = cut.longest > _MUCH * now and cut.most < cut.longest / _MUCH
    goal = -(-(max(cut.most, now + 1) if far else cut.longest) // _STEP) * _STEP
    if shape.context and goal > shape.context:
        goal = shape.context
    if goal <= now:
        return
    loses = "cuts none" if goal >= cut.longest else "keeps all but the longest 1% intact"
    longer = forecast(put(known.recipe, "data.max_length", goal), shape, known.device).total
    costs = (longer - forecast(known.recipe, shape, known.device).total) * known.factor
    words = (
        f"{_samples(cut.cut)} cut at {units.count(now)} tokens: {units.count(goal)} {loses} and costs "
        f"{units.gib(costs)}."
    )
    if known.free is not None and longer * known.factor > known.free:
        words += " That does not fit now."
    yield Suggestion({"data.max_length": goal}, words)


def _larger_batch(recipe: Recipe, shape: ModelShape, known: KnownMemory) -> Iterator[Suggestion]:
    """A batch twice as large at the same effective size, where a measured run has left most of the memory unused."""
    training = recipe.training
    if known.source != "measured" or known.free is None or training.gradient_accumulation % 2:
        return
    run = known.runs[0]
    values: dict[str, Value] = {
        "training.batch_size": 2 * training.batch_size,
        "training.gradient_accumulation": training.gradient_accumulation // 2,
    }
    larger = known.recipe
    for path, value in values.items():
        larger = put(larger, path, value)
    total = forecast(larger, shape, known.device, longest=known.longest).total * known.factor
    if run.peak < _ROOM * known.free and total < 2 * _ROOM * known.free:
        yield Suggestion(
            values,
            f"Run {run.run} peaked at {units.gib(run.peak)} of {units.gib(known.free)}: batch size "
            f"{values['training.batch_size']} with accumulation {values['training.gradient_accumulation']} needs "
            f"~{units.gib(total)}, with the same effective batch size and faster steps.",
        )


def _samples(number: int) -> str:
    return "1 sample is" if number == 1 else f"{units.count(number)} samples are"
