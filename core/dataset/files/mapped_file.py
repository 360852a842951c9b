"""A file that is read through a memory map: reading behind its end would end the whole process by a signal."""

from __future__ import annotations

import os
from pathlib import Path


class MappedFile:
    """Watches over the length of a file that is mapped.

    Args:
        path: the file, which is there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        found = os.stat(path)
        self._file = (found.st_dev, found.st_ino)
        self.length = found.st_size

    def check(self) -> None:
        """Call before the map is read. A file that was removed or replaced is mapped as it was, and does no harm.

        Raises:
            OSError: the file was truncated, as when a program rewrites it.
        """
        try:
            found = os.stat(self._path)
        except OSError:
            return
        if (found.st_dev, found.st_ino) == self._file and found.st_size < self.length:
            raise OSError("the file was truncated while it was open; open it again")
