"""Answers that take seconds: asked once in a thread, kept for a while, so that a form can look without waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

SlowAnswer = TypeVar("SlowAnswer")


class SlowAnswers(Generic[SlowAnswer]):
    """The answers to one kind of question.

    Args:
        keeps: seconds for which an answer counts.
    """

    def __init__(self, keeps: Callable[[SlowAnswer], float]) -> None:
        self._keeps = keeps
        self._known: dict[Hashable, tuple[float, SlowAnswer]] = {}
        self._asking: dict[Hashable, threading.Thread] = {}
        self._lock = threading.Lock()
        _ALL.append(self)

    def get(self, key: Hashable, ask: Callable[[], SlowAnswer], *, wait: bool) -> SlowAnswer | None:
        """The answer; asks if there is no current one.

        Args:
            key: all that the answer depends on.
            ask: gives the answer; it must not raise, and must end by itself.
            wait: whether to wait for it.

        Returns:
            None where it is being asked, and nobody waits.
        """
        with self._lock:
            at, known = self._known.get(key, (0.0, None))
            if known is not None and time.monotonic() - at < self._keeps(known):
                return known
            thread = self._asking.get(key)
            if thread is None:
                thread = threading.Thread(target=self._ask, args=(key, ask), name="preflight", daemon=True)
                self._asking[key] = thread
                thread.start()
        if not wait:
            return None
        thread.join()
        with self._lock:
            return self._known[key][1] if key in self._known else None

    def _ask(self, key: Hashable, ask: Callable[[], SlowAnswer]) -> None:
        try:
            found = ask()
            with self._lock:
                self._known[key] = (time.monotonic(), found)
        finally:
            with self._lock:
                del self._asking[key]

    @property
    def asking(self) -> bool:
        """Whether an answer is on its way."""
        return bool(self._asking)


_ALL: list[SlowAnswers[Any]] = []


def asking() -> bool:
    """Whether any answer is on its way, so that checking again in a moment shows more."""
    return any(each.asking for each in _ALL)
