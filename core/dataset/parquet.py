"""Parquet, by pyarrow's row groups. Importing this module loads nothing; opening a file loads pyarrow."""

from __future__ import annotations

import threading
from bisect import bisect_right
from pathlib import Path
from typing import Any

from core.dataset.records import BadLine, Row
from core.errors import BadInput


class ParquetReader:
    """The rows of a Parquet file; one row group at a time is held.

    Raises:
        BadInput: the file is damaged, or pyarrow is not installed.
    """

    container = "Parquet"

    def __init__(self, path: Path) -> None:
        self.files: tuple[Path, ...] = (path,)
        try:
            import pyarrow as arrow
            import pyarrow.parquet as parquet
        except ImportError:
            raise BadInput(
                "reading Parquet needs pyarrow", where=str(path), do="Install it: pip install pyarrow"
            ) from None
        self._failures: tuple[type[Exception], ...] = (arrow.ArrowException, OSError)
        try:
            self._file: Any = parquet.ParquetFile(path)
        except self._failures as fault:
            raise BadInput(f"not a readable Parquet file: {fault}", where=str(path)) from None
        groups = self._file.metadata
        starts = [0]
        for number in range(groups.num_row_groups):
            starts.append(starts[-1] + groups.row_group(number).num_rows)
        self._starts = starts
        self._lock = threading.Lock()
        self._group = -1
        self._table: Any = None
        self.count = starts[-1]
        self.complete = True

    def extend(self, budget: float | None = None) -> bool:
        """All rows are known from the start."""
        return True

    def size(self, entry: int) -> int:
        """Rows have no bytes of their own."""
        return 0

    def row(self, entry: int) -> Row:
        """The row as column name to value."""
        group = bisect_right(self._starts, entry) - 1
        try:
            with self._lock:
                if group != self._group:
                    self._table = self._file.read_row_group(group)
                    self._group = group
                table = self._table
            value = table.slice(entry - self._starts[group], 1).to_pylist()[0]
        except self._failures as fault:
            return Row(entry, self.files[0], entry + 1, error=f"unreadable: {fault}")
        except UnicodeDecodeError:
            return Row(entry, self.files[0], entry + 1, error="a cell is not UTF-8")
        return Row(entry, self.files[0], entry + 1, value=value)

    def faults(self) -> list[BadLine]:
        """None beside single rows."""
        return []

    def release(self) -> None:
        """Drops the row group that is held."""
        with self._lock:
            self._group, self._table = -1, None
