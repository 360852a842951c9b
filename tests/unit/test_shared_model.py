"""Two real ranks that share a model out: only one loads it, and both write it again where a disk was full."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from tests.kit.training_runs import events, make_run
from tests.kit.warm.process import WarmPython


@pytest.fixture(scope="module")
def ended(warm_python: WarmPython, tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """The folder of both ranks, after they are done."""
    folder = make_run(tmp_path_factory.mktemp("shared"), [], [])
    both = [
        subprocess.Popen(
            [warm_python.path, "-m", "tests.kit.shared_model", str(folder.path)],
            env={**os.environ, **warm_python.environment, "RANK": number, "LOCAL_RANK": number},
            stderr=subprocess.PIPE,
        )
        for number in ("0", "1")
    ]
    reported = [process.communicate(timeout=60)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], reported
    return folder


def _found(folder: JobFolder) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder.path / "found.json").read_text())
    return found


def test_one_rank_of_a_machine_loads_the_model_and_the_others_wait_for_their_part(ended: JobFolder) -> None:
    """Eight copies of a large model are more than the RAM of any machine."""
    assert _found(ended)["loaded"] == [True, False]


def test_ranks_that_share_a_model_write_it_again_when_there_is_room(ended: JobFolder) -> None:
    assert [event["message"].partition(":")[0] for event in events(ended, "alert")] == [
        "The disk is full",
        "The problem is gone",
    ]
    written = {path.name for path in (ended.path / "checkpoint").iterdir()}
    assert written == {"weights", "pytorch_model_fsdp.bin", "optimizer.bin"}
    shapes = {"weight": [4, 6], "bias": [4]}
    found = _found(ended)
    assert (found["weights"], found["moments"], found["the_same"]) == (shapes, shapes, True)
