"""A curated view on disk: what is trained and held out, immutable once it has its name."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.dataset.flag_names import flag_counts
from core.dataset.sample import Sample
from core.errors import BadInput
from core.jobs.files import current_umask

BUILDING = ".building-"
"""Prefix of folders that are being built; one that a killed build left behind is swept after a day."""

_STALE = 86_400
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class CuratedView:
    """A curated view on disk.

    Attributes:
        fingerprint: names the view: a hash of all that went into it.
        folder: holds `train.jsonl`, `eval.jsonl` and `manifest.json`.
        train_count: samples to train on.
        eval_count: samples held out.
        dropped: reason to number of rows: `decision` (the user's), `unreadable`, or a flag's name.
        manifest: all of `manifest.json`.
    """

    fingerprint: str
    folder: Path
    train_count: int
    eval_count: int
    dropped: Mapping[str, int]
    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def train(self) -> Path:
        """The samples to train on, one JSON object a line."""
        return self.folder / "train.jsonl"

    @property
    def eval(self) -> Path:
        """The samples held out."""
        return self.folder / "eval.jsonl"


def read_view(folder: str | Path) -> CuratedView:
    """The view in a folder, a run's `data/` included.

    Raises:
        BadInput: there is none.
    """
    folder = Path(folder)
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        counts = manifest["counts"]
        return CuratedView(
            manifest["fingerprint"],
            folder,
            counts["train"],
            counts["eval"],
            flag_counts(manifest["dropped"]),
            manifest,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise BadInput("not a training set (curated view)", where=str(folder), do="Build it again") from fault


def link_view(view: CuratedView, run_folder: str | Path) -> Path:
    """Puts a view into a run's folder as `data/`: by hard links, or copies where the file system has none.

    Returns:
        The `data` folder.
    """
    data = Path(run_folder) / "data"
    data.mkdir(parents=True, exist_ok=True)
    for name in ("train.jsonl", "eval.jsonl", "manifest.json"):
        target = data / name
        target.unlink(missing_ok=True)
        try:
            os.link(view.folder / name, target)
        except OSError:
            shutil.copyfile(view.folder / name, target)
    return data


def view_line(key: str, row: int, source: int, sample: Sample, *, kept: bool = False, task: str = "") -> bytes:
    """A line of a view; `kept` says that the user has kept the row by hand, `task` which of several it is of."""
    line: dict[str, Any] = {"key": key, "row": row, "source": source, "sample": sample.to_json()}
    return encoded({**line, **({"kept": True} if kept else {}), **({"task": task} if task else {})})


def encoded(value: Mapping[str, Any]) -> bytes:
    """A line of JSON; half surrogate pairs, which no tokenizer takes, become U+FFFD."""
    import orjson  # workers read views with the standard library alone

    try:
        return orjson.dumps(value) + b"\n"
    except (orjson.JSONEncodeError, TypeError):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
        return _SURROGATE.sub("\ufffd", text).encode() + b"\n"


def write_synced(path: Path, data: bytes) -> None:
    """Writes a file and waits until the disk has it."""
    with path.open("wb") as file:
        file.write(data)
        sync(file)


def sync(*files: Any) -> None:
    """Waits until the disk has what was written to open files."""
    for file in files:
        file.flush()
        os.fsync(file.fileno())


def publish(building: Path, target: Path) -> None:
    """Gives the finished folder its name at once; where another process was first, its view is the same."""
    umask = current_umask()
    for path in building.iterdir():
        path.chmod(0o444 & ~umask)
    building.chmod(0o777 & ~umask)
    try:
        building.rename(target)
    except OSError:
        if not (target / "manifest.json").exists():
            raise


def sweep(views: Path) -> None:
    """Removes what builds that were killed a day ago or more left behind."""
    for path in views.glob(f"{BUILDING}*"):
        try:
            old = time.time() - path.stat().st_mtime > _STALE
        except OSError:
            continue
        if old:
            shutil.rmtree(path, ignore_errors=True)
