"""From the driver to the screen: keeper and real pynvml on the stand-in library, the live screen's own words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.jobs.launch import launch
from tests.kit import nvml
from tests.kit.killing import kill
from tests.kit.one_widget import text_of
from tests.kit.waiting import until
from tests.tui.test_train_screen import read
from tui.app import TunedeckApp
from tui.live.run import LiveRun
from tui.train import words as train_words
from tui.widgets.device import DeviceReading
from tui.widgets.gauge import Gauges

GIB = 2**30
GPU = """{n} uuid GPU-{n}
{n} name NVIDIA H100 80GB HBM3
{n} memory 85899345920 65712999628
{n} utilization {busy}
{n} temperature 67
{n} power 412400
{n} limit 700000
{n} throttle {reasons}
"""
HEAT = 0x20


class Node:
    """A run of two processes whose keeper reads GPUs from a file."""

    def __init__(self, folder: JobFolder, readings: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._readings = readings
        said = folder.path / "child"
        shell = f"sleep 600 & echo $! > {said}.new && mv {said}.new {said}; wait"
        self.keeper = launch(folder, [["sh", "-c", shell]], env=environment)
        until(said.exists, "the worker's child runs")
        self.child = int(said.read_text())
        until(lambda: folder.read_status().worker is not None, "the keeper has said who the worker is")
        worker = folder.read_status().worker
        assert worker is not None
        self.worker = worker.pid

    def say(self, text: str) -> list[DeviceReading]:
        """Let the driver say this; the devices as the screen has them from it."""
        self._readings.with_suffix(".new").write_text(text)
        os.replace(self._readings.with_suffix(".new"), self._readings)
        before = self._records()
        until(lambda: self._records() > before + 1, "a reading that began after this")
        run, follower = LiveRun(), Follower(self.folder, gpu_bytes=None)
        run.add(follower.poll())
        return train_words.devices(run, 120)[0]

    def _records(self) -> int:
        return self.folder.gpu.read_bytes().count(b"\n") if self.folder.gpu.exists() else 0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    cc = nvml.compiler()
    if cc is None:
        pytest.skip("no C compiler is here to build the stand-in for NVIDIA's library: pip install ziglang")
    readings = tmp_path / "readings.txt"
    readings.write_text("driver gpus 16\n")
    library = nvml.build(tmp_path, cc)
    folder = JobFolder.create(tmp_path / "runs", "a run", "training")
    shown = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, range(16)))}  # of a GPU with slices CUDA shows the first
    found = Node(folder, readings, nvml.environment(library, readings) | shown)
    yield found
    kill(found.child, found.worker)
    until(lambda: not process.is_alive(found.keeper), "the keeper ends")


async def test_what_the_screen_says_of_gpus_is_what_the_driver_says(
    node: Node, make_app: Callable[..., TunedeckApp]
) -> None:
    gpus = [GPU.format(n=n, busy=3 if n == 5 else 97, reasons=HEAT if n == 2 else 1) for n in range(16)]
    gpus[0] += f"0 process {node.worker} {20 * GIB}\n0 process {node.child} {10 * GIB}\n0 process 1 {GIB}\n"
    gpus[1] += f"1 process {node.child} {7 * GIB}\n"
    gpus[3] = "3 error 15\n"
    gpus[4] = "4 name NVIDIA GeForce GT 710\n4 untold 1\n"
    gpus[7] += f"7 mig 1\n7 slices 7\n800 uuid MIG-a\n800 memory {40 * GIB} {GIB}\n801 uuid MIG-b\n"
    gpus[7] += f"800 process {node.child} {GIB // 2}\n"
    devices = {device.label: device for device in node.say("driver gpus 16\n" + "".join(gpus))}
    assert list(devices) == [*(f"GPU {n}" for n in range(7)), "MIG 7:0", *(f"GPU {n}" for n in range(8, 16))]
    # The sum over the run's processes, children too, on each GPU: no more, no less.
    run = {label: device.memory_run for label, device in devices.items()}
    assert (run["GPU 0"], run["GPU 1"], run["MIG 7:0"]) == (30 * GIB, 7 * GIB, GIB // 2)
    assert devices["GPU 0"].memory_others == devices["GPU 0"].memory_used - 30 * GIB  # type: ignore[operator]
    assert run["GPU 4"] is None
    assert devices["GPU 2"].warnings == ("heat",)
    assert "fallen off the bus" in devices["GPU 3"].problem
    assert (devices["GPU 5"].utilization, devices["GPU 6"].utilization) == (3, 97)

    for size in ((80, 24), (160, 45)):
        async with make_app("train", run=node.folder.path).run_test(size=size) as pilot:
            screen = await read(pilot)
            gauges = screen.query_one("#panel" if size[0] > 100 else "#lines", Gauges)
            text = "\n".join(text_of(gauges))
            if size[0] > 100:
                assert all(f"{label} " in text for label in devices)
                assert "run 30.0" in text
            assert "GPU 3 has fallen off the bus" in text
            assert "throttled: heat (GPU 2)" in text
            assert "GPU 5" in text
