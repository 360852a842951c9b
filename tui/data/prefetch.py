"""Rows that take a while (of packed and Parquet files) are read in a thread; the screen shows `…` meanwhile."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.dataset.records import Row

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset

_HELD = 400
_HELD_BYTES = 64 * 2**20
_WANTED = 200
"""Rows that are held, their bytes in the file, and rows that wait to be read: a few screens of each."""


class RowPrefetcher:
    """Reads what the screen asks for, the newest wish first.

    Args:
        dataset: the rows.
        post: called in the thread when what was wished for is there.
    """

    def __init__(self, dataset: Dataset, post: Callable[[], object]) -> None:
        self._dataset = dataset
        self._post = post
        self._rows: OrderedDict[int, Row] = OrderedDict()
        self._bytes = 0
        self._wanted: OrderedDict[int, None] = OrderedDict()
        self._change = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """End the thread."""
        with self._change:
            self._closed = True
            self._change.notify()

    def row(self, entry: int) -> Row:
        """The row; reads it now where it was not read ahead.

        Raises:
            OSError: the file went away.
        """
        return self._rows.get(entry) or self._dataset.row(entry)

    def at_hand(self, entry: int) -> bool:
        """Whether `row` gives it without waiting; if not, it is read in the thread."""
        if entry in self._rows or self._dataset.reader.ready(entry):
            return True
        with self._change:
            self._wanted[entry] = None
            self._wanted.move_to_end(entry)
            while len(self._wanted) > _WANTED:
                self._wanted.popitem(last=False)
            if self._thread is None:
                self._thread = threading.Thread(target=self._read, name="read rows", daemon=True)
                self._thread.start()
            self._change.notify()
        return False

    def _read(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._wanted or self._closed)
                if self._closed:
                    return
                entry, _ = self._wanted.popitem()
            try:
                row = self._dataset.row(entry)
            except OSError as fault:
                file = self._dataset.reader.files[0]
                row = Row(entry, file, 1, error=f"the file can no longer be read: {fault.strerror or fault}")
            with self._change:
                self._rows[entry] = row
                self._bytes += len(row.raw)
                while len(self._rows) > _HELD or (self._bytes > _HELD_BYTES and len(self._rows) > 1):
                    _, old = self._rows.popitem(last=False)
                    self._bytes -= len(old.raw)
                idle = not self._wanted
            if idle:
                self._post()
