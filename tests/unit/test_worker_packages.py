"""What is installed where the training runs is read off its files, and a GPU that its torch cannot use is no GPU."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.recipe.worker_packages import TorchBuild, installed, torch_build
from tests.kit.training_python import python_with_torch


@pytest.mark.parametrize(
    ("version", "cuda", "hip", "gpu"),
    [("2.13.0+cu130", "13.0", None, "13.0"), ("2.13.0+cpu", None, None, ""), ("2.13.0+rocm7", None, "7.0", "7.0")],
)
def test_another_interpreters_torch_says_how_it_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, cuda: str | None, hip: str | None, gpu: str
) -> None:
    monkeypatch.setenv("TUNEDECK_PYTHON", python_with_torch(tmp_path, version, cuda=cuda, hip=hip))
    build = torch_build()
    assert build == TorchBuild(version, gpu, rocm=hip is not None)
    assert installed(["torch", "no_such_package"]) == [True, False]
    words = build.unable(["GPU 0", "GPU 1"])
    if hip:
        assert "ROCm" in words
    elif gpu:
        assert words == ""
    else:
        assert words == "torch 2.13.0+cpu is built without CUDA and cannot use GPU 0, GPU 1"
    assert build.unable([]) == ""


def test_our_own_torch_says_the_same_as_when_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="the train extra is not installed")
    monkeypatch.setenv("TUNEDECK_PYTHON", sys.executable)
    gpu = torch.version.cuda or torch.version.hip or ""
    assert torch_build() == TorchBuild(torch.__version__, gpu, rocm=torch.version.cuda is None and bool(gpu))


def test_an_interpreter_that_is_not_there_is_judged_by_the_run_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEDECK_PYTHON", str(tmp_path / "python"))
    assert torch_build() is None
    assert installed(["torch"]) == [True]
