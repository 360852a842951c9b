"""The search for near-duplicates in the data set that is open: its last result, or a new job, followed to its end.

A search is a scan job of its own that makes only the checks that need it; the scan of the data screen stays as it is.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.dataset.near.result import RESULT_VERSION, NearOptions
from core.errors import TunedeckError
from core.paths import hidden_dir
from tui.data.scan import fingerprint, stamps

if TYPE_CHECKING:
    from core.dataset.checks import Flag
    from core.dataset.dataset import Dataset
    from core.dataset.near.result import Cluster, Leak
    from core.dataset.scan.reader import ScanReader
    from core.jobs.folder import JobFolder

CHECKS = ("near_duplicate", "leak_near")
"""The checks that a search makes, whose flags the data screen takes over from it."""

_PERIOD = 0.2
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
        left_out: what was not compared, a sentence each; may quote data.
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
    left_out: tuple[str, ...] = ()
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


NearNews = NearFound | NearProgress | None
"""None: there is no search of these data yet."""


class NearSearch:
    """Finds, starts, follows and cancels searches of one data set; no method blocks.

    Args:
        workspace: the folder that holds `.tunedeck`.
        dataset: what is open.
        payload: as the scan of the data screen has it.
        apart: tells which pairs of keys are no duplicates; called in threads.
        tell: hears the news, in threads of the search.
    """

    def __init__(
        self,
        workspace: Path,
        dataset: Dataset,
        payload: Mapping[str, Any],
        apart: Callable[[], frozenset[tuple[str, str]]],
        tell: Callable[[NearNews], object],
    ) -> None:
        self._jobs = hidden_dir(workspace) / "jobs"
        self._workspace = workspace
        self._dataset = dataset
        self._payload = dict(payload)
        self._apart = apart
        self._tell = tell
        self._ended = threading.Event()
        self._running: JobFolder | None = None
        self._cancelled = False

    def look(self) -> None:
        """Tell of the search that runs, or of the last that has ended."""
        self._in_thread(self._look)

    def start(self, options: NearOptions) -> None:
        """Search, unless just this was searched already; then its result is told."""
        self._cancelled = False
        self._in_thread(lambda: self._start(options))

    def cancel(self) -> None:
        """Ask the search that runs to stop; one that is being started is asked once it runs."""
        from core.jobs import requests

        self._cancelled = True
        folder = self._running
        if folder is not None:
            self._in_thread(lambda: requests.ask(folder, requests.STOP))

    def close(self) -> None:
        """Follow no longer; a search goes on by itself."""
        self._ended.set()

    def _in_thread(self, work: Callable[[], None]) -> None:
        def thread() -> None:
            try:
                work()
            except TunedeckError as fault:
                self._say(NearProgress(str(fault), running=False))

        threading.Thread(target=thread, name="near search", daemon=True).start()

    def _say(self, news: NearNews) -> None:
        if not self._ended.is_set():
            self._tell(news)

    # -- jobs -----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        from core.jobs.state import standing

        for folder, payload in self._searches():
            now = standing(folder)
            if not now.over:
                self._follow(folder)
                return
            if now.state == "finished":
                self._say(self._found(folder, payload))
                return
        self._say(None)

    def _start(self, options: NearOptions) -> None:
        from core.dataset.near.kept import is_kept
        from core.dataset.scan.job import SCAN_FOLDER
        from core.jobs.folder import JobFolder
        from core.jobs.launch import launch, worker_command
        from core.jobs.state import standing

        payload = self._full_payload(options)
        name = f"near-{fingerprint(self._dataset, payload)}"
        for path in sorted(self._jobs.glob(f"*-{name}*"), reverse=True):
            folder = JobFolder(path)
            now = standing(folder)
            if now.state == "finished":
                self._say(self._found(folder, payload))
                return
            if not now.over:
                self._follow(folder)
                return
            if is_kept(path / SCAN_FOLDER):
                break
        else:
            folder = JobFolder.create(self._jobs, name, "scan", payload=payload)
        launch(folder, [worker_command("core.dataset.scan.job", folder, python=sys.executable)])
        self._follow(folder)

    def _full_payload(self, options: NearOptions) -> dict[str, Any]:
        return {
            **self._payload,
            "near": {"threshold": options.threshold, "keep": options.keep, "fields": options.fields},
            "near_version": RESULT_VERSION,
            "checks": list(CHECKS),
            "workspace": str(self._workspace),
            "apart": _digest(self._apart()),
            "stamps": [list(stamp) for stamp in stamps(self._dataset, self._payload)],
        }

    def _searches(self) -> Iterator[tuple[JobFolder, dict[str, Any]]]:
        """The searches of these data, read in the same way; the newest first."""
        from core.dataset.near.searches import is_outdated
        from core.jobs.folder import JobFolder

        for path in sorted(self._jobs.glob("*-near-*"), reverse=True):
            folder = JobFolder(path)
            try:
                payload = folder.read_job().get("payload") or {}
            except TunedeckError:  # a folder that was just made, or is damaged
                continue
            if is_outdated(payload):
                continue
            if payload.get("near") and all(payload.get(name) == self._payload[name] for name in self._payload):
                yield folder, payload

    def _follow(self, folder: JobFolder) -> None:
        from core.jobs import requests
        from core.jobs.state import standing

        self._running = folder
        if self._cancelled:
            requests.ask(folder, requests.STOP)
        while not self._ended.wait(_PERIOD):
            now = standing(folder)
            if not now.over:
                status = now.status
                share = f" {status.step / status.of:.0%}" if status.step is not None and status.of else ""
                self._say(NearProgress(f"{status.phase or 'starting'}{share}"))
                continue
            self._running = None
            if now.state == "finished":
                self._say(self._found(folder, folder.read_job().get("payload") or {}))
            elif now.state == "stopped":
                self._say(
                    NearProgress(
                        "The search was cancelled; what was found before it is as it was. r goes on with it.", False
                    )
                )
            else:
                self._say(NearProgress(f"The search has ended early. {now.detail}".strip(), False))
            return

    # -- results --------------------------------------------------------------------------------------------

    def _found(self, folder: JobFolder, payload: Mapping[str, Any]) -> NearNews:
        from core.dataset.scan.reader import ScanReader

        reader = ScanReader(folder.path)
        summary = reader.summary()
        clusters = reader.clusters()
        if clusters is None or summary is None:
            return NearProgress("The result of the last search is damaged; search again.", running=False)
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
        now = stamps(self._dataset, self._payload)
        before = {path: (size, time) for path, size, time in payload.get("stamps", ())}
        changed = [Path(path).name for path, *stamp in now if before.get(path) != tuple(stamp)]
        result = NearFound(
            folder.path,
            NearOptions(**payload["near"]),
            tuple(clusters),
            tuple(reader.leaks()),
            flags,
            left_out=tuple(summary["near"]["left_out"]),
            when=(reader.folder / "summary.json").stat().st_mtime,
            marked=_digest(apart) != payload.get("apart"),
            bad=tuple(bad),
            wrong_pairs=tuple(
                (one, other) for one, other in summary["near"].get("wrong_pairs", ()) if (one, other) in apart
            ),
        )
        if changed or len(now) != len(before):
            named = changed[0] if changed else "The list of files"
            return replace(result, changed=f"{named} has changed since this search", flags={})
        return replace(_without_cleared(result, reader, apart), apart=_rows_apart(reader, apart))


def _digest(apart: frozenset[tuple[str, str]]) -> str:
    """Changes with the pairs that are no duplicates."""
    import hashlib

    return hashlib.blake2b(repr(sorted(apart)).encode(), digest_size=6).hexdigest()


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
