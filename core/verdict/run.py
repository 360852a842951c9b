"""The verdict on a run's folder, kept up to date from what a follower reads of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.follow import Update
from core.jobs.stall import stall_of
from core.jobs.status import LOST, Status
from core.jobs.titles import COMPARING
from core.recipe.recipe import read
from core.recipe.schedule import schedule_of
from core.recipe.tasks import Headline
from core.verdict.finding import Finding, Verdict, VerdictKind
from core.verdict.judge import VerdictJudge

_CHECKPOINT = "checkpoint-"
"""What the folder of a checkpoint is called, before its step."""

_WORTH_KEEPING = (VerdictKind.OVERFITTING, VerdictKind.MEMORIZED)
"""Kinds in which an earlier checkpoint is better than the last weights."""


class RunJudge:
    """Judges one run for a viewer; standard library only, like all that follows a job.

    Args:
        folder: the run's folder.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        self._payload: Mapping[str, Any] | None = None
        self._judge = VerdictJudge()
        self._logged = False

    @property
    def headline(self) -> Headline:
        """The metric that says how it goes; known with the first look."""
        return self._judge.plan.headline

    def take(self, update: Update) -> Verdict | None:
        """Takes in what one look at the folder has found, and says how the run goes; None before its first metric."""
        if self._payload is None or "metrics.jsonl" in update.restarted:
            self._start()
        status = update.status
        if status.stage == 0 and status.of:
            self._judge.expect(status.of)
        self._judge.add(update.metrics)
        self._judge.add_gpu(update.gpu)
        self._logged = self._logged or bool(update.metrics)
        ended = update.state in ("finished", "stopped", "failed", "lost")
        instead = _stalled(status) if not ended else _failed(update)
        if not self._logged and (instead is None or instead.kind is not VerdictKind.STALLED):
            return None
        verdict = self._judge.verdict(over=ended or status.stage > 0, instead=instead)
        if verdict.kind in _WORTH_KEEPING and verdict.best_step is not None:
            return replace(verdict, keep_step=self._nearest_checkpoint(verdict.best_step))
        return verdict

    def _start(self) -> None:
        """A judge that has seen nothing, with the plan of the run."""
        try:
            payload = self._folder.read_job().get("payload")
        except BadInput:
            payload = None  # the folder is being made, or is gone: asked again at the next look
        self._payload = payload if isinstance(payload, Mapping) else None
        plain = (self._payload or {}).get("recipe")
        recipe = plain if isinstance(plain, Mapping) else {}
        self._logged = False
        self._judge = VerdictJudge(recipe, _steps(recipe, (self._payload or {}).get("samples")))

    def _nearest_checkpoint(self, step: int) -> int | None:
        try:
            names = os.listdir(self._folder.checkpoints)
        except OSError:
            return None
        numbers = [name.removeprefix(_CHECKPOINT) for name in names if name.startswith(_CHECKPOINT)]
        return min((int(number) for number in numbers if number.isdecimal()), key=lambda n: abs(n - step), default=None)


def _stalled(status: Status) -> Finding | None:
    """What the keeper has seen, where it still holds."""
    found = stall_of(status)
    if found is None:
        return None
    return Finding(VerdictKind.STALLED, found.step, cause=f"{found.words()}. {found.remedy()}")


def _failed(update: Update) -> Finding | None:
    """That a run has ended by an error: whatever its losses say, nobody should read that it is well."""
    if update.state not in ("failed", "lost"):
        return None
    killed = LOST if update.status.signal is not None else update.state
    cause = COMPARING if update.status.stage else killed
    return Finding(VerdictKind.FAILED, update.status.step or 0, cause=cause)


def _steps(recipe: Mapping[str, Any], samples: Any) -> int | None:
    """Steps of the whole run, which a job's status no longer tells; None where texts are chunked, so nobody knew."""
    trained = samples.get("train") if isinstance(samples, Mapping) else None
    if not recipe or not isinstance(trained, int) or trained <= 0:
        return None
    known = read(recipe)[0]
    return None if known.data.chunk_text and not known.training.max_steps else schedule_of(known, trained).steps
