"""What the GPUs did while the run trained: whether they wait, and whether heat holds them back."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping
from typing import Any

from core.verdict import thresholds as at
from core.verdict.finding import Finding, VerdictKind

_WAITING = 600
"""Samples that may wait for the next log event, so that it is known whether the run trained meanwhile."""

_HEAT = "heat"
"""How the words of `core.gpu` for both thermal slowdowns begin."""


class GpuHistory:
    """The last samples of a run's GPUs, of the time between its first and its newest log event only.

    Before and after that the run loads, encodes or compares, and an idle GPU is no fault of its training.
    """

    def __init__(self) -> None:
        self._waiting: deque[Mapping[str, Any]] = deque(maxlen=_WAITING)
        self._seen: deque[tuple[Mapping[int, tuple[int | None, bool]], float | None]] = deque(maxlen=at.WATCHED)
        self._began = self._until = float("inf")
        self._step = 0
        self._since: dict[tuple[VerdictKind, int], int] = {}

    def trained(self, moment: float, step: int) -> None:
        """A log event of training, and its time."""
        if self._began == float("inf"):
            self._began = moment
        self._until, self._step = moment, step

    def add(self, record: Mapping[str, Any]) -> None:
        """Takes in a record of `gpu.jsonl`."""
        self._waiting.append(record)

    def finding(self) -> Finding | None:
        """Heat, or a GPU that waits; None where all is well, or while too little is known."""
        self._take()
        if len(self._seen) < at.WATCHED:
            return None
        numbers = sorted({number for devices, _ in self._seen for number in devices})
        for rule in (self._throttled, self._starved):
            found = [finding for number in numbers if (finding := rule(number)) is not None]
            if found:
                worst = min(found, key=lambda finding: finding.facts["busy"])
                return Finding(worst.kind, worst.since, {**worst.facts, "of": len(numbers)}, worst.cause)
        return None

    def _take(self) -> None:
        waiting = len(self._waiting)
        for _ in range(waiting):
            record = self._waiting[0]
            moment = record.get("t")
            if isinstance(moment, (int, float)) and self._began <= moment:
                if moment > self._until:
                    return
                self._seen.append((_devices(record), _cpu(record)))
            self._waiting.popleft()

    def _throttled(self, number: int) -> Finding | None:
        held = [devices[number][1] for devices, _ in self._seen if number in devices]
        share = statistics.fmean(held) if held else 0.0
        return self._found(VerdictKind.THROTTLED, number, share >= at.HOT, share < at.COOLED, {"share": share})

    def _starved(self, number: int) -> Finding | None:
        known = [devices[number][0] for devices, _ in self._seen if number in devices]
        busy = [value for value in known if value is not None]
        if len(busy) < at.WATCHED / 2:
            return None
        usual = statistics.median(busy)
        cpus = [cpu for _, cpu in self._seen if cpu is not None]
        facts = {"busy": usual, "cpu": statistics.median(cpus) if cpus else 0.0}
        return self._found(VerdictKind.STARVED, number, usual < at.STARVED, usual >= at.FED, facts)

    def _found(
        self, kind: VerdictKind, number: int, begins: bool, ends: bool, facts: Mapping[str, float]
    ) -> Finding | None:
        """Between the two limits a finding stays what it was."""
        key = (kind, number)
        if begins:
            self._since.setdefault(key, self._step)
        elif ends:
            self._since.pop(key, None)
        since = self._since.get(key)
        return None if since is None else Finding(kind, since, {"busy": 0.0, **facts, "gpu": number})


def _devices(record: Mapping[str, Any]) -> dict[int, tuple[int | None, bool]]:
    """Number, utilization in percent and whether heat holds the clocks down, of each GPU of the run."""
    found: dict[int, tuple[int | None, bool]] = {}
    gpus = record.get("gpus") or []
    for place in record.get("devices") or []:
        gpu = gpus[place] if isinstance(place, int) and 0 <= place < len(gpus) else None
        if not isinstance(gpu, Mapping) or gpu.get("problem"):
            continue
        busy, number = gpu.get("utilization"), gpu.get("index")
        hot = any(str(words).startswith(_HEAT) for words in gpu.get("throttle") or ())
        if isinstance(number, int):
            found[number] = (busy if isinstance(busy, int) else None, hot)
    return found


def _cpu(record: Mapping[str, Any]) -> float | None:
    worker = record.get("worker")
    cpu = worker.get("cpu") if isinstance(worker, Mapping) else None
    return float(cpu) if isinstance(cpu, (int, float)) else None
