"""A clock that tests hand to code with a time budget, so that no result depends on the speed of the machine."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace


def slow_time() -> SimpleNamespace:
    """Stands in for the module `time`: each look at it comes a second later, so a budget is used up by one piece."""
    seconds = count().__next__
    return SimpleNamespace(monotonic=seconds, perf_counter=seconds)
