"""A full disk under FSDP: the ranks wait for room together, lose nothing, and hear what is asked of them meanwhile."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from core.jobs import process, requests
from core.jobs.folder import JobFolder
from core.jobs.state import standing
from core.runs.checkpoint import last_good
from tests.e2e.test_full_disk import disk, fill
from tests.e2e.test_ranks import ended, losses, ranks
from tests.e2e.test_sharded import SHARDED, begin_sharded
from tests.kit.training_runs import events, make_run
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

__all__ = ["disk"]

pytestmark = pytest.mark.slow

_RUN: dict[str, Any] = {**SHARDED, "training__save_every": 4.0}


def _paused(folder: JobFolder, disk: Path) -> Path:
    """Fills the disk while rank 0 writes the weights of the first checkpoint; the file that fills it."""
    begin_sharded(folder, DISTURB_AT="4", DISTURB_GATE="weights")
    until(lambda: (folder.path / "reached").exists() or standing(folder).over, "it is about to write", 60)
    filler = fill(disk, "filler", 0)
    (folder.path / "open").touch()
    until(lambda: standing(folder).state == "paused" or standing(folder).over, "it pauses", 60)
    assert standing(folder).state == "paused", folder.log.read_text()[-3000:]
    assert "The disk is full: checkpoint-4 could not be written." in folder.read_status().message
    return filler


def test_a_shared_run_waits_for_room_and_goes_on_to_the_same_bits(warm: WarmPython, tmp_path: Path, disk: Path) -> None:
    plain = begin_sharded(make_run(tmp_path / "plain", **_RUN))
    folder = make_run(disk / "runs", **_RUN)
    filler = _paused(folder, disk)
    both = ranks(folder)
    filler.unlink()
    assert ended(folder) == ended(plain) == "finished", folder.log.read_text()[-3000:]
    assert losses(folder) == losses(plain)
    assert len(losses(folder)) == 8
    assert [event["step"] for event in events(folder, "checkpoint")] == [4, 8]
    assert [event["message"].partition(":")[0] for event in events(folder, "alert")] == [
        "The disk is full",
        "The problem is gone",
    ]
    checkpoint, passed = last_good(folder.checkpoints)
    assert checkpoint is not None
    assert (checkpoint.step, passed) == (8, [])
    assert {path.name for path in folder.checkpoints.iterdir()} == {"checkpoint-4", "checkpoint-8"}
    for name in ("adapter_model.safetensors", "pytorch_model_fsdp.bin", "optimizer.bin"):
        sizes = [each.checkpoints.joinpath("checkpoint-4", name).stat().st_size for each in (folder, plain)]
        assert sizes[0] == sizes[1], name
    assert not any(process.is_alive(one) for one in both)


@pytest.mark.parametrize("by", [requests.STOP_NOW, requests.STOP, "SIGTERM"])
def test_a_shared_run_that_waits_for_room_can_be_ended(warm: WarmPython, tmp_path: Path, disk: Path, by: str) -> None:
    folder = make_run(disk / "runs", **_RUN)
    _paused(folder, disk)
    both = ranks(folder)
    if by == "SIGTERM":
        agent = process.from_json(folder.read_status().fields["worker"])
        assert agent is not None
        process.send(agent, signal.SIGTERM)
    else:
        requests.ask(folder, by)
    until(lambda: standing(folder).over, "it ends on the full disk")
    assert standing(folder).state == "stopped", folder.log.read_text()[-3000:]
    assert not any(process.is_alive(one) for one in both)
