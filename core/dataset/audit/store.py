"""Decisions on disk: an append-only table in the workspace, written by a thread that never blocks the screen."""

from __future__ import annotations

import json
import os
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, cast

from core.dataset.audit.decisions import ACTIONS, Action, Decision, DecisionState, Ledger, is_pair, pair_key
from core.dataset.audit.reviewer import reviewer_name
from core.errors import BadInput, TunedeckError
from core.jobs.files import FILE_MODE, no_more_files
from core.paths import hidden_dir

FILE = "decisions.sqlite"
_PATIENCE = 30.0
_LOOK = 1.0
"""Seconds between two looks at whether others have decided something."""
_VERSION = 2
_COLUMNS = "id, key, action, payload, user, host, time"
_PAGE = 500
"""Decisions that are looked at together, from the newest back, for the one to undo."""

_LEASE = 120.0
"""Seconds for which a row of a shared queue belongs to a reviewer; `claim` renews it."""

_TABLE = f"""
CREATE TABLE {{name}} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ({", ".join(map(repr, ACTIONS))})),
    payload TEXT NOT NULL,
    user TEXT NOT NULL,
    host TEXT NOT NULL,
    time REAL NOT NULL,
    batch INTEGER NOT NULL DEFAULT 0
);
"""
_GUARDS = f"""
CREATE INDEX decisions_by_key ON decisions (key);
CREATE TRIGGER decisions_stay BEFORE UPDATE ON decisions
    BEGIN SELECT RAISE (ABORT, 'decisions are never changed'); END;
CREATE TRIGGER decisions_remain BEFORE DELETE ON decisions
    BEGIN SELECT RAISE (ABORT, 'decisions are never deleted'); END;
CREATE TABLE claims (
    audit TEXT NOT NULL,
    key TEXT NOT NULL,
    holder TEXT NOT NULL,
    user TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (audit, key)
);
PRAGMA user_version = {_VERSION};
"""
_SCHEMA = _TABLE.format(name="decisions") + _GUARDS
_MIGRATION = (
    _TABLE.format(name="decisions_2")
    + f"INSERT INTO decisions_2 ({_COLUMNS}) SELECT {_COLUMNS} FROM decisions ORDER BY id;\n"
    + "DROP TABLE decisions;\nALTER TABLE decisions_2 RENAME TO decisions;\n"
    + _GUARDS
)
"""Of a table of version 1, which knew neither ratings, labels nor steps."""

_INSERT = "INSERT INTO decisions (key, action, payload, user, host, time, batch) VALUES (?, ?, ?, ?, ?, ?, ?)"

DecisionRequest = tuple[str, Action, Mapping[str, Any]]
"""A decision to be made: key, action, payload."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A decision that was made elsewhere.

    Attributes:
        key: the row's key.
        action: what was done.
        payload: as in `Decision`.
        user: who; so are the others.
        host: where.
        time: when, unix seconds.
    """

    key: str
    action: Action
    payload: Mapping[str, Any]
    user: str
    host: str
    time: float


@dataclass(frozen=True, slots=True)
class Claims:
    """Rows of a shared queue.

    Attributes:
        mine: keys that belong to this reviewer for now, in the order that they were asked for.
        others: key to reviewer, of rows that somebody else reads now.
    """

    mine: tuple[str, ...] = ()
    others: Mapping[str, str] | None = None


_New = tuple[str, Action, str, str, str, float]
"""What is written of a decision: key, action, payload, user, host, time."""


@dataclass(frozen=True, slots=True)
class _Request:
    """Decisions that are written together or not at all.

    Attributes:
        asked: the decisions.
        joins: the step that they belong to; 0 for one of their own.
        future: done when they are on the disk.
    """

    asked: tuple[_New, ...]
    joins: int
    future: Future[list[Decision]]


@dataclass(frozen=True, slots=True)
class _Work:
    """Another task for the thread that writes the table; runs in its own transaction."""

    run: Callable[[sqlite3.Connection], Any]
    future: Future[Any]


_Waiting = _Request | _Work | Future[int] | None


class DecisionStore:
    """The decisions of a workspace. Several processes may use one workspace at once.

    `decide` returns at once with a future that is done when the decision is on the disk: only then may a screen show
    it. The other methods read what is in memory; `refresh` brings in what other processes decided.

    Args:
        workspace: the folder that holds `.tunedeck`.
        elsewhere: told, in the store's thread, the keys of rows that others have decided on since `ready`; the table
            is looked at for it once a second.
        user: who decides; "" for this user's own name (`reviewer_name`).
    """

    def __init__(
        self, workspace: str | Path, elsewhere: Callable[[Collection[str]], object] | None = None, *, user: str = ""
    ) -> None:
        self.path = hidden_dir(Path(workspace)) / FILE
        self._elsewhere = elsewhere
        self._version = -1
        self._ledger = Ledger()
        self._mine: set[int] = set()
        """Ids that were written here and are not in the ledger yet."""
        self._others: set[str] = set()
        """Rows that others have decided on, of which nobody has been told yet."""
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        self.user = user or reviewer_name()
        """Who decides here."""
        self._host = os.uname().nodename
        self._holder = f"{self._host}:{os.getpid()}:{id(self)}"
        self._closed = False
        self.ready: Future[int] = self.refresh()
        """Done with the revision when the decisions so far are in memory."""
        self._thread = threading.Thread(target=self._write, name="decisions", daemon=True)
        self._thread.start()

    def decide(self, key: str, action: Action, payload: Mapping[str, Any] | None = None) -> Future[Decision]:
        """Notes a decision on a row.

        Args:
            key: the row's key.
            action: keep, drop, edit, note, flag, rate, label, or undo.
            payload: as in `Decision`.

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

    def decide_together(self, asked: Sequence[DecisionRequest], *, joins: int = 0) -> Future[list[Decision]]:
        """Notes several decisions as one: all of them are written, or none, and one undo takes them back.

        Args:
            asked: key, action and payload of each, as `decide`.
            joins: the step of earlier decisions that they belong to (`Decision.step`), 0 for a step of their own.

        Returns:
            As `decide`, in the order that they were asked in.
        """
        now = time.time()
        return self._ask(
            [(key, action, _json(given), self.user, self._host, now) for key, action, given in asked], joins
        )

    def take_in(self, made: Sequence[Foreign]) -> Future[list[Decision]]:
        """Notes decisions that others made elsewhere, under their names and with their times, all or none."""
        return self._ask(
            [(each.key, each.action, _json(each.payload), each.user, each.host, each.time) for each in made]
        )

    def _ask(self, asked: Sequence[_New], joins: int = 0) -> Future[list[Decision]]:
        future: Future[list[Decision]] = Future()
        self._put(_Request(tuple(asked), joins, future))
        return future

    def take_back(
        self, here: Callable[[Collection[str]], Collection[str]], *, latest: bool = False
    ) -> Future[list[Decision]]:
        """Takes back this reviewer's last step that still stands, in whichever sitting it was made.

        Args:
            here: of some keys, those of the dataset that is meant; called in the store's thread.
            latest: consider the last step alone, of whatever dataset it is.

        Returns:
            Done with the decisions that do not stand any more, newest first; empty where there are none.
        """
        return self._do(lambda connection: self._take_back(connection, here, latest=latest))

    def claim(self, audit: str, keys: Sequence[str], many: int) -> Future[Claims]:
        """Claims the first rows of a queue that are undecided and that nobody else reads, for two minutes.

        Two reviewers never hold the same row. A claim ends with `release`, or by itself when its program was killed.

        Args:
            audit: names the queue.
            keys: the rows in the order of the queue; those that this reviewer holds already are among them.
            many: how many rows to hold.
        """
        return self._do(lambda connection: self._claim(connection, audit, keys, many))

    def release(self) -> Future[None]:
        """Gives up the rows that were claimed here."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM claims WHERE holder = ?", (self._holder,))

        return self._do(run)

    def _do(self, run: Callable[[sqlite3.Connection], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self._put(_Work(run, future))
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

    def _put(self, request: _Request | _Work | Future[int]) -> None:
        if self._closed:
            raise RuntimeError("the decision store is closed")
        self._queue.put(request)

    def _write(self) -> None:
        """The thread: takes decisions that wait as one transaction, so that a burst of keys costs one sync."""
        connection: sqlite3.Connection | None = None
        closing = False
        while not closing:
            batch = self._next_batch()
            if not batch and (connection is None or not self._changed(connection)):
                continue
            closing = None in batch
            for group in _groups(batch):
                try:
                    with _explained(self.path):
                        connection = connection or _connect(self.path)
                        done = self._commit(connection, group)
                except TunedeckError as fault:
                    for each in group:
                        future = each if isinstance(each, Future) else each.future
                        future.set_exception(fault)
                    continue
                self._catch_up(connection, group, done)
        if connection is not None:
            connection.close()

    def _catch_up(
        self, connection: sqlite3.Connection, group: Sequence[_Request | _Work | Future[int]], done: list[Any]
    ) -> None:
        """Takes in what was decided, here and by others, and answers those who wait."""
        first = not self._ledger.revision and not self.ready.done()
        fault: TunedeckError | None = None
        try:
            with _explained(self.path):
                self._take_new(connection)
        except TunedeckError as error:
            fault = error
        others, self._others = self._others, set()
        self._mine.clear()
        if others and self._elsewhere is not None and not first:
            self._elsewhere(others)
        for each, result in zip(group, done, strict=True):
            if not isinstance(each, Future):
                each.future.set_result(result)
            elif fault is not None:
                each.set_exception(fault)
            else:
                each.set_result(self._ledger.revision)

    def _take_new(self, connection: sqlite3.Connection) -> None:
        """Takes what is new on the disk into the ledger."""
        found = _select(connection, "WHERE id > ? ORDER BY id", (self._ledger.revision,))
        with self._lock:
            self._ledger.take(found)
        self._others.update(each.key for each in found if each.id not in self._mine)

    def _commit(self, connection: sqlite3.Connection, group: Sequence[_Request | _Work | Future[int]]) -> list[Any]:
        """Does what a group asks for, all of it or nothing; a result for each."""
        if not any(isinstance(each, (_Request, _Work)) for each in group):
            return [None] * len(group)
        _bring_up_to_date(connection)
        self._mine.clear()
        with _transaction(connection):
            return [
                self._write_request(connection, each)
                if isinstance(each, _Request)
                else each.run(connection)
                if isinstance(each, _Work)
                else None
                for each in group
            ]

    def _next_batch(self) -> list[_Waiting]:
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

    def _write_request(self, connection: sqlite3.Connection, request: _Request) -> list[Decision]:
        if not request.asked:
            return []
        first, *others = request.asked
        cursor = connection.execute(_INSERT, (*first, request.joins))
        number = cast("int", cursor.lastrowid)
        batch = request.joins or number
        # In one transaction the numbers follow each other: nobody else writes meanwhile.
        connection.executemany(_INSERT, ((*each, batch) for each in others))
        batches = (request.joins, *(batch for _ in others))
        parse = _parser()
        made = [
            Decision(id, key, action, parse(payload), user, host, when, step)
            for (key, action, payload, user, host, when), id, step in zip(
                request.asked, count(number), batches, strict=False
            )
        ]
        self._mine.update(range(number, number + len(made)))
        return made

    def _take_back(
        self, connection: sqlite3.Connection, here: Callable[[Collection[str]], Collection[str]], *, latest: bool
    ) -> list[Decision]:
        """The last step of this reviewer that stands, taken back; see `take_back`."""
        self._take_new(connection)
        ledger = self._ledger
        for page in self._own(connection):
            standing = [each for each in page if ledger.stands(each.key, each.id)]
            known = set(here({each.key for each in standing[:1] if latest} or {each.key for each in standing}))
            found = next((each for each in standing if latest or each.key in known), None)
            if found is None:
                continue
            step = _select(
                connection,
                "WHERE user = ? AND id >= ? AND (id = ? OR batch = ?) ORDER BY id DESC",
                (self.user, found.step, found.step, found.step),
            )
            step = [each for each in step if ledger.stands(each.key, each.id)]
            known = set(here({each.key for each in step}))
            gone = [each for each in step if each.key in known]
            now = time.time()
            undone: list[_New] = [
                (each.key, "undo", _json({"of": each.id}), self.user, self._host, now) for each in gone
            ]
            self._write_request(connection, _Request(tuple(undone), 0, Future()))
            return gone
        return []

    def _own(self, connection: sqlite3.Connection) -> Iterator[list[Decision]]:
        """This reviewer's decisions on rows, from the newest back, some at a time."""
        before = sys.maxsize
        while page := _select(
            connection,
            f"WHERE user = ? AND action != 'undo' AND id < ? ORDER BY id DESC LIMIT {_PAGE}",
            (self.user, before),
        ):
            before = page[-1].id
            yield [each for each in page if not is_pair(each.key)]

    def _claim(self, connection: sqlite3.Connection, audit: str, keys: Sequence[str], many: int) -> Claims:
        self._take_new(connection)
        ledger, now = self._ledger, time.time()
        connection.execute("DELETE FROM claims WHERE until < ? OR holder = ?", (now, self._holder))
        held = connection.execute("SELECT key, user FROM claims WHERE audit = ?", (audit,))
        others: dict[str, str] = dict(held.fetchall())
        free = (key for key in keys if key not in others and not ledger.standing(key).verdict)
        mine = tuple(key for key, _ in zip(free, range(many), strict=False))
        connection.executemany(
            "INSERT INTO claims (audit, key, holder, user, until) VALUES (?, ?, ?, ?, ?)",
            [(audit, key, self._holder, self.user, now + _LEASE) for key in mine],
        )
        return Claims(mine, others)


def _groups(batch: Sequence[_Waiting]) -> Iterator[list[_Request | _Work | Future[int]]]:
    """What waits, in the order in which it came: decisions together, other work by itself."""
    group: list[_Request | _Work | Future[int]] = []
    for each in batch:
        if isinstance(each, _Work):
            if group:
                yield group
            yield [each]
            group = []
        elif each is not None:
            group.append(each)
    if group or not any(isinstance(each, _Work) for each in batch):
        yield group


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


def decided_keys(workspace: str | Path) -> frozenset[str]:
    """The keys of all rows on which anything was ever decided or noted in a workspace; empty where nothing was.

    Raises:
        TunedeckError: the table cannot be read.
    """
    path = hidden_dir(Path(workspace)) / FILE
    if not path.exists():
        return frozenset()
    with _explained(path), _connected(path) as connection:
        return frozenset(key for (key,) in connection.execute("SELECT DISTINCT key FROM decisions"))


def read_decisions(workspace: str | Path) -> list[Decision]:
    """Every decision of a workspace, oldest first, those taken back included; empty where there are none.

    Raises:
        TunedeckError: the table cannot be read.
    """
    path = hidden_dir(Path(workspace)) / FILE
    if not path.exists():
        return []
    with _explained(path), _connected(path) as connection:
        return _select(connection, "ORDER BY id", ())


def _select(connection: sqlite3.Connection, where: str, values: Iterable[Any]) -> list[Decision]:
    batch = "batch" if _version(connection) >= _VERSION else "0"
    if "batch" in where and batch == "0":
        where = where.replace("batch", "0")
    rows = connection.execute(f"SELECT {_COLUMNS}, {batch} FROM decisions {where}", tuple(values))
    parse = _parser()
    return [
        Decision(number, key, action, parse(payload), sys.intern(user), *rest)
        for number, key, action, payload, user, *rest in rows
    ]


def _parser() -> Callable[[str], Mapping[str, Any]]:
    """Parses payloads; equal ones, as those of a whole list, are parsed once and shared."""
    last, found = "{}", _NOTHING

    def parse(text: str) -> Mapping[str, Any]:
        nonlocal last, found
        if text == "{}":
            return _NOTHING
        if text != last:
            last, found = text, json.loads(text)
        return found

    return parse


_NOTHING: Mapping[str, Any] = {}
"""The payload of most decisions, shared."""


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():  # SQLite would make it 0644, whatever the umask: a group could not share it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    # A rollback journal works on network file systems, where the shared memory of WAL does not.
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = FULL")
    if not _version(connection):
        _bring_up_to_date(connection)
    return connection


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Makes the tables, or those of this version from older ones: before the first write, as a reader may not write."""
    if _version(connection) >= _VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been first
        if version < _VERSION:
            for statement in _statements(_SCHEMA if version == 0 else _MIGRATION):
                connection.execute(statement)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _statements(script: str) -> Iterator[str]:
    """The statements of a script: `executescript` would end the transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


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
