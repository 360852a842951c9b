"""Parquet, by pyarrow's row groups. Importing this module loads nothing; opening a file loads pyarrow."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from core.dataset.files.arrow_rows import TooLarge, Weighed
from core.dataset.files.mapped_file import MappedFile
from core.dataset.files.parquet_limits import ParquetLimits
from core.dataset.records import BadLine, Row
from core.errors import BadInput

_BATCH_ROWS = 512
_BATCHES = 24
"""Batches that are held: some screens up and down are then at hand without decoding the row group again."""


class ParquetReader:
    """The rows of a Parquet file; a few batches of rows are held, however large the file's row groups are.

    Within a row group rows are decoded in order, so a jump far into a large one takes as long as reading that far.

    Raises:
        BadInput: the file is damaged, or pyarrow is not installed.
    """

    container = "Parquet"

    def __init__(self, path: Path) -> None:
        self.files: tuple[Path, ...] = (path,)
        # Arrow's own allocators keep tens of megabytes for later; the viewer reads little at a time.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
        try:
            import pyarrow as arrow
            import pyarrow.parquet as parquet
        except ImportError:
            raise BadInput(
                "reading Parquet requires pyarrow", where=str(path), do="Install it: pip install pyarrow"
            ) from None
        self._failures: tuple[type[Exception], ...] = (arrow.ArrowException, OSError, UnicodeDecodeError)
        self._mapped = MappedFile(path)
        self._limits = ParquetLimits(path, _BATCH_ROWS)
        self._rows = self._limits.batch_rows
        self._open = partial(parquet.ParquetFile, path, memory_map=True, pre_buffer=False)
        try:
            self._file: Any = self._open()
        except self._failures as fault:
            raise BadInput(f"not a readable Parquet file: {fault}", where=str(path)) from None
        groups = self._file.metadata
        starts = [0]
        for number in range(groups.num_row_groups):
            starts.append(starts[-1] + groups.row_group(number).num_rows)
        self._starts = starts
        self._lock = threading.Lock()
        self._batches: OrderedDict[int, Weighed] = OrderedDict()
        self._group = -1
        self._prefetched: Iterator[Any] = iter(())
        self._next = 0
        self.count = starts[-1]
        self.complete = True

    def extend(self, budget: float | None = None) -> bool:
        """All rows are known from the start."""
        return True

    def size(self, entry: int) -> int:
        """Rows have no bytes of their own."""
        return 0

    def ready(self, entry: int) -> bool:
        """Whether its batch is held."""
        return self._first(entry) in self._batches

    def row(self, entry: int) -> Row:
        """The row as column name to value."""
        first = self._first(entry)
        try:
            batch = self._batches.get(first)
            if batch is None:  # without the lock otherwise: another thread may be decoding for a while
                with self._lock:
                    batch, first = self._batch(entry, first)
            value = batch.row(entry - first)
        except TooLarge as why:
            return Row(entry, self.files[0], entry + 1, error=str(why))
        except UnicodeDecodeError:
            return Row(entry, self.files[0], entry + 1, error="a cell or a column's name is not UTF-8")
        except self._failures as fault:
            return Row(entry, self.files[0], entry + 1, error=f"unreadable: {fault}")
        return Row(entry, self.files[0], entry + 1, value=value)

    def faults(self) -> list[BadLine]:
        """None beside single rows."""
        return []

    def release(self) -> None:
        """Drops the row group that is held."""
        with self._lock:
            self._batches.clear()
            self._group, self._prefetched = -1, iter(())

    def _first(self, entry: int) -> int:
        """The number of the first row of the batch that holds a row."""
        start = self._starts[bisect_right(self._starts, entry) - 1]
        return start + (entry - start) // self._rows * self._rows

    def _batch(self, entry: int, first: int) -> tuple[Weighed, int]:
        """The batch that holds a row, and the number of its first row; the lock is held."""
        group = bisect_right(self._starts, entry) - 1
        start = self._starts[group]
        if first in self._batches:
            self._batches.move_to_end(first)
            return self._batches[first], first
        if group != self._group or first < self._next:
            numbered = self._limits.numbered(group)
            # Such columns are decoded as numbers of their dictionary, the others as they are.
            file = self._open(read_dictionary=sorted(numbered)) if numbered else self._file
            self._group, self._next = group, start
            self._prefetched = file.iter_batches(self._rows, row_groups=[group], use_threads=False)
        self._mapped.check()
        for decoded in self._prefetched:
            batch = Weighed(decoded)
            at, self._next = self._next, self._next + decoded.num_rows
            self._batches[at] = batch
            if len(self._batches) > _BATCHES:
                self._batches.popitem(last=False)
            if at == first:
                return batch, first
        raise OSError("the row group ends before its last row")
