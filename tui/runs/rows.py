"""The rows of the Runs screen: the columns, the runs that match a filter, and their order."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from core import timestamps
from core.clean import clean_line
from core.jobs.status import LOST, QUEUED
from core.units import count, duration, gib, significant
from core.verdict.finding import QUIET
from core.verdict.run_list import RunLine
from tui.widgets.table import TableCell, TableColumn

COLUMNS = (
    TableColumn("", 1),
    TableColumn("state", 9),
    TableColumn("run"),
    TableColumn("verdict", 15),
    TableColumn("best eval", 9, right=True),
    TableColumn("duration", 10, right=True, rank=2),
    TableColumn("memory", 9, right=True, rank=4),
    TableColumn("step", 15, right=True, rank=5),
    TableColumn("started", 9, right=True, rank=3),
    TableColumn("model", 20, rank=6),
)

MOST = 6
"""Runs that can be compared at once."""

_MARKS = {
    "running": "▶",
    "starting": "▶",
    "stopping": "▶",
    "paused": "‖",
    "queued": "·",
    "finished": "✓",
    "stopped": "■",
    "failed": "✗",
    "lost": "?",
    "unknown": "?",
}
"""A shape for each state; the word stands beside it."""

_STYLES = {"failed": "error", "lost": "error", "running": "strong", "starting": "strong", "paused": "strong"}
_SIX_DAYS = 6 * 86_400
_QUIET = {kind.value for kind in QUIET}


def cells(line: RunLine, letter: str) -> list[TableCell]:
    """What one run has in each of `COLUMNS`.

    Args:
        line: the run.
        letter: that which marks it for a comparison, or "".
    """
    run = line.info
    style = _STYLES.get(run.state, "text")
    verdict = verdict_word(line)
    began = run.created if run.earlier else run.started or run.created  # a resumed run began with its first start
    waiting = run.place is not None and not run.started
    return [
        (letter or _MARKS.get(run.state, " "), "warning" if letter else style),
        ("removed" if run.removed else run.state if run.place is None else f"{run.state} {run.place}", style),
        (_of_pipeline(line) + clean_line(run.name, 60) + (" (read-only)" if run.read_only else ""), style),
        (verdict if line.known or verdict else "…", "text" if line.verdict in _QUIET else "warning"),
        (significant(line.best_eval) if line.best_eval is not None else "", "text"),
        (_took(line), "text"),
        (gib(line.memory) if line.memory else "", "text"),
        (f"{count(run.step)} of {count(run.of)}" if run.step is not None and run.of else _step(run.step), "muted"),
        ("" if waiting else moment(began, time.time()) if began else timestamps.UNKNOWN, "muted"),
        (clean_line(line.model, 40), "muted"),
    ]


def _of_pipeline(line: RunLine) -> str:
    """`2/3 ` before the name of the second run of a pipeline."""
    run = line.info
    return f"{run.stage}/{run.stages} " if run.pipeline else ""


def _step(step: int | None) -> str:
    return "" if step is None else count(step)


def moment(when: float, now: float) -> str:
    """A moment as briefly as a list has room for: `08:20` today, `Sat 08:20` in the week before, else `21 Nov`.

    Args:
        when: unix seconds.
        now: unix seconds.
    """
    if timestamps.same_day(when, now):
        return timestamps.text(when, "%H:%M")
    return timestamps.text(when, "%a %H:%M" if 0 < now - when < _SIX_DAYS else "%d %b")


def _took(line: RunLine) -> str:
    """How long a run took; unknown where it started and its files do not say when it started or ended."""
    if line.seconds is not None:
        return duration(line.seconds)
    return "" if line.info.state in (QUEUED, LOST) or line.info.removed else timestamps.UNKNOWN


def verdict_word(line: RunLine) -> str:
    """The verdict as a list shows it; that the curves were fine means nothing where the run failed."""
    if line.info.state in ("failed", "lost") and line.verdict in _QUIET:
        return ""
    return line.verdict.removesuffix(" to judge")


def _number(value: float | None, *, least_first: bool) -> tuple[bool, float]:
    """A key that puts what is not known last."""
    return (value is None, 0.0 if value is None else value if least_first else -value)


NEWEST = "newest first"

SORTS: dict[str, Callable[[RunLine], tuple[bool, float] | tuple[bool, str]]] = {
    NEWEST: lambda line: (False, -line.info.created),
    "best eval first": lambda line: _number(
        None if line.best_eval is None else line.headline.cost(line.best_eval), least_first=True
    ),
    "longest first": lambda line: _number(line.seconds, least_first=False),
    "most memory first": lambda line: _number(line.memory, least_first=False),
    "by name": lambda line: (False, line.info.name.lower()),
    "by state": lambda line: (False, line.info.state),
}
"""Orders of the list, by what they are called."""


def listed(lines: Sequence[RunLine], words: str, sort: str) -> list[RunLine]:
    """The runs that match a filter, in order.

    Args:
        lines: all runs, newest first.
        words: each must be in a run's name, ID, state, verdict or model; case does not matter.
        sort: one of `SORTS`.
    """
    wanted = words.lower().split()
    found = [line for line in lines if all(word in _text(line) for word in wanted)] if wanted else list(lines)
    found.sort(key=SORTS[sort])
    return _together(found) if sort == NEWEST else found


def _together(lines: Sequence[RunLine]) -> list[RunLine]:
    """The runs of each pipeline one below the other, in their order, at the place of the newest of them."""
    groups: dict[str, list[RunLine]] = {}
    for line in lines:
        groups.setdefault(line.info.pipeline or line.info.id, []).append(line)
    return [line for group in groups.values() for line in sorted(group, key=lambda each: each.info.stage)]


def _text(line: RunLine) -> str:
    run = line.info
    return f"{run.name}\n{run.id}\n{run.state}\n{line.verdict}\n{line.model}".lower()


def summary(lines: Sequence[RunLine], shown: int, paused: bool) -> str:
    """How many runs there are, in words: `12 runs, 1 active, 3 queued (queue paused)`."""
    states = [line.info.state for line in lines]
    active = sum(state in ("starting", "running", "paused", "stopping") for state in states)
    waiting = states.count("queued")
    words = f"{count(len(lines))} run{'s' * (len(lines) != 1)}"
    if shown != len(lines):
        words = f"{count(shown)} of {words}"
    words += f", {active} active" if active else ""
    words += f", {waiting} queued{' (queue paused)' if paused else ''}" if waiting else ""
    foreign = sum(bool(line.info.read_only) for line in lines)
    return words + (f", {foreign} read-only" if foreign else "")


def letters(marked: Collection[str]) -> dict[str, str]:
    """A letter for each marked run, in the order of the marking."""
    return dict(zip(marked, "ABCDEF", strict=False))
