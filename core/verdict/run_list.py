"""All runs of a workspace with what they came to: verdict, best evaluation, peak of memory. Thousands stay quick.

What was read of a run that is over is kept in `.tunedeck/runs.json`, with a stamp of the files that it came from; the
metrics of a run are read once in its life.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from core.errors import TunedeckError
from core.jobs import files
from core.jobs.access import read_only
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower, Update
from core.jobs.runs import RunInfo, from_json, run_info
from core.jobs.status import ENDINGS
from core.paths import hidden_dir, runs_dir
from core.recipe.tasks import EVAL_LOSS, Headline, task_named
from core.runs.saved import Weights, read_weights
from core.runs.saved import from_json as weights_from_json
from core.verdict.run import RunJudge

_NAME = "runs.json"
_VERSION = 5
_SLICE = 0.05

_Stamp = list[int]


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run with what it came to.

    Attributes:
        info: state, step, last losses.
        model: the base model's folder or name, its last part.
        verdict: how it goes, in a word or two; "" before its first metric and while it is not known yet.
        verdict_text: the verdict's sentence and advice.
        best_eval: the best of its headline metric on the eval set, None without an evaluation.
        best_step: its step.
        last_eval: the newest value of the same.
        memory: bytes at the most, of the GPUs that it has used, else of RAM; None where nobody measured.
        adapter: of which step its adapter is and what was measured then; None where it has none.
        known: whether all of this has been read.
        judged_by: the name of the headline metric on the eval set; "" while it is not known, for the task's usual one.
    """

    info: RunInfo
    model: str = ""
    verdict: str = ""
    verdict_text: str = ""
    best_eval: float | None = None
    best_step: int | None = None
    last_eval: float | None = None
    memory: int | None = None
    adapter: Weights | None = None
    known: bool = False
    judged_by: str = ""

    @property
    def headline(self) -> Headline:
        """The metric that says how it went."""
        return task_named(self.info.task).headline_by(self.judged_by)

    @property
    def seconds(self) -> float | None:
        """How long it took in all its starts, or has taken so far; None where it never began or no file says."""
        info = self.info
        begun = info.created if info.started is None else info.started
        if not begun:
            return None
        if info.ended and not info.removed:
            return info.earlier + max(0.0, info.ended - begun)
        if info.state in ("starting", "running", "paused", "stopping"):
            return info.earlier + max(0.0, time.time() - begun)
        return None

    def to_json(self) -> dict[str, Any]:
        """For `tunedeck runs --json`: the fields of `RunInfo` and these."""
        seconds, headline = self.seconds, self.headline
        return {
            **self.info.to_json(),
            "model": self.model,
            "verdict": self.verdict or None,
            "verdict_text": self.verdict_text or None,
            "best_eval_loss": self.best_eval if headline.eval_metric == EVAL_LOSS else None,
            "best_step": self.best_step,
            "headline": {
                "metric": headline.eval_metric,
                "title": headline.eval_title,
                "better": headline.better,
                "value": self.last_eval,
                "best": self.best_eval,
            },
            "memory_peak": self.memory,
            "adapter": None if self.adapter is None else self.adapter.to_json(),
            "seconds": None if seconds is None else round(seconds, 1),
        }


class RunList:
    """The runs of a workspace. For one thread at a time.

    Args:
        workspace: the folder that holds `runs/`.

    Attributes:
        problem: why the runs could not be looked up last time; "" where there is nothing wrong, or no such folder.
    """

    def __init__(self, workspace: Path) -> None:
        self.problem = ""
        self._runs = runs_dir(workspace.absolute())
        self._cache = hidden_dir(workspace.absolute()) / _NAME
        self._kept: dict[str, tuple[_Stamp, RunLine]] = {}
        self._readers: dict[str, _Reader] = {}
        self._changed = False
        self._loaded = False

    def read(self) -> list[RunLine]:
        """All runs, newest first, with what is known of them. Never raises."""
        if not self._loaded:
            self._loaded = True
            self._load()
        try:
            with os.scandir(self._runs) as entries:
                names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
            self.problem = ""
        except OSError as error:
            names = list(self._kept)  # it may be back in a moment
            missing = isinstance(error, FileNotFoundError)
            self.problem = "" if missing else f"Cannot reach the folder of all runs: {error.strerror}"
        found = [line for name in names if (line := self._line(name)) is not None]
        for gone in self._kept.keys() - set(names):
            del self._kept[gone]
            self._changed = True
        return sorted(found, key=lambda line: (line.info.created, line.info.id), reverse=True)

    def work(self, lines: list[RunLine], seconds: float) -> tuple[list[RunLine], bool]:
        """Reads on in the metrics of runs that are not wholly known, the first of the list first.

        Args:
            lines: of `read`.
            seconds: after which it stops; a little more at the most.

        Returns:
            The lines with what is known now, and whether there is more to read.
        """
        deadline = time.monotonic() + seconds
        found = list(lines)
        for place, line in enumerate(found):
            if line.known:
                continue
            if time.monotonic() > deadline:
                return found, True
            found[place] = self._read_on(line, deadline)
            if not found[place].known:
                return found, True
        return found, False

    def save(self) -> None:
        """Keeps what was read; a cache that cannot be written is none."""
        if not self._changed:
            return
        self._changed = False
        kept = {
            name: {"stamp": stamp, "line": line.to_json()}
            for name, (stamp, line) in self._kept.items()
            if line.known and line.info.state in ENDINGS
        }
        try:
            if not self._cache.parent.is_dir():
                return  # looking at runs leaves no folder behind
            files.replace(os.fspath(self._cache), files.encode({"version": _VERSION, "runs": kept}), durable=False)
        except (OSError, TunedeckError):
            return

    def _load(self) -> None:
        whole = files.read_json(os.fspath(self._cache)) or {}
        runs = whole.get("runs")
        if whole.get("version") != _VERSION or not isinstance(runs, Mapping):
            return
        for name, entry in runs.items():
            try:
                self._kept[name] = [int(part) for part in entry["stamp"]], _from_json(entry["line"], self._runs / name)
            except (KeyError, TypeError, ValueError):
                continue

    def _line(self, name: str) -> RunLine | None:
        folder = JobFolder(self._runs / name)
        stamp = _stamp(folder)
        if stamp is None:
            return None
        kept = self._kept.get(name)
        if kept is not None and kept[0] == stamp and kept[1].known and kept[1].info.state in ENDINGS:
            why = read_only(folder)  # not a fact of the run: it depends on who looks
            return (
                kept[1]
                if why == kept[1].info.read_only
                else replace(kept[1], info=replace(kept[1].info, read_only=why))
            )
        info = run_info(folder)
        if kept is None or kept[0] != stamp:
            before = kept[1] if kept is not None else RunLine(info, model=_model(folder))
            kept = stamp, replace(before, info=info, adapter=_adapter(folder), known=False)
        line = replace(kept[1], info=info)
        self._kept[name] = stamp, line
        return line

    def _read_on(self, line: RunLine, deadline: float) -> RunLine:
        name = line.info.id
        stamp = self._kept[name][0]
        reader = self._readers.get(name)
        if reader is None:
            reader = self._readers[name] = _Reader(JobFolder(line.info.folder))
        whole, best, last = reader.read(deadline), reader.best, reader.last
        found = replace(
            line,
            verdict=reader.verdict,
            verdict_text=reader.verdict_text,
            best_eval=best[1] if best else None,
            best_step=best[0] if best else None,
            last_eval=last[1] if last else None,
            memory=reader.memory,
            known=whole,
            judged_by=reader.judged_by,
        )
        self._kept[name] = stamp, found
        if whole and line.info.state in ENDINGS:
            del self._readers[name]
            self._changed = True
        return found


class _Reader:
    """Reads one run's files, from where it was."""

    def __init__(self, folder: JobFolder) -> None:
        self._judge = RunJudge(folder)
        self._follower = Follower(folder, log_bytes=0)
        self._gpu_memory = 0
        self._ram = 0
        self._reported_peak: int | None = None
        self._evaluations: list[tuple[int, float]] = []
        self.verdict = self.verdict_text = ""

    def read(self, deadline: float) -> bool:
        """Reads until there is nothing new, or the moment has come; returns whether it has read all."""
        while True:
            update = self._follower.poll(max_seconds=_SLICE)
            verdict = self._judge.take(update)
            self._take_memory(update)
            self._take_evaluations(update)
            if verdict is not None:
                self.verdict, self.verdict_text = str(verdict.kind.value), verdict.text()
            if not update.more:
                return True
            if time.monotonic() > deadline:
                return False

    @property
    def judged_by(self) -> str:
        """The name of the headline metric on the eval set."""
        return self._judge.headline.eval_metric

    @property
    def best(self) -> tuple[int, float] | None:
        """The step after which the headline metric was best, the first of equals, and its value; None without one."""
        cost = self._judge.headline.cost
        return min(self._evaluations, key=lambda evaluation: cost(evaluation[1]), default=None)

    @property
    def last(self) -> tuple[int, float] | None:
        """The newest evaluation after a step; None without one."""
        return self._evaluations[-1] if self._evaluations else None

    @property
    def memory(self) -> int | None:
        """The peak: what the driver said of all its GPUs, else the trainer's word, which is of one, else the RAM's."""
        return self._gpu_memory or self._reported_peak or self._ram or None

    def _take_evaluations(self, update: Update) -> None:
        if "metrics.jsonl" in update.restarted:
            self._evaluations.clear()
        metric = self._judge.headline.eval_metric
        for record in update.metrics:
            step, value = record.get("step"), record.get(metric)
            if not isinstance(step, int) or not isinstance(value, (int, float)) or step == 0 or not isfinite(value):
                continue
            while self._evaluations and self._evaluations[-1][0] >= step:
                self._evaluations.pop()  # the run went back to a checkpoint
            self._evaluations.append((step, value))

    def _take_memory(self, update: Update) -> None:
        for event in update.events:
            peak = event.get("peak_memory")
            if event.get("kind") == "summary" and isinstance(peak, int):
                self._reported_peak = peak
        for record in update.gpu:
            worker = record.get("worker") or {}
            pids = set(worker.get("pids") or ())
            used = sum(
                size
                for gpu in record.get("gpus") or ()
                for pid, size in gpu.get("processes") or ()
                if pid in pids and isinstance(size, int)
            )
            self._gpu_memory = max(self._gpu_memory, used)
            self._ram = max(self._ram, worker.get("rss") or 0)


def _stamp(folder: JobFolder) -> _Stamp | None:
    """What changes when a run does; None for a folder that is no job's, or not there."""
    stamp = []
    for path in (folder.job, folder.status, folder.metrics):
        try:
            found = os.stat(path)
        except OSError:
            if path == folder.job and not folder.exists():
                return None
            stamp += [0, 0]
        else:
            stamp += [found.st_mtime_ns, found.st_size]
    return stamp


def _adapter(folder: JobFolder) -> Weights | None:
    return read_weights(folder.adapter) if os.path.isdir(folder.adapter) else None


def _model(folder: JobFolder) -> str:
    """The base model's name, from the run's recipe."""
    job = files.read_json(os.fspath(folder.job)) or {}
    payload = job.get("payload")
    recipe = payload.get("recipe") if isinstance(payload, Mapping) else None
    model = recipe.get("model") if isinstance(recipe, Mapping) else None
    path = model.get("path") if isinstance(model, Mapping) else ""
    return os.path.basename(str(path or "").rstrip("/"))


def _from_json(value: Mapping[str, Any], folder: Path) -> RunLine:
    return RunLine(
        from_json(value, folder),
        model=str(value["model"]),
        verdict=str(value["verdict"] or ""),
        verdict_text=str(value["verdict_text"] or ""),
        best_eval=value["headline"]["best"],
        best_step=value["best_step"],
        last_eval=value["headline"]["value"],
        memory=value["memory_peak"],
        adapter=None if value["adapter"] is None else weights_from_json(value["adapter"]),
        known=True,
        judged_by=str(value["headline"]["metric"]),
    )
