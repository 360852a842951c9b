"""GPU readings by the real pynvml, on a stand-in for NVIDIA's library (no GPU is needed, and none is claimed)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.gpu import readings
from core.gpu.host import host_pids
from core.gpu.readings import GpuSample, labels
from core.gpu.selection import devices_of_run
from core.jobs import process
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.paths import ROOT
from tests.kit import nvml
from tests.kit.jobs_worker import command
from tests.kit.waiting import until

READ = """
import json
from core.gpu.nvml import GpuReader
reader = GpuReader()
reader.open()
samples = [sample.to_json() for sample in reader.read()]
print(json.dumps({"problem": reader.problem, "samples": samples}))
reader.close()
"""
READ_TWICE = """
import os, sys
from core.gpu.nvml import GpuReader
reader = GpuReader()
reader.open()
print([sample.problem for sample in reader.read()], flush=True)
sys.stdin.readline()
print([sample.problem for sample in reader.read()], flush=True)
"""
A100 = """{n} uuid GPU-{n}f3a
{n} name NVIDIA A100-SXM4-80GB
{n} memory 85899345920 32212254720
{n} utilization 97
{n} temperature 61
{n} power 312500
{n} limit 400000
{n} throttle 1
{n} process 4711 21474836480
{n} process 4712 10737418240
"""

Reader = Callable[[str], tuple[str, list[GpuSample]]]


@pytest.fixture
def variables(nvml_library: Path, tmp_path: Path) -> dict[str, str]:
    return nvml.environment(nvml_library, tmp_path / "readings.txt")


def run(code: str, environment: Mapping[str, str]) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture
def read(variables: dict[str, str]) -> Reader:
    def read(text: str) -> tuple[str, list[GpuSample]]:
        Path(variables["NVML_STANDIN"]).write_text(text)
        found: dict[str, Any] = json.loads(run(READ, variables))
        return found["problem"], [readings.from_json(sample) for sample in found["samples"]]

    return read


def test_every_value_of_two_gpus_comes_through(read: Reader) -> None:
    problem, samples = read("driver gpus 2\n" + A100.format(n=0) + A100.format(n=1))
    assert problem == ""
    assert [sample.index for sample in samples] == [0, 1]
    assert samples[1] == GpuSample(
        index=1,
        uuid="GPU-1f3a",
        name="NVIDIA A100-SXM4-80GB",
        memory_total=80 * 2**30,
        memory_used=30 * 2**30,
        processes=((4711, 20 * 2**30), (4712, 10 * 2**30)),
        utilization=97,
        temperature=61,
        power=312.5,
        power_limit=400.0,
        throttle=(),
    )
    assert samples[0].used_by([4711]) == 20 * 2**30
    assert samples[0].used_by([4711, 4712]) == 30 * 2**30
    assert samples[0].used_by([1]) == 0


def test_what_a_gpu_does_not_support_is_none(read: Reader) -> None:
    problem, (sample,) = read("driver gpus 1\n0 name NVIDIA GeForce GT 710\n0 process 4711\n")
    assert problem == ""
    assert sample == GpuSample(index=0, name="NVIDIA GeForce GT 710", processes=((4711, None),))
    assert sample.used_by([4711]) is None


def test_a_driver_that_tells_no_processes_is_not_taken_to_say_that_there_are_none(read: Reader) -> None:
    _, (reported, unreported) = read("driver gpus 2\n0 memory 1000 400\n1 memory 1000 400\n1 untold 1\n")
    assert (reported.processes, reported.used_by([4711])) == ((), 0)
    assert (unreported.processes, unreported.used_by([4711])) == (None, None)


def test_in_a_container_a_process_that_is_not_found_may_be_there_under_another_number(read: Reader) -> None:
    _, (sample,) = read("driver gpus 1\n" + A100.format(n=0))
    assert sample.used_by([7]) == 0
    assert sample.used_by([7], host_pids=False) is None
    assert sample.used_by([4711], host_pids=False) == 20 * 2**30


def test_older_driver_has_its_older_calls(read: Reader) -> None:
    _, (sample,) = read("driver gpus 1\n0 old_memory 1000 400\n0 old_throttle 64\n")
    assert (sample.memory_total, sample.memory_used) == (1000, 400)
    assert sample.throttle == ("heat, limited by the hardware",)


def test_throttling_is_reported_in_words_and_idle_is_none(read: Reader) -> None:
    _, (sample,) = read(f"driver gpus 1\n0 throttle {0x01 | 0x02 | 0x04 | 0x20}\n")
    assert sample.throttle == ("power limit", "heat")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (9, "driver is not loaded"),
        (18, "updated while it was loaded"),
        (4, "/dev/nvidiactl"),
        (15, "fallen off the bus"),
        (999, "Unknown Error"),
    ],
)
def test_driver_that_does_not_answer_is_a_sentence(read: Reader, code: int, words: str) -> None:
    problem, samples = read(f"driver error {code}\n")
    assert words in problem
    assert problem.endswith(".")
    assert samples == []


def test_driver_without_a_gpu_is_a_sentence(read: Reader) -> None:
    assert "no usable GPU" in read("driver gpus 0\n")[0]


def test_machine_without_a_driver_is_a_sentence_and_loads_no_bindings() -> None:
    code = READ + "import sys; print('pynvml' in sys.modules)"
    found, loaded = run(code, {"LD_LIBRARY_PATH": ""}).splitlines()
    if not json.loads(found)["samples"]:
        assert json.loads(found)["problem"]
        assert ("No NVIDIA driver" in found) == (loaded == "False")


def test_lost_gpu_is_a_problem_of_its_own_only(read: Reader) -> None:
    problem, samples = read("driver gpus 2\n" + A100.format(n=0) + "1 error 15\n")
    assert problem == ""
    assert samples[0].utilization == 97
    assert samples[1] == GpuSample(index=1, problem="GPU 1 has fallen off the bus; restart the machine.")


def test_gpu_that_is_lost_while_it_is_read_is_reported_at_the_next_reading(variables: dict[str, str]) -> None:
    file = Path(variables["NVML_STANDIN"])
    file.write_text("driver gpus 1\n" + A100.format(n=0))
    with subprocess.Popen(
        [sys.executable, "-c", READ_TWICE],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "['']\n"
        file.write_text("driver gpus 1\n0 error 15\n")
        last, _ = reader.communicate("\n")
    assert "fallen off the bus" in last


def test_sixteen_gpus(read: Reader) -> None:
    _, samples = read("driver gpus 16\n" + "".join(A100.format(n=n) for n in range(16)))
    assert [sample.uuid for sample in samples] == [f"GPU-{n}f3a" for n in range(16)]


def test_mig_slices_have_memory_of_their_own_and_the_heat_of_their_gpu(read: Reader) -> None:
    _, samples = read(
        "driver gpus 2\n" + A100.format(n=0) + "0 mig 1\n0 slices 7\n"
        "100 uuid MIG-a\n100 name NVIDIA A100 MIG 3g.40gb\n100 memory 42949672960 1073741824\n100 process 4711 1000\n"
        "101 uuid MIG-b\n" + A100.format(n=1)
    )
    assert [(sample.index, sample.uuid) for sample in samples] == [(0, "MIG-a"), (0, "MIG-b"), (1, "GPU-1f3a")]
    assert samples[0].memory_total == 40 * 2**30
    assert samples[0].processes == ((4711, 1000),)
    assert (samples[0].utilization, samples[0].temperature, samples[0].power) == (None, 61, 312.5)
    assert samples[1].memory_total is None


def test_slices_of_a_gpu_have_names_of_their_own() -> None:
    found = labels([(0, "MIG-a"), (0, "MIG-b"), (1, "GPU-c"), (2, "MIG-d"), (3, None)])
    assert found == ["MIG 0:0", "MIG 0:1", "GPU 1", "MIG 2:0", "GPU 3"]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [0]),
        ("", []),
        ("2,0", [2, 0]),
        ("1,9,2", [1]),
        ("-1", []),
        ("GPU-b", [1]),
        ("1,1", []),
        ("MIG-c", [2]),
        ("NoDevFiles", []),
    ],
)
def test_devices_of_a_run_are_those_that_cuda_would_see(visible: str | None, expected: list[int]) -> None:
    samples = [GpuSample(0, uuid="GPU-aaa"), GpuSample(1, uuid="GPU-bbb"), GpuSample(2, uuid="MIG-ccc")]
    assert [sample.index for sample in devices_of_run(samples, visible)] == expected


def test_samples_survive_their_json_form() -> None:
    sample = GpuSample(3, uuid="GPU-x", processes=((1, None), (2, 5)), power=1.5, throttle=("heat",), problem="p")
    assert readings.from_json(json.loads(json.dumps(sample.to_json()))) == sample


@pytest.mark.parametrize("released", [True, False])
def test_the_ending_says_whether_the_memory_of_the_runs_processes_is_free(
    variables: dict[str, str], tmp_path: Path, released: bool
) -> None:
    folder = JobFolder.create(tmp_path, "a run", "training")
    file = Path(variables["NVML_STANDIN"])

    def write(*processes: tuple[int, int]) -> None:
        reported = "".join(f"{n} process {pid} {size}\n" for n in (0, 1) for pid, size in processes)
        text = f"driver gpus 2\n0 uuid GPU-0\n1 uuid GPU-1\n1 memory 100 30\n{reported}"
        file.with_suffix(".new").write_text(text)
        file.with_suffix(".new").rename(file)

    write()
    keeper = launch(folder, [command("steps", folder)], env={**variables, "CUDA_VISIBLE_DEVICES": "1"})
    worker = until(lambda: folder.read_status().worker, "the worker runs")
    assert worker is not None
    write((worker.pid, 30), (1, 7))
    counted = f"[[{worker.pid},30]"
    until(lambda: folder.gpu.exists() and counted in folder.gpu.read_text().replace(" ", ""), "it is counted")
    if released:
        write((1, 7))
    (folder.path / "enough").touch()
    until(lambda: not process.is_alive(keeper), "the keeper ends")
    found = [json.loads(line) for line in folder.events.read_text().splitlines()]
    (ended,) = [event for event in found if event["kind"] == "ended"]
    held = (0 if host_pids() else None) if released else 30
    assert ended["memory"] == [{"index": 1, "uuid": "GPU-1", "held": held, "used": 30}]
    alerts = [event["message"] for event in found if event["kind"] == "alert"]
    words = "The run's processes are gone, but the driver still reports 30 B on GPU 1 in use by them."
    assert alerts == ([] if released else [words])


def test_keeper_records_the_gpus_and_which_of_them_are_the_runs(variables: dict[str, str], tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path, "a run", "training")
    Path(variables["NVML_STANDIN"]).write_text("driver gpus 2\n" + A100.format(n=0) + A100.format(n=1))
    keeper = launch(folder, [command("steps", folder)], env={**variables, "CUDA_VISIBLE_DEVICES": "1"})
    until(lambda: folder.gpu.exists() and folder.gpu.read_bytes().endswith(b"\n"), "the first sample")
    record = json.loads(folder.gpu.read_bytes().splitlines()[0])
    assert record["problem"] == ""
    assert record["devices"] == [1]
    assert [readings.from_json(gpu).power for gpu in record["gpus"]] == [312.5, 312.5]
    (folder.path / "enough").touch()
    until(lambda: not process.is_alive(keeper), "the keeper ends")
    assert folder.read_status().state == "finished"
