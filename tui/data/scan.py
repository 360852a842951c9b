"""The scan of the dataset that is open: found if it was made before, else started as a job, and followed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.follow_job import PERIOD, JobFollower, ended_early

if TYPE_CHECKING:
    from core.dataset.audit.decisions import DecisionState
    from core.dataset.checks import Flag
    from core.dataset.dataset import Dataset
    from core.dataset.records import BadLine
    from core.dataset.scan.reader import ScanReader
    from core.jobs.folder import JobFolder
    from core.jobs.state import JobState as JobStanding

_MOST_REPORTED = 6_000
"""Flagged rows in one update: the screen handles them within a frame, and draws before the next."""
_BREATH = 0.03
_KEYS_AT_ONCE = 20_000
_FEW = 16
"""Keys up to which each is searched for by itself, which is faster than looking at all rows."""


@dataclass(frozen=True, slots=True)
class ScanFindings:
    """What a scan has found since the last update.

    Attributes:
        flags: row to its further flags.
        bad: entry and place of further bad lines.
        rows: rows whose keys are known, from the first on.
        decided: of these, rows on which something was decided in an earlier sitting, and where they stand.
        total: entries in all, 0 while that is not known.
        complete: whether this is the last update of a finished scan.
        faults: with the last update, faults of whole files.
        problem: why the scan ended before its end, a sentence, or "".
        stopped: whether it ended because it was asked to; it can be resumed.
        unused: columns and keys of turns that the format does not read, in words, as far as the scan has come.
        elsewhere: whether this is not from the scan: another process has just decided on `decided`.
    """

    flags: Mapping[int, tuple[Flag, ...]] = field(default_factory=dict)
    bad: tuple[tuple[int, BadLine], ...] = ()
    rows: int = 0
    decided: Mapping[int, DecisionState] = field(default_factory=dict)
    total: int = 0
    complete: bool = False
    faults: tuple[BadLine, ...] = ()
    problem: str = ""
    stopped: bool = False
    elsewhere: bool = False
    unused: str = ""


def find_or_start(workspace: Path, dataset: Dataset, payload: Mapping[str, Any]) -> JobFolder:
    """The folder of a scan of just these files: one that has ended well, still runs or is resumed, else a new one.

    Raises:
        TunedeckError: no scan can be started, with the reason.
    """
    from core.dataset.scan.derive import scan_job
    from core.dataset.scan.sweep import sweep_scans

    folder = scan_job(workspace, dataset, payload).start()
    sweep_scans(workspace)
    return folder


class ScanFollower:
    """Follows a scan until it ends.

    Args:
        start: finds or starts the scan; called in the follower's thread.
        standings: what was decided so far, by key; likewise, may block.
        post: called with each update; likewise.
    """

    def __init__(
        self,
        start: Callable[[], JobFolder],
        standings: Callable[[], Mapping[str, DecisionState]],
        post: Callable[[ScanFindings], object],
    ) -> None:
        self._find = start
        self._standings = standings
        self._reader: ScanReader | None = None
        self._decided: dict[bytes, DecisionState] = {}
        self._keys_read = 0
        self._bad_read = 0
        self._gathered = ScanFindings()
        self._reported_at = 0.0
        self._follower = JobFollower(
            "scan", start=self._start, look=self._look, failed=lambda words: ScanFindings(problem=words), post=post
        )
        self._follower.begin()

    def key(self, row: int) -> str | None:
        """The key of a row, or None where the scan has not come to it yet."""
        return None if self._reader is None else self._reader.key(row)

    def keys(self, rows: Collection[int]) -> dict[int, str]:
        """The keys of rows, as far as the scan has come to them."""
        return {} if self._reader is None else self._reader.keys(rows)

    def rows_of(self, keys: Collection[str]) -> dict[str, int]:
        """The rows of keys, as far as they are rows of this dataset and the scan has come to them. May read a while."""
        if self._reader is None:
            return {}
        from core.dataset.scan.keys import packed_key

        wanted = {packed: key for key in keys if (packed := packed_key(key))}
        return {wanted[packed]: row for row, packed in _rows_of(self._reader, wanted.keys())}

    def packed_keys(self) -> Iterator[bytes]:
        """The packed key of each row, in their order. Reads as it goes."""
        from core.dataset.scan.keys import KEY_BYTES

        rows = 0 if self._reader is None else self._reader.keyed_rows
        for first in range(0, rows, _KEYS_AT_ONCE):
            packed = b"" if self._reader is None else self._reader.packed_keys(first, min(rows, first + _KEYS_AT_ONCE))
            yield from (packed[at : at + KEY_BYTES] for at in range(0, len(packed), KEY_BYTES))

    @property
    def folder(self) -> Path | None:
        """The folder of the scan's results, once that is known."""
        return None if self._reader is None else self._reader.folder

    def decided_elsewhere(self, standings: Mapping[str, DecisionState]) -> None:
        """Takes in decisions of others, by key; posts those on rows that are keyed already. May read for a moment."""
        by_key = _by_packed_key(standings)
        self._decided.update(by_key)  # rows that are keyed later
        if self._reader is None:
            return
        found = {row: by_key[key] for row, key in _rows_of(self._reader, by_key)}
        if found:
            self._follower.say(ScanFindings(decided=found, elsewhere=True))

    def stop(self) -> None:
        """Stop following; the scan itself continues."""
        self._follower.close()

    def cancel(self) -> None:
        """Ask the scan itself to end."""
        self._follower.stop()

    def _start(self) -> JobFolder:
        from core.dataset.scan.reader import ScanReader

        folder = self._find()
        self._decided = _by_packed_key(self._standings())
        self._reader = ScanReader(folder.path)
        return folder

    def _look(self, folder: JobFolder, now: JobStanding) -> float | None:
        assert self._reader is not None
        update = self._read_update(self._reader)
        self._gathered = gathered = _together(self._gathered, update)
        if update.complete:
            self._follower.say(gathered)
            return None
        waits = bool(update.flags or update.bad or update.decided)
        if now.over and not waits:
            stopped = now.state == "stopped"
            words = "" if stopped else ended_early(now, "scan")
            self._follower.say(replace(gathered, stopped=stopped, problem=words))
            return None
        many = len(gathered.flags) > _MOST_REPORTED
        if not waits or many or time.monotonic() - self._reported_at > PERIOD:
            self._follower.say(gathered)
            self._gathered, self._reported_at = ScanFindings(), time.monotonic()
        return _BREATH if many else 0.002 if waits else PERIOD

    def _read_update(self, reader: ScanReader) -> ScanFindings:
        summary = reader.summary() or {}
        update = reader.poll()
        rows = reader.keyed_rows
        decided = self._decided_rows(reader, rows)
        self._bad_read += len(update.bad)
        complete = bool(summary.get("complete")) and not update.more and self._keys_read >= rows
        return ScanFindings(
            flags=update.flags,
            bad=update.bad,
            rows=rows,
            decided=decided,
            total=int(summary.get("entries", 0)),
            complete=complete,
            # The summary of a scan that has ended lists bad entries first, faults of whole files after them.
            faults=tuple(map(_bad_line, summary["bad_lines"][self._bad_read :])) if complete else (),
            unused=_unused(summary),
        )

    def _decided_rows(self, reader: ScanReader, rows: int) -> dict[int, DecisionState]:
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


def _together(first: ScanFindings, then: ScanFindings) -> ScanFindings:
    """Two updates as one: a screen gets them four times a second, however fast they come."""
    flags = dict(first.flags)
    for row, found in then.flags.items():
        flags[row] = flags.get(row, ()) + found
    return replace(then, flags=flags, bad=first.bad + then.bad, decided={**first.decided, **then.decided})


def _by_packed_key(standings: Mapping[str, DecisionState]) -> dict[bytes, DecisionState]:
    from core.dataset.scan.keys import packed_key

    return {packed: state for key, state in standings.items() if (packed := packed_key(key))}


def _unused(summary: Mapping[str, Any]) -> str:
    """What the format does not read, with the mark of a warning where it looks meaningful."""
    words = str(summary.get("unused_words", ""))
    return f"▲ {words} (M maps columns)" if words and summary.get("warnings") else words


def _bad_line(value: Mapping[str, Any]) -> BadLine:
    from core.dataset.records import BadLine

    return BadLine(Path(value["file"]), value["line"], value["reason"])
