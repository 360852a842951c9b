"""Arrow IPC files and streams (Feather, Hugging Face data sets on disk). pyarrow is loaded when one is opened."""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any

from core.dataset.records import BadLine, Row
from core.errors import BadInput

FILE_MAGIC = b"ARROW1"
STREAM_MAGIC = b"\xff\xff\xff\xff"
"""A stream begins with the mark of its first message, the schema."""


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
                "reading Arrow needs pyarrow", where=str(path), do="Install it: pip install pyarrow"
            ) from None
        self._failures: tuple[type[Exception], ...] = (arrow.ArrowException, OSError)
        try:
            source = arrow.memory_map(str(path))
            self._ahead: Any = iter(ipc.open_stream(source)) if stream else _batches(ipc.open_file(source))
        except self._failures as fault:
            raise BadInput(f"not a readable Arrow file: {fault}", where=str(path)) from None
        self._batches: list[Any] = []
        self._starts = [0]
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
                    batch = next(self._ahead, None)
                except self._failures as fault:
                    self._fault, batch = f"the file is damaged or ends in the middle: {fault}", None
                if batch is None:
                    self.complete = True
                    break
                self._batches.append(batch)
                self._starts.append(self._starts[-1] + batch.num_rows)
                if deadline is not None and time.perf_counter() >= deadline:
                    break
        return self.complete

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
            value = self._batches[which].slice(entry - self._starts[which], 1).to_pylist()[0]
        except self._failures as fault:
            return Row(entry, self.files[0], entry + 1, error=f"unreadable: {fault}")
        except UnicodeDecodeError:
            return Row(entry, self.files[0], entry + 1, error="a cell is not UTF-8")
        return Row(entry, self.files[0], entry + 1, value=value)

    def faults(self) -> list[BadLine]:
        """A file that ends in the middle."""
        return [BadLine(self.files[0], self.count, self._fault)] if self._fault else []

    def release(self) -> None:
        """The map is kept: it takes no descriptor."""


def _batches(file: Any) -> Any:
    return (file.get_batch(number) for number in range(file.num_record_batches))
