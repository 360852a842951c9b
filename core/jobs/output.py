"""Standard output and errors on a disk that is full or away: the words are lost, and not the process that writes."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_NO_DISK = (errno.EPIPE, errno.EBADF)
"""What a pipe says whose reader has gone, and a descriptor that is closed."""


class _Enduring(io.FileIO):
    """A descriptor whose writes succeed, or are lost with the disk behind it."""

    def write(self, data: object, /) -> int:
        """Writes what there is room for; says that it was all where there is none."""
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno in _NO_DISK:
                raise
            return memoryview(data).nbytes  # type: ignore[arg-type]


@contextmanager
def enduring_output() -> Iterator[None]:
    """Makes `sys.stdout` and `sys.stderr` of this process endure such a disk, where they are its own descriptors."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _enduring(sys.stdout, 1), _enduring(sys.stderr, 2)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def _enduring(stream: TextIO, number: int) -> TextIO:
    try:
        if stream.fileno() != number:
            return stream
    except (OSError, ValueError):  # something else stands there
        return stream
    stream.flush()
    raw = _Enduring(number, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True, write_through=True
    )
