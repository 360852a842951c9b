"""A file of a curated view as the trainer's dataset: encoded by all cores, once, and kept for whoever comes next.

Processes that import no torch (`core.engine.encode_piece`) encode pieces of the file, each with the plain form of the
tokenizer; the first samples are encoded here with both, and where the two differ this process encodes everything. What
comes out is the same in every case, sample by sample, and equal to what `core.engine.samples.encode_view` gives.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from core.engine.columns import EncodedBlock, column_codes, rows_of
from core.engine.encode_piece import Piece, encode_piece, read_piece
from core.engine.encoded import EncodingSettings
from core.engine.encoded_cache import MOST, EncodedWriter, encoded_key, lock_name, open_encoded, sweep_encoded
from core.engine.plain_tokenizer import PlainTokenizer
from core.engine.samples import EncodingSummary, encoded_rows, read_view
from core.errors import BadInput, TunedeckError
from core.jobs import files
from core.paths import hidden_dir, runs_dir

OnSamples = Callable[[int], None]
"""Called with how many samples are done; may raise to end the encoding."""

_CACHED = 2**18
"""Bytes of a view from which a cache is worth its file."""
_SHARED_OUT = 2**22
"""Bytes of a view from which other processes help: each takes a second to start."""
_PIECE = 2**20
"""Bytes of a view that a process encodes at once."""
_COMPARED = 16
"""Samples that are encoded here, too, before the work of others, or a cache, is trusted."""
_AHEAD = 2
"""Pieces for each process that wait for an earlier one."""
_MOST_PROCESSES = 64
_PERIOD = 0.2
_ROOM = 2**28
"""Bytes that stay free on the disk."""


def caches_of(job: Path) -> Path | None:
    """The folder of caches for a job; None of one that does not lie in the `runs` of a workspace."""
    workspace = job.parents[1]
    hidden = hidden_dir(workspace)
    return hidden / "encoded" if job.parent == runs_dir(workspace) and hidden.is_dir() else None


def encode_all(
    view: Path,
    tokenizer: Any,
    settings: EncodingSettings,
    *,
    caches: Path | None = None,
    seen: OnSamples = lambda _: None,
) -> tuple[Any, EncodingSummary]:
    """The samples of a view as the dataset for the trainer.

    Args:
        view: a file of a curated view.
        tokenizer: of the model.
        settings: template, max length, and what carries loss.
        caches: the folder of all caches, `.tunedeck/encoded`; None keeps nothing.
        seen: called with how many samples are done, several times a second; may raise to end it.

    Returns:
        A `datasets.Dataset` with the columns of the task, in the order of the view, and the facts about it.

    Raises:
        BadInput: for what no single sample is to blame for, such as a template without marks.
    """
    encoding = _Encoding(view, tokenizer, settings, seen)
    if caches is None or encoding.size < _CACHED or not _room(caches, encoding.size):
        return encoding.in_memory()
    try:
        key = encoded_key(view, tokenizer, settings)
    except OSError:  # a file that cannot be read is named when it is read
        return encoding.in_memory()
    if found := encoding.opened(caches / key):
        return found
    try:
        caches.mkdir(parents=True, exist_ok=True)
        lock = files.open_lock(caches / lock_name(key))
    except (OSError, TunedeckError):  # a workspace that is full, or of somebody else
        return encoding.in_memory()
    try:
        while not files.try_lock(lock):
            seen(0)
            time.sleep(_PERIOD)
        # Another rank may have been first.
        return encoding.opened(caches / key) or encoding.on_disk(caches / key)
    except _NoCache:
        return encoding.in_memory()
    finally:
        os.close(lock)


class _NoCache(Exception):
    """The disk does not take it."""


class _Encoding:
    """The encoding of one file.

    Args:
        view: a file of a curated view.
        tokenizer: of the model.
        settings: of the encoding.
        seen: as `encode_all`.

    Attributes:
        size: bytes of the file.
    """

    def __init__(self, view: Path, tokenizer: Any, settings: EncodingSettings, seen: OnSamples) -> None:
        self._view, self._tokenizer, self._settings, self._seen = view, tokenizer, settings, seen
        self.size = 0
        with suppress(OSError):  # a file that is not there is named when it is read
            self.size = view.stat().st_size

    def opened(self, folder: Path) -> tuple[Any, EncodingSummary] | None:
        """What a cache holds, if its first samples are those that this tokenizer makes."""
        found = open_encoded(folder)
        if found is None:
            return None
        table, facts = found
        rows = self._first(self._tokenizer)
        if rows_of(table.slice(0, len(rows)), self._codes(None)) != rows:
            return None
        return _dataset(table), facts

    def in_memory(self) -> tuple[Any, EncodingSummary]:
        """Encodes into Arrow memory."""
        import pyarrow as pa

        facts, batches = EncodingSummary(), [EncodedBlock(self._codes(None)).batch()]
        plain = self._plain()
        for block, found in self._pieces(plain):
            facts.join(found)
            batches.append(block.batch())
        return _dataset(pa.Table.from_batches(batches[1:] or batches)), facts

    def on_disk(self, folder: Path) -> tuple[Any, EncodingSummary]:
        """Encodes into a cache, and opens it.

        Raises:
            _NoCache: the disk does not take it.
        """
        plain = self._plain()
        facts = EncodingSummary()
        writer = None
        try:
            for block, found in self._pieces(plain):
                facts.join(found)
                with _disk():
                    writer = writer or EncodedWriter(folder, block.batch().schema)
                    writer.add(block)
            if writer is None:
                raise _NoCache
            with _disk():
                long = writer.finish(facts) > MOST * self.size
                kept = open_encoded(folder)
        finally:
            if writer is not None:
                writer.drop()
        if long:
            shutil.rmtree(folder, ignore_errors=True)  # what is open stays readable
        sweep_encoded(folder.parent)
        if kept is None:
            raise _NoCache
        return _dataset(kept[0]), facts

    def _plain(self) -> PlainTokenizer | None:
        """The tokenizer for other processes; None where they would not help, or where it gives other tokens."""
        if self.size < _SHARED_OUT or _processes() < 2:
            return None
        plain = PlainTokenizer.of(self._tokenizer)
        try:
            same = plain is not None and self._first(plain) == self._first(self._tokenizer)
        except (AttributeError, TypeError, ValueError, KeyError):  # the encoding asks it what it does not know
            return None
        return plain if same else None

    def _first(self, tokenizer: Any) -> list[Mapping[str, Any]]:
        """The rows of the trainer's dataset that the first samples give."""
        rows = islice(read_view(self._view), _COMPARED)
        return [row for kept in encoded_rows(rows, tokenizer, self._settings, EncodingSummary()) for row in kept.rows]

    def _count(self, before: int, done: int) -> None:
        self._seen(before + done)

    def _codes(self, plain: PlainTokenizer | None) -> dict[str, str]:
        return column_codes(self._settings, 2**31 if plain is None else plain.length)

    def _pieces(self, plain: PlainTokenizer | None) -> Iterator[Piece]:
        """All pieces, in the order of the view."""
        done = 0
        try:
            if plain is None:
                with _reading(self._view) as stream:
                    for start, end in _ranges(stream, self.size):
                        piece = encode_piece(
                            stream,
                            self._view,
                            start,
                            end,
                            self._tokenizer,
                            self._settings,
                            self._codes(None),
                            seen=partial(self._count, done),
                        )
                        done += piece[1].samples
                        yield piece
                return
            with _reading(self._view) as stream, _Processes(self._view, plain, self._settings) as processes:
                for piece in processes.encode(_ranges(stream, self.size), lambda: self._seen(done)):  # noqa: B023
                    done += piece[1].samples
                    yield piece
        except BadInput:
            for _ in read_view(self._view):  # a line that is no sample is named by its number
                pass
            raise


class _Processes:
    """Processes that encode pieces of a view.

    Args:
        view: a file of a curated view.
        plain: the tokenizer.
        settings: of the encoding.
    """

    def __init__(self, view: Path, plain: PlainTokenizer, settings: EncodingSettings) -> None:
        self._view, self._plain, self._settings = view, plain, settings
        self._codes = column_codes(settings, plain.length)
        self._children: list[subprocess.Popen[bytes]] = []
        self._changed = threading.Condition()
        self._done: dict[int, Piece | BaseException] = {}
        self._wanted = 0  # the piece that is handed on next
        self._over = False

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for child in self._children:
            child.kill()
            child.wait()

    def encode(self, ranges: Iterator[tuple[int, int]], look: Callable[[], None]) -> Iterator[Piece]:
        """The pieces in their order.

        Args:
            ranges: where each begins and ends.
            look: called several times a second; may raise.
        """
        pieces = list(enumerate(ranges))
        queue = iter(pieces)
        given = json.dumps({"tokenizer": self._plain.to_json(), "settings": self._settings.to_json()}).encode() + b"\n"
        for _ in range(min(_processes(), len(pieces))):
            child = _child(self._view)
            self._children.append(child)
            threading.Thread(target=self._serve, args=(child, given, queue), daemon=True).start()
        for number, place in pieces:
            found = self._wait(number, look)
            if isinstance(found, EOFError):  # its process was killed; this one does its work
                with _reading(self._view) as stream:
                    found = encode_piece(stream, self._view, *place, self._plain, self._settings, self._codes)
            if isinstance(found, BaseException):
                raise found
            yield found

    def _wait(self, number: int, look: Callable[[], None]) -> Piece | BaseException:
        with self._changed:
            self._wanted = number
            self._changed.notify_all()
        while True:
            look()
            with self._changed:
                if number not in self._done:
                    self._changed.wait(_PERIOD)
                if number in self._done:
                    return self._done.pop(number)

    def _serve(
        self, child: subprocess.Popen[bytes], given: bytes, queue: Iterator[tuple[int, tuple[int, int]]]
    ) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        with suppress(OSError):  # it is gone: so it will not answer either
            child.stdin.write(given)
        while True:
            with self._changed:
                item = next(queue, None)
                if item is None or self._over:
                    return
                # No process is far ahead of the slowest, so that few pieces are in memory.
                while item[0] - self._wanted > _AHEAD * len(self._children) and not self._over:
                    self._changed.wait()
            number, (start, end) = item
            try:
                child.stdin.write(json.dumps({"start": start, "end": end}).encode() + b"\n")
                child.stdin.flush()
                found: Piece | BaseException = read_piece(cast(BinaryIO, child.stdout), self._codes)
            except BadInput as error:
                found = error
            except (OSError, EOFError, ValueError):
                found = EOFError()
            with self._changed:
                self._done[number] = found
                self._changed.notify_all()


def _child(view: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "core.engine.encode_piece", os.fspath(view)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def _processes() -> int:
    """The cores that this process may use."""
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)


def _room(caches: Path, size: int) -> bool:
    """Whether the disk has room for the largest cache of a view."""
    place = next((path for path in (caches, *caches.parents) if path.exists()), caches)
    try:
        return shutil.disk_usage(place).free > MOST * size + _ROOM
    except OSError:
        return False


def _ranges(stream: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Where pieces of about `_PIECE` bytes begin and end, at line ends."""
    start = 0
    while start < size:
        stream.seek(min(start + _PIECE, size))
        stream.readline()
        end = stream.tell()
        yield start, end
        start = end


@contextmanager
def _reading(view: Path) -> Iterator[BinaryIO]:
    try:
        stream = view.open("rb")
    except OSError as error:
        raise BadInput(f"Cannot read the run's data: {error.strerror}", where=str(view)) from error
    with stream:
        yield stream


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _NoCache from error


def _dataset(table: Any) -> Any:
    from datasets import Dataset

    return Dataset(table, fingerprint=uuid.uuid4().hex[:16])  # else all of the table is read for one
