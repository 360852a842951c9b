"""`python -m tests.curves` prints how the verdict does on the recorded runs, as a table for docs/verdicts.md."""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path

from core.verdict import VerdictJudge, VerdictKind
from tests.curves import HELD_OUT, TUNING, Recording, load


def named_at(run: Recording) -> tuple[VerdictKind, float | None]:
    """The last verdict, and the part of the run that was over when it was first shown."""
    judge = VerdictJudge(run.recipe, run.steps)
    shown: list[tuple[int, VerdictKind]] = []
    for record in run.records:
        judge.add([record])
        shown.append((record["step"], judge.verdict().kind))
    last = judge.verdict(over=True).kind
    return last, next((step / run.steps for step, kind in shown if kind is last), None)


def table(folder: Path) -> list[str]:
    """A row for each kind of run."""
    found: dict[str, list[tuple[VerdictKind, float | None]]] = defaultdict(list)
    for run in load(folder):
        found[run.kind].append(named_at(run))
    rows = ["| run | runs | verdict at the end | first shown at |", "|---|---|---|---|"]
    for kind, results in found.items():
        names = ", ".join(sorted({verdict.value for verdict, _ in results}))
        shares = [share for _, share in results if share is not None]
        when = f"{100 * statistics.median(shares):.0f}% of the run" if shares else "its end"
        rows.append(f"| {kind.replace('_', ' ')} | {len(results)} | {names} | {when} |")
    return rows


for folder in (TUNING, HELD_OUT):
    print(f"{folder.name}\n", *table(folder), sep="\n")
