"""The one place where a number becomes a date, a time of day or a span. Numbers come from files, so none may raise."""

from __future__ import annotations

import time

UNKNOWN = "-"
"""What is shown for a moment or a span that nobody can mean: text, null, NaN, -1, a count of nanoseconds."""

_LAST = 253_370_764_800
"""1 January 9999 in Unix seconds; the same moment counted in milliseconds or nanoseconds lies beyond."""


def seconds(value: object) -> float | None:
    """A moment in Unix seconds, or a span, as a file has it; None where the value can be neither."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LAST:
        return None
    return float(value)


def local_time(value: object) -> time.struct_time | None:
    """A moment in this machine's time zone; None where the value is no moment."""
    moment = seconds(value)
    return None if moment is None else time.localtime(moment)


def text(value: object, form: str) -> str:
    """A moment as text, or `UNKNOWN`.

    Args:
        value: Unix seconds, from anywhere.
        form: a format of `time.strftime`, in local time.
    """
    found = local_time(value)
    return UNKNOWN if found is None else time.strftime(form, found)


def same_day(value: object, other: object) -> bool:
    """Whether two moments lie on one calendar day here; False where one of them is unknown."""
    found, beside = local_time(value), local_time(other)
    return found is not None and beside is not None and found[:3] == beside[:3]
