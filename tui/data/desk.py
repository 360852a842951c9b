"""One dataset that is open, and all that works on it behind the screen: index, scan, tokens, decisions.

Threads post messages; the screen handles them in its own thread and passes them to `learn`,
`settle` or `take_near`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message import Message

from core.clean import clean
from core.errors import TunedeckError
from tui.data.messages import (
    Arrived,
    Claimed,
    Counted,
    Decided,
    Grown,
    HistoryRead,
    NearSearched,
    Notice,
    Scanned,
    TakenBack,
)
from tui.data.prefetch import RowPrefetcher
from tui.data.rows import DataRows
from tui.data.scan import ScanFindings, ScanFollower, find_or_start
from tui.data.tokens import TokenFollower
from tui.seen import NO_KEY, Press

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Action, Decision, DecisionState
    from core.dataset.audit.store import Claims, DecisionRequest, DecisionStore
    from core.dataset.dataset import Dataset
    from core.dataset.records import BadLine
    from core.jobs.folder import JobFolder
    from tui.data.near_search import NearFound, NearSearch

_INDEX_SLICE = 0.004
_LOOK_EVERY = 2.0
"""Seconds between two looks at the files."""

_REPORT_EVERY = 0.25
_LAST_WORD = 1.0
"""Seconds that leaving waits for a decision that is on its way to a slow disk."""


@dataclass(frozen=True, slots=True)
class _Ask:
    """A decision that waits.

    Attributes:
        action: what was decided.
        payload: the text of a note or flag, the sample of an edit.
        entry: the entry that it is about; None means the one that is shown when its turn comes.
        press: the key that it came by.
        entries: the entries that it is about, where it is about a whole list; empty for one.
        reason: whether it gives the last drop its reason.
    """

    action: Action
    payload: Mapping[str, Any]
    entry: int | None
    press: Press
    entries: Sequence[int] = ()
    reason: bool = False


def _follows_cursor(ask: _Ask) -> bool:
    return ask.entry is None and ask.action != "undo" and not ask.entries and not ask.reason


class OpenDataset:
    """An open dataset with its index, scan and decisions.

    Args:
        dataset: what is open.
        workspace: the folder that holds `.tunedeck`.

    Attributes:
        rows: what is known of each row.
        faults: faults of whole files, known when the scan has ended.
        scan_words: how far the scan is, a few words or a sentence.
        unused: columns and keys of turns that the format does not read, in words.
        stopped: whether the scan was ended early by somebody.
        changed: what has happened to the files since they were opened, or "".
    """

    def __init__(self, dataset: Dataset, workspace: Path) -> None:
        self.rows = DataRows(dataset, prefetch=RowPrefetcher(dataset, lambda: self._post(Arrived())))
        self.faults: tuple[BadLine, ...] = ()
        self.scan_words = ""
        self.unused = ""
        self.stopped = False
        self.changed = ""
        self._workspace = workspace
        self._post: Callable[[Message], object] = lambda _: None
        self._closed = threading.Event()
        self._scan: ScanFollower | None = None
        self._tokens: TokenFollower | None = None
        self._near: NearSearch | None = None
        self.near_folder: Path | None = None
        """The job of the search whose near-duplicates are flagged."""
        self._store: DecisionStore | None = None
        self._waiting: deque[_Ask] = deque()
        self._writing = False
        self._last_drop: tuple[Mapping[int, str], int] | None = None
        """Row to key of what was dropped last, and the step; None once something else was decided."""
        self._blind: frozenset[int] = frozenset()
        """Of the rows decided last, those whose reviewer had not seen what others decided."""
        self._settled: set[int] = set()
        self._holds = False
        """Whether rows of a shared queue may be claimed."""

    def begin(self, post: Callable[[Message], object]) -> None:
        """Begin to work.

        Args:
            post: called with each message, in threads of the desk.
        """
        self._post = post
        threading.Thread(target=self._index, name="index", daemon=True).start()

    def close(self) -> None:
        """Work on it no longer; a scan continues in the background, and decisions are still written."""
        self._closed.set()
        if self.rows.prefetch is not None:
            self.rows.prefetch.close()
        if self._scan is not None:
            self._scan.stop()
        for each in (self._tokens, self._near):
            if each is not None:
                each.close()
        if self._store is not None:
            if self._holds:
                self._store.release()
            writing = threading.Thread(target=self._store.close, name="close decisions", daemon=True)
            writing.start()
            writing.join(_LAST_WORD)

    def _index(self) -> None:
        """Find the remaining rows, a few milliseconds at a time, and post `Grown` four times a second."""
        reader = self.rows.dataset.reader
        reported_at = time.monotonic()
        while not reader.complete and not self._closed.wait(0.0005):  # the pause lets the screen's thread run
            try:
                reader.extend(_INDEX_SLICE)
            except OSError as fault:
                words = f"Cannot read the rest of the file: {fault.strerror or fault}."
                self._post(Scanned(ScanFindings(problem=words)))
                return
            if time.monotonic() - reported_at > _REPORT_EVERY:
                self._post(Grown())
                reported_at = time.monotonic()
        self._post(Grown())
        self._watch()

    def _watch(self) -> None:
        """Tell when a file is no longer what was read: a program may be writing it."""
        from tui.data.file_watch import changed_words, stamps

        before = stamps(self.rows.dataset.reader.files)
        while not self._closed.wait(_LOOK_EVERY):
            if (words := changed_words(before)) != self.changed:
                self.changed = words
                self._post(Grown())

    # -- the scan -------------------------------------------------------------------------------------------

    def start_scan(self, payload: Mapping[str, Any]) -> None:
        """Find or start the scan of these files; decisions can be taken as soon as it has come to a row."""
        dataset, workspace = self.rows.dataset, self._workspace

        # Both are called in the follower's thread: importing SQLite and launching a job would hold up the keys.
        def start() -> JobFolder:
            from core.dataset.audit.store import DecisionStore
            from tui.data.opened import remember

            self._store = DecisionStore(workspace, self._decided_elsewhere)
            self.rows.reviewer = self._store.user
            job = find_or_start(workspace, dataset, payload)
            remember(workspace, dataset.paths)
            return job

        def standings() -> Mapping[str, DecisionState]:
            assert self._store is not None
            self._store.ready.result()
            return self._store.standings()

        self._scan = ScanFollower(start, standings, lambda update: self._post(Scanned(update)))

    def look_at_near(self, payload: Mapping[str, Any]) -> None:
        """Tell what the last search for near-duplicates has found, or the one that runs."""
        from tui.data.near_search import NearFound, NearSearch

        def apart() -> frozenset[tuple[str, str]]:
            from core.dataset.audit.store import read_ledger

            return read_ledger(self._workspace).apart()

        def post(update: object) -> None:
            if isinstance(update, NearFound):
                self._post(NearSearched(update))

        if self._near is not None:
            self._near.close()
        self._near = NearSearch(self._workspace, self.rows.dataset, payload, apart, post)
        self._near.look()

    def take_near(self, found: NearFound) -> None:
        """Take in what a search has found; of files that have changed since, nothing."""
        from core.dataset.scan.near_searches import CHECKS

        self.rows.take_near(found.flags, CHECKS)
        self.near_folder = None if found.changed else found.folder

    def _decided_elsewhere(self, keys: Collection[str]) -> None:
        """Others have decided on rows; called in the store's thread."""
        store = self._store
        if self._scan is not None and store is not None and not self._closed.is_set():
            self._scan.decided_elsewhere({key: store.standing(key) for key in keys})

    @property
    def scanning(self) -> bool:
        """Whether more is to be expected of the scan."""
        return self.scan_words.startswith("scanning")

    def stop_scan(self) -> None:
        """Ask the scan to end where it is; what it has found stays."""
        if self._scan is not None:
            self.scan_words = "stopping the scan"
            self._scan.cancel()

    def learn(self, update: ScanFindings) -> bool:
        """Take in what the scan has found; returns whether any row looks different now."""
        rows = self.rows
        if update.elsewhere:
            for row, standing in update.decided.items():
                rows.stand(row, standing)
            return True
        before = rows.scanned
        rows.learn(update.flags, update.bad, max(before, update.rows))
        for row, standing in update.decided.items():
            if row not in self._settled:
                rows.stand(row, standing)
        self.stopped, self.unused = update.stopped, update.unused or self.unused
        if update.stopped:
            where = f" at {update.rows / update.total:.0%}" if update.total else ""
            self.scan_words = f"scan stopped{where}: press C to resume"
        elif update.problem:
            self.scan_words = clean(update.problem)
        elif update.complete:
            self.scan_words, self.faults, rows.judged = "scanned", update.faults, True
        else:
            self.scan_words = f"scanning {update.rows / update.total:.0%}" if update.total else "scanning"
        return bool(update.flags or update.bad or update.decided or rows.scanned > before)

    # -- tokens ---------------------------------------------------------------------------------------------

    @property
    def tokens(self) -> TokenFollower:
        """What looks the rows' tokens up and has them counted."""
        if self._tokens is None:
            self._tokens = TokenFollower(self.rows.dataset, self._workspace, lambda update: self._post(Counted(update)))
        return self._tokens

    # -- decisions ------------------------------------------------------------------------------------------

    @property
    def reviewer(self) -> str:
        """The name that decisions are saved under; "" before the store is open."""
        return "" if self._store is None else self._store.user

    @property
    def can_undo(self) -> bool:
        """Whether there may be a decision to take back, also one that is still on its way to the disk."""
        rows = self.rows
        return bool(rows.decisions or rows.marks or self._waiting or self._writing)

    @property
    def busy(self) -> bool:
        """Whether a decision waits, or is on its way to the disk."""
        return bool(self._waiting or self._writing)

    def ask(
        self,
        action: Action,
        payload: Mapping[str, Any] | None = None,
        *,
        entry: int | None = None,
        press: Press = NO_KEY,
    ) -> None:
        """Queue a decision; `write_next` writes it to the disk.

        Args:
            action: what was decided.
            payload: as `DecisionStore.decide`.
            entry: what it is about; by default the entry that is shown when its turn comes.
            press: the key that it came by.
        """
        self._waiting.append(_Ask(action, payload or {}, entry, press))

    def ask_for_all(self, action: Action, payload: Mapping[str, Any], entries: Sequence[int]) -> None:
        """Queue one decision on many entries, which one undo takes back; malformed lines are passed over.

        Args:
            action: as `ask`.
            payload: as `ask`.
            entries: what it is about.
        """
        self._waiting.append(_Ask(action, payload, None, NO_KEY, entries))

    def ask_reason(self, reason: str) -> None:
        """Queue the reason of the drop that was made last, or is on its way."""
        self._waiting.append(_Ask("drop", {"text": reason}, None, NO_KEY, reason=True))

    def write_next(self, entry: int, meant: Callable[[Press], bool]) -> str:
        """Take the next decision that waits to the disk, unless one is on its way there.

        Keys pressed meanwhile wait, since each is meant for the row that is shown when its turn comes.

        Args:
            entry: the entry that is shown, which keep and drop are meant for.
            meant: whether a key was typed with that entry in view; of others nothing comes.

        Returns:
            A sentence if it cannot be taken now, else "".
        """
        if self._writing:
            return ""
        while self._waiting and self._is_void(self._waiting[0], meant):
            self._waiting.popleft()
            self._last_drop = None
        if not self._waiting:
            return ""
        ask = self._waiting[0]
        if ask.action == "undo":
            self._waiting.popleft()
            return self._take_back()
        if ask.reason and self._last_drop is not None:
            self._waiting.popleft()
            self._write(self._last_drop[0], ask, joins=self._last_drop[1])
            return ""
        if ask.entries:
            return self._write_all(ask)
        row = self.rows.row_of(entry if ask.entry is None else ask.entry)
        if row is None:
            self._waiting.clear()
            return "This line is malformed: it is never trained on, so there is nothing to decide."
        key = None if self._scan is None else self._scan.key(row)
        if key is None and self.scan_words and not self.scanning:
            self._waiting.clear()
            return f"Not saved: the scan has not reached this row. {self.scan_words}"
        if key is None:
            return "The scan has not reached this row yet; the decision is saved as soon as it does."
        self._write({row: key}, self._waiting.popleft())
        return ""

    def _is_void(self, ask: _Ask, meant: Callable[[Press], bool]) -> bool:
        """Whether nothing comes of a decision: its key was meant for another row, or it is the reason of no drop."""
        return self._last_drop is None if ask.reason else _follows_cursor(ask) and not meant(ask.press)

    def key_of(self, entry: int) -> str | None:
        """The key of an entry; None for a bad line, and where the scan has not come to it yet."""
        row = self.rows.row_of(entry)
        return None if row is None or self._scan is None else self._scan.key(row)

    def keys_of(self, rows: Collection[int]) -> tuple[str, ...]:
        """The packed keys of rows in hex, in their order, as far as the scan has come to them."""
        from core.dataset.scan.keys import packed_key

        found = {} if self._scan is None else self._scan.keys(rows)
        return tuple(packed_key(found[row]).hex() for row in rows if row in found)

    @property
    def scan_folder(self) -> Path | None:
        """Where the scan's results lie, once that is known."""
        return None if self._scan is None else self._scan.folder

    def _write(self, rows: Mapping[int, str], ask: _Ask, *, joins: int = 0) -> None:
        assert self._store is not None
        self._writing = True
        if not ask.reason:  # what a reviewer decides again, having seen what others think, is not blind
            hidden = self.rows.blind and ask.action in ("keep", "drop", "edit")
            self._blind = frozenset(row for row in rows if not self.rows.shown(row)) if hidden else frozenset()
        blind = {**ask.payload, "blind": True}
        asked: list[DecisionRequest] = [
            (key, ask.action, blind if row in self._blind else ask.payload) for row, key in rows.items()
        ]
        future = self._store.decide_together(asked, joins=joins)
        future.add_done_callback(lambda done: self._post(Decided(rows, ask.action, done, ask.reason)))

    def _write_all(self, ask: _Ask) -> str:
        """Take one decision on many rows to the disk; their keys are read in a thread, as there may be a million."""
        if self._scan is None or self.scanning or self.stopped:
            self._waiting.clear()
            return "Nothing was changed: the scan is still running. Try again when it is done."
        self._waiting.popleft()
        self._writing = True
        scan, rows = self._scan, [row for entry in ask.entries if (row := self.rows.row_of(entry)) is not None]
        threading.Thread(target=lambda: self._write(scan.keys(rows), ask), name="decide on a list", daemon=True).start()
        return ""

    def _take_back(self) -> str:
        if self._scan is None or self._store is None:
            return "The scan has not started yet, so there is nothing to undo."
        self._writing = True
        scan = self._scan
        found: dict[str, int] = {}

        def here(keys: Collection[str]) -> Collection[str]:
            found.update(scan.rows_of(keys))
            return found.keys()

        # Rows that the scan has not come to yet cannot be told from rows of other datasets.
        future = self._store.take_back(here, latest=not self.rows.judged)
        future.add_done_callback(lambda done: self._post(TakenBack(found, done)))
        return ""

    def settle(self, decided: Decided) -> list[Decision]:
        """Take in decisions that have come back from the disk.

        Raises:
            TunedeckError: they could not be written; what was lined up behind them is forgotten.
        """
        made = self._settled_ones(decided.future)
        self._stand(decided.rows)
        self._last_drop = (decided.rows, made[0].step) if made and decided.action == "drop" else None
        return made

    def settle_undo(self, undone: TakenBack) -> list[Decision]:
        """Take in an undo that has come back from the disk: the decisions that do not stand any more, newest first.

        Raises:
            TunedeckError: it could not be written; what was lined up behind it is forgotten.
        """
        gone = self._settled_ones(undone.future)
        self._stand({undone.rows[each.key]: each.key for each in gone})
        self._last_drop = None
        return gone

    def _settled_ones(self, future: Future[list[Decision]]) -> list[Decision]:
        self._writing = False
        error = future.exception()
        if isinstance(error, TunedeckError):
            self._waiting.clear()
        if error is not None:
            raise error
        return future.result()

    def _stand(self, rows: Mapping[int, str]) -> None:
        assert self._store is not None
        self._settled.update(rows)
        for row, key in rows.items():
            self.rows.stand(row, self._store.standing(key))

    def stand(self, stood: Mapping[int, tuple[str, DecisionState]]) -> None:
        """Take in decisions made or undone on another screen; `undo` here undoes them too.

        Args:
            stood: row to its key and where it stands.
        """
        self._settled.update(stood)
        for row, (_, standing) in stood.items():
            self.rows.stand(row, standing)

    # -- a queue that several reviewers share ---------------------------------------------------------------

    def packed_keys(self) -> Iterator[bytes]:
        """The packed key of each row that the scan has come to. Reads as it goes."""
        return iter(()) if self._scan is None else self._scan.packed_keys()

    def claim(self, audit: str, entries: Sequence[int], many: int) -> None:
        """Claim the next rows of an audit, so that nobody else reads them meanwhile; posts `Claimed`.

        Args:
            audit: the name of its queue.
            entries: undecided ones, in the order in which they are to be read.
            many: how many to hold.
        """
        rows, scan, store = self.rows, self._scan, self._store
        if scan is None or store is None:
            return
        by_row = {row: entry for entry in entries if (row := rows.row_of(entry)) is not None}
        keys = {key: by_row[row] for row, key in scan.keys(by_row).items()}
        ordered = sorted(keys, key=lambda key: entries.index(keys[key]))

        def claimed(done: Future[Claims]) -> None:
            if done.exception() is None:
                found = done.result()
                others = {keys[key]: user for key, user in (found.others or {}).items() if key in keys}
                self._post(Claimed(audit, frozenset(keys[key] for key in found.mine), others))

        self._holds = True
        store.claim(audit, ordered, many).add_done_callback(claimed)

    def release(self) -> None:
        """Give up the rows that were claimed."""
        if self._store is not None and self._holds and not self._closed.is_set():
            self._holds = False
            self._store.release()

    def history(self, entry: int) -> HistoryRead | Notice:
        """What was decided about an entry; reads the disk."""
        row, key, store = self.rows.row_of(entry), self.key_of(entry), self._store
        if row is None or key is None or store is None:
            return Notice("The scan has not reached this row yet, so its decisions are unknown.")
        return HistoryRead(row, store.history(key))
