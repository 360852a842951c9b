"""What a curated view is made of: where its samples come from, what they answer, what they ask."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.dataset.hashing import blake
from core.dataset.item import prompt_text
from core.dataset.near.result import StageProgress
from core.dataset.sample import Sample
from core.dataset.view.coverage import as_json, counted, cover, no_tick
from core.dataset.view.facts import FLAGS
from core.dataset.view.strata import label_of
from core.dataset.view.view import CuratedView

_TOP = 10
_MOST_LABELS = 50
_SHOWN = 200
_THIN = 1_000
"""Rows that the queue of thin kinds has at most."""


def overview_of(view: CuratedView, on_progress: StageProgress = no_tick) -> dict[str, Any]:
    """All facts that need no tokenizer, as JSON.

    Args:
        view: the curated view.
        on_progress: called with what is being done, samples done and samples in all (0 where nothing is counted); may
            raise to stop.

    Returns:
        `samples`, `tasks` (of the rows: `name`, `train`, `eval`, `weight`; None where there is one), `split`,
        `near_leaks` (rows that are trained on, with key and detail), `dropped`, `unreadable` (see
        `core.dataset.view.row_counts`), `bad_lines`, `notes`, `contributions`, `answers`, `coverage` (kinds of input
        among the samples that are trained on), `thin` (rows of the dataset's own files from the thinnest kind on).
    """
    manifest = view.manifest
    answers, held = _Answers(), _Answers()
    both = chain(zip(repeat(answers), samples_of(view.train)), zip(repeat(held), samples_of(view.eval)))
    for side, sample in counted(both, "Reading the samples", view.train_count + view.eval_count, on_progress):
        side.add(sample)
    return {
        "fingerprint": view.fingerprint,
        "samples": {
            **manifest["counts"],
            "synthetic": manifest["synthetic_samples"],
            "mixed": sum(each["samples"] for each in manifest["contributions"] if each["mixed"]),
        },
        "split": {**manifest["split"], "own_eval": bool(manifest["eval_sources"]), "leaks": manifest["leaks"]},
        "near_leaks": list(_near_leaks(view)),
        "dropped": dict(view.dropped),
        "unreadable": manifest.get("unreadable"),
        "bad_lines": manifest["bad_lines"],
        "notes": list(manifest["notes"]),
        "contributions": list(manifest["contributions"]),
        "tasks": manifest.get("tasks"),
        "answers": answers.to_json(held),
        **_asked(view, on_progress),
    }


def _near_leaks(view: CuratedView) -> Iterator[dict[str, Any]]:
    """The rows whose prompts are similar to an eval prompt, and that are trained on anyway."""
    first_mixed = len(view.manifest["sources"])
    found = {
        line["row"]: flag["reason"]
        for line in _lines(view.folder / FLAGS)
        for flag in line["flags"]
        if flag["name"] == "leak_near"
    }
    for line in _lines(view.train) if found else ():
        if line["row"] in found and line["source"] < first_mixed:
            yield {"row": line["row"], "key": line["key"], "detail": clean_line(found[line["row"]], _SHOWN)}


def samples_of(path: Path) -> Iterator[Sample]:
    """The samples in a file of a view."""
    return (Sample.from_json(line["sample"]) for line in _lines(path))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as stream:
        for line in stream:
            yield json.loads(line)


class _Answers:
    """Counts answers: each by its hash, with the words of those that are shown."""

    def __init__(self) -> None:
        self._counts: Counter[bytes] = Counter()
        self._words: dict[bytes, str] = {}
        self._labels: Counter[str] = Counter()
        self._all_labels = True
        self.samples = 0

    def add(self, sample: Sample) -> None:
        """Takes the answer of a sample."""
        self.samples += 1
        answer = sample.answer.strip()
        digest = blake(answer.encode("utf-8", "surrogatepass"), 8)
        self._counts[digest] += 1
        if digest not in self._words:
            self._words[digest] = clean_line(" ".join(answer[: 4 * _SHOWN].split()), _SHOWN)
        label = label_of(sample) if self._all_labels else ""
        self._labels[label] += 1
        self._all_labels = self._all_labels and bool(label) and len(self._labels) <= _MOST_LABELS

    def to_json(self, held: _Answers) -> dict[str, Any]:
        """The commonest answers; and where all are labels, how many each has on either side."""
        top = sorted(self._counts.items(), key=lambda each: (-each[1], self._words[each[0]]))
        labels = None
        if self._all_labels and self.samples >= 2 * len(self._labels):
            labels = {
                clean_line(label, 60): {"train": number, "eval": held._labels[label]}
                for label, number in self._labels.most_common()
            }
        return {
            "distinct": len(self._counts),
            "repeated": sum(number for number in self._counts.values() if number > 1),
            "top": [{"answer": self._words[digest], "samples": number} for digest, number in top[:_TOP]],
            "labels": labels,
        }


def _asked(view: CuratedView, on_progress: StageProgress) -> dict[str, Any]:
    """The kinds of input, and the rows from the thinnest on."""

    def prompts() -> Iterator[str]:
        return map(prompt_text, samples_of(view.train))

    coverage = cover(prompts, on_progress, view.train_count)
    first_mixed = len(view.manifest["sources"])
    rows, own = [], []
    wanted = {number for kind in coverage.kinds for number in kind.examples}
    shown: dict[int, str] = {}
    for number, line in enumerate(_lines(view.train)):
        rows.append(line["row"])
        own.append(line["source"] < first_mixed)
        if number in wanted:
            question = Sample.from_json(line["sample"]).question
            shown[number] = clean_line(" ".join(question[: 4 * _SHOWN].split()), _SHOWN)
    thin = dict.fromkeys(rows[number] for number in coverage.thin_first() if own[number])
    return {"coverage": as_json(coverage, rows, shown.__getitem__), "thin": list(thin)[:_THIN]}
