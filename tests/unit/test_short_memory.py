"""Memory that is short says so in many words; a comparison that finds too little of it is no failed training."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from core.engine.short_memory import GPU, RAM, short_of
from core.engine.work import run
from core.engine.worker import Worker
from core.errors import TunedeckError
from core.evaluation.run import smaller, within_memory
from core.jobs.ending import Exit, judge
from core.jobs.folder import JobFolder
from core.jobs.titles import COMPARING, TRAINING
from core.recipe.recipe import Recipe, put, to_json


@pytest.mark.parametrize(
    "words",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
        "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
        "MPS backend out of memory (MPS allocated: 17.71 GB, other allocations: 1.20 GB)",
        "NCCL error in: ncclUnhandledCudaError: Call to CUDA function failed.\nLast error:\nCuda failure 2 'no memory'",
        "ncclUnhandledCudaError: Call to CUDA function failed.\nLast error:\nFailed to CUDA calloc 6291456 bytes",
        "Triton Error [CUDA]: out of memory",
        "HIP out of memory. Tried to allocate 20.00 MiB",
    ],
)
def test_every_library_has_its_own_words_for_it(words: str) -> None:
    assert short_of(RuntimeError(words)) == GPU
    wrapped = ValueError("the layer failed")
    wrapped.__cause__ = RuntimeError(words)
    assert short_of(wrapped) == GPU


def test_ram_is_told_apart_and_nothing_else_is_memory() -> None:
    cpu = (
        "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
    )
    assert short_of(RuntimeError(cpu)) == short_of(MemoryError()) == RAM
    for other in (
        "CUDA error: device-side assert triggered",
        "CUDNN_STATUS_NOT_SUPPORTED",
        "CUDA error: an illegal memory access was encountered",
        "NCCL error: unhandled system error",
        "No space left on device",
    ):
        assert short_of(RuntimeError(other)) == ""
    said = TunedeckError("The GPU ran out of memory")
    said.__cause__ = RuntimeError("CUDA out of memory")
    assert short_of(said) == "", "that is the sentence already"


def _comparison(folder: JobFolder, fits: int, loads: bool = True) -> tuple[int, list[Recipe]]:
    """The exit code of a worker whose comparison needs batches of at most so many, and what it tried."""
    tried: list[Recipe] = []

    def compare(recipe: Recipe, measuring: Callable[[], None]) -> str:
        tried.append(recipe)
        if loads:
            measuring()
        if max(recipe.training.eval_batch_size, recipe.evaluation.batch_size) > fits:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
        return "found"

    def body(worker: Worker, recipe: Recipe) -> None:
        assert within_memory(worker, recipe, compare) == ("found" if fits else None)

    return run([str(folder.path)], body), tried


def test_a_comparison_tries_smaller_batches_and_never_fails_the_training(tmp_path: Path) -> None:
    recipe = put(put(Recipe(), "training.eval_batch_size", 4), "evaluation.batch_size", 2)
    folder = JobFolder.create(tmp_path, "x", "training", payload={"recipe": to_json(recipe)})
    code, tried = _comparison(folder, fits=1)
    assert (code, folder.read_status().message) == (0, "")
    assert [(one.training.eval_batch_size, one.evaluation.batch_size) for one in tried] == [(4, 2), (2, 1), (1, 1)]
    assert smaller(tried[-1]) is None
    code, tried = _comparison(folder, fits=0)
    status = folder.read_status()
    assert (code, len(tried), status.phase) == (0, 3, "done")
    state, said = judge(Exit(0, None), stage=COMPARING, status=status, log="", asked=False, oom_kills=0)
    assert state == "finished"
    assert "not compared" in said
    assert "GPU ran out of memory" in said
    events = [json.loads(line) for line in folder.events.read_text().splitlines()]
    assert [event["eval_batch_size"] for event in events if event["kind"] == "oom" and "batch_size" in event] == [
        2,
        1,
    ] * 2
    code, tried = _comparison(folder, fits=0, loads=False)
    assert (code, len(tried)) == (0, 1), "smaller batches make no model smaller"


def test_a_comparison_that_the_kernel_kills_for_memory_leaves_the_training_finished(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path, "x", "training")

    def ends(stage: int, title: str, kills: int) -> tuple[str, str]:
        folder.write_status(stage=stage)
        status, end = folder.read_status(), Exit(None, signal.SIGKILL)
        return judge(end, stage=title, status=status, log="", asked=False, oom_kills=kills)

    state, said = ends(1, COMPARING, 1)
    assert state == "finished"
    assert "RAM" in said
    assert ends(1, COMPARING, 0)[0] == ends(0, TRAINING, 1)[0] == "failed"
