"""What a process of a job has to write while its folder cannot be written: kept in order, and bounded."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from core.jobs.files import DiskFull, Unreachable

MOST = 50_000
"""Lines that are kept, some 50 MB: those of a day at one a second."""


class Backlog:
    """Writes that are done at once where they can be, else later: each once, and in order. For several threads.

    Beyond the bound the oldest are lost; `on_loss` says so before whatever is written next.

    Args:
        on_loss: writes that so many lines were lost.
        most: how many are kept.

    Attributes:
        problem: why the oldest could not be written yet, as a sentence; "" where nothing waits.
    """

    def __init__(self, on_loss: Callable[[int], None], *, most: int = MOST) -> None:
        self.problem = ""
        self._on_loss = on_loss
        self._most = most
        self._lost = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, write: Callable[[], None]) -> None:
        """Writes, after all that waits; or has it wait as well.

        Raises:
            JobGone: the folder was deleted or moved.
        """
        with self._lock:
            self._waiting.append(write)
            if len(self._waiting) > self._most:
                self._waiting.popleft()
                self._lost += 1
            self.flush()

    def flush(self) -> bool:
        """Writes what waits, as far as that can be done now; returns whether nothing is left.

        Raises:
            JobGone: the folder was deleted or moved.
        """
        with self._lock:
            try:
                if self._lost:
                    self._on_loss(self._lost)
                    self._lost = 0
                while self._waiting:
                    self._waiting[0]()
                    self._waiting.popleft()
            except (DiskFull, Unreachable) as error:
                self.problem = str(error)
                return False
            self.problem = ""
            return True
