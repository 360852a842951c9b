"""One table of ratios, whatever is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured line.

    Attributes:
        name: what was measured.
        value: measured for tunedeck.
        unit: its unit.
        peer: what it is compared with, and its value, or "".
        ratio: our value divided by the peer's, or None.
        bar: the limit, such as "<= 1.6".
        met: whether the value is within the limit; None without one.
        note: anything else the reader needs to know.
    """

    name: str
    value: float
    unit: str
    peer: str = ""
    ratio: float | None = None
    bar: str = ""
    met: bool | None = None
    note: str = ""


def print_table(rows: list[Row]) -> None:
    """Print rows as an aligned table."""
    lines = [("measurement", "ours", "compared with", "ratio", "limit", "", "note")]
    for row in rows:
        verdict = "" if row.met is None else "ok" if row.met else "MISSED"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append((row.name, f"{_number(row.value)} {row.unit}", row.peer, ratio, row.bar, verdict, row.note))
    widths = [max(len(line[i]) for line in lines) for i in range(7)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _number(value: float) -> str:
    """A number with four digits that count, and thousands set apart: 12,670 and 0.1234, never 1.267e+04."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
