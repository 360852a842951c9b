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

from core.dataset.view.overview import overview_of
from core.dataset.scan.scan import Stopped
from core.dataset.view.view import View, read_view
from core.errors import BadInput, TunedeckError
from core.jobs import files, requests
from core.jobs.folder import JobFolder
from core.jobs.launch import launch, worker_command
from core.jobs.small_job import sweep
from core.jobs.state import standing
from core.paths import hidden_dir
from core.runs.curate import curate
from core.runs.overview import join_samples, measure_command, tokens_of
from core.recipe.recipe import Recipe, from_json, to_json

_VERSION = 2
"""Of what the files of an overview hold: those of another version are made anew."""

FOLDER, FACTS, TOKENS = "overview", "facts.json", "tokens.json"
_SAMPLES, _MEASURED, _RECIPE = "samples.jsonl", "measured.jsonl", "recipe.json"
_BAD_INPUT, _STOPPED = 2, 3
_KEPT = 4
"""Overviews of a workspace that are kept; older ones are made anew when they are asked for."""


def find_or_start(workspace: Path, recipe: Recipe) -> JobFolder:
    """The job of an overview of just these data and this recipe: one that has ended well or still runs, else a new one.

    Blocks for some 0.2 s.

    Args:
        workspace: the folder that holds `.tunedeck`.
        recipe: with absolute paths, and the mapping that is kept for its data.

    Raises:
        TunedeckError: no job can be started, with the reason.
    """
    parent = hidden_dir(workspace) / "jobs"
    name = f"overview-{_digest(workspace, recipe)}"
    for path in sorted(parent.glob(f"*-{name}*"), reverse=True):
        now = standing(JobFolder(path))
        if now.state == "finished" or not now.over:
            return JobFolder(path)
    sweep(parent, "*-overview-*", _KEPT)
    payload = {"workspace": str(workspace.absolute()), "recipe": to_json(recipe)}
    folder = JobFolder.create(parent, name, "overview", payload=payload)
    stages = [worker_command("core.runs.overview_job", folder, python=sys.executable)]
    if recipe.model.path:
        out = folder.path / FOLDER
        stages.append(measure_command(out / _RECIPE, out / _SAMPLES, out / _MEASURED))
        stages.append([*stages[0], "tokens"])
    launch(folder, stages, env={"CUDA_VISIBLE_DEVICES": ""})
    return folder


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
        recipe: as `find_or_start`.
    """
    name = f"overview-{_digest(workspace, recipe)}"
    for path in sorted((hidden_dir(workspace) / "jobs").glob(f"*-{name}*"), reverse=True):
        facts = read_facts(JobFolder(path))
        if facts is not None and facts["tokens"]:
            sources: list[dict[str, int]] = facts["tokens"]["sources"]
            return sources
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
    except Stopped:
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

    def told(what: str) -> None:
        folder.write_status(phase=what)
        if should_stop():
            raise Stopped

    folder.write_status(phase="curating the data")
    view = curate(
        recipe,
        Path(payload["workspace"]),
        on_progress=lambda done, of: folder.write_progress(done, of, phase="curating the data"),
        should_stop=should_stop,
    )
    out = folder.path / FOLDER
    out.mkdir(exist_ok=True)
    files.replace(os.fspath(out / FACTS), files.encode(overview_of(view, told)), durable=False)
    if recipe.model.path:
        join_samples(view, out / _SAMPLES)
        files.replace(os.fspath(out / _RECIPE), json.dumps(to_json(recipe)).encode(), durable=False)
        folder.write_status(phase="counting tokens")
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


def _view(workspace: Path, facts: Mapping[str, Any]) -> View:
    return read_view(hidden_dir(workspace) / "views" / str(facts.get("fingerprint", "")))


def _digest(workspace: Path, recipe: Recipe) -> str:
    """Twelve characters that change with the recipe's data and model, with size or time of any file, and decisions."""
    import hashlib

    from core import __version__
    from core.dataset.audit.store import read_ledger
    from core.dataset.view.plan import VERSION

    whole = to_json(recipe)
    del whole["data"]["view"]
    stamps = [_stamp(Path(path)) for path in (*recipe.data.train, *recipe.data.eval, *recipe.data.shares)]
    parts = [
        VERSION,
        _VERSION,
        __version__,
        whole["data"],
        whole["model"],
        whole["task"],
        stamps,
        read_ledger(workspace).revision,
    ]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=6).hexdigest()


def _stamp(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of a file, or of all that a folder holds."""
    try:
        inside = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        return [(str(each), each.stat().st_size, each.stat().st_mtime_ns) for each in inside]
    except OSError:
        return [(str(path), -1, -1)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
