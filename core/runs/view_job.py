"""The curated view as a job: a near-duplicate split of a large dataset takes a minute, too long for a viewer.

`python -m core.runs.view_job FOLDER`, payload `{"workspace", "recipe"}`; `status.json` says what is being done.
One job a fingerprint: whoever wants the same view in the meantime follows that job, and finds its result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import BadInput, JobFailed
from core.jobs import requests
from core.jobs.derived import Derived, one_stage, stop
from core.jobs.folder import JobFolder
from core.jobs.small_job import end_of
from core.jobs.state import JobState, standing
from core.jobs.titles import TITLES
from core.recipe.recipe import Recipe, from_json, to_json
from core.runs.curate import plan_of

if TYPE_CHECKING:
    from core.dataset.near.result import StageProgress
    from core.dataset.view.view import CuratedView

_SMALL = 2**20
"""Bytes up to which a view is built at once, in the thread that asks: a process would take longer to start."""

_PERIOD = 0.1
_KEPT = 4
_MODULE = "core.runs.view_job"
_TITLE = TITLES[_MODULE]


def view_of(
    recipe: Recipe, workspace: Path, on_progress: StageProgress, should_stop: Callable[[], bool]
) -> CuratedView:
    """The view of a recipe: the existing one, else built by a job that this waits for.

    It is the one that `core.runs.curate.curate` would build here. The job outlives this process.

    Args:
        recipe: with absolute paths, and the mapping that is kept for its data.
        workspace: the folder that holds `.tunedeck`.
        on_progress: called with what is being done, how much of it is done, and how much there is.
        should_stop: called ten times a second; True stops the job.

    Raises:
        BadInput: the data cannot be used, or the job was stopped from elsewhere.
        JobFailed: the job ended without a view.
        Stopped: `should_stop` said so.
    """
    from core.dataset.scan.scan import ScanStopped  # orjson: only where data is read

    plan = plan_of(recipe, workspace)
    found = plan.find()
    if found is not None:
        return found
    if plan.bytes <= _SMALL:
        return plan.build(lambda done, of: on_progress(_TITLE, done, of), should_stop=should_stop)
    folder = _job(recipe, workspace, plan.fingerprint).start()
    while not (now := standing(folder)).over:
        on_progress(now.status.phase or _TITLE, now.status.step or 0, now.status.of or 0)
        if should_stop():
            stop(folder)
            raise ScanStopped
        time.sleep(_PERIOD)
    _raise_for(now, folder)
    found = plan.find()
    if found is None:
        raise BadInput("The data or the decisions changed while the training set was built", do="Start again")
    return found


def main(argv: Sequence[str]) -> int:
    """The worker; exit codes as of `core.jobs.small_job.end_of`."""
    from core.dataset.scan.collector import seldom_collecting
    from core.dataset.scan.scan import ScanStopped

    with seldom_collecting():
        return end_of(argv, _MODULE, _run, stopped=ScanStopped, words="Building the training set was stopped.")


def _run(folder: JobFolder, payload: dict[str, Any]) -> None:
    phase = _TITLE
    folder.write_status(phase=phase, step=0, of=None, unit="rows")

    def entered(name: str) -> None:
        nonlocal phase
        phase = f"Finding near-duplicates ({name})"
        folder.write_status(phase=phase, step=0, of=None, unit="")

    plan = plan_of(from_json(payload["recipe"]), Path(payload["workspace"]))
    if plan.find() is None:
        plan.build(
            lambda done, of: folder.write_progress(done, of, phase=phase),
            entered,
            lambda: any(name != requests.SAVE for name in requests.pending(folder)),
        )
    folder.write_status(phase="done")


def _job(recipe: Recipe, workspace: Path, fingerprint: str) -> Derived:
    return Derived(
        workspace=workspace,
        name="view",
        key=fingerprint,
        kind="view",
        payload={"workspace": str(workspace.absolute()), "recipe": to_json(recipe)},
        stages=one_stage(_MODULE),
        env={"CUDA_VISIBLE_DEVICES": ""},
        holds_result=False,
        kept=_KEPT,
    )


def _raise_for(now: JobState, folder: JobFolder) -> None:
    if now.state == "finished":
        return
    if now.state == "stopped":
        raise BadInput("Building the training set was stopped by another program", do="Start again")
    what = now.detail or now.status.message or f"{_TITLE} ended early ({now.state})"
    if now.status.exit_code == 2:
        raise BadInput(what)
    raise JobFailed(what, where=str(folder.path))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
