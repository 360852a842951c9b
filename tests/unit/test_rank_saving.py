"""Two real ranks that share a model out, and a device that is full at the first try: both try again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.training_runs import events, make_run
from tests.warm.process import WarmPython


def test_ranks_that_share_a_model_write_it_again_when_there_is_room(warm: WarmPython, tmp_path: Path) -> None:
    folder = make_run(tmp_path, [], [])
    both = [
        subprocess.Popen(
            [warm.path, "-m", "tests.e2e.shared_writing", str(folder.path)],
            env={**os.environ, "RANK": number},
            stderr=subprocess.PIPE,
        )
        for number in ("0", "1")
    ]
    told = [process.communicate(timeout=60)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert [event["message"].partition(":")[0] for event in events(folder, "alert")] == [
        "The disk is full",
        "The reason for the pause has gone",
    ]
    assert {path.name for path in (folder.path / "checkpoint").iterdir()} == {
        "weights",
        "pytorch_model_fsdp.bin",
        "optimizer.bin",
    }
    shapes = {"weight": [4, 6], "bias": [4]}
    found = json.loads((folder.path / "found.json").read_text())
    assert found == {"weights": shapes, "moments": shapes, "the_same": True}
