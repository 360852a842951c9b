"""The thread of the keeper that writes `gpu.jsonl`: GPUs, and the worker's CPU and memory, once a second."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from core.errors import TunedeckError
from core.gpu.host import ProcessMeter, host_pids, memory
from core.gpu.nvml import GpuReader
from core.gpu.selection import VARIABLE, devices_of_run
from core.jobs import files
from core.jobs.backlog import Backlog
from core.jobs.folder import JobFolder

PERIOD = 1.0
"""Seconds between samples."""
FULL_RATE = 3600.0
"""Seconds for which every sample is kept; of older ones, one in `SPARSE_PERIOD`."""
SPARSE_PERIOD = 10.0
MOST_WAITING = 7_200
"""Samples that are kept for a folder that cannot be written now."""
RELEASE = 0.6
"""Seconds that a driver has to give back the memory of processes that have ended."""


class Sampler(threading.Thread):
    """Samples until it is told to stop. A thread of its own, because a GPU that hangs makes its driver's calls hang.

    Args:
        folder: the job's folder.
        environment: of the workers; its `CUDA_VISIBLE_DEVICES` says which devices are theirs; without it, the first.
    """

    def __init__(self, folder: JobFolder, environment: Mapping[str, str]) -> None:
        super().__init__(name="sampler", daemon=True)
        self._folder = folder
        self._visible = environment.get(VARIABLE)
        self._reader = GpuReader()
        self._meter: ProcessMeter | None = None
        self._host_pids = host_pids()
        self._end = threading.Event()
        self._gone: Sequence[int] = ()
        self._left: list[dict[str, Any]] | None = None
        self._backlog = Backlog(lambda lines: None, most=MOST_WAITING)
        self._thin_at = time.time() + 2 * FULL_RATE

    def watch(self, pid: int) -> None:
        """Measures this worker and its children from now on."""
        self._meter = ProcessMeter(pid)

    def stop(self, gone: Sequence[int] = ()) -> list[dict[str, Any]] | None:
        """Ends the thread with a last reading; waits for it a moment, not for a driver that hangs.

        Args:
            gone: pids of processes of the run that have ended, whose GPU memory must be free by now.

        Returns:
            For each device of the run `index`, `uuid`, `held` (bytes that the driver still counts for these processes;
            None where it does not tell) and `used` (bytes in use, by whomever); None where the driver did not answer.
        """
        self._gone = tuple(gone)
        self._end.set()
        self.join(timeout=1.0)
        return self._left

    def run(self) -> None:
        """The thread's work."""
        self._reader.open()
        next_at = time.monotonic()
        while not self._end.is_set():
            try:
                self._sample()
            except files.JobGone:
                break
            next_at = max(next_at + PERIOD, time.monotonic())
            self._end.wait(next_at - time.monotonic())
        with suppress(TunedeckError):
            self._backlog.flush()
        self._left = self._last_reading()
        self._reader.close()

    def _last_reading(self) -> list[dict[str, Any]]:
        """What the processes that are gone still hold; a driver may take a moment to give it back."""
        patient_until = time.monotonic() + RELEASE
        while True:
            held = [
                (gpu, gpu.used_by(self._gone, host_pids=self._host_pids))
                for gpu in devices_of_run(self._reader.read(), self._visible)
            ]
            if not any(size for _, size in held) or time.monotonic() >= patient_until:
                return [
                    {"index": gpu.index, "uuid": gpu.uuid, "held": size, "used": gpu.memory_used} for gpu, size in held
                ]
            time.sleep(0.1)

    def _sample(self) -> None:
        now = time.time()
        gpus = self._reader.read()
        record = {
            "t": round(now, 3),
            "gpus": [sample.to_json() for sample in gpus],
            "devices": [gpus.index(sample) for sample in devices_of_run(gpus, self._visible)],
            "problem": self._reader.problem,
            "worker": self._worker(),
            "ram": dict(zip(("total", "free"), memory(), strict=True)),
        }
        self._backlog.add(partial(self._folder.append_gpu, record))
        if now >= self._thin_at:
            self._thin_at = now + FULL_RATE
            thin(os.fspath(self._folder.gpu), now - FULL_RATE)

    def _worker(self) -> dict[str, object] | None:
        if self._meter is None:
            return None
        reading = self._meter.read()
        if not reading.pids:
            return None
        return {"rss": reading.rss, "cpu": reading.cpu, "pids": list(reading.pids), "host_pids": self._host_pids}


def thin(path: str, before: float) -> None:
    """Keeps one sample in `SPARSE_PERIOD` of those before a moment, and all after it. Line by line: memory stays flat.

    The file is replaced, never changed in place, so a reader of the old one reads on until it looks again.

    Args:
        path: of `gpu.jsonl`. Its only writer is the caller.
        before: unix seconds.
    """
    temporary = f"{path}.thin.tmp"
    last = 0.0
    try:
        with open(path, "rb") as old, open(temporary, "wb") as new:
            for line in old:
                moment = _time_of(line)
                if moment is None or (moment < before and moment - last < SPARSE_PERIOD):
                    continue
                last = moment
                new.write(line)
        os.replace(temporary, path)
    except OSError:
        try:
            os.unlink(temporary)  # the long history stays as it is
        except OSError:
            pass


def _time_of(line: bytes) -> float | None:
    try:
        moment = json.loads(line)["t"]
    except (ValueError, KeyError, TypeError):
        return None
    return float(moment) if isinstance(moment, (int, float)) else None
