"""What the dataset and earlier runs show about whether to fine-tune."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.dataset.audit.estimate import BadShare
from core.dataset.view.view import CuratedView
from core.errors import TunedeckError
from core.jobs.folder import JobFolder
from core.jobs.runs import list_runs
from core.runs.scores import read_comparison

_BY_HAND = "decision"
_DUPLICATES = ("exact_duplicate", "near_duplicate", "normalized_duplicate")
_LEAK = "leak_exact"


@dataclass(frozen=True, slots=True)
class Baseline:
    """How base and tuned model compared after an earlier run on the same files.

    Attributes:
        run: its ID.
        base, tuned: mean eval loss per trained token, in nats.
        samples: held-out samples behind both.
    """

    run: str
    base: float
    tuned: float
    samples: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A dataset in numbers.

    Attributes:
        train: samples that would be trained on.
        held_out: samples in the eval set.
        own_eval: whether the eval set is a file of its own.
        unreadable: rows that cannot be read as samples.
        duplicates: rows dropped as exact or near-duplicates.
        leaks: training rows whose prompts are in the eval set, or nearly so, and that are trained on anyway.
        audited: rows that somebody has decided on.
        bad: of those, rows that were dropped.
        labels: how many different labels the answers are; 0 where they are not labels.
        baseline: of the newest earlier run on these files that compared base and tuned model.
    """

    train: int
    held_out: int
    own_eval: bool = False
    unreadable: int = 0
    duplicates: int = 0
    leaks: int = 0
    audited: int = 0
    bad: int = 0
    labels: int = 0
    baseline: Baseline | None = None

    @property
    def usable(self) -> int:
        """Samples to train on and held out, together."""
        return self.train + self.held_out

    @property
    def bad_share(self) -> BadShare:
        """What the audit says of all rows."""
        return BadShare(self.bad, self.audited, max(self.audited, self.usable))

    def to_json(self) -> dict[str, Any]:
        """The numbers for `--json`."""
        found: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("train", "held_out", "unreadable", "duplicates", "leaks", "audited", "bad", "labels")
        }
        if self.baseline is not None:
            base = self.baseline
            found["baseline"] = {"run": base.run, "base": base.base, "tuned": base.tuned, "samples": base.samples}
        return found


def evidence_of(view: CuratedView, overview: Mapping[str, Any], baseline: Baseline | None = None) -> Evidence:
    """The numbers of a view.

    Args:
        view: the curated view.
        overview: of it, `core.dataset.view.overview.overview_of`.
        baseline: of `baseline_of`.
    """
    dropped, review = view.dropped, view.manifest.get("review") or {}
    counts = view.manifest.get("unreadable") or {}
    train = counts.get("train") or {}
    return Evidence(
        train=view.train_count,
        held_out=view.eval_count,
        own_eval=bool(overview["split"]["own_eval"]),
        unreadable=int(train.get("unreadable", 0)) + int(train.get("malformed", 0)),
        duplicates=sum(dropped.get(flag, 0) for flag in _DUPLICATES),
        leaks=len(overview["near_leaks"]) + (0 if dropped.get(_LEAK) else overview["split"]["leaks"]["exact"]),
        audited=max((review.get("reviewers") or {}).values(), default=0),
        bad=dropped.get(_BY_HAND, 0),
        labels=len(overview["answers"]["labels"] or ()),
        baseline=baseline,
    )


def baseline_of(workspace: Path, files: Sequence[str]) -> Baseline | None:
    """The comparison of the newest run that trained on the same files; None where there is none.

    Args:
        workspace: with `runs/`.
        files: absolute paths.
    """
    wanted = {os.path.realpath(file) for file in files}
    for info in list_runs(workspace):
        with suppress(TunedeckError, OSError, ValueError, KeyError, TypeError):
            folder = JobFolder(info.folder)
            trained = folder.read_job()["payload"]["recipe"]["data"]["train"]
            if {os.path.realpath(file) for file in trained} != wanted:
                continue
            found = read_comparison(folder.path)
            if found is not None and found.base_loss is not None and found.tuned_loss is not None:
                return Baseline(folder.id, found.base_loss, found.tuned_loss, found.eval_samples)
    return None
