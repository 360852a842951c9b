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
from core.units import clock, count, gib, significant
from core.verdict import Verdict, VerdictKind
from tui.live.devices import of_run
from tui.live.run import LiveRun
from tui.widgets.device import DeviceReading

if TYPE_CHECKING:
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
}

_PHASES = {
    "loading": "loading",
    "encoding": "encoding the samples",
    "training": "training",
    "evaluating": "evaluating",
    "generating": "generating answers",
    "saving": "saving",
    "done": "ending",
}


def state_lines(run: LiveRun, folder: Path, workspace: Path) -> list[StyledLine]:
    """What goes on, or how it ended and what to do next.

    Args:
        run: what was read of the run.
        folder: the run's folder.
        workspace: the folder that paths are shown relative to.
    """
    update = run.update
    if update is None:
        return [[("reading the run's folder", "muted")]]
    state, status = update.state, update.status
    head: list[tuple[str, str]] = [(state, _STATE_STYLES.get(state, "strong"))]
    detail = clean_line(update.detail or update.problem)
    if state in ACTIVE:
        if status.phase:
            head.append((f"  {clean_line(_PHASES.get(status.phase, status.phase))}", "strong"))
        if status.stages > 1:
            head.append((f"  part {status.stage + 1} of {status.stages}", "muted"))
        if ranks := ranks_words(status.fields):
            head.append((f"  {ranks}", "strong"))
        if status.stage and status.step is not None and status.of:
            head.append((f"  {count(status.step)} of {count(status.of)}", "strong"))
        if detail:
            head.append((f"  {detail}", "text"))
        return [head]
    taken = status.seconds() if status.ended else None
    if taken is not None:
        head.append((f" after {clock(taken)}", "strong"))
    if state == "finished":
        head += [("   ", "text"), ("4", "key"), (" shows the result", "text")]
    if detail:
        head.append((f"  {detail}", "text"))
    lines: list[StyledLine] = [head]
    losses = _eval_words(run)
    if losses:
        lines.append([(losses, "text")])
    adapter = folder / "adapter"
    if (adapter / "adapter_config.json").exists():
        shown = adapter.relative_to(workspace) if adapter.is_relative_to(workspace) else adapter
        line: list[tuple[str, str]] = [("The adapter is in ", "text"), (clean_line(str(shown)), "strong")]
        if weights := read_weights(adapter):
            line.append((f": {weights.words(run.progress()[0])}", "text"))
        lines.append([*line, (".", "text")])
    if state in ("failed", "lost"):
        words = (("l", "key"), (" shows or hides the log,  ", "text"), ("2", "key"), (" goes to the recipe.", "text"))
        lines.append(words)
    return lines


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


def question(kind: str, plan: ResumePlan | None = None, *, comparing: bool = False) -> list[StyledLine]:
    """What is asked before a run is stopped, or before it goes on as planned.

    Args:
        kind: what is asked: `stop` (which offers to end at once, too), `now`, `release` or `resume`.
        plan: how it would go on, for `resume`.
        comparing: whether training is done, so that stopping ends the comparison of base and tuned only.
    """
    asked, yes, no = "Stop this run? It saves first.  ", " stop and save   ", " go on"
    if kind == "now":
        asked, yes, no = "End it at once? It saves nothing more.  ", " end now   ", " let it save"
    elif kind == "release":
        asked, yes, no = "Free its memory? It saves and ends; r goes on.  ", " save and end   ", " keep it"
    elif comparing:
        asked, yes = "Stop the comparison? The trained adapter is saved.  ", " stop   "
    if plan is not None:
        from core.runs.checkpoint import where_it_stands  # reads recipes: only where somebody goes on with a run

        asked, yes, no = f"Go on from {where_it_stands(plan.checkpoint)}?  ", " go on   ", " leave it"
    line: StyledLine = [(asked, "warning"), ("y", "key"), (yes, "text"), ("n", "key"), (no, "text")]
    if kind != "stop":
        return [line]
    return [line, [("x", "key"), (" stop now, without saving", "text")]]


def _eval_words(run: LiveRun) -> str:
    series = run.evaluations
    if len(series) < 2:
        return ""
    first, last = significant(series.y[0], 4), significant(series.y[-1], 4)
    title = run.headline.eval_title
    title = f"{title[0].upper()}{title[1:]}"
    return f"{title} {first} at step {count(round(series.x[0]))}, {last} at step {count(round(series.x[-1]))}."


def event_lines(run: LiveRun, number: int) -> list[StyledLine]:
    """The last events, oldest first, each with its time of day; alerts stay when others would push them out."""
    if number <= 0:
        return []
    events = list(run.events)
    alerts = (
        [event for event in events[:-number] if event.get("kind") == "alert"][-(number // 2) :] if number > 1 else []
    )
    return [_event_line(event) for event in [*alerts, *events[-(number - len(alerts)) :]]]


def alert_line(run: LiveRun) -> list[StyledLine]:
    """The last alert, where the log has taken the place of the events; none without any."""
    alerts = [event for event in run.events if event.get("kind") == "alert"]
    return [_event_line(event) for event in alerts[-1:]]


def event_text(event: Mapping[str, Any]) -> str:
    """An event as a line of plain text: its time of day, and what it says."""
    return "".join(words for words, _ in _event_line(event))


def _event_line(event: Mapping[str, Any]) -> StyledLine:
    when = f"{timestamps.text(event.get('t'), '%H:%M:%S'):8}"
    style = "warning" if event.get("kind") == "alert" else "text"
    return [(f"{when}  ", "muted"), (clean_line(str(event.get("message", "")), 400), style)]


def devices(run: LiveRun) -> tuple[list[DeviceReading], list[str]]:
    """The devices of a run by their newest reading; without any, lines that say why and what the worker uses."""
    record = run.gpus.newest
    if run.update is not None and run.update.over:
        return [], peak_words(run)
    if record is None:
        return [], ["No reading of the GPUs yet."]
    found = _samples(record)
    samples = list(zip(labels((sample.index, sample.uuid) for sample in found), found, strict=True))
    mine = [samples[at] for at in record.get("devices") or () if isinstance(at, int) and 0 <= at < len(samples)]
    worker = record.get("worker")
    shown = mine or samples
    if not shown:
        reason = str(record.get("problem") or "This run uses no GPU.")
        state = run.update.state if run.update is not None else ""
        return [], [reason, worker_words(record, starting=state in ("queued", "starting", "running"))]
    known = worker if isinstance(worker, Mapping) else {}
    return [_device(label, sample, known, run.gpus.history(label)) for label, sample in shown], []


def peak_words(run: LiveRun) -> list[str]:
    """What a run that is over took at most. The trainer's own figure is of the GPU's memory, where it had one."""
    words = [f"{label} {gib(peak)}" for label, peak in run.gpus.peaks.items()]
    reported = [event.get("peak_memory") for event in run.events if event.get("kind") == "summary"]
    ram, own = run.gpus.peak_rss or 0, reported[-1] if reported and isinstance(reported[-1], int) else 0
    if own > 0 and run.gpus.newest is not None and of_run(run.gpus.newest):
        words.append(f"PyTorch reserved {gib(own)}")
    elif run.gpus.newest is not None:
        ram = max(ram, own)
    if ram:
        words.append(f"worker {gib(ram)} of RAM")
    if not words:
        return ["The run is over, so GPUs are read no more."]
    return [f"The run is over. Peak memory: {', '.join(words)}."]


def worker_words(record: Mapping[str, Any], *, starting: bool = False) -> str:
    """CPU and memory of the worker, and the machine's.

    Args:
        record: the newest of `gpu.jsonl`.
        starting: whether the worker is about to be started, or the next part's is.
    """
    worker, ram = record.get("worker"), record.get("ram")
    words = "The worker is starting." if starting else "The worker is not running."
    if isinstance(worker, Mapping):
        cpu, rss = worker.get("cpu"), worker.get("rss")
        cpu_words = f"{cpu:3.0f} %" if isinstance(cpu, (int, float)) else "n/a"
        words = f"Worker: CPU {cpu_words}  RAM {gib(rss) if isinstance(rss, (int, float)) else 'n/a'}"
    if isinstance(ram, Mapping) and isinstance(ram.get("total"), int) and isinstance(ram.get("free"), int):
        words += f"  ({gib(ram['free']).removesuffix(' GiB')} of {gib(ram['total'])} free)"
    return words


def _samples(record: Mapping[str, Any]) -> list[GpuSample]:
    found: list[GpuSample] = []
    for value in record.get("gpus") or ():
        try:
            found.append(from_json(value))
        except (KeyError, TypeError, ValueError, AttributeError):
            found.append(GpuSample(len(found), problem="This reading is not one of a GPU."))
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
