"""`tunedeck doctor --gpu` on a machine without one: the checks that a CPU can show, the others skipped by name."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from core.runs import gpu_check as room
from core.runs.gpu_check import CHECKS, CheckFailed, GpuBench, gpu_check
from tests.kit.warm.process import WarmPython
from tui.cli import main

_HERE = ("pause and release", "resume", "speed")


def test_without_a_gpu_its_lines_are_skipped_and_named(
    warm: WarmPython, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "TMPDIR"):  # which the command sets or reads
        monkeypatch.setenv(name, str(tmp_path))
    assert main(["doctor", "--gpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["gpu"]) == (True, None)
    states = {each["name"]: each["state"] for each in found["checks"]}
    assert states == {check.name: "ok" if check.name in _HERE else "skipped" for check in CHECKS}
    words = {each["name"]: each["words"] for each in found["checks"]}
    assert "needs an NVIDIA GPU" in words["NF4 QLoRA"]
    assert "all 4 losses" in words["resume"]
    assert "equal" in words["speed"], "those of the plain script of the same recipe"
    assert list(tmp_path.glob("tunedeck-gpu-check-*")) == [], "nothing of it stays"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bf16 LoRA", "NF4 QLoRA", "full, float32 masters", "DPO"])
def test_the_recipes_for_a_gpu_train_on_a_cpu_as_well(warm: WarmPython, tmp_path: Path, name: str) -> None:
    (check,) = [check for check in CHECKS if check.name == name]
    words, figures = check.measure(GpuBench(tmp_path, gpu=False))
    assert words.startswith("loss ")
    assert figures["last_loss"] < figures["first_loss"]


def test_a_check_begins_only_where_there_is_time_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LIMIT", 0.0)
    assert {result.words for result in gpu_check(tmp_path, gpu=False)} == {"needs an NVIDIA GPU", "no time left of 0 s"}


def test_the_memory_of_a_pid_is_compared_between_both_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho '4242, 3072'\necho '17, [N/A]'\n")
    smi.chmod(smi.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert room._by_smi() == {4242: 3 * 2**30}
    (check,) = [check for check in CHECKS if check.name == "memory of the pid"]
    bench = GpuBench(tmp_path, gpu=False)
    monkeypatch.setattr(bench, "run", lambda name, **_: None)
    bench._readings["lora"] = ({4242: 3 * 2**30, 5: 1}, room._by_smi())
    words, figures = check.measure(bench)
    assert "pid 4242" in words
    assert figures["nvml_bytes"] == figures["nvidia_smi_bytes"]
    for other, said in (({4242: 2**30}, "differ"), ({5: 1}, "no process is in both")):
        bench._readings["lora"] = (other, room._by_smi())
        with pytest.raises(CheckFailed, match=said):
            check.measure(bench)
