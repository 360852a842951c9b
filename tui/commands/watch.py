"""Follow a run and print it: one line rewritten on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable
from math import isfinite
from typing import Any

from core import timestamps
from core.clean import clean_line
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower, Update
from core.recipe.tasks import LOSS_TITLES, SFT, Headline
from core.units import count, duration, short_count, significant
from core.verdict import Verdict, VerdictKind
from core.verdict.run import RunJudge

_BAR = 24
"""Cells of the progress bar."""


def metric_line(metrics: dict[str, Any], headline: Headline = SFT.headline) -> str:
    """One log event as text, first the metric that says how the run goes.

    `step 40  loss 0.914  eval loss 1.004  grad 0.41  lr 1.6e-4  9.31 k tok/s`
    """
    parts = [f"step {count(_step(metrics)).rjust(6)}"]
    for key, title in (
        (headline.metric, headline.title),
        (headline.eval_metric, headline.eval_title),
        *((key, title) for key, title in LOSS_TITLES.items() if key not in (headline.metric, headline.eval_metric)),
        ("grad_norm", "grad"),
        ("learning_rate", "lr"),
        ("train_loss", "mean train loss"),
    ):
        value = metrics.get(key)
        if isinstance(value, int | float):
            parts.append(f"{title} {significant(float(value)).rjust(6)}")
        elif isinstance(value, str):
            parts.append(f"{title} {value}")
    speed = metrics.get("tokens_per_second")
    if isinstance(speed, int | float):
        parts.append(f"{short_count(float(speed))} tok/s")
    return "  ".join(parts)


def _step(metrics: dict[str, Any]) -> int:
    step = metrics.get("step")
    return int(step) if isinstance(step, int | float) and isfinite(step) else 0


def event_line(event: dict[str, Any]) -> str:
    """One event as text."""
    return clean_line(f"{event.get('kind', 'event')}: {event.get('message', '')}", 400)


class VerdictPrinter:
    """Tells how a run goes, in words, each time that it goes otherwise, and how it went when it has ended.

    Args:
        folder: the run.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._judge = RunJudge(folder)
        self._reported: VerdictKind = VerdictKind.WARMING_UP

    @property
    def headline(self) -> Headline:
        """The metric that says how it goes; known with the first look."""
        return self._judge.headline

    def take(self, update: Update) -> Verdict | None:
        """The verdict, if it is another kind than the one before, or the last; none while there is more to be read."""
        verdict = self._judge.take(update)
        if verdict is None or update.more or (verdict.kind is self._reported and not update.over):
            return None
        self._reported = verdict.kind
        return verdict


class RunPrinter:
    """Prints what a follower brings: on a terminal one progress line and what matters above it, else plain lines."""

    def __init__(self, folder: JobFolder, *, every: int = 10) -> None:
        """Make a printer.

        Args:
            folder: the run.
            every: without a terminal, how many steps pass between two lines of training.
        """
        self._printer = VerdictPrinter(folder)
        self._live = sys.stdout.isatty()
        self._every = every
        self._last: float | None = None
        self._printed_step = -1
        self._phase = ""
        self._shown = ""

    def skip(self, update: Update) -> None:
        """Take in what is known already, such as the part of a run before it goes on, and print nothing."""
        self._printer.take(update)

    def show(self, update: Update) -> None:
        """Print what is new."""
        for event in update.events:
            self._line(event_line(event))
        status = update.status
        if status.phase and status.phase != self._phase:
            self._phase = status.phase
            if not self._live:
                self._line(f"phase: {status.phase}")
        verdict = self._printer.take(update)
        headline = self._printer.headline
        for metrics in update.metrics:
            value = metrics.get(headline.metric)
            if isinstance(value, int | float):
                self._last = float(value)
            step = _step(metrics)
            evaluated = headline.eval_metric in metrics
            worth = evaluated or step >= self._printed_step + self._every
            if worth and (not self._live or evaluated):
                self._line(metric_line(metrics, headline))
                self._printed_step = step
        if verdict is not None:
            self._line(verdict.text())
        if self._live:
            self._progress(status.step or 0, status.of or 0, update.metrics)

    def _line(self, text: str) -> None:
        erase = "\r\x1b[K" if self._live and self._shown else ""
        sys.stdout.write(f"{erase}{clean_line(text, 1_000)}\n")
        self._shown = ""
        sys.stdout.flush()

    def _progress(self, step: int, of: int, metrics: list[dict[str, Any]]) -> None:
        done = min(1.0, step / of) if of else 0.0
        cells = round(done * _BAR)
        eta = next((m["eta_seconds"] for m in reversed(metrics) if "eta_seconds" in m), None)
        words = [f"[{'#' * cells}{'.' * (_BAR - cells)}]", f"{count(step)} of {count(of)}" if of else self._phase]
        if self._last is not None:
            words.append(f"{self._printer.headline.title} {significant(self._last)}")
        if (left := timestamps.seconds(eta)) is not None and step < of:
            words.append(f"ends in {duration(left)}")
        elif of:
            words.append(self._phase)
        text = clean_line("  ".join(words))[: shutil.get_terminal_size().columns - 1]
        if text != self._shown:
            sys.stdout.write(f"\r\x1b[K{text}")
            sys.stdout.flush()
            self._shown = text

    def close(self) -> None:
        """Leave the progress line."""
        if self._shown:
            sys.stdout.write("\n")
            sys.stdout.flush()
            self._shown = ""


def watch(
    folder: JobFolder, show: Callable[[Update], None], *, follower: Follower | None = None, interval: float = 0.25
) -> str:
    """Follow a run until it ends; ctrl+c ends the watching alone.

    Args:
        folder: the run.
        show: called with each update that brings anything.
        follower: one that has read a part of the run already; None to begin at its beginning.
        interval: seconds between two looks.

    Returns:
        The state that the run ended in.
    """
    follower = follower or Follower(folder)
    never = threading.Event()
    while True:
        update = follower.poll()
        show(update)
        if update.over:
            return update.state
        if not update.more:
            never.wait(interval)
