"""Several files as one dataset."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.dataset.files.readers import Reader
from core.dataset.records import BadLine, Row
from core.errors import BadInput

_OPEN_FILES = 64


class ShardReader:
    """Files one after the other; each is opened when the one before it is known to its end.

    A file that cannot be opened (an empty shard, a Git LFS pointer) becomes a fault of the dataset, and the others
    are read.

    Args:
        paths: the files, in source order.
        open_source: opens one of them by its number.
    """

    def __init__(self, paths: list[Path], open_source: Callable[[int], Reader]) -> None:
        self.files: tuple[Path, ...] = tuple(paths)
        self._open_source = open_source
        self._readers: list[Reader] = []
        self._sources: list[int] = []  # file number of each reader
        self._starts: list[int] = []
        self._unopened: list[BadLine] = []
        self._recent: OrderedDict[int, None] = OrderedDict()
        self._next = 0
        self._ahead: dict[int, Reader | BadInput] = {}
        self.complete = False
        first: BadInput | None = None
        while not self._readers and self._next < len(paths):
            first = self._open_next() or first
        if not self._readers and first is not None:
            raise first

    @property
    def container(self) -> str:
        """The kind of the first file, and how many there are."""
        return f"{self._readers[0].container}, {len(self.files)} files"

    @property
    def count(self) -> int:
        """Entries known so far."""
        return self._starts[-1] + self._readers[-1].count

    def extend(self, budget: float | None = None) -> bool:
        """Scans on for about `budget` seconds, into further files."""
        while not self.complete:
            last = self._readers[-1]
            if not last.complete:
                last.extend(budget)
            elif self._next < len(self.files):
                self._open_next()
            else:
                self.complete = True
            if budget is not None:
                break
        return self.complete

    def ready(self, entry: int) -> bool:
        """Whether the entry is at hand in its file."""
        which = bisect_right(self._starts, entry) - 1
        return self._readers[which].ready(entry - self._starts[which])

    def row(self, entry: int) -> Row:
        """The entry, with the index of its file as `source`."""
        which = self._which(entry)
        row = self._readers[which].row(entry - self._starts[which])
        return replace(row, entry=entry, source=self._sources[which])

    def size(self, entry: int) -> int:
        """Bytes of the entry in its file."""
        which = self._which(entry)
        return self._readers[which].size(entry - self._starts[which])

    def faults(self) -> list[BadLine]:
        """The faults of every file."""
        return self._unopened + [fault for reader in self._readers for fault in reader.faults()]

    def release(self) -> None:
        """Closes all files until the next read."""
        for reader in self._readers:
            reader.release()

    @property
    def parts(self) -> list[tuple[int, Reader]]:
        """The files opened so far: the number of each one's first entry, and its reader."""
        return list(zip(self._starts, self._readers, strict=False))

    def ahead(self, source: int) -> Reader:
        """The reader of a file by its number, opened before its turn where need be.

        Raises:
            BadInput: it cannot be opened.
        """
        if source in self._sources:
            return self._readers[self._sources.index(source)]
        found = self._ahead.get(source)
        if found is None:
            try:
                found = self._open_source(source)
            except BadInput as fault:
                found = fault
            self._ahead[source] = found
        if isinstance(found, BadInput):
            raise found
        return found

    def _which(self, entry: int) -> int:
        which = bisect_right(self._starts, entry) - 1
        self._recent[which] = None
        self._recent.move_to_end(which)
        if len(self._recent) > _OPEN_FILES:
            oldest, _ = self._recent.popitem(last=False)
            self._readers[oldest].release()
        return which

    def _open_next(self) -> BadInput | None:
        path = self.files[self._next]
        source = self._next
        self._next += 1
        try:
            reader = self.ahead(source)
            self._ahead.pop(source, None)
        except BadInput as fault:
            self._unopened.append(BadLine(path, 1, fault.what))
            return fault
        start = self.count if self._readers else 0
        if self._readers:
            self._readers[-1].release()
        self._starts.append(start)
        self._sources.append(source)
        self._readers.append(reader)
        return None
