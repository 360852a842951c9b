"""The scan of the data set that is open: found if it was made before, else started as a job, and followed."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import TunedeckError
from core.paths import hidden_dir

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Standing
    from core.dataset.checks import Flag
    from core.dataset.dataset import Dataset
    from core.dataset.files.records import BadLine
    from core.dataset.scan.reader import ScanReader
    from core.jobs.folder import JobFolder

_PERIOD = 0.25
_STANDING_EVERY = 8
_MOST_TOLD = 6_000
"""Flagged rows in one piece of news: the screen takes them in within a frame, and draws before the next."""
_BREATH = 0.03
_KEYS_AT_ONCE = 20_000
_FEW = 16
"""Keys up to which each is searched for by itself, which is faster than looking at all rows."""


@dataclass(frozen=True, slots=True)
class ScanNews:
    """What a scan has found since the last news.

    Attributes:
        flags: row to its further flags.
        bad: entry and place of further bad lines.
        rows: rows whose keys are known, from the first on.
        decided: of these, rows on which something was decided in an earlier sitting, and where they stand.
        total: entries in all, 0 while that is not known.
        complete: whether this is the last news of a scan that came to its end.
        faults: with the last news, faults of whole files.
        problem: why the scan ended before its end, a sentence, or "".
        stopped: whether it ended because it was asked to; it can go on from there.
        elsewhere: whether this is no news of the scan, but `decided` was just now decided by another process.
    """

    flags: Mapping[int, tuple[Flag, ...]] = field(default_factory=dict)
    bad: tuple[tuple[int, BadLine], ...] = ()
    rows: int = 0
    decided: Mapping[int, Standing] = field(default_factory=dict)
    total: int = 0
    complete: bool = False
    faults: tuple[BadLine, ...] = ()
    problem: str = ""
    stopped: bool = False
    elsewhere: bool = False


def scan_payload(
    dataset: Dataset, format: str, columns: Mapping[str, str], eval_data: Sequence[Path]
) -> dict[str, Any]:
    """What the scan job is told: absolute paths, and how to read them."""
    return {
        "paths": [str(path.absolute()) for path in dataset.paths],
        "format": None if format == "auto" else format,
        "columns": dict(columns),
        "eval_paths": [str(path.absolute()) for path in eval_data],
    }


def fingerprint(dataset: Dataset, payload: Mapping[str, Any]) -> str:
    """Twelve characters that change with the payload, the checks, or size or time of any file."""
    import hashlib
    import json

    from core import __version__
    from core.dataset.checks import CHECKS

    parts = [payload, stamps(dataset, payload), [check.name for check in CHECKS], __version__]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=6).hexdigest()


def stamps(dataset: Dataset, payload: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Path, size and time (nanoseconds) of each file of a data set and of its eval files; -1 for one that is gone."""
    files = [*dataset.reader.files, *map(Path, payload["eval_paths"])]
    return [(str(file), *_stamp(file)) for file in files]


def find_or_start(workspace: Path, dataset: Dataset, payload: Mapping[str, Any]) -> JobFolder:
    """The folder of a scan of just these files: one that has ended well, still runs or goes on now, else a new one.

    Raises:
        TunedeckError: no scan can be started, with the reason.
    """
    from core.dataset.scan.job import SCAN_FOLDER
    from core.dataset.scan.resume import was_begun
    from core.dataset.scan.sweep import sweep_scans
    from core.jobs.folder import JobFolder
    from core.jobs.state import standing

    name = f"scan-{fingerprint(dataset, payload)}"
    parent = hidden_dir(workspace) / "jobs"
    for path in sorted(parent.glob(f"*-{name}*"), reverse=True):
        folder = JobFolder(path)
        if (now := standing(folder)).state == "finished" or not now.over:
            with suppress(OSError):
                os.utime(path)  # in use: it stays when older ones are removed
            return folder
        if was_begun(path / SCAN_FOLDER):
            return _launched(folder)
    folder = _launched(JobFolder.create(parent, name, "scan", payload=dict(payload)))
    sweep_scans(workspace)
    return folder


def _launched(folder: JobFolder) -> JobFolder:
    from core.jobs.launch import launch, worker_command

    launch(folder, [worker_command("core.dataset.scan.job", folder, python=sys.executable)])
    return folder


class ScanFollower:
    """Follows a scan in a thread of its own until it ends.

    Args:
        start: finds or starts the scan; called in the thread.
        standings: what was decided so far, by key; called in the thread, may block.
        tell: called in the thread with each piece of news.
    """

    def __init__(
        self,
        start: Callable[[], JobFolder],
        standings: Callable[[], Mapping[str, Standing]],
        tell: Callable[[ScanNews], object],
    ) -> None:
        self._start = start
        self._standings = standings
        self._tell = tell
        self._ended = threading.Event()
        self._reader: ScanReader | None = None
        self._job: JobFolder | None = None
        self._decided: dict[bytes, Standing] = {}
        self._keys_read = 0
        self._bad_read = 0
        threading.Thread(target=self._run, name="scan follower", daemon=True).start()

    def key(self, row: int) -> str | None:
        """The key of a row, or None where the scan has not come to it yet."""
        return None if self._reader is None else self._reader.key(row)

    @property
    def folder(self) -> Path | None:
        """The folder of the scan's results, once that is known."""
        return None if self._reader is None else self._reader.folder

    def hear(self, standings: Mapping[str, Standing]) -> None:
        """Takes in what others have decided, by key; tells it of rows that are keyed already. May read for a moment."""
        by_key = _by_packed_key(standings)
        self._decided.update(by_key)  # rows that are keyed later
        if self._reader is None:
            return
        found = {row: by_key[key] for row, key in _rows_of(self._reader, by_key)}
        if found:
            self._tell(ScanNews(decided=found, elsewhere=True))

    def stop(self) -> None:
        """Follow no longer; the scan itself goes on."""
        self._ended.set()

    def cancel(self) -> None:
        """Ask the scan itself to end."""
        if self._job is not None:
            threading.Thread(target=self._ask, args=(self._job,), name="stop the scan", daemon=True).start()

    def _ask(self, folder: JobFolder) -> None:
        from core.jobs import requests

        try:
            requests.ask(folder, requests.STOP)
        except TunedeckError as fault:  # it has ended meanwhile, or its folder is gone
            self._tell(ScanNews(problem=str(fault)))

    def _run(self) -> None:
        from core.dataset.scan.reader import ScanReader
        from core.jobs.state import standing

        try:
            self._job = folder = self._start()
            self._decided = _by_packed_key(self._standings())
        except TunedeckError as error:
            self._tell(ScanNews(problem=str(error)))
            return
        self._reader = reader = ScanReader(folder.path)
        looks = 0
        over = False
        gathered = ScanNews()
        told = 0.0
        while not self._ended.is_set():
            # In this order: what a scan that is over has written is all there when it is read.
            if looks % _STANDING_EVERY == 0:
                over = (now := standing(folder)).over
            news = self._news(reader)
            gathered = _together(gathered, news)
            if news.complete:
                self._tell(gathered)
                return
            waits = bool(news.flags or news.bad or news.decided)
            if over and not waits:
                stopped = now.state == "stopped"
                words = "" if stopped else f"The scan has ended early. {now.detail}".strip()
                self._tell(replace(gathered, stopped=stopped, problem=words))
                return
            many = len(gathered.flags) > _MOST_TOLD
            if not waits or many or time.monotonic() - told > _PERIOD:
                self._tell(gathered)
                gathered, told = ScanNews(), time.monotonic()
            looks += 1
            self._ended.wait(_BREATH if many else 0.002 if waits else _PERIOD)

    def _news(self, reader: ScanReader) -> ScanNews:
        summary = reader.summary() or {}
        update = reader.poll()
        rows = reader.keyed_rows
        decided = self._decided_rows(reader, rows)
        self._bad_read += len(update.bad)
        complete = bool(summary.get("complete")) and not update.more and self._keys_read >= rows
        return ScanNews(
            flags=update.flags,
            bad=update.bad,
            rows=rows,
            decided=decided,
            total=int(summary.get("entries", 0)),
            complete=complete,
            # The summary of a scan that has ended lists bad entries first, faults of whole files after them.
            faults=tuple(map(_bad_line, summary["bad_lines"][self._bad_read :])) if complete else (),
        )

    def _decided_rows(self, reader: ScanReader, rows: int) -> dict[int, Standing]:
        """Rows among the newly keyed ones on which something was decided before, some thousand keys at a time."""
        from core.dataset.scan.keys import KEY_BYTES

        if not self._decided:
            self._keys_read = rows
            return {}
        first, last = self._keys_read, min(rows, self._keys_read + _KEYS_AT_ONCE)
        packed = reader.packed_keys(first, last)
        self._keys_read = last
        found = {}
        for row in range(first, last):
            at = (row - first) * KEY_BYTES
            standing = self._decided.get(packed[at : at + KEY_BYTES])
            if standing is not None:
                found[row] = standing
        return found


def _rows_of(reader: ScanReader, wanted: Collection[bytes]) -> Iterator[tuple[int, bytes]]:
    """The rows that have one of some keys."""
    from core.dataset.scan.keys import KEY_BYTES

    rows = reader.keyed_rows
    for first in range(0, rows, _KEYS_AT_ONCE):
        packed = reader.packed_keys(first, min(rows, first + _KEYS_AT_ONCE))
        if len(wanted) > _FEW:
            keys = (packed[at : at + KEY_BYTES] for at in range(0, len(packed), KEY_BYTES))
            yield from ((first + number, key) for number, key in enumerate(keys) if key in wanted)
            continue
        for key in wanted:
            at = packed.find(key)
            while at >= 0:
                if at % KEY_BYTES == 0:
                    yield first + at // KEY_BYTES, key
                    break
                at = packed.find(key, at + 1)


def _together(first: ScanNews, then: ScanNews) -> ScanNews:
    """Two pieces of news as one: a screen hears them four times a second, however fast they come."""
    flags = dict(first.flags)
    for row, found in then.flags.items():
        flags[row] = flags.get(row, ()) + found
    return replace(then, flags=flags, bad=first.bad + then.bad, decided={**first.decided, **then.decided})


def _by_packed_key(standings: Mapping[str, Standing]) -> dict[bytes, Standing]:
    from core.dataset.scan.keys import pack

    found: dict[bytes, Standing] = {}
    for key, standing in standings.items():
        digest, _, occurrence = key.partition(":")
        if not occurrence.isdecimal():  # a decision on a pair of rows
            continue
        found[pack(bytes.fromhex(digest), int(occurrence))] = standing
    return found


def _bad_line(value: Mapping[str, Any]) -> BadLine:
    from core.dataset.files.records import BadLine

    return BadLine(Path(value["file"]), value["line"], value["reason"])


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns
