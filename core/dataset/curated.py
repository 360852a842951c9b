"""Builds the curated view of a data set from its rows, their flags and the user's decisions."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from core.dataset.checks.base import content_digest, prompt_digest
from core.dataset.dataset import Dataset
from core.dataset.decisions import OPEN, Ledger
from core.dataset.facts import FactsWriter
from core.dataset.sample import Sample
from core.dataset.scan import Progress, ScannedRow, Scanner, watched
from core.dataset.split import split
from core.dataset.view import BUILDING, View, publish, read_view, sweep, sync, write_synced
from core.errors import BadInput
from core.paths import hidden_dir

DROP_FLAGS = ("exact_duplicate", "empty_answer", "role_order", "missing_turn", "leak_exact")
"""Rows with these flags are left out unless the user decided to keep them."""

VERSION = 2
"""Of what goes into a view; part of the fingerprint, so that a later program builds its own."""

_CHUNK = 2**20
_SURROGATE = re.compile("[\ud800-\udfff]")


def build_view(
    workspace: str | Path,
    *,
    paths: Sequence[str | Path],
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    eval_paths: Sequence[str | Path] = (),
    eval_fraction: float = 0.1,
    split_seed: int = 0,
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
        eval_fraction: share of the samples that is held out where there are no eval files.
        split_seed: of that choice.
        drop_flags: names of checks whose rows are left out unless decided otherwise. Of equal samples the first that
            is kept stays.
        decisions: the user's; None reads the workspace's.
        on_progress: told entries done and in all.
        should_stop: asked some times a second.

    Raises:
        BadInput: nothing can be read, the format is not known, nothing is left to train on, or a source changed
            meanwhile.
        Stopped: `should_stop` said so.
    """
    if decisions is None:
        from core.dataset.audit import read_ledger

        decisions = read_ledger(workspace)
    if not 0 <= eval_fraction < 1:
        raise BadInput(f"the eval fraction is {eval_fraction}", do="Hold out a share from 0 to below 1, such as 0.1")
    dataset = Dataset.open(paths, format, columns)
    if not dataset.recognition.known:
        raise BadInput(dataset.recognition.why, where=str(dataset.paths[0]))
    held = dataset.open_beside(eval_paths) if eval_paths else None
    inputs = {
        "version": VERSION,
        "sources": _sources(dataset),
        "container": dataset.reader.container,
        "eval_sources": _sources(held) if held else [],
        **dataset.recognition.to_json(),
        "split": {"fraction": 0.0 if held else eval_fraction, "seed": split_seed},
        "drop_flags": sorted(drop_flags),
        "decisions": _decisions_digest(decisions),
    }
    del inputs["why"]
    fingerprint = blake2b(json.dumps(inputs, sort_keys=True).encode(), digest_size=12).hexdigest()
    views = hidden_dir(Path(workspace)) / "views"
    if (views / fingerprint / "manifest.json").exists():
        return read_view(views / fingerprint)
    views.mkdir(parents=True, exist_ok=True)
    sweep(views)
    building = Path(tempfile.mkdtemp(prefix=BUILDING, dir=views))
    try:
        builder = _Builder(building, decisions, frozenset(drop_flags))
        scanner = Scanner(dataset, eval_paths=eval_paths)
        builder.gather(scanner, on_progress, should_stop)
        builder.split(inputs["split"]["fraction"], split_seed)
        if held is not None:
            builder.hold_out(held, len(dataset.reader.files))
        _check_unchanged(inputs["sources"] + inputs["eval_sources"])
        manifest = {**inputs, **builder.counts(), "fingerprint": fingerprint, "created": time.time()}
        manifest |= {"decisions_revision": decisions.revision, "bad_lines": len(scanner.bad_lines)}
        write_synced(building / "manifest.json", json.dumps(manifest, indent=1).encode())
        publish(building, views / fingerprint)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return read_view(views / fingerprint)


class _Builder:
    """Writes the samples that stay, then deals them out.

    Kept samples go to one file first, because some checks and the split need to have seen all of them.
    """

    def __init__(self, folder: Path, decisions: Ledger, drop_flags: frozenset[str]) -> None:
        self._folder = folder
        self._decisions = decisions
        self._drop_flags = drop_flags
        self._dropped: Counter[str] = Counter()
        self._rows = 0
        self._edited = 0
        self._train = self._eval = 0
        self._kept_rows: list[int] = []
        self._prompts: list[bytes] = []
        self._contents: list[bytes] = []
        self._seen: set[bytes] = set()
        self._decided: set[int] = set()
        self._late: set[int] = set()

    def gather(self, scanner: Scanner, on_progress: Progress | None, should_stop: Callable[[], bool] | None) -> None:
        """Reads the data set and writes what stays."""
        with (self._folder / "kept.jsonl").open("wb") as kept, FactsWriter(self._folder) as facts:
            for scanned in watched(scanner, on_progress, should_stop):
                if scanned is None:
                    continue
                self._rows += 1
                facts.row(scanned)
                sample = self._staying(scanned)
                if sample is not None:
                    self._kept_rows.append(scanned.number)
                    kept.write(_line(scanned.key, scanned.number, scanned.row.source, sample))
            staying = set(self._kept_rows) - self._decided
            for number, flag in scanner.finish():
                facts.flag(number, (flag,))
                if flag.name in self._drop_flags and number in staying:
                    staying.discard(number)
                    self._late.add(number)
                    self._dropped[flag.name] += 1
            facts.bad(scanner.bad)
        if not self._late.issuperset(self._kept_rows):
            return
        reasons = ", ".join(f"{name} {times:,}" for name, times in self._dropped.most_common()) or "no rows"
        raise BadInput(
            f"no sample is left to train on ({reasons})",
            where=str(scanner.dataset.paths[0]),
            do="Keep some rows, or leave fewer flags to drop",
        )

    def split(self, fraction: float, seed: int) -> None:
        """Deals the kept samples out to `train.jsonl` and `eval.jsonl`."""
        stays = [row not in self._late for row in self._kept_rows]
        prompts = [prompt for prompt, stay in zip(self._prompts, stays, strict=True) if stay]
        contents = [content for content, stay in zip(self._contents, stays, strict=True) if stay]
        sides = iter(split(prompts, contents, fraction, seed))
        kept = self._folder / "kept.jsonl"
        with kept.open("rb") as lines, self._open("train") as train, self._open("eval") as held:
            for line, stay in zip(lines, stays, strict=True):
                if not stay:
                    continue
                if next(sides):
                    self._eval += 1
                    held.write(line)
                else:
                    self._train += 1
                    train.write(line)
            sync(train, held)
        kept.unlink()
        if not self._train:
            raise BadInput("the split leaves no sample to train on", do="Hold out a smaller fraction")

    def hold_out(self, dataset: Dataset, first_source: int) -> None:
        """Writes the samples of the user's own eval files."""
        with self._open("eval") as held:
            for scanned in Scanner(dataset, checks=()) if dataset.reader.extend() else ():
                if scanned is None or scanned.sample is None:
                    self._dropped["bad_row in eval"] += scanned is not None
                    continue
                held.write(_line(scanned.key, scanned.number, first_source + scanned.row.source, scanned.sample))
                self._eval += 1
            sync(held)

    def counts(self) -> dict[str, Any]:
        """What the manifest says of numbers."""
        counts = {"rows": self._rows, "train": self._train, "eval": self._eval, "edited": self._edited}
        return {"counts": counts, "dropped": dict(self._dropped)}

    def _staying(self, scanned: ScannedRow) -> Sample | None:
        """The sample that a row contributes, or None; counts why not."""
        standing = self._decisions.standing(scanned.key)
        sample, content = scanned.sample, scanned.content
        if standing is not OPEN and standing.verdict:
            self._decided.add(scanned.number)
        if standing.verdict == "drop":
            self._dropped["decision"] += 1
            return None
        if standing.edit is not None:
            sample = _edited(standing.edit, scanned)
            content = content_digest(sample)
            self._edited += 1
        if sample is None:
            self._dropped["bad_row"] += 1
            return None
        if standing.verdict != "keep":
            reason = self._reason(scanned, content)
            if reason:
                self._dropped[reason] += 1
                return None
        self._seen.add(content)
        self._contents.append(content)
        self._prompts.append(prompt_digest(sample) or content)
        return sample

    def _reason(self, scanned: ScannedRow, content: bytes) -> str:
        for flag in scanned.flags:
            # A duplicate goes only because of an equal sample that stays: the first one may have been dropped.
            if flag.name != "exact_duplicate" and flag.name in self._drop_flags:
                return flag.name
        return "exact_duplicate" if "exact_duplicate" in self._drop_flags and content in self._seen else ""

    def _open(self, name: str) -> Any:
        return (self._folder / f"{name}.jsonl").open("wb")


def _edited(edit: Mapping[str, Any], scanned: ScannedRow) -> Sample:
    try:
        return Sample.from_json(dict(edit))
    except (KeyError, TypeError, AttributeError) as fault:
        raise BadInput(
            f"the edit of row {scanned.number + 1:,} is no sample", do="Undo it, or edit the row again"
        ) from fault


def _line(key: str, row: int, source: int, sample: Sample) -> bytes:
    """A line of a view; half surrogate pairs, which no tokenizer takes, become U+FFFD."""
    value = {"key": key, "row": row, "source": source, "sample": sample.to_json()}
    try:
        return orjson.dumps(value) + b"\n"
    except (orjson.JSONEncodeError, TypeError):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
        return _SURROGATE.sub("\ufffd", text).encode() + b"\n"


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
    said = [(key, each.verdict, each.edit) for key, each in sorted(standings.items()) if each.verdict]
    return blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=12).hexdigest() if said else ""


def _check_unchanged(sources: Sequence[Mapping[str, Any]]) -> None:
    for source in sources:
        try:
            size = os.stat(source["path"]).st_size
        except OSError:
            size = -1
        if size != source["size"]:
            raise BadInput("the file changed while it was read", where=source["path"], do="Start again")
