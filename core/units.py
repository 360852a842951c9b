"""Numbers as people read them: thousands separated, units always, a fixed small number of digits."""

from __future__ import annotations

from collections.abc import Sequence

from core.timestamps import UNKNOWN

_LONGEST = 1e11
"""Seconds, some three thousand years: what a file counts in nanoseconds is no span."""


def count(value: int) -> str:
    """A whole number with thousands separated: `1,204`."""
    return f"{value:,}"


def rows_words(number: int) -> str:
    """A number of rows: `1 row`, `1,204 rows`."""
    return f"{count(number)} row{'s' * (number != 1)}"


def rows_with(found: Sequence[tuple[int, str]]) -> str:
    """Rows (from 0) and what each has, those with the same beside each other: `rows 1, 2: tools; row 7: a call`."""
    grouped: dict[str, list[str]] = {}
    for row, what in found:
        grouped.setdefault(what, []).append(count(row + 1))
    return "; ".join(f"row{'s' * (len(rows) > 1)} {', '.join(rows)}: {what}" for what, rows in grouped.items())


def short_count(value: float) -> str:
    """A number in at most five characters: `950`, `98.4 k`, `1.84 M`, `2.10 B`."""
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            scaled = value / limit
            digits = 2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0
            return f"{scaled:.{digits}f} {unit}"
    return f"{value:.0f}"


def gib(size: float) -> str:
    """Bytes in GiB with one or two decimals: `0.42 GiB`, `61.2 GiB`."""
    value = size / 2**30
    return f"{value:.2f} GiB" if value < 10 else f"{value:.1f} GiB"


def size(value: float) -> str:
    """Bytes in the unit that fits: `812 B`, `1.6 MiB`, `4.1 GiB`."""
    for limit, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= limit:
            return f"{value / limit:.1f} {unit}"
    return f"{value:.0f} B"


def duration(seconds: float) -> str:
    """A span of time: `8 s`, `3 min 05 s`, `1 h 04 min`, `2 d 03 h`; `-` for a number that can be none."""
    if not seconds < _LONGEST:
        return UNKNOWN
    total = round(max(0.0, seconds))
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    if total < 86_400:
        return f"{total // 3600} h {total % 3600 // 60:02d} min"
    return f"{total // 86_400} d {total % 86_400 // 3600:02d} h"


def clock(seconds: float) -> str:
    """A running time of constant shape: `0:41:07`; `-` for a number that can be none."""
    if not seconds < _LONGEST:
        return UNKNOWN
    total = round(max(0.0, seconds))  # as `duration` does, so that a run takes as long in every place
    return f"{total // 3600}:{total % 3600 // 60:02d}:{total % 60:02d}"


def significant(value: float, digits: int = 3) -> str:
    """A measured value with a fixed number of significant digits; tiny and huge ones as `1.6e-4`."""
    if value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        # The exponent of the value as it will be shown: 0.9996 is 1.00 in three digits.
        magnitude = int(f"{value:.{digits - 1}e}".partition("e")[2])
        return f"{value:.{max(0, digits - 1 - magnitude)}f}"
    mantissa, exponent = f"{value:.{max(0, digits - 2)}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent(share: float) -> str:
    """A share or a similarity in words, rounded down: what is not complete, or not wholly equal, is never 100%."""
    return f"{int(min(1.0, share) * 100 + 1e-9)}%"
