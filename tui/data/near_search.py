"""The search for near-duplicates in the dataset that is open: its last result, or a new job, followed to its end.

A search is a scan job of its own that makes only the checks that need it; the scan of the data screen stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.dataset.near.result import NearOptions
from tui.follow_job import PERIOD, JobFollower, ended_early

if TYPE_CHECKING:
    from core.dataset.checks import Flag
    from core.dataset.dataset import Dataset
    from core.dataset.near.result import Cluster, Leak
    from core.dataset.scan.reader import ScanReader
    from core.jobs.folder import JobFolder
    from core.jobs.state import JobState

_KEYS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class NearFound:
    """What a search has found.

    Attributes:
        folder: the job's.
        options: what was asked.
        clusters: the largest first.
        leaks: near leaks to the eval files, by row.
        flags: row to its near flags.
        apart: pairs of rows that are said to be no duplicates, now.
        excluded: what was not compared, a sentence each; may quote data.
        when: when the search ended, unix seconds.
        changed: what is different since, a sentence; then rows may be others, and nothing can be decided here.
        marked: whether rows were said to be no duplicates, or that was taken back, since the search.
        bad: entries that are no rows, ascending.
        wrong_pairs: marks that do not count, see `NearResult`, as far as they have not been dropped yet.
    """

    folder: Path
    options: NearOptions
    clusters: tuple[Cluster, ...]
    leaks: tuple[Leak, ...]
    flags: Mapping[int, tuple[Flag, ...]] = field(repr=False)
    apart: frozenset[tuple[int, int]] = frozenset()
    excluded: tuple[str, ...] = ()
    when: float = 0.0
    changed: str = ""
    marked: bool = False
    bad: tuple[int, ...] = ()
    wrong_pairs: tuple[tuple[str, str], ...] = ()

    def without_leaks(self, rows: Collection[int]) -> NearFound:
        """The result where some rows are no near leaks."""
        flags = {
            row: tuple(flag for flag in some if row not in rows or flag.name != "leak_near")
            for row, some in self.flags.items()
        }
        return replace(self, leaks=tuple(leak for leak in self.leaks if leak.row not in rows), flags=flags)


@dataclass(frozen=True, slots=True)
class NearProgress:
    """How far a search is.

    Attributes:
        words: what it does.
        running: whether it still runs; when not, why there is no result.
    """

    words: str
    running: bool = True


NearUpdate = NearFound | NearProgress | None
"""None: there is no search of these data yet."""

_Say = Callable[[NearUpdate], None]


class NearSearch:
    """Finds, starts, follows and cancels searches of one dataset; no method blocks.

    Args:
        workspace: the folder that holds `.tunedeck`.
        dataset: what is open.
        payload: as the scan of the data screen has it.
        apart: returns the pairs of keys marked as not duplicates; called in threads.
        post: called with each update, in threads of the search.
    """

    def __init__(
        self,
        workspace: Path,
        dataset: Dataset,
        payload: Mapping[str, Any],
        apart: Callable[[], frozenset[tuple[str, str]]],
        post: Callable[[NearUpdate], object],
    ) -> None:
        self._workspace = workspace
        self._dataset = dataset
        self._payload = dict(payload)
        self._apart = apart
        self._post = post
        self._follower: JobFollower[NearUpdate] | None = None

    def look(self) -> None:
        """Tell of the search that runs, or of the last that has ended."""
        self._begin(self._last)

    def start(self, options: NearOptions) -> None:
        """Search; a search with the same settings and data is reused."""

        def start(_: _Say) -> JobFolder:
            from core.dataset.scan.near_searches import search_job

            return search_job(self._workspace, self._dataset, self._payload, options, self._apart()).start()

        self._begin(start)

    def cancel(self) -> None:
        """Ask the search that runs to stop; one that is being started is asked once it runs."""
        if self._follower is not None:
            self._follower.stop()

    def close(self) -> None:
        """Stop following; a search continues in the background."""
        if self._follower is not None:
            self._follower.close()

    def _begin(self, start: Callable[[_Say], JobFolder | None]) -> None:
        self.close()
        follower: JobFollower[NearUpdate] = JobFollower(
            "near search",
            start=lambda: start(follower.say),
            look=lambda folder, now: self._look(follower.say, folder, now),
            failed=lambda words: NearProgress(words, running=False),
            post=self._post,
        )
        self._follower = follower
        follower.begin()

    def _last(self, say: _Say) -> JobFolder | None:
        """The newest search of these data that runs or has finished, read in the same way."""
        from core.dataset.scan.near_searches import searches
        from core.jobs.state import standing

        for folder, _ in searches(self._workspace, self._payload):
            now = standing(folder)
            if not now.over or now.state == "finished":
                return folder
        say(None)
        return None

    def _look(self, say: _Say, folder: JobFolder, now: JobState) -> float | None:
        if not now.over:
            status = now.status
            share = f" {status.step / status.of:.0%}" if status.step is not None and status.of else ""
            say(NearProgress(f"{status.phase or 'starting'}{share}"))
            return PERIOD
        if now.state == "finished":
            say(self._found(folder, folder.read_job().get("payload") or {}))
        elif now.state == "stopped":
            words = "Search canceled; earlier results are unchanged. Press r to resume it."
            say(NearProgress(words, running=False))
        else:
            say(NearProgress(ended_early(now, "search"), running=False))
        return None

    # -- results --------------------------------------------------------------------------------------------

    def _found(self, folder: JobFolder, payload: Mapping[str, Any]) -> NearUpdate:
        from core.dataset.scan.derive import source_stamps
        from core.dataset.scan.near_searches import apart_digest
        from core.dataset.scan.reader import ScanReader

        reader = ScanReader(folder.path)
        summary = reader.summary()
        clusters = reader.clusters()
        if clusters is None or summary is None:
            return NearProgress("The result of the last search is damaged. Press r to search again.", running=False)
        flags: dict[int, tuple[Flag, ...]] = {}
        bad: list[int] = []
        more = True
        while more:
            update = reader.poll()
            for row, found in update.flags.items():
                flags[row] = flags.get(row, ()) + found
            bad += [entry for entry, _ in update.bad]
            more = update.more
        apart = self._apart()
        now = source_stamps(self._dataset, self._payload)
        before = {os.path.abspath(path): (size, time) for path, size, time in payload.get("stamps", ())}
        changed = [Path(path).name for path, *stamp in now if before.get(path) != tuple(stamp)]
        result = NearFound(
            folder.path,
            NearOptions(**payload["near"]),
            tuple(clusters),
            tuple(reader.leaks()),
            flags,
            excluded=tuple(summary["near"]["left_out"]),
            when=(reader.folder / "summary.json").stat().st_mtime,
            marked=apart_digest(apart) != payload.get("apart"),
            bad=tuple(bad),
            wrong_pairs=tuple(
                (one, other) for one, other in summary["near"].get("wrong_pairs", ()) if (one, other) in apart
            ),
        )
        if changed or len(now) != len(before):
            named = changed[0] if changed else "The list of files"
            return replace(result, changed=f"{named} has changed since this search", flags={})
        return replace(_without_cleared(result, reader, apart), apart=_rows_apart(reader, apart))


def _without_cleared(found: NearFound, reader: ScanReader, apart: frozenset[tuple[str, str]]) -> NearFound:
    """The result without near leaks of which it was said since that they are none."""
    from core.dataset.audit.decisions import pair_key

    said = {pair_key(*pair) for pair in apart}
    keys = reader.keys([leak.row for leak in found.leaks]) if said else {}
    gone = {leak.row for leak in found.leaks if leak.row in keys and pair_key(keys[leak.row], leak.key) in said}
    return found.without_leaks(gone) if gone else found


def _rows_apart(reader: ScanReader, apart: frozenset[tuple[str, str]]) -> frozenset[tuple[int, int]]:
    """The rows of pairs of keys, the smaller first, where both are in the data; some thousand keys at a time."""
    from core.dataset.scan.keys import KEY_BYTES, pack

    if not apart:
        return frozenset()
    wanted: dict[bytes, str] = {}
    for key in {key for pair in apart for key in pair}:
        digest, _, occurrence = key.partition(":")
        wanted[pack(bytes.fromhex(digest), int(occurrence))] = key
    rows: dict[str, int] = {}
    for first in range(0, reader.keyed_rows, _KEYS_AT_ONCE):
        packed = reader.packed_keys(first, first + _KEYS_AT_ONCE)
        for at in range(0, len(packed), KEY_BYTES):
            key = wanted.get(packed[at : at + KEY_BYTES], "")
            if key:
                rows[key] = first + at // KEY_BYTES
    pairs = ((rows[one], rows[other]) for one, other in apart if one in rows and other in rows)
    return frozenset((min(pair), max(pair)) for pair in pairs)
