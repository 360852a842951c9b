"""Follow a run and print it: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from core import timestamps
from core.clean import clean_line
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower, Update
from core.jobs.status import Status
from core.recipe.tasks import LOSS_TITLES, SFT, Headline
from core.units import count, duration, percent, short_count, significant
from core.verdict import Verdict, VerdictKind
from core.verdict.run import RunJudge
from tui.commands.open import NO_SCREEN

_BAR = 24
"""Cells of the progress bar."""
_LINES = 50
"""Lines of progress that a whole run prints where there is no terminal, evaluations aside."""
_EVERY = 60.0
"""Seconds after which there is a line in any case."""
_ERASE = "\x1b[K"
"""Erases from the cursor to the end of the line."""


def metric_line(metrics: dict[str, Any], headline: Headline = SFT.headline, *, of: int = 0) -> str:
    """One log event as text, first the metric that says how the run goes.

    `step 40 of 960  4%  loss 0.914  eval loss 1.004  grad 0.41  lr 1.6e-4  9.31 k tok/s  ETA 3 min 05 s`

    Args:
        metrics: a line of `metrics.jsonl`.
        headline: the metric that says how the run goes.
        of: steps of the whole run; 0 leaves out what needs them.
    """
    step = _step(metrics)
    parts = [f"step {count(step).rjust(6)}"]
    if of:
        parts = [
            f"step {count(step).rjust(len(count(of)))} of {count(of)}",
            percent(step / of).rjust(4),
        ]
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
    if of and step < of and (eta := timestamps.seconds(metrics.get("eta_seconds"))) is not None:
        parts.append(f"ETA {duration(eta)}")
    return "  ".join(parts)


def _step(metrics: dict[str, Any]) -> int:
    step = metrics.get("step")
    return int(step) if isinstance(step, int | float) and isfinite(step) else 0


def event_line(event: dict[str, Any]) -> str:
    """One event as text: its sentence, without its kind, which is for programs."""
    return clean_line(str(event.get("message") or event.get("kind") or ""), 400)


class EventPrinter:
    """Gives the sentences of events, each once: worker and keeper both say why a run has failed."""

    def __init__(self) -> None:
        self._last = ""

    def take(self, event: dict[str, Any]) -> str:
        """The event's sentence; "" for one that repeats the last one."""
        line = event_line(event)
        if line == self._last:
            return ""
        self._last = line
        return line

    def ending(self, detail: str) -> str:
        """The sentence on a run's end; "" where it was the last one."""
        return "" if clean_line(detail, 400) == self._last else detail


def is_about_a_process(event: dict[str, Any]) -> bool:
    """Whether an event only says which process was started: a matter of the log."""
    return event.get("kind") == "phase" and not event.get("phase")


def in_order(update: Update) -> list[tuple[dict[str, Any], bool]]:
    """Metrics and events of an update by their time, each with whether it is an event."""
    records = [(record, False) for record in update.metrics] + [(record, True) for record in update.events]
    return sorted(records, key=lambda pair: timestamps.seconds(pair[0].get("t")) or 0.0)


class VerdictPrinter:
    """Gives a run's verdict each time it changes, and once more when the run has ended.

    Args:
        folder: the run.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._judge = RunJudge(folder)
        self._reported: VerdictKind = VerdictKind.WARMING_UP

    @property
    def headline(self) -> Headline:
        """The metric that the verdict is about; known after the first update."""
        return self._judge.headline

    def take(self, update: Update) -> Verdict | None:
        """The verdict, if its kind has changed or it is the last one; None while there is more to read."""
        verdict = self._judge.take(update)
        if verdict is None or update.more or (verdict.kind is self._reported and not update.over):
            return None
        self._reported = verdict.kind
        return verdict


class LiveLine:
    """The last line of a terminal, rewritten in place; other lines are printed above it."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, parts: Sequence[str]) -> None:
        """Show these parts, as many as fit the terminal now; written in one piece, so that nothing flickers."""
        text = self._fitted(parts)
        if text != self._shown:
            _write(f"\r{text}{_ERASE}")
            self._shown = text

    def keep(self, parts: Sequence[str]) -> None:
        """Leave these parts as a line of their own."""
        self.print(self._fitted(parts))

    def print(self, text: str) -> None:
        """Print a line above; what was shown comes back with the next `show`."""
        _write(f"\r{text}{_ERASE}\n" if self._shown else f"{text}\n")
        self._shown = ""

    @staticmethod
    def _fitted(parts: Sequence[str]) -> str:
        room = shutil.get_terminal_size().columns - 1
        text = ""
        for part in parts:
            joined = f"{text}  {part}" if text else part
            if len(joined) > room and text:
                break
            text = joined
        return text[:room]

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            _write(f"\r{_ERASE}")
        self._shown = ""


class RunPrinter:
    """Prints what a follower brings: each phase once, what matters, and how far the training is.

    On a terminal the progress is one live line; elsewhere it is a line about every fiftieth of the steps.
    """

    def __init__(self, folder: JobFolder) -> None:
        """Make a printer.

        Args:
            folder: the run.
        """
        self._printer = VerdictPrinter(folder)
        self._events = EventPrinter()
        self._live = LiveLine() if _is_live() else None
        self._values: dict[str, float] = {}
        self._step = self._of = 0
        self._eta: float | None = None
        self._label = self._phase = ""
        self._phases: set[str] = set()
        self._printed_step = -1
        self._printed_at = 0.0

    def skip(self, update: Update) -> None:
        """Take in what is known already, such as the part of a run before it was resumed, and print nothing."""
        self._printer.take(update)
        for metrics in update.metrics:
            self._note(metrics)
        self._printed_step = self._step

    def show(self, update: Update) -> None:
        """Print what is new."""
        status = update.status
        if status.phase == "training" and status.of:
            self._of = status.of
        verdict = self._printer.take(update)
        for record, is_event in in_order(update):
            if not is_event:
                self._metrics(record)
            elif record.get("kind") == "phase":
                if not is_about_a_process(record):
                    self._enter(str(record["phase"]), str(record.get("message") or ""))
            else:
                if record.get("kind") == "ended":
                    self._leave()
                if line := self._events.take(record):
                    self._line(line)
        if update.over:
            self._leave()
        if verdict is not None:
            self._line(verdict.text())
        if self._live is not None and not update.over:
            self._live.show(self._progress(status))

    def ending(self, detail: str) -> str:
        """The sentence on the run's end; "" where it was printed last."""
        return self._events.ending(detail)

    def close(self) -> None:
        """Leave the live line as a line like any other."""
        self._leave()

    def _enter(self, phase: str, message: str) -> None:
        """Name a phase, once: on a terminal the live line says it, and it becomes a line when the next one begins."""
        self._leave()
        self._phase = phase
        self._label = "Training" if phase == "training" else clean_line(message or phase, 200).rstrip(".")
        if self._live is None and self._label not in self._phases:
            self._line(self._label)
            self._phases.add(self._label)

    def _leave(self) -> None:
        if self._live is None:
            return
        if self._phase == "training" and self._step:
            self._live.keep(self._training(done=True))
        elif self._label and self._label not in self._phases:
            self._live.keep([self._label])
        else:
            self._live.clear()
        self._phases.add(self._label)
        self._phase = self._label = ""

    def _metrics(self, metrics: dict[str, Any]) -> None:
        self._note(metrics)
        headline = self._printer.headline
        evaluated = headline.eval_metric in metrics
        every = max(10, self._of // _LINES)
        due = self._step >= self._printed_step + every or time.monotonic() >= self._printed_at + _EVERY
        if evaluated or (self._live is None and due):
            self._line(metric_line(metrics, headline, of=self._of))
            self._printed_step, self._printed_at = self._step, time.monotonic()

    def _note(self, metrics: dict[str, Any]) -> None:
        self._step = max(self._step, _step(metrics)) if "step" in metrics else self._step
        headline = self._printer.headline
        for key in (headline.metric, headline.eval_metric):
            value = metrics.get(key)
            if isinstance(value, int | float):
                self._values[key] = float(value)
        eta = timestamps.seconds(metrics.get("eta_seconds"))
        self._eta = self._eta if eta is None else eta

    def _line(self, text: str) -> None:
        cleaned = clean_line(text, 1_000)
        if self._live is not None:
            self._live.print(cleaned)
        else:
            _write(f"{cleaned}\n")

    def _progress(self, status: Status) -> list[str]:
        """The parts of the live line, first what matters most."""
        if status.phase == "training":
            self._step = max(self._step, status.step or 0)
            return self._training(paused=status.state == "paused")
        label = clean_line(status.message or self._label or status.phase or "Starting", 200).rstrip(".")
        if not status.of or status.phase == "saving":  # its steps are those of the training
            return [f"{label} ..."]
        done = min(1.0, (status.step or 0) / status.of)
        return [label, percent(done), _bar(done)]

    def _training(self, *, done: bool = False, paused: bool = False) -> list[str]:
        """The parts of the line on the training; no ETA while it is paused, no ETA and no bar once it is done."""
        headline = self._printer.headline
        if not self._of:
            return ["Training", f"step {count(self._step)}"] if self._step else ["Training ..."]
        share = min(1.0, self._step / self._of)
        parts = [f"Training  step {count(self._step)} of {count(self._of)}", percent(share)]
        if paused:
            parts.append("paused")
        elif not done and self._eta is not None and self._step < self._of:
            parts.append(f"ETA {duration(self._eta)}")
        for key, title in ((headline.metric, headline.title), (headline.eval_metric, headline.eval_title)):
            if key in self._values:
                parts.append(f"{title} {significant(self._values[key])}")
        return parts if done else [*parts, _bar(share)]


def _bar(done: float) -> str:
    cells = int(done * _BAR)
    return f"[{'#' * cells}{'.' * (_BAR - cells)}]"


def _is_live() -> bool:
    """Whether standard output is a terminal on which a line can be rewritten."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in NO_SCREEN


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def watch(
    folder: JobFolder, show: Callable[[Update], None], *, follower: Follower | None = None, interval: float = 0.25
) -> str:
    """Follow a run until it ends; ctrl+c ends only the watching.

    Args:
        folder: the run.
        show: called with each update that brings anything.
        follower: one that has read a part of the run already; None to start at its beginning.
        interval: seconds between two polls.

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
