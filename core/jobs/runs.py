"""All jobs of a workspace, newest first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import Any

from core import timestamps
from core.errors import BadInput
from core.jobs import files
from core.jobs.access import read_only
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.jobs.status import ENDINGS, LOST, QUEUED, STOPPED
from core.jobs.tail import objects, parser, with_numbers
from core.paths import runs_dir

_LAST_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One line of the list of runs.

    Attributes:
        id: the folder's name.
        state: see `core.jobs.status.STATES`.
        folder: the job's folder.
        name: what the user called it.
        kind: `training`, `evaluation` ...
        created: unix seconds.
        started: unix seconds of its last start, None where it never began or nobody wrote it.
        ended: unix seconds, None while it is active or where no ending was written.
        step: steps done, None where nothing is counted.
        of: steps in all.
        loss: the last train loss that was logged, not finite if it was not; None if there is none yet.
        eval_loss: the last eval loss.
        detail: a sentence on the state, or "".
        place: of a queued run: its place in the queue, from 1.
        earlier: seconds that it ran before its last start.
        task: what kind of training it is, as its recipe names it; "" where none does.
        pipeline: of a run that is a part of a pipeline: what all its runs have in common; "" for others.
        stage: its place in the pipeline, from 1; 0 for others.
        stages: how many runs that has.
        starts_from: the run or folder whose weights it began with, as its recipe names it; "" for the base model.
        read_only: why this user can only look at it, see `core.jobs.access.read_only`; "" where that is not so.
        newest: the last value of each metric near the end of its log; not in `to_json`.
    """

    id: str
    state: str
    folder: Path
    name: str
    kind: str
    created: float
    ended: float | None
    step: int | None
    of: int | None
    loss: float | None
    eval_loss: float | None
    detail: str
    place: int | None = None
    started: float | None = None
    earlier: float = 0.0
    task: str = ""
    newest: Mapping[str, float] = field(default_factory=dict, compare=False)
    read_only: str = ""
    pipeline: str = ""
    stage: int = 0
    stages: int = 0
    starts_from: str = ""

    @property
    def removed(self) -> bool:
        """Whether it was removed from the queue before it started."""
        return self.state == STOPPED and self.started is None and self.step is None

    @property
    def end_unseen(self) -> bool:
        """Whether it has ended and no keeper was left to write that, or to notify anyone: see `core.jobs.takeover`."""
        return self.ended is None and self.state in (*ENDINGS, LOST)

    def to_json(self) -> dict[str, Any]:
        """For `tunedeck runs --json`. Not-finite numbers are the strings `"nan"`, `"inf"`, `"-inf"`."""
        return {
            "id": self.id,
            "state": self.state,
            "folder": os.fspath(self.folder),
            "name": self.name,
            "kind": self.kind,
            "created": self.created,
            "started": self.started,
            "earlier": self.earlier,
            "ended": self.ended,
            "step": self.step,
            "of": self.of,
            "loss": _json_number(self.loss),
            "eval_loss": _json_number(self.eval_loss),
            "detail": self.detail,
            "place": self.place,
            "task": self.task or None,
            "starts_from": self.starts_from or None,
            "pipeline": {"id": self.pipeline, "stage": self.stage, "of": self.stages} if self.pipeline else None,
            "read_only": bool(self.read_only),
        }


def from_json(value: Mapping[str, Any], folder: Path) -> RunInfo:
    """The `RunInfo` from its `to_json`.

    Args:
        value: the JSON.
        folder: where the job lies now.

    Raises:
        KeyError, TypeError, ValueError: it is not of this form.
    """
    part = value.get("pipeline") or {}
    numbers = {name: None if value[name] is None else float(value[name]) for name in ("loss", "eval_loss")}
    return RunInfo(
        id=folder.name,
        state=str(value["state"]),
        folder=folder,
        name=str(value["name"]),
        kind=str(value["kind"]),
        created=timestamps.seconds(value["created"]) or 0.0,
        started=timestamps.seconds(value["started"]),
        ended=timestamps.seconds(value["ended"]),
        step=value["step"],
        of=value["of"],
        detail=str(value["detail"]),
        place=value["place"],
        earlier=timestamps.seconds(value.get("earlier")) or 0.0,
        task=str(value.get("task") or ""),
        starts_from=str(value.get("starts_from") or ""),
        pipeline=str(part.get("id") or ""),
        stage=int(part.get("stage") or 0),
        stages=int(part.get("of") or 0),
        loss=numbers["loss"],
        eval_loss=numbers["eval_loss"],
    )


def list_runs(workspace: str | os.PathLike[str]) -> list[RunInfo]:
    """The jobs in a workspace's `runs/`, newest first; other folders are left out. Never raises."""
    try:
        with os.scandir(runs_dir(Path(workspace).absolute())) as entries:
            paths = [entry.path for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:
        return []
    folders = [JobFolder(path) for path in paths]
    found = [run_info(folder) for folder in folders if folder.exists()]
    return sorted(found, key=lambda run: (run.created, run.id), reverse=True)


def newest_run(workspace: str | os.PathLike[str]) -> Path | None:
    """The folder of the newest run of a workspace by its ID, which begins with date and time; None without any."""
    runs = runs_dir(Path(workspace).absolute())
    try:
        names = sorted((name for name in os.listdir(runs) if not name.startswith(".")), reverse=True)
    except OSError:
        return None
    return next((runs / name for name in names if JobFolder(runs / name).exists()), None)


def run_info(folder: JobFolder) -> RunInfo:
    """What the list of runs shows of one job; never raises."""
    try:
        job: Mapping[str, Any] = folder.read_job()
    except BadInput:
        job = {}
    now = standing(folder, job=job or None)
    last = _last_metrics(folder)
    step, of = now.status.step, now.status.of
    if now.status.stage and "step" in last:
        # A later stage counts something of its own; the run's steps are those that the first one logged.
        step = of = int(last["step"]) if isfinite(last["step"]) else None
    elif step is None and isfinite(last.get("step", nan)):
        step = int(last["step"])  # of before it was resumed
    return RunInfo(
        id=folder.id,
        state=now.state,
        folder=folder.path,
        name=str(job.get("name") or folder.id),
        kind=str(job.get("kind") or ""),
        created=timestamps.seconds(job.get("created")) or 0.0,
        started=now.status.started,
        earlier=now.status.earlier,
        ended=now.status.ended,
        step=step,
        of=of,
        loss=last.get("loss"),
        eval_loss=last.get("eval_loss"),
        detail=now.detail,
        place=_place(now.status.fields.get("place")) if now.state == QUEUED else None,
        task=_of_recipe(job, "task"),
        starts_from=_of_recipe(job, "starts_from"),
        newest=last,
        read_only=read_only(folder),
        **_pipeline(job),
    )


def find_run(workspace: str | os.PathLike[str], name: str) -> JobFolder:
    """The job that the user means: by its id, a part of it, its folder, or `last` for the newest.

    One whose folder was renamed is found by its old id, too.

    Raises:
        BadInput: there is none, or more than one.
    """
    if not name.strip():
        raise BadInput("Empty run name", do="`tunedeck runs` lists the runs")
    path = Path(name)
    if (path / "job.json").is_file():
        return JobFolder(path)
    runs = list_runs(workspace)
    if not runs:
        raise BadInput("No runs in this workspace", where=os.fspath(workspace), do="Try `tunedeck runs --all`")
    if name == "last":
        return JobFolder(runs[0].folder)
    for fits in (
        [run for run in runs if run.id == name],
        [run for run in runs if run.id.startswith(name) or run.id.endswith(name)],
        [run for run in runs if name in run.id],
        [run for run in runs if (files.read_json(os.fspath(run.folder / "job.json")) or {}).get("id") == name],
    ):
        if len(fits) == 1:
            return JobFolder(fits[0].folder)
        if fits:
            raise BadInput(f"{len(fits)} runs match this name", where=name, do=f"Say which one, such as {fits[0].id}")
    raise BadInput("No such run in this workspace", where=name, do=f"The newest is {runs[0].id}")


def _last_metrics(folder: JobFolder) -> dict[str, float]:
    """The last value of each metric near the end of `metrics.jsonl`."""
    try:
        with open(folder.metrics, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _LAST_BYTES))
            lines = file.read().split(b"\n")[1 if size > _LAST_BYTES else 0 :]
    except OSError:
        return {}
    last: dict[str, float] = {}
    for record in objects(lines, parser()):
        for key, value in with_numbers(record).items():
            number = _number(value)
            if number is not None:
                last[key] = number
    return last


def _of_recipe(job: Mapping[str, Any], name: str) -> str:
    payload = job.get("payload")
    recipe = payload.get("recipe") if isinstance(payload, Mapping) else None
    return str(recipe.get(name) or "") if isinstance(recipe, Mapping) else ""


def _pipeline(job: Mapping[str, Any]) -> dict[str, Any]:
    payload = job.get("payload")
    part = payload.get("pipeline") if isinstance(payload, Mapping) else None
    if not isinstance(part, Mapping) or type(part.get("stage")) is not int or type(part.get("of")) is not int:
        return {}
    return {"pipeline": str(part.get("id") or ""), "stage": part["stage"], "stages": part["of"]}


def _place(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _json_number(value: float | None) -> float | str | None:
    if value is None or abs(value) < float("inf"):
        return value
    return "nan" if value != value else "inf" if value > 0 else "-inf"
