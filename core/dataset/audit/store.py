"""Decisions on disk: an append-only table in the workspace, written by a thread that never blocks the screen."""

from __future__ import annotations

import getpass
import json
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from core.dataset.audit.decisions import ACTIONS, Action, Decision, DecisionState, Ledger, pair_key
from core.errors import BadInput, TunedeckError
from core.jobs.files import FILE_MODE, no_more_files
from core.paths import hidden_dir

FILE = "decisions.sqlite"
_PATIENCE = 30.0
_LOOK = 1.0
"""Seconds between two looks at whether others have decided something."""
_VERSION = 1
_COLUMNS = "id, key, action, payload, user, host, time"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ({", ".join(map(repr, ACTIONS))})),
    payload TEXT NOT NULL,
    user TEXT NOT NULL,
    host TEXT NOT NULL,
    time REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS decisions_by_key ON decisions (key);
CREATE TRIGGER IF NOT EXISTS decisions_stay BEFORE UPDATE ON decisions
    BEGIN SELECT RAISE (ABORT, 'decisions are never changed'); END;
CREATE TRIGGER IF NOT EXISTS decisions_remain BEFORE DELETE ON decisions
    BEGIN SELECT RAISE (ABORT, 'decisions are never deleted'); END;
PRAGMA user_version = {_VERSION};
"""

DecisionRequest = tuple[str, Action, Mapping[str, Any]]
"""A decision to be made: key, action, payload."""


@dataclass(frozen=True, slots=True)
class _Request:
    """Decisions that are written together or not at all: key, action and payload of each."""

    asked: tuple[tuple[str, Action, str], ...]
    when: float
    future: Future[list[Decision]]


class DecisionStore:
    """The decisions of a workspace. Several processes may use one workspace at once.

    `decide` returns at once with a future that is done when the decision is on the disk: only then may a screen show
    it. The other methods read what is in memory; `refresh` brings in what other processes decided.

    Args:
        workspace: the folder that holds `.tunedeck`.
        elsewhere: told, in the store's thread, the keys of rows that others have decided on since `ready`; the table
            is looked at for it once a second.
    """

    def __init__(self, workspace: str | Path, elsewhere: Callable[[Collection[str]], object] | None = None) -> None:
        self.path = hidden_dir(Path(workspace)) / FILE
        self._elsewhere = elsewhere
        self._version = -1
        self._ledger = Ledger()
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Request | Future[int] | None] = queue.SimpleQueue()
        self._user, self._host = _user(), os.uname().nodename
        self._closed = False
        self.ready: Future[int] = self.refresh()
        """Done with the revision when the decisions so far are in memory."""
        self._thread = threading.Thread(target=self._write, name="decisions", daemon=True)
        self._thread.start()

    def decide(self, key: str, action: Action, payload: Mapping[str, Any] | None = None) -> Future[Decision]:
        """Notes a decision on a row.

        Args:
            key: the row's key.
            action: keep, drop, edit, note, flag, or undo.
            payload: `{"sample": ...}` for an edit, `{"text": ...}` for a note or flag, or the reason of a drop.

        Returns:
            Done when it is committed; raises TunedeckError where it could not be (then nothing was written).
        """
        future: Future[Decision] = Future()

        def one(done: Future[list[Decision]]) -> None:
            error = done.exception()
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result()[0])

        self.decide_together([(key, action, payload or {})]).add_done_callback(one)
        return future

    def decide_together(self, asked: Sequence[DecisionRequest]) -> Future[list[Decision]]:
        """Notes several decisions as one: all of them are written, or none.

        Args:
            asked: key, action and payload of each, as `decide`.

        Returns:
            As `decide`, in the order that they were asked in.
        """
        future: Future[list[Decision]] = Future()
        texts = tuple((key, action, _json(payload)) for key, action, payload in asked)
        self._put(_Request(texts, time.time(), future))
        return future

    def refresh(self) -> Future[int]:
        """Takes in what other processes wrote; done with the revision."""
        future: Future[int] = Future()
        self._put(future)
        return future

    def standing(self, key: str) -> DecisionState:
        """The state of a row."""
        with self._lock:
            return self._ledger.standing(key)

    def standings(self) -> dict[str, DecisionState]:
        """Every row on which something was decided."""
        with self._lock:
            return self._ledger.standings()

    def set_apart(self, first: str, second: str) -> Future[Decision]:
        """Notes that two rows are not duplicates, as `decide`; `pair_key(first, second)` is the key that undoes it."""
        return self.decide(pair_key(first, second), "keep")

    def apart(self) -> frozenset[tuple[str, str]]:
        """The pairs of rows that are no duplicates."""
        with self._lock:
            return self._ledger.apart()

    @property
    def revision(self) -> int:
        """Id of the last decision that is known here."""
        return self._ledger.revision

    def history(self, key: str) -> list[Decision]:
        """All decisions on a row, oldest first; reads the disk.

        Raises:
            TunedeckError: the table cannot be read.
        """
        with _explained(self.path), _connected(self.path) as connection:
            return _select(connection, "WHERE key = ? ORDER BY id", (key,))

    def close(self) -> None:
        """Waits until everything is written, and ends the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    def _put(self, request: _Request | Future[int]) -> None:
        if self._closed:
            raise RuntimeError("the decision store is closed")
        self._queue.put(request)

    def _write(self) -> None:
        """The thread: takes all that waits as one transaction, so that a burst of keys costs one sync of the disk."""
        connection: sqlite3.Connection | None = None
        closing = False
        while not closing:
            batch = self._next_batch()
            if not batch and (connection is None or not self._changed(connection)):
                continue
            closing = None in batch
            decisions = [each for each in batch if isinstance(each, _Request)]
            refreshes = [each for each in batch if isinstance(each, Future)]
            found: list[Decision] = []
            try:
                with _explained(self.path):
                    connection = connection or _connect(self.path)
                    written = self._insert(connection, decisions)
            except TunedeckError as fault:
                for request in decisions:
                    request.future.set_exception(fault)
                for refresh in refreshes:
                    refresh.set_exception(fault)
                continue
            try:
                with _explained(self.path):
                    found = _select(connection, "WHERE id > ? ORDER BY id", (self._ledger.revision,))
            except TunedeckError as fault:
                for refresh in refreshes:
                    refresh.set_exception(fault)
                refreshes = []
            first = not self._ledger.revision and not self.ready.done()
            with self._lock:
                self._ledger.take(found)
            mine = {decision.id for made in written for decision in made}
            others = {decision.key for decision in found if decision.id not in mine}
            if others and self._elsewhere is not None and not first:
                self._elsewhere(others)
            for request, made in zip(decisions, written, strict=True):
                request.future.set_result(made)
            for refresh in refreshes:
                refresh.set_result(self._ledger.revision)
        if connection is not None:
            connection.close()

    def _next_batch(self) -> list[_Request | Future[int] | None]:
        """All that waits; nothing, if for a second nothing came and somebody wants to hear of others' decisions."""
        try:
            batch = [self._queue.get(timeout=_LOOK if self._elsewhere is not None else None)]
        except queue.Empty:
            return []
        while not self._queue.empty():
            batch.append(self._queue.get())
        return batch

    def _changed(self, connection: sqlite3.Connection) -> bool:
        """Whether another process has written since the last look; costs a read of the table's first page."""
        try:
            version = connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:  # it is locked, or gone for a moment: the next look tells
            return False
        before, self._version = self._version, version
        return bool(version != before)

    def _insert(self, connection: sqlite3.Connection, requests: list[_Request]) -> list[list[Decision]]:
        if not requests:
            return []
        with _transaction(connection):
            return [self._write_request(connection, request) for request in requests]

    def _write_request(self, connection: sqlite3.Connection, request: _Request) -> list[Decision]:
        made = []
        for key, action, payload in request.asked:
            cursor = connection.execute(
                "INSERT INTO decisions (key, action, payload, user, host, time) VALUES (?, ?, ?, ?, ?, ?)",
                (key, action, payload, self._user, self._host, request.when),
            )
            number = cast("int", cursor.lastrowid)
            made.append(Decision(number, key, action, json.loads(payload), self._user, self._host, request.when))
        return made


def read_ledger(workspace: str | Path) -> Ledger:
    """The decisions of a workspace as they are on the disk now; an empty ledger where there are none.

    Raises:
        TunedeckError: the table cannot be read.
    """
    ledger = Ledger()
    path = hidden_dir(Path(workspace)) / FILE
    if path.exists():
        with _explained(path), _connected(path) as connection:
            ledger.take(_select(connection, "ORDER BY id", ()))
    return ledger


def _select(connection: sqlite3.Connection, where: str, values: Iterable[Any]) -> list[Decision]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM decisions {where}", tuple(values))
    return [Decision(number, key, action, json.loads(payload), *rest) for number, key, action, payload, *rest in rows]


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():  # SQLite would make it 0644, whatever the umask: a group could not share it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    # A rollback journal works on network file systems, where the shared memory of WAL does not.
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = FULL")
    if connection.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
        connection.executescript("BEGIN IMMEDIATE;" + _SCHEMA + "COMMIT;")
    return connection


class _connected:
    """A connection for a moment."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        self._connection = _connect(self._path)
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


class _transaction:
    """All or nothing; takes the write lock at once, so that two writers wait for each other and never fail midway."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:  # a commit that failed leaves it open
                self._connection.execute("ROLLBACK")


class _explained:
    """Turns faults of SQLite and of the file system into sentences."""

    def __init__(self, path: Path) -> None:
        self._where = str(path)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: object) -> None:
        if isinstance(fault, sqlite3.OperationalError) and "locked" in str(fault):
            what = f"another program has locked the decisions for {_PATIENCE:.0f} s, so this one was not saved"
            raise TunedeckError(what, where=self._where, do="Close it, or try again") from fault
        if isinstance(fault, sqlite3.OperationalError) and "full" in str(fault):
            full = no_more_files(os.path.dirname(self._where)) or "The disk is full"
            raise TunedeckError(
                f"{full}. This decision was not saved", where=self._where, do="Free some space and decide again"
            ) from fault
        if isinstance(fault, sqlite3.OperationalError):
            raise TunedeckError(f"the decisions cannot be read or written: {fault}", where=self._where) from fault
        if isinstance(fault, (sqlite3.DatabaseError, ValueError)):
            what = f"not a decisions database, or a damaged one: {fault}"
            raise BadInput(what, where=self._where, do="Move the file away to start over") from fault
        if isinstance(fault, OSError):
            raise TunedeckError(f"the decisions cannot be written: {fault.strerror}", where=self._where) from fault


def _json(payload: Mapping[str, Any]) -> str:
    return json.dumps(dict(payload), separators=(",", ":"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
