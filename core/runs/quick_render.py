"""What a chat template does not render, looked up before a start without a worker: of all rows of a small dataset, of
the first rows of a large one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from core.dataset.rendered import LostPart, RenderedCheck, holds_more, loss_words
from core.dataset.sample import Message, Sample
from core.dataset.without import MEDIA, REASONING, TOOL_CALLS, TOOLS, without
from core.errors import BadInput
from core.jobs.stamps import stamps
from core.recipe.model_shape import ModelShape
from core.recipe.recipe import Recipe
from core.recipe.rules.template import talk_renderer, training_template
from core.recipe.special_tokens import SpecialTokens, special_tokens
from core.recipe.tasks import TASKS

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset

_SMALL = 2**20
"""Bytes up to which all rows are looked at."""

_MOST = 200
"""Samples that are rendered, some tenths of a second: only those that hold more than plain turns."""


@dataclass(frozen=True, slots=True)
class QuickLosses:
    """What was found.

    Attributes:
        rows: row (from 0) and what it loses of what is trained.
        context: how many rows lose something from context alone.
        whole: whether all rows were looked at.
        looked: how many were.
    """

    rows: tuple[tuple[int, str], ...]
    context: int
    whole: bool
    looked: int


@dataclass(frozen=True, slots=True)
class _Question:
    """All that the answer depends on beside the rows."""

    template: str
    special: SpecialTokens
    pairs: bool
    everything: bool
    train_without: tuple[str, ...]


def quick_losses(recipe: Recipe, shape: ModelShape, dataset: Dataset) -> QuickLosses | None:
    """What the template of a recipe does not render; None where only the worker can tell.

    Args:
        recipe: with absolute paths.
        shape: of its model.
        dataset: the training data, opened.
    """
    try:
        template = training_template(recipe, shape)
    except BadInput:
        return None  # the preflight says so
    if not template:
        return None
    task = TASKS[recipe.task]
    question = _Question(
        template,
        special_tokens(recipe.model.path, recipe.model.revision),
        task.both_answers,
        task.marks and recipe.data.loss_on == "everything",
        tuple(sorted(recipe.data.train_without)),
    )
    stamped = tuple(stamps(dataset.reader.files))
    paths = tuple(str(path) for path in dataset.paths)
    chosen = dataset.chosen
    return _looked(paths, stamped, chosen.named, tuple(sorted(chosen.columns.items())), question)


@lru_cache(maxsize=8)
def _looked(
    paths: tuple[str, ...],
    stamped: tuple[tuple[str, int, int], ...],
    format: str | None,
    columns: tuple[tuple[str, str], ...],
    question: _Question,
) -> QuickLosses | None:
    """Reads the rows; `stamped` tells one state of the files from another."""
    from core.dataset.dataset import Dataset
    from core.dataset.records import Unreadable

    render = talk_renderer(question.template, question.special.begin, question.special.end)
    if render is None:
        return None
    check = RenderedCheck(render)
    dataset = Dataset.open(paths, format, dict(columns))
    small = sum(size for _, size, _ in stamped) <= _SMALL
    if small:
        dataset.reader.extend()
    lost: list[tuple[int, str]] = []
    number, context, rendered = -1, 0, 0
    for entry in range(dataset.count):
        row = dataset.row(entry)
        if row.value is None:
            continue
        number += 1
        try:
            sample = without(dataset.sample_of(row), question.train_without)
        except Unreadable:
            continue
        rendered += holds_more((*sample.messages, *sample.chosen, *sample.rejected), sample.tools)
        if rendered > _MOST:
            return QuickLosses(tuple(lost), context, False, number)
        found = tuple(dict.fromkeys(_losses(sample, check, question)))
        trained = [each for each in found if each.trained]
        if trained:
            lost.append((number, loss_words(trained)))
        context += bool(found) and not trained
    return QuickLosses(tuple(lost), context, small, number + 1)


def _losses(sample: Sample, check: RenderedCheck, question: _Question) -> Iterator[LostPart]:
    for turns, answer in _talks(sample, question.pairs):
        if holds_more(turns, sample.tools) and check.refused(turns, sample.tools):
            yield from _refused_for(sample, check, question)
        elif question.pairs:
            yield from check.losses(turns, sample.tools, answer_from=len(sample.messages), answer=answer)
        else:
            yield from check.losses(turns, sample.tools, everything=question.everything)


def _talks(sample: Sample, pairs: bool) -> Iterator[tuple[tuple[Message, ...], str]]:
    """The conversations that a task makes of a sample, each with the name of its answer in a pair."""
    if sample.kind == "text" or (sample.kind == "kto" and not sample.label):
        return
    if pairs:
        for answer, turns in (("chosen", sample.chosen), ("rejected", sample.rejected)):
            if turns:
                yield (*sample.messages, *turns), answer
    elif sample.kind == "messages":
        yield sample.messages, ""
    else:
        yield (*(turn.muted() for turn in sample.messages), *sample.chosen), ""


def _refused_for(sample: Sample, check: RenderedCheck, question: _Question) -> Iterator[LostPart]:
    """The parts for which a sample is refused that would be rendered without them."""
    rest = without(sample, (TOOL_CALLS, TOOLS, REASONING, MEDIA))
    if any(check.refused(turns, ()) for turns, _ in _talks(rest, question.pairs) if turns):
        return
    turns = (*sample.messages, *sample.chosen, *sample.rejected)
    if sample.tools:
        yield LostPart(TOOLS, 0, True, reason="the chat template refuses them")
    for number, turn in enumerate(turns, 1):
        if turn.tool_calls:
            yield LostPart(TOOL_CALLS, number, True)
        if turn.reasoning:
            yield LostPart(REASONING, number, True)
