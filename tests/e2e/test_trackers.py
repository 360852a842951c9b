"""A run that reports to TensorBoard, as TRL does: its event files hold the losses; one that cannot costs no run."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from core.jobs.folder import JobFolder
from tests.kit.training_runs import events, lines, make_run, work
from tests.kit.warm.process import WarmPython

pytest.importorskip("tensorboardX", reason="what writes event files is not installed")

_RUN: dict[str, Any] = {
    "training__max_steps": 4,
    "training__eval_every": 2.0,
    "training__save_every": 0.0,
    "evaluation__after_training": False,
    "reporting__report_to": ("tensorboard",),
}


def _recorded(folder: Path, tag: str) -> list[tuple[int, float]]:
    """Steps and values of a scalar in event files: records of a length, its checksum, the event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for file in folder.glob("events.out.tfevents.*"):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (size,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + size])
            found += [(event.step, value.simple_value) for value in event.summary.value if value.tag == tag]
            at += 16 + size
    return found


def _logged(folder: JobFolder, name: str) -> list[tuple[int, float]]:
    return [(line["step"], line[name]) for line in lines(folder.metrics) if name in line]


def test_tensorboard_gets_what_the_metrics_have(warm: WarmPython, tmp_path: Path) -> None:
    folder = make_run(tmp_path, **_RUN)
    ended = work(warm, "core.training", folder.path)
    assert ended.returncode == 0, ended.stderr
    assert not events(folder, "alert")
    for name, tag in (("loss", "train/loss"), ("grad_norm", "train/grad_norm"), ("eval_loss", "eval/loss")):
        expected = _logged(folder, name)
        assert len(expected) >= 3
        found = _recorded(folder.path / "tensorboard", tag)
        assert [step for step, _ in found] == [step for step, _ in expected]
        assert [value for _, value in found] == pytest.approx([value for _, value in expected], rel=1e-6)


def test_a_tracker_that_fails_is_reported_and_the_run_goes_on(
    warm: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "file" / "logs"))
    folder = make_run(tmp_path / "runs", **_RUN)
    ended = work(warm, "core.training", folder.path)
    assert ended.returncode == 0, ended.stderr
    (reported,) = events(folder, "alert")
    assert reported["message"].startswith("TensorBoard receives no more metrics ")
    assert "Not a directory" in reported["message"]
    assert [step for step, _ in _logged(folder, "loss")] == [1, 2, 3, 4]
