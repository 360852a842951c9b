"""The overview as a job: builds the view, writes `overview/facts.json`, and has the tokens counted in a second stage.

`overview/tokens.json` follows where the recipe names a model: `{"tokens": see core.runs.overview.tokens_of}`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.dataset.scan.scan import ScanStopped
from core.dataset.view.overview import overview_of
from core.dataset.view.view import CuratedView, read_view
from core.errors import BadInput, TunedeckError
from core.jobs import files, requests
from core.jobs.derived import Derived, digest
from core.jobs.folder import JobFolder
from core.jobs.launch import worker_command
from core.jobs.stamps import stamps
from core.jobs.titles import COUNTING, TITLES
from core.paths import hidden_dir
from core.recipe.recipe import Recipe, from_json, to_json
from core.runs.curate import curate
from core.runs.overview import join_samples, measure_command, tokens_of

_VERSION = 3
"""Of the files of an overview: those of another version are built again."""

FOLDER, FACTS, TOKENS = "overview", "facts.json", "tokens.json"
_SAMPLES, _MEASURED, _RECIPE = "samples.jsonl", "measured.jsonl", "recipe.json"
_BAD_INPUT, _STOPPED = 2, 3
_KEPT = 4
"""Overviews of a workspace that are kept; older ones are built again on request."""


def job_of(workspace: Path, recipe: Recipe) -> Derived:
    """The job of an overview of just these data and this recipe.

    Args:
        workspace: the folder that holds `.tunedeck`.
        recipe: with absolute paths, and the mapping that is kept for its data.
    """

    def stages(folder: JobFolder) -> list[list[str]]:
        facts = worker_command("core.runs.overview_job", folder, python=sys.executable)
        if not recipe.model.path:
            return [facts]
        out = folder.path / FOLDER
        count = [*measure_command(out / _RECIPE, out / _SAMPLES, out / _MEASURED), os.fspath(folder.path)]
        return [facts, count, [*facts, "tokens"]]

    return Derived(
        workspace=workspace,
        name="overview",
        key=_key(workspace, recipe),
        kind="overview",
        payload={"workspace": str(workspace.absolute()), "recipe": to_json(recipe)},
        stages=stages,
        env={"CUDA_VISIBLE_DEVICES": ""},
        kept=_KEPT,
    )


def read_facts(folder: JobFolder) -> dict[str, Any] | None:
    """The facts of an overview's job as far as they are known, with `tokens`, None while they are not; or None."""
    found = files.read_json(os.fspath(folder.path / FOLDER / FACTS))
    if found is None:
        return None
    tokens = files.read_json(os.fspath(folder.path / FOLDER / TOKENS))
    return {**found, "tokens": tokens and tokens["tokens"]}


def known_tokens(workspace: Path, recipe: Recipe) -> list[dict[str, int]] | None:
    """The tokens of each contribution, in the manifest's order, where an overview has counted them; else None.

    Args:
        workspace: the folder that holds `.tunedeck`.
        recipe: as `job_of`.
    """
    tokens = tokens_known(workspace, recipe)
    return None if tokens is None else list(tokens["sources"])


def tokens_known(workspace: Path, recipe: Recipe) -> dict[str, Any] | None:
    """What an overview of just this recipe has counted, see `core.runs.overview.tokens_of`; None where none has."""
    for folder in job_of(workspace, recipe).folders():
        facts = read_facts(folder)
        if facts is not None and facts["tokens"]:
            return dict(facts["tokens"])
    return None


def main(argv: Sequence[str]) -> int:
    """The worker: `python -m core.runs.overview_job FOLDER [tokens]`.

    Returns:
        The exit code: 0 done, 1 failed, 2 the data cannot be read, 3 stopped on request.
    """
    folder = JobFolder(argv[0])
    payload = folder.read_job().get("payload") or {}
    try:
        if argv[1:] == ["tokens"]:
            _write_tokens(folder, payload)
        else:
            _write_facts(folder, payload)
    except ScanStopped:
        for name in requests.pending(folder):
            requests.done(folder, name, "The overview was stopped.")
        return _STOPPED
    except TunedeckError as fault:
        folder.write_status(state="failed", message=str(fault))
        return _BAD_INPUT if isinstance(fault, BadInput) else 1
    return 0


def _write_facts(folder: JobFolder, payload: Mapping[str, Any]) -> None:
    recipe = from_json(payload["recipe"])

    def should_stop() -> bool:
        return any(name != requests.SAVE for name in requests.pending(folder))

    phase = ""

    def on_progress(what: str, done: int, of: int) -> None:
        nonlocal phase
        if what != phase:
            phase = what
            folder.write_status(phase=what, step=done, of=of or None, unit="samples" if of else "")
        else:
            folder.write_progress(done, of)
        if should_stop():
            raise ScanStopped

    building = TITLES["core.runs.view_job"]
    folder.write_status(phase=building, step=0, of=None, unit="rows")
    view = curate(
        recipe,
        Path(payload["workspace"]),
        on_progress=lambda done, of: folder.write_progress(done, of),
        should_stop=should_stop,
    )
    out = folder.path / FOLDER
    out.mkdir(exist_ok=True)
    files.replace(os.fspath(out / FACTS), files.encode(overview_of(view, on_progress)), durable=False)
    if recipe.model.path:
        join_samples(view, out / _SAMPLES)
        files.replace(os.fspath(out / _RECIPE), json.dumps(to_json(recipe)).encode(), durable=False)
        folder.write_status(phase=COUNTING, step=0, of=view.train_count + view.eval_count, unit="samples")
    else:
        folder.write_status(phase="done")


def _write_tokens(folder: JobFolder, payload: Mapping[str, Any]) -> None:
    out = folder.path / FOLDER
    facts = files.read_json(os.fspath(out / FACTS)) or {}
    view = _view(Path(payload["workspace"]), facts)
    tokens = tokens_of(from_json(payload["recipe"]), view, out / _MEASURED)
    files.replace(os.fspath(out / TOKENS), files.encode({"tokens": tokens}), durable=False)
    for name in (_SAMPLES, _MEASURED):
        (out / name).unlink(missing_ok=True)
    folder.write_status(phase="done")


def _view(workspace: Path, facts: Mapping[str, Any]) -> CuratedView:
    return read_view(hidden_dir(workspace) / "views" / str(facts.get("fingerprint", "")))


def _key(workspace: Path, recipe: Recipe) -> str:
    """Changes with the recipe's data and model, with size or time of any file, and with decisions."""
    from core import __version__
    from core.dataset.audit.store import read_ledger
    from core.dataset.view.plan import VERSION

    whole = to_json(recipe)
    del whole["data"]["view"]
    data = whole["data"], whole["model"], whole["task"]
    sources = stamps((*recipe.data.train, *recipe.data.eval, *recipe.data.shares))
    return digest([VERSION, _VERSION, __version__, *data, sources, read_ledger(workspace).revision])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
