"""The overview of a recipe's data with its tokens: counted by the encoder that trains, in a job or at once."""

from __future__ import annotations

import json
import math
import os
import subprocess
import tempfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.dataset.view.view import CuratedView
from core.errors import TunedeckError
from core.jobs.launch import clean_environment, worker_python
from core.recipe.recipe import Recipe, to_json

_BINS = 10
_NAMED = 20
"""Samples that are named one by one."""
_USUAL = 0.98
"""The share of samples whose lengths are shown in equal steps."""


def measure_command(recipe_file: Path, samples: Path, out: Path) -> list[str]:
    """The command that counts the tokens of a file of samples, see `core.training.measure`."""
    return [worker_python(), "-m", "core.training.measure", *map(os.fspath, (recipe_file, samples, out))]


def measure_view(recipe: Recipe, view: CuratedView) -> dict[str, Any]:
    """Counts the tokens of a view here and now, which takes seconds to minutes; as `tokens_of`.

    Raises:
        TunedeckError: they cannot be counted, with the reason.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        recipe_file, everything, out = folder / "recipe.json", folder / "samples.jsonl", folder / "tokens.jsonl"
        recipe_file.write_text(json.dumps(to_json(recipe)), encoding="utf-8")
        join_samples(view, everything)
        environment = clean_environment({"CUDA_VISIBLE_DEVICES": ""})
        command = measure_command(recipe_file, everything, out)
        ended = subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if ended.returncode:
            said = ended.stderr.strip().splitlines()
            raise TunedeckError(f"Cannot count the tokens: {said[-1] if said else 'the process ended early'}")
        return tokens_of(recipe, view, out)


def join_samples(view: CuratedView, path: Path) -> None:
    """Writes the samples that are trained on and those held out to one file, for `measure`."""
    with path.open("wb") as joined:
        for part in (view.train, view.eval):
            with part.open("rb") as stream:
                while piece := stream.read(2**20):
                    joined.write(piece)


def tokens_of(recipe: Recipe, view: CuratedView, measured: Path) -> dict[str, Any]:
    """What a view has in tokens.

    Args:
        recipe: with which they were counted.
        view: the view.
        measured: what `measure` has written of the file of `join_samples`.

    Returns:
        `max_length`; `train` and `eval`, each with `samples`, `tokens` (after the cut), `trained` (of these, with
        loss), `cut` (samples), `cut_texts` (those of plain text), `lost` (tokens), `without` (samples without a trained
        token), `not_rendered` (samples that would be trained without something that they hold; the first of them with
        their rows, from 0, and what in `not_rendered_rows`), `context_lost` (those that lose something from context
        alone), `control` (those with special tokens in their text), `left_out` (by flag, samples that training leaves
        out for it, which no other number counts), `median`, `p95` and `longest` (tokens before the cut, of a pair its
        longer sequence), the same of the answers, and `parts`: the median of each part of pairs; `bins` of lengths
        before the cut and `answer_bins`, for
        train; `sources`: tokens of each contribution, in its order.
    """
    facts = list(_objects(measured))
    parts = (facts[: view.train_count], facts[view.train_count :])
    if recipe.data.eval:  # the user's own file is kept whole
        for each in parts[1]:
            each["left_out"] = ""
    trained = [each for each in parts[0] if not each.get("left_out")]
    bins = _bins(list(map(_length, trained)), recipe.data.max_length)
    return {
        "max_length": recipe.data.max_length,
        "train": _part(parts[0]),
        "eval": _part(parts[1]),
        "bins": bins,
        "answer_bins": _bins(list(map(_answer, trained)), None),
        "sources": _by_source(view, parts[0]),
    }


def cost_of(
    recipe: Recipe,
    tokens: Mapping[str, Any],
    *,
    per_million: float | None = None,
    per_hour: float | None = None,
    currency: str = "",
    pace: float | None = None,
) -> dict[str, Any]:
    """What the training comes to.

    Args:
        recipe: with its epochs.
        tokens: of `tokens_of`.
        per_million: the user's price of a million tokens, each epoch counted.
        per_hour: the user's price of an hour of the machine.
        currency: of both.
        pace: tokens a second that an earlier run has trained (`core.runs.pace.pace_of`), where there is one.

    Returns:
        `epochs`, `tokens` in all of them, `price` (of a million, or None), `currency`, and `cost`, or None; `pace`,
        `hours` at that pace, `price_per_hour`, `cost_of_hours`, each None where it is not known.
    """
    epochs = recipe.training.epochs
    total = round(tokens["train"]["tokens"] * epochs)
    hours = None if pace is None else total / pace / 3600
    return {
        "epochs": epochs,
        "tokens": total,
        "price": per_million,
        "currency": currency,
        "cost": None if per_million is None else total / 1e6 * per_million,
        "pace": pace,
        "hours": hours,
        "price_per_hour": per_hour,
        "cost_of_hours": None if hours is None or per_hour is None else hours * per_hour,
    }


def _length(fact: Mapping[str, Any]) -> int:
    """What the max length has to hold."""
    return int(fact["longest"])


def _answer(fact: Mapping[str, Any]) -> int:
    return int(fact["trained"] + fact["lost_trained"])


def _part(measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    facts = [fact for fact in measured if not fact.get("left_out")]
    lost = [fact for fact in facts if fact.get("not_rendered")]
    lengths = sorted(map(_length, facts))
    answers = sorted(map(_answer, facts))
    known = [fact for fact in facts if fact["parts"]]
    names = known[0]["parts"] if known else {}
    return {
        "samples": len(facts),
        "tokens": sum(fact["tokens"] for fact in facts),
        "trained": sum(fact["trained"] for fact in facts),
        "cut": sum(fact["lost"] > 0 for fact in facts),
        "cut_texts": sum(fact["lost"] > 0 and bool(fact.get("text")) for fact in facts),
        "lost": sum(fact["lost"] for fact in facts),
        "without": 0 if set(names) == {"prompt"} else sum(not fact["trained"] for fact in facts),
        "not_rendered": len(lost),
        "not_rendered_rows": [[fact["row"], fact.get("not_rendered")] for fact in lost[:_NAMED]],
        "context_lost": sum(bool(fact.get("context_lost")) and not fact.get("not_rendered") for fact in facts),
        "control": sum(bool(fact.get("control")) for fact in facts),
        "left_out": dict(Counter(fact["left_out"] for fact in measured if fact.get("left_out"))),
        "median": _at(lengths, 0.5),
        "p95": _at(lengths, 0.95),
        "longest": lengths[-1] if lengths else 0,
        "answer_median": _at(answers, 0.5),
        "answer_p95": _at(answers, 0.95),
        "answer_longest": answers[-1] if answers else 0,
        "parts": {name: _at(sorted(fact["parts"][name] for fact in known), 0.5) for name in names},
    }


def _at(ordered: Sequence[int], share: float) -> int:
    """The least value that this share of all does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0


def _bins(lengths: Sequence[int], cut: int | None) -> list[dict[str, Any]]:
    """How many lengths lie between one edge and the next, `upper`; where something is cut, the cut is an edge.

    The few that are far longer than the others share the last step.
    """
    longest = max(lengths, default=0)
    if not longest:
        return []
    usual = _at(sorted(lengths), _USUAL)
    width = _width(usual)
    edges = {*range(width, usual + width, width), max(longest, width)}
    if cut is not None and cut < longest:
        edges.add(cut)
    ordered = sorted(edges)
    counts = Counter(bisect_left(ordered, length) for length in lengths)
    return [
        {"upper": upper, "samples": counts[number], "cut": cut is not None and upper > cut}
        for number, upper in enumerate(ordered)
    ]


def _width(longest: int) -> int:
    """A round width that makes at most ten steps."""
    rough = max(1, -(-longest // _BINS))
    scale = int(10 ** (len(str(rough)) - 1))
    return next(step * scale for step in (1, 2, 5, 10) if step * scale >= rough)


def _by_source(view: CuratedView, facts: Sequence[Mapping[str, Any]]) -> list[dict[str, int]]:
    """Tokens of each contribution: the dataset's own, then each mixed-in source, in this order."""
    found = []
    at = 0
    for each in view.manifest["contributions"]:
        own = [fact for fact in facts[at : at + each["samples"]] if not fact.get("left_out")]
        at += each["samples"]
        found.append({"tokens": sum(fact["tokens"] for fact in own), "trained": sum(fact["trained"] for fact in own)})
    return found


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as stream:
        for line in stream:
            yield json.loads(line)
