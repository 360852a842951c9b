"""Arrow IPC files and streams (Feather, Hugging Face datasets on disk). pyarrow is loaded when one is opened."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any

from core.dataset.files.arrow_limits import arrow_batch_sizes, bomb, too_many_rows
from core.dataset.files.arrow_rows import TooLarge, Weighed, viewed
from core.dataset.files.mapped_file import MappedFile
from core.dataset.records import BadLine, Row
from core.errors import BadInput
from core.units import size

FILE_MAGIC = b"ARROW1"


_MOST_VIEWED = 4 * 2**30
"""Bytes of text that the views of a batch may show, a second's work to validate."""


class ArrowReader:
    """The rows of an Arrow file or stream, by record batches over a memory map.

    Batches that are not compressed (all that Hugging Face `datasets` writes) take no memory of their own.

    Raises:
        BadInput: the file is damaged, or pyarrow is not installed.
    """

    container = "Arrow"

    def __init__(self, path: Path, *, stream: bool) -> None:
        self.files: tuple[Path, ...] = (path,)
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
        try:
            import pyarrow as arrow
            from pyarrow import ipc
        except ImportError:
            raise BadInput(
                "reading Arrow requires pyarrow", where=str(path), do="Install it: pip install pyarrow"
            ) from None
        self._failures: tuple[type[Exception], ...] = (arrow.ArrowException, OSError, ValueError)
        self._mapped = MappedFile(path)
        try:
            source = arrow.memory_map(str(path))
            beside = arrow.memory_map(str(path))
            beside.seek(0 if stream else len(FILE_MAGIC) + 2)
            self._messages = ipc.MessageReader.open_stream(beside)
            self._checked = self._check_next()
            opened = ipc.open_stream(source) if stream else ipc.open_file(source)
            self._promised = 0 if stream else opened.num_record_batches
            self._prefetched: Any = iter(opened) if stream else _batches(opened)
        except self._failures as fault:
            raise BadInput(f"not a readable Arrow file: {fault}", where=str(path)) from None
        self._batches: list[Weighed] = []
        self._starts = [0]
        self._sound: set[int] = set()
        self._fault = ""
        self._lock = threading.Lock()
        self.complete = False

    @property
    def count(self) -> int:
        """Rows known so far."""
        return self._starts[-1]

    def extend(self, budget: float | None = None) -> bool:
        """Reads on through the batches for about `budget` seconds."""
        deadline = None if budget is None else time.perf_counter() + budget
        with self._lock:
            while not self.complete:
                try:
                    self._mapped.check()
                    if self._batches:  # the first was looked at before the file was opened
                        self._checked = self._check_next()
                    batch = next(self._prefetched, None) if self._checked else None
                    if not self._checked and len(self._batches) < self._promised:
                        raise BadInput("the footer does not match the record batches")
                    if batch is not None and (why := too_many_rows(batch.num_rows, self._mapped.length)):
                        raise BadInput(why)
                except BadInput as fault:
                    self._fault, batch = fault.what, None
                except self._failures as fault:
                    self._fault, batch = f"the file is damaged or truncated: {fault}", None
                if batch is None:
                    self.complete = True
                    break
                self._batches.append(Weighed(batch))
                self._starts.append(self._starts[-1] + batch.num_rows)
                if deadline is not None and time.perf_counter() >= deadline:
                    break
        return self.complete

    def _check_next(self) -> bool:
        """Looks at the messages up to the next batch before anything of them is unpacked; whether there is one.

        Raises:
            BadInput: they would unpack to far more than they are.
        """
        for message in self._messages:
            if why := bomb(*arrow_batch_sizes(message)):
                raise BadInput(why, where=str(self.files[0]))
            if message.type == "record batch":
                return True
        return False

    def size(self, entry: int) -> int:
        """Rows have no bytes of their own."""
        return 0

    def ready(self, entry: int) -> bool:
        """Always: the batches of the entries that are known are open."""
        return True

    def row(self, entry: int) -> Row:
        """The row as column name to value."""
        which = bisect_right(self._starts, entry) - 1
        try:
            self._mapped.check()
            if which not in self._sound:  # offsets of a hostile file may lead anywhere
                self._validate(self._batches[which].batch)
                self._sound.add(which)
            value = self._batches[which].row(entry - self._starts[which])
        except TooLarge as why:
            return Row(entry, self.files[0], entry + 1, error=str(why))
        except UnicodeDecodeError:
            return Row(entry, self.files[0], entry + 1, error="a cell or a column's name is not UTF-8")
        except self._failures as fault:
            return Row(entry, self.files[0], entry + 1, error=f"unreadable: {fault}")
        return Row(entry, self.files[0], entry + 1, value=value)

    def _validate(self, batch: Any) -> None:
        batch.validate()
        # The whole validation reads each string; views may say of one text that it stands there very many times.
        if (together := sum(map(viewed, batch.columns))) > _MOST_VIEWED:
            raise TooLarge(f"{size(together)} of text in overlapping views")
        batch.validate(full=True)

    def faults(self) -> list[BadLine]:
        """A file that ends in the middle."""
        return [BadLine(self.files[0], self.count, self._fault)] if self._fault else []

    def release(self) -> None:
        """The map is kept: it takes no descriptor."""


def _batches(file: Any) -> Any:
    return (file.get_batch(number) for number in range(file.num_record_batches))
