"""Builds the curated view of a data set from its rows, their flags and the user's decisions."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Any

from core.dataset.curating import Curator
from core.dataset.dataset import Dataset
from core.dataset.decisions import Ledger
from core.dataset.parting import Parting
from core.dataset.scan import Progress, ticking
from core.dataset.synthetic import NAME, by_hand
from core.dataset.view import BUILDING, View, publish, read_view, sweep, write_synced
from core.errors import BadInput
from core.paths import hidden_dir

DROP_FLAGS = ("exact_duplicate", "empty_answer", "role_order", "missing_turn", "leak_exact")
"""Rows with these flags are left out unless the user decided to keep them."""

VERSION = 3
"""Of what goes into a view; part of the fingerprint, so that a later program builds its own."""

_CHUNK = 2**20


def build_view(
    workspace: str | Path,
    *,
    paths: Sequence[str | Path],
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    eval_paths: Sequence[str | Path] = (),
    mix: Mapping[str, float] | None = None,
    eval_fraction: float = 0.1,
    split_seed: int = 0,
    near: float = 0.0,
    stratify: str = "",
    synthetic: str = NAME,
    drop_flags: Sequence[str] = DROP_FLAGS,
    decisions: Ledger | None = None,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> View:
    """Builds the view of a data set, or finds the one that was built from the same.

    Args:
        workspace: the folder that holds `.tunedeck`.
        paths: as `Dataset.open`.
        format: as `Dataset.open`.
        columns: as `Dataset.open`.
        eval_paths: the user's own eval files; then nothing is split off.
        mix: further sources to train on, files or folders, each with its share of the training set, see
            `core.dataset.mixture.shares_of`.
        eval_fraction: as `Parting.fraction`; the next four are its other attributes.
        split_seed: see there.
        near: see there.
        stratify: see there.
        synthetic: see there.
        drop_flags: names of checks whose rows are left out unless decided otherwise. Of equal samples the first that
            is kept stays, and of near-duplicates those that nothing makes superfluous.
        decisions: the user's; None reads the workspace's.
        on_progress: told how much of what is being done is done, and how much there is.
        should_stop: asked some times a second.

    Raises:
        BadInput: nothing can be read, the format is not known, nothing is left to train on, or a source changed
            meanwhile.
        Stopped: `should_stop` said so.
    """
    if decisions is None:
        from core.dataset.audit import read_ledger

        decisions = read_ledger(workspace)
    parting = Parting(0.0 if eval_paths else eval_fraction, split_seed, near, stratify, synthetic)
    shares = dict(mix or {})
    dataset = _known(Dataset.open(paths, format, columns))
    held = dataset.open_beside(eval_paths) if eval_paths else None
    mixed = [(share, _known(dataset.open_beside([path]))) for path, share in shares.items()]
    inputs = {
        "version": VERSION,
        "sources": _sources(dataset),
        "container": dataset.reader.container,
        "eval_sources": _sources(held) if held else [],
        "mix": [{"share": share, "sources": _sources(each), **_form(each)} for share, each in mixed],
        **_form(dataset),
        "split": {"fraction": parting.fraction, "seed": parting.seed, "near": near, "stratify": stratify.strip()},
        "synthetic": synthetic.strip(),
        "drop_flags": sorted(drop_flags),
        "decisions": _decisions_digest(decisions),
    }
    fingerprint = blake2b(json.dumps(inputs, sort_keys=True).encode(), digest_size=12).hexdigest()
    views = hidden_dir(Path(workspace)) / "views"
    if (views / fingerprint / "manifest.json").exists():
        return read_view(views / fingerprint)
    views.mkdir(parents=True, exist_ok=True)
    sweep(views)
    building = Path(tempfile.mkdtemp(prefix=BUILDING, dir=views))
    try:
        with ExitStack() as stack:
            curator = stack.enter_context(Curator(building, parting, frozenset(drop_flags), decisions))
            curator.gather(dataset, eval_paths, on_progress, should_stop)
            for share, each in mixed:
                curator.mix_in(each, share, eval_paths, on_progress, should_stop)
            if held is not None:
                curator.take_eval(held)
            curator.part(ticking(on_progress, None, should_stop))
            curator.write()
        _check_unchanged(
            [*inputs["sources"], *inputs["eval_sources"], *(s for m in inputs["mix"] for s in m["sources"])]
        )
        manifest = {**inputs, **curator.outcome(), "fingerprint": fingerprint, "created": time.time()}
        manifest["decisions_revision"] = decisions.revision
        write_synced(building / "manifest.json", json.dumps(manifest, indent=1).encode())
        publish(building, views / fingerprint)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return read_view(views / fingerprint)


def _known(dataset: Dataset) -> Dataset:
    if not dataset.recognition.known:
        raise BadInput(dataset.recognition.why, where=str(dataset.paths[0]))
    return dataset


def _form(dataset: Dataset) -> dict[str, Any]:
    """What a data set was taken for, without the words on why."""
    form = dataset.recognition.to_json()
    del form["why"]
    return form


def _sources(dataset: Dataset) -> list[dict[str, Any]]:
    """Each file with its size and a hash of its bytes."""
    sources = []
    for path in dataset.reader.files:
        stat = path.stat()
        hashed = blake2b(digest_size=16)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
        sources.append({"path": str(path.absolute()), "size": stat.st_size, "hash": hashed.hexdigest()})
    return sources


def _decisions_digest(decisions: Ledger) -> str:
    standings = decisions.standings()
    said = [
        (key, each.verdict, each.edit, by_hand(each.flag))
        for key, each in sorted(standings.items())
        if each.verdict or by_hand(each.flag)
    ]
    return blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=12).hexdigest() if said else ""


def _check_unchanged(sources: Sequence[Mapping[str, Any]]) -> None:
    for source in sources:
        try:
            size = os.stat(source["path"]).st_size
        except OSError:
            size = -1
        if size != source["size"]:
            raise BadInput("the file changed while it was read", where=source["path"], do="Start again")
