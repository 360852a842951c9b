"""Which devices a run uses: one answer for preflight, form, forecast, start, queue, gauges and worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.engine.process import prepare, settings_before_torch
from core.gpu.nvml import DriverVersion
from core.gpu.readings import GpuSample
from core.gpu.selection import visible_gpus
from core.jobs.launch import clean_environment
from core.jobs.queue import QueuedRun
from core.jobs.queue_rules import decide
from core.paths import ROOT, SAMPLE_DATA
from core.recipe.devices import full_names, parse_devices, run_devices
from core.recipe.recipe import Recipe, put
from core.recipe.torch_reach import ReachProbe
from core.recipe.worker_packages import TorchBuild, torch_build
from core.runs.placement import placement_of
from core.runs.preflight import preflight
from tests.kit import nvml
from tests.kit.training_python import python_with_torch
from tui.commands.doctor_gpu import examine_visible

GIB = 2**30
CARDS = [
    GpuSample(n, uuid=f"GPU-{n}{'ab' if n else 'aa'}-1", name="A100", memory_total=80 * GIB, memory_used=n * GIB)
    for n in range(3)
]
SLICED = [
    GpuSample(0, uuid="MIG-aaa", memory_total=20 * GIB, memory_used=0),
    GpuSample(0, uuid="MIG-aab", memory_total=40 * GIB, memory_used=0),
    GpuSample(1, uuid="GPU-1ab-1", memory_total=80 * GIB, memory_used=0),
]


@pytest.mark.parametrize(
    ("visible", "expected", "words"),
    [
        (None, [0, 1, 2], ""),
        ("2,0", [2, 0], ""),
        ("", [], "empty"),
        ("-1", [], "hides all"),
        ("NoDevFiles", [], "hides all"),
        ("1,9,2", [1], "9 is not a GPU"),
        ("9", [], "names no GPU"),
        ("0,-1,1", [0], "-1 is not"),
        (" 1 , 2", [1, 2], ""),
        ("1,", [1], ""),
        ("1x,2", [1, 2], ""),  # CUDA reads numbers by strtoul
        ("1,1", [], "twice"),
        ("GPU-2ab-1,GPU-0", [2, 0], ""),
        ("GPU-2,GPU-2ab", [], "twice"),
        ("GPU-", [], "names no GPU"),
        ("GPU-1,0", [1], "0 is not a GPU"),  # one kind a list
        ("0,GPU-1", [0], "GPU-1 is not a GPU"),
        ("gpu-1", [], "hides all"),
    ],
)
def test_the_variable_is_read_as_cuda_reads_it(visible: str | None, expected: list[int], words: str) -> None:
    found = visible_gpus(CARDS, visible)
    assert [gpu.index for gpu in found.gpus] == expected
    assert words in found.note
    assert bool(words) == bool(found.note)


def test_a_beginning_that_two_uuids_share_names_none() -> None:
    assert visible_gpus(SLICED, "MIG-aa").gpus == ()
    assert [gpu.uuid for gpu in visible_gpus(SLICED, "MIG-aab,MIG-aaa").gpus] == ["MIG-aab", "MIG-aaa"]
    assert [gpu.uuid for gpu in visible_gpus(SLICED, "0").gpus] == ["MIG-aaa"]


@pytest.mark.parametrize(
    ("written", "environment", "visible", "says"),
    [
        ("", None, "0", ""),
        ("", "1", "1", ""),
        ("", "2,1", "2", ""),
        ("", "GPU-1", "1", ""),
        ("", "", "", "hides all"),
        ("", "7", "", "names no GPU"),
        ("2", None, "2", ""),
        ("2", "1", "2", "takes precedence"),
        ("0,1", "1,0", "0,1", ""),
        ("GPU-2", None, "2", ""),
        ("GPU-2,0", None, "2,0", ""),
        ("7", None, "7", "There is no GPU 7; this machine has 0, 1, 2"),
        ("GPU-9", None, "GPU-9", "There is no GPU-9"),
        ("2,GPU-2ab", None, "2,GPU-2ab", "listed twice"),
        ("cpu", "1", "", ""),
    ],
)
def test_a_run_gets_what_the_recipe_names_else_the_first_that_the_environment_shows(
    monkeypatch: pytest.MonkeyPatch, written: str, environment: str | None, visible: str | None, says: str
) -> None:
    if environment is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", environment)
    found = run_devices(put(Recipe(), "training.devices", written), CARDS)
    assert found.visible == visible
    assert says in found.fault + found.note
    assert bool(says) == bool(found.fault + found.note)


def test_another_order_of_cuda_is_overruled_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    assert "FASTEST_FIRST is ignored" in run_devices(Recipe(), CARDS).note
    assert run_devices(Recipe(), CARDS[:1]).note == ""
    assert clean_environment()["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_mig_slices_are_named_by_uuid_and_a_run_has_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    recipe = put(Recipe(), "training.devices", "MIG-aab")
    found = run_devices(recipe, SLICED)
    assert [gpu.uuid for gpu in found.gpus] == ["MIG-aab"]
    assert (found.visible, found.fault) == ("MIG-aab", "")
    assert "one MIG slice" in run_devices(put(recipe, "training.devices", "MIG-aaa,MIG-aab"), SLICED).fault
    assert "ambiguous" in run_devices(put(recipe, "training.devices", "MIG-aa"), SLICED).fault
    whole = run_devices(put(recipe, "training.devices", "0"), SLICED)
    assert whole.visible == "MIG-aaa"
    assert "2 MIG slices" in whole.note
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-aab")
    assert (run_devices(Recipe(), SLICED).visible, run_devices(Recipe(), SLICED).note) == ("MIG-aab", "")
    assert full_names(put(recipe, "training.devices", "GPU-1a"), SLICED) == "GPU-1ab-1"
    assert full_names(put(recipe, "training.devices", "1"), SLICED) == "1"
    assert parse_devices("MIG-GPU-5d3a/1/0").names == ("MIG-GPU-5d3a/1/0",)


def test_the_queue_gives_a_run_only_what_its_own_environment_showed() -> None:
    def entry(name: str, visible: str | None, *devices: str) -> QueuedRun:
        return QueuedRun(name, 0.0, devices, visible=visible)

    waiting = [entry("a", "2"), entry("b", "2,1"), entry("c", None), entry("d", ""), entry("e", None, "GPU-1ab")]
    turns = decide(waiting, {}, CARDS, now=0.0)
    assert [turn.devices for turn in turns] == [("2",), ("1",), ("0",), ("cpu",), None]
    assert "GPU 1 (in use by b)" in turns[4].waits
    slices = [entry("a", None), entry("b", None), entry("c", None, "0")]
    found = [turn.devices for turn in decide(slices, {}, SLICED, now=0.0)]
    assert found == [("1",), ("MIG-aab",), ("MIG-aaa",)]


def test_a_driver_that_is_too_old_and_a_wheel_without_cuda_are_known_without_asking() -> None:
    old, new = DriverVersion("550.54", (12, 4)), DriverVersion("580.1", (13, 0))
    assert "supports only CUDA 12.4" in TorchBuild("2.13.0", "13.0").unable(["GPU 0"], old)
    assert TorchBuild("2.13.0", "13.0").unable(["GPU 0"], new) == ""
    assert TorchBuild("2.13.0", "12.8").unable(["GPU 0"], old) == ""
    assert "without CUDA" in TorchBuild("2.13.0+cpu", "").unable(["GPU 0"], new)


@pytest.fixture
def recipe() -> Recipe:
    made = put(Recipe(), "model.path", str(SAMPLE_DATA / "tiny_base"))
    return put(made, "data.train", (str(SAMPLE_DATA / "support_train.jsonl"),))


def _device(recipe: Recipe, gpus: list[GpuSample], **more: bool) -> list[tuple[str, str]]:
    found = preflight(recipe, Path("/work-of-nobody"), gpus=gpus, **more)
    return [(check.verdict, check.sentence) for check in found if check.name == "device"]


def test_torch_is_asked_for_the_devices_of_the_run_and_a_yes_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    monkeypatch.setenv("TUNEDECK_PYTHON", python_with_torch(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert _device(recipe, CARDS) == [("ok", "Trains on GPU 1 A100.")]
    assert (tmp_path / "asked").read_text() == "1\n"
    build = torch_build()
    assert build is not None
    assert ReachProbe().ask(build, None, "1") == ReachProbe().known(build, None, "1")[1]
    assert (tmp_path / "asked").read_text() == "1\n", "another process reads it from the cache"
    both = placement_of(put(recipe, "training.devices", "1,2"), CARDS)
    assert (both.device, both.free) == ("cuda", 78 * GIB)
    assert (tmp_path / "asked").read_text() == "1\n1,2\n"


@pytest.mark.parametrize("written", ["gpu-1", "cuda:0", "0,0", "CPU", "cpu:0", "-1"])
def test_devices_that_cannot_be_read_are_one_stop_and_nothing_is_said_to_train_elsewhere(
    recipe: Recipe, written: str
) -> None:
    found = preflight(put(recipe, "training.devices", written), Path("/work-of-nobody"), gpus=CARDS)
    assert [check.verdict for check in found if check.name == "device" or check.path == "training.devices"] == ["stop"]


def test_what_torch_says_of_itself_stops_a_run_that_names_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    python = python_with_torch(tmp_path, error="CUDA error: no kernel image is available")
    monkeypatch.setenv("TUNEDECK_PYTHON", python)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    ((level, words),) = _device(put(recipe, "training.devices", "2"), CARDS)
    assert level == "stop"
    assert "GPU 2" in words
    assert "no kernel image" in words
    ((level, words),) = _device(recipe, CARDS)
    assert level == "warn"
    assert "train on the CPU" in words
    assert placement_of(recipe, CARDS).cpu


def test_the_form_does_not_wait_for_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe) -> None:
    monkeypatch.setenv("TUNEDECK_PYTHON", python_with_torch(tmp_path))
    probe = ReachProbe()
    monkeypatch.setattr("core.runs.placement.PROBE", probe)
    ((level, words),) = _device(recipe, CARDS[:1], wait=False)
    assert level == "warn"
    assert "Checking" in words
    build = torch_build()
    assert build is not None
    assert probe.ask(build, None, "0") is not None
    assert _device(recipe, CARDS[:1], wait=False)[0][0] == "ok"


def test_rocm_is_no_stop_and_its_gauges_are_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    monkeypatch.setenv("TUNEDECK_PYTHON", python_with_torch(tmp_path, "2.13.0+rocm7", cuda=None, hip="7.0"))
    ((level, words),) = _device(recipe, [])
    assert level == "ok"
    assert "ROCm" in words
    assert "A real card" in words
    assert _device(put(recipe, "training.devices", "0"), [])[0][0] == "ok"
    assert placement_of(recipe, []).device == "cuda"


def test_a_driver_that_cannot_be_read_is_no_stop_where_torch_reaches_its_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe
) -> None:
    monkeypatch.setenv("TUNEDECK_PYTHON", python_with_torch(tmp_path))
    unread = "No GPU readings: the nvidia-ml-py package is not installed."
    assert placement_of(recipe, [], problem=unread).device == "cuda"
    assert placement_of(recipe, [], problem="No NVIDIA driver.").cpu
    said = preflight(recipe, Path("/work-of-nobody"), gpu_problem=unread)
    assert [check.verdict for check in said if check.name == "device"] == ["ok", "warn"]


@pytest.mark.parametrize(
    ("written", "cuda", "hip", "expected"),
    [
        ("", None, None, ("0", None)),
        ("", "2,1", None, ("2", None)),
        ("", None, "3,1", ("0", "3")),
        ("1", None, "3,2", ("1", "1")),
        ("GPU-1ab-1", "0", None, ("GPU-1ab-1", None)),
    ],
)
def test_a_worker_of_one_process_sees_one_device(
    monkeypatch: pytest.MonkeyPatch, written: str, cuda: str | None, hip: str | None, expected: tuple[str, str | None]
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    for name, value in (("CUDA_VISIBLE_DEVICES", cuda), ("HIP_VISIBLE_DEVICES", hip)):
        monkeypatch.setenv(name, value or "")
        if value is None:
            monkeypatch.delenv(name)
    monkeypatch.setitem(sys.modules, "bitsandbytes", sys.modules.get("bitsandbytes"))
    monkeypatch.setattr("core.engine.process._QUIET", {})
    prepare(put(Recipe(), "training.devices", written))
    assert (os.environ["CUDA_VISIBLE_DEVICES"], os.environ.get("HIP_VISIBLE_DEVICES")) == expected


def test_what_the_allocator_and_cuda_read_once_is_set_before_torch_is_imported() -> None:
    recipe = put(put(Recipe(), "training.expandable_segments", True), "training.deterministic", True)
    assert settings_before_torch(Recipe(), {}) == {}
    found = settings_before_torch(recipe, {"PYTORCH_ALLOC_CONF": "max_split_size_mb:64,expandable_segments:False"})
    assert found["PYTORCH_ALLOC_CONF"] == "max_split_size_mb:64,expandable_segments:True"
    assert found["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_the_doctor_says_what_the_variable_leaves() -> None:
    assert examine_visible(CARDS, None) == []
    assert "GPU 2" in examine_visible(CARDS, "2")[0].message
    assert "CPU" in examine_visible(CARDS, "9")[0].message


def test_preflight_and_worker_take_the_same_gpu_of_a_real_driver(nvml_library: Path, tmp_path: Path) -> None:
    """Preflight looked at GPU 0, and the worker took 1."""
    cards = "".join(f"{n} uuid GPU-{n}\n{n} name A100\n{n} memory 85899345920 0\n{n} capability 8 0\n" for n in (0, 1))
    (tmp_path / "readings.txt").write_text(f"driver gpus 2\ndriver version 580.1\ndriver cuda 13000\n{cards}")
    environment = {
        **os.environ,
        **nvml.environment(nvml_library, tmp_path / "readings.txt"),
        "TUNEDECK_PYTHON": python_with_torch(tmp_path),
        "CUDA_VISIBLE_DEVICES": "1",
        "PYTHONPATH": os.fspath(ROOT),
    }
    code = (
        "import json, os\nfrom core.gpu.nvml import read_gpus\nfrom core.recipe.recipe import Recipe\n"
        "from core.engine.process import prepare\nfrom core.runs.commands import environment_of\n"
        "gpus = read_gpus().gpus\nfound = environment_of(Recipe(), gpus)\nos.environ.update(found)\nprepare(Recipe())\n"
        "print(json.dumps([found, os.environ['CUDA_VISIBLE_DEVICES'], gpus[1].capability]))"
    )
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == [{"CUDA_VISIBLE_DEVICES": "1"}, "1", [8, 0]]
    command = [sys.executable, "-m", "tui.cli", "preflight", str(SAMPLE_DATA / "recipe.yaml"), "--json"]
    done = subprocess.run([*command, "--set", "training.devices="], env=environment, capture_output=True, text=True)
    (device,) = [line for line in json.loads(done.stdout)["lines"] if line["topic"] == "device"]
    assert (device["level"], device["sentence"]) == ("ok", "Trains on GPU 1 A100.")
