"""The live screen's words: facts, state, events and devices of a run, from what was read of it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import timestamps
from core.clean import clean_line
from core.gpu.readings import GpuSample, from_json, labels
from core.runs.saved import read_weights
from core.units import clock, count, gib, percent, significant
from core.verdict import Verdict, VerdictKind
from tui.live.devices import of_run
from tui.live.run import LiveRun
from tui.widgets.device import DeviceReading

if TYPE_CHECKING:
    from core.jobs.status import Status
    from core.runs.resume import ResumePlan
from tui.widgets.text_lines import StyledLine

ACTIVE = ("queued", "starting", "running", "paused", "stopping")
RESUMABLE = ("stopped", "failed", "lost")

_STATE_STYLES = {
    "finished": "good",
    "running": "good",
    "failed": "error",
    "lost": "error",
    "stopped": "warning",
    "stopping": "warning",
    "paused": "warning",
    "unknown": "warning",
}

_VERDICT_STYLES = {
    VerdictKind.HEALTHY: "good",
    VerdictKind.WARMING_UP: "muted",
    VerdictKind.TOO_EARLY: "muted",
    VerdictKind.DIVERGING: "error",
    VerdictKind.NOT_FINITE: "error",
    VerdictKind.NOT_LEARNING: "error",
    VerdictKind.FAILED: "error",
    VerdictKind.HARDLY_MOVES: "error",
    VerdictKind.STALLED: "error",
}

_PHASES = {
    "loading": "loading",
    "encoding": "tokenizing",
    "training": "training",
    "evaluating": "evaluating",
    "generating": "generating answers",
    "saving": "saving",
    "done": "finishing",
}
"""Phases in words."""


_SAMPLING = "Generating sample outputs"
"""How the message begins while the model in training answers the sample prompts, in whatever phase that is."""


def _phase_word(status: Status) -> str:
    return "sampling" if status.message.startswith(_SAMPLING) else clean_line(_PHASES.get(status.phase, status.phase))


def state_lines(run: LiveRun, folder: Path, workspace: Path, *, brief: bool = False) -> list[StyledLine]:
    """The state of a run, or how it ended and what to do next.

    Args:
        run: what was read of the run.
        folder: the run's folder.
        workspace: the folder that paths are shown relative to.
        brief: whether the message of the status stands elsewhere.
    """
    update = run.update
    if update is None:
        return [[("reading the run", "muted")]]
    state, status = update.state, update.status
    head: list[tuple[str, str]] = [(state, _STATE_STYLES.get(state, "strong"))]
    if update.read_only:
        head.append(("  read-only", "warning"))
    detail = "" if brief else clean_line(update.detail or update.problem)
    if state in ACTIVE:
        phase = _phase_word(status)
        if status.stages > 1:
            head.append((f"  stage {status.stage + 1} of {status.stages}{':' if phase else ''}", "muted"))
        if phase:
            head.append((f"{' ' if status.stages > 1 else '  '}{phase}", "strong"))
        if ranks := ranks_words(status.fields):
            head.append((f"  {ranks}", "strong"))
        if status.stage and status.step is not None and status.of:
            head.append((f"  {progress_words(status.step, status.of)}", "strong"))
        if detail:
            head.append((f"  {detail}", "text"))
        return [head]
    taken = status.seconds() if status.ended else None
    if taken is not None:
        head.append((f" after {clock(taken)}", "strong"))
    if state == "finished":
        head += [("   Press ", "text"), ("4", "key"), (" to see the result.", "text")]
    if detail:
        head.append((f"  {detail}", "text"))
    lines: list[StyledLine] = [head]
    losses = _eval_words(run)
    if losses:
        lines.append([(losses, "text")])
    adapter = folder / "adapter"
    if (adapter / "adapter_config.json").exists():
        shown = adapter.relative_to(workspace) if adapter.is_relative_to(workspace) else adapter
        line: list[tuple[str, str]] = [("Adapter: ", "text"), (clean_line(str(shown)), "strong")]
        if weights := read_weights(adapter):
            line.append((f", {weights.words(run.progress()[0])}", "text"))
        lines.append(line)
    if state in ("failed", "lost"):
        words = (("l", "key"), (" shows or hides the log,  ", "text"), ("2", "key"), (" opens Recipe.", "text"))
        lines.append(words)
    return lines


def progress_words(done: int, total: int) -> str:
    """How far something is: `1,200 of 42,043, 3%`."""
    return f"{count(done)} of {count(total)}, {percent(done / total)}"


def chart_words(run: LiveRun) -> str:
    """What stands in the chart's place before the first value: what the run is doing, or how it ended, in lines."""
    update = run.update
    if update is None:
        return "Reading the run."
    state, status = update.state, update.status
    detail = clean_line(update.detail or update.problem, 300)
    if state in ACTIVE:
        if state != "running":
            doing = {"queued": "Queued.", "starting": "Starting the worker."}.get(state, f"{state.capitalize()}.")
        elif status.phase == "training":
            step, of = run.progress()
            doing = f"Training: step {progress_words(step or 0, of)}." if of else "Training."
            detail = detail or "The chart begins with the first logged step."
        else:
            phase = clean_line(_PHASES.get(status.phase, status.phase), 80)
            doing, detail = detail or (f"{phase[:1].upper()}{phase[1:]}." if phase else "Starting."), ""
            if status.stage and status.step is not None and status.of:  # what a later stage counts is its own
                doing = f"{doing.rstrip('.')}: {progress_words(status.step, status.of)}."
        return "\n".join(filter(None, (doing, detail)))
    taken = status.seconds() if status.ended else None
    words = f"{state.capitalize()} before the first logged step"
    if status.ended:
        words += f" at {timestamps.text(status.ended, '%H:%M:%S on %Y-%m-%d')}"
    if taken is not None:
        words += f", after {clock(taken)}"
    key = "Press l to show or hide the log." if state in ("failed", "lost") else ""
    return "\n".join(filter(None, (f"{words}.", detail, key)))


def ranks_words(fields: Mapping[str, Any]) -> str:
    """How many processes train and how they share the work, as the worker has found it to be; "" for one."""
    world, kind = fields.get("world_size"), fields.get("distributed_type")
    if not isinstance(world, int) or fields.get("stage"):
        return ""
    name = {"MULTI_GPU": "DDP", "MULTI_CPU": "DDP on the CPU"}.get(str(kind), clean_line(str(kind), 20))
    return f"{world} ranks, {name}"


def verdict_lines(verdict: Verdict | None, width: int) -> list[StyledLine]:
    """How it goes, in words: the kind, what is seen, and as much of the advice as three rows hold, or four narrow ones.

    Args:
        verdict: the verdict, or None before the first metric.
        width: cells of a row.
    """
    if verdict is None:
        return []
    rows = 3 if width >= 70 else 4
    text = verdict.text(lambda words: len(textwrap.wrap(words, max(width, 20))) <= rows)
    kind = verdict.kind.upper()
    return [[(kind, _VERDICT_STYLES.get(verdict.kind, "warning")), (text.removeprefix(kind), "text")]]


def question(
    kind: str, plan: ResumePlan | None = None, *, comparing: bool = False, queued: bool = False
) -> list[StyledLine]:
    """The question before a run is stopped, or before it is resumed as planned.

    Args:
        kind: the question: `stop` (which also offers to stop now), `now`, `release` or `resume`.
        plan: where it would resume, for `resume`.
        comparing: whether training is done, so that stopping ends the comparison of base and tuned only.
        queued: whether the run has not begun, so that stopping removes it from the queue.
    """
    asked, yes, no = "Stop this run?  ", " stop and save   ", " cancel"
    if kind == "now":
        asked, yes = "Stop now without saving?  ", " stop now   "
    elif kind == "release":
        asked, yes = "Save and stop, to free its memory? Press r later to resume.  ", " save and stop   "
    elif queued:
        asked, yes = "Remove this run from the queue?  ", " remove   "
    elif comparing:
        asked, yes = "Stop the comparison? The trained adapter is already saved.  ", " stop   "
    if plan is not None:
        asked, yes = f"Resume from {plan.where}?  ", " resume   "
    line: StyledLine = [(asked, "warning"), ("y", "key"), (yes, "text")]
    if kind == "stop" and not queued:
        line = [*line, ("x", "key"), (" stop now without saving   ", "text")]
    return [[*line, ("n", "key"), (no, "text")]]


def _eval_words(run: LiveRun) -> str:
    series = run.evaluations
    if len(series) < 2:
        return ""
    first, last = significant(series.y[0], 4), significant(series.y[-1], 4)
    title = run.headline.eval_title
    title = f"{title[0].upper()}{title[1:]}"
    return f"{title} {first} at step {count(round(series.x[0]))}, {last} at step {count(round(series.x[-1]))}."


_WHEN = 10
"""Cells of an event's time of day and the gap after it."""

_ALERT_ROWS, _NARROW = 3, 70
"""Rows that an alert may take, one more where a row has fewer cells: what to do about it often stands at its end."""


def event_lines(run: LiveRun, number: int, width: int = 120) -> list[StyledLine]:
    """The last events, oldest first; an alert stays while the newest events would push it out.

    Alerts wrap, so that there may be some rows more; other events are cut.

    Args:
        run: what was read of the run.
        number: how many events at most.
        width: cells of a row.
    """
    if number <= 0:
        return []
    events = list(run.events)
    alerts = [event for event in events[:-number] if _is_alert(event)][-(number // 2) :] if number > 1 else []
    shown = [_event_rows(event, width) for event in [*alerts, *events[-(number - len(alerts)) :]]]
    while len(shown) > 1 and sum(map(len, shown)) > number + _most_rows(width) - 1:
        del shown[0]
    return [row for rows in shown for row in rows]


def alert_line(run: LiveRun, width: int = 120) -> list[StyledLine]:
    """The last alert, where the log has taken the place of the events; none without any."""
    alerts = [event for event in run.events if _is_alert(event)]
    return [row for event in alerts[-1:] for row in _event_rows(event, width)]


def event_text(event: Mapping[str, Any], width: int) -> list[str]:
    """An event as lines of plain text: its time of day, and what it says."""
    rows = _event_rows({**event, "kind": "alert"}, width, most=0)
    return ["".join(words for words, _ in row) for row in rows]


def _most_rows(width: int) -> int:
    return _ALERT_ROWS + (width < _NARROW)


def _is_alert(event: Mapping[str, Any]) -> bool:
    """Whether an event must not be missed: an alert, a stall that begins, a folder that was moved."""
    return event.get("kind") in ("alert", "moved") or event.get("stalled") is True


def _event_rows(event: Mapping[str, Any], width: int, *, most: int | None = None) -> list[StyledLine]:
    when = f"{timestamps.text(event.get('t'), '%H:%M:%S'):8}"
    text = clean_line(str(event.get("message", "")), 1_000)
    if not _is_alert(event):
        return [[(f"{when}  ", "muted"), (text, "text")]]
    wrapped = textwrap.wrap(text, max(20, width - _WHEN)) or [""]
    most = _most_rows(width) if most is None else most or len(wrapped)
    if len(wrapped) > most:
        wrapped = [*wrapped[: most - 1], " ".join(wrapped[most - 1 :])]  # the last row is cut, with a mark
    first, *more = wrapped
    return [[(f"{when}  ", "muted"), (first, "warning")], *([(" " * _WHEN, "text"), (row, "warning")] for row in more)]


def devices(run: LiveRun, width: int) -> tuple[list[DeviceReading], str]:
    """The devices of a run by their newest reading; without any, a line that says why and what the worker uses.

    Args:
        run: what was read of the run.
        width: cells of the line.
    """
    record = run.gpus.newest
    if run.update is not None and run.update.over:
        return [], peak_words(run)
    if record is None:
        return [], "No GPU readings yet."
    found = _samples(record)
    samples = list(zip(labels((sample.index, sample.uuid) for sample in found), found, strict=True))
    mine = [samples[at] for at in record.get("devices") or () if isinstance(at, int) and 0 <= at < len(samples)]
    worker = record.get("worker")
    shown = mine if isinstance(record.get("devices"), list) else samples
    if not shown:
        state = run.update.state if run.update is not None else ""
        used, free = worker_words(record, starting=state in ("queued", "starting", "running"))
        why = clean_line(str(record.get("problem") or "No GPU in use."), 200)
        parts = ((begin, used, end) for end in (free, "") for begin in (why, "No GPU."))
        lines = ("  ".join(filter(None, part)) for part in parts)
        return [], next((line for line in lines if len(line) <= width), used)
    known = worker if isinstance(worker, Mapping) else {}
    return [_device(label, sample, known, run.gpus.history(label)) for label, sample in shown], ""


def peak_words(run: LiveRun) -> str:
    """The peak memory of a run that has ended, or "". The trainer's own figure is of GPU memory, where it had a GPU."""
    words = [f"{label} {gib(peak)}" for label, peak in run.gpus.peaks.items()]
    reported = [event.get("peak_memory") for event in run.events if event.get("kind") == "summary"]
    ram, own = run.gpus.peak_rss or 0, reported[-1] if reported and isinstance(reported[-1], int) else 0
    if own > 0 and run.gpus.newest is not None and of_run(run.gpus.newest):
        words.append(f"PyTorch reserved {gib(own)}")
    elif run.gpus.newest is not None:
        ram = max(ram, own)
    if ram:
        words.append(f"worker RAM {gib(ram)}")
    return f"Peak memory: {', '.join(words)}" if words else ""


def worker_words(record: Mapping[str, Any], *, starting: bool = False) -> tuple[str, str]:
    """CPU and memory of the worker, and the memory of the machine.

    Args:
        record: the newest of `gpu.jsonl`.
        starting: whether the worker is about to be started, or the next stage's is.
    """
    worker, ram = record.get("worker"), record.get("ram")
    words = "The worker is starting." if starting else "The worker is not running."
    if isinstance(worker, Mapping):
        cpu, rss = worker.get("cpu"), worker.get("rss")
        cpu_words = f"{cpu:3.0f}%" if isinstance(cpu, (int, float)) else "n/a"
        words = f"Worker CPU {cpu_words}  RAM {gib(rss) if isinstance(rss, (int, float)) else 'n/a'}"
    if isinstance(ram, Mapping) and isinstance(ram.get("total"), int) and isinstance(ram.get("free"), int):
        return words, f"({gib(ram['free']).removesuffix(' GiB')} of {gib(ram['total'])} free)"
    return words, ""


def _samples(record: Mapping[str, Any]) -> list[GpuSample]:
    found: list[GpuSample] = []
    for value in record.get("gpus") or ():
        try:
            found.append(from_json(value))
        except (KeyError, TypeError, ValueError, AttributeError):
            found.append(GpuSample(len(found), problem="Not a GPU reading."))
    return found


def _device(label: str, sample: GpuSample, worker: Mapping[str, Any], busy: Sequence[float | None]) -> DeviceReading:
    pids, host_pids = worker.get("pids", ()), worker.get("host_pids", True) is not False
    return DeviceReading(
        label=label,
        name=(sample.name or "").removeprefix("NVIDIA "),
        memory_run=sample.used_by(pids, host_pids=host_pids) if pids else None,
        memory_used=sample.memory_used,
        memory_total=sample.memory_total,
        utilization=sample.utilization,
        power=sample.power,
        power_limit=sample.power_limit,
        temperature=sample.temperature,
        throttle=tuple(sample.throttle),
        problem=sample.problem,
        busy=tuple(busy),
    )
