"""Checkpoints that hold weights only: the best is kept and saved, and a stopped run says that it cannot be resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import BadInput
from core.jobs.launch import launch, worker_command
from core.runs.resume import plan_resume
from tests.kit.parity.case import SHORT, all_cases
from tests.kit.parity.run import Sides
from tests.kit.training_runs import events
from tests.kit.warm.process import WarmPython


@pytest.mark.slow
def test_a_stopped_run_with_weights_alone_is_not_resumed_and_says_so(warm: WarmPython, tmp_path: Path) -> None:
    changes = {"training__save_only_model": True, "training__keep_best": True, "training__save_every": 2.0}
    sides = Sides(all_cases()["sft"], tmp_path, SHORT, warm, **changes)
    environment = {"DISTURB_AT": "3", "DISTURB_BY": "stop"}
    launch(sides.folder, [worker_command("tests.kit.disturbed_training", sides.folder)], env=environment)
    sides.ended("stopped")
    saved = events(sides.folder, "checkpoint")
    assert [each["step"] for each in saved] == [2, 3]
    assert "weights only" in saved[-1]["message"]
    assert not list(sides.folder.checkpoints.glob("*/optimizer.pt"))
    assert (sides.folder.adapter / "adapter_model.safetensors").exists()
    with pytest.raises(BadInput, match="save_only_model") as refused:
        plan_resume(sides.folder)
    assert "from the beginning" in refused.value.do
