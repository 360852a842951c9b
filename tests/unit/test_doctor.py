"""What `tunedeck doctor` says of a machine whose GPUs the installed torch cannot use, with the real pynvml."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.paths import ROOT
from tests.kit import nvml
from tests.kit.training_python import python_with_torch


@pytest.mark.parametrize(("cuda", "code"), [(None, 1), ("13.0", 0)])
def test_the_doctor_does_not_promise_gpus_that_torch_cannot_use(
    nvml_library: Path, tmp_path: Path, cuda: str | None, code: int
) -> None:
    (tmp_path / "readings.txt").write_text("driver gpus 2\n0 uuid GPU-0\n0 name A100\n1 uuid GPU-1\n1 name A100\n")
    environment = {
        **os.environ,
        **nvml.environment(nvml_library, tmp_path / "readings.txt"),
        "TUNEDECK_PYTHON": python_with_torch(tmp_path, "2.13.0", cuda=cuda),
        "PYTHONPATH": os.fspath(ROOT),
    }
    said = {}
    for words in ((), ("--json",)):
        done = subprocess.run(
            [sys.executable, "-m", "tui.cli", "doctor", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stderr
        said[words] = done.stdout
    facts = json.loads(said["--json",])
    assert (facts["ok"], facts["can_train_on_gpu"]) == (code == 0, code == 0)
    fault = "torch 2.13.0 is built without CUDA and cannot use GPU 0, GPU 1"
    assert any(fault in problem for problem in facts["problems"]) == (code == 1)
    assert (fault in said[()]) == (code == 1)
    if facts["can_train"]:  # the train extra is installed
        assert said[()].rstrip().endswith("Training can start." if code == 0 else "Training can start on the CPU only.")
