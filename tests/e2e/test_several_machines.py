"""The script for Slurm, run with stand-ins for `srun` and `scontrol` that make two machines of this one."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from core.jobs.state import standing
from core.recipe.recipe import put
from core.runs.slurm import NAME, slurm_run
from tests.kit.training_runs import SMALL, events, lines, recipe
from tests.kit.waiting import until
from tests.kit.warm.process import WarmPython

SRUN = """#!/bin/bash
while [ "${1#--}" != "$1" ]; do shift; done
SLURM_NODEID=0 "$@" & SLURM_NODEID=1 "$@" & wait
"""


@pytest.mark.slow
def test_two_machines_train_one_run(warm: WarmPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", "#!/bin/bash\necho localhost\n")):
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    rows = [f'{{"prompt": "question {n}", "response": "answer {n}, of course"}}' for n in range(48)]
    (tmp_path / "data.jsonl").write_text("\n".join(rows) + "\n")
    wanted = recipe(**{name.replace(".", "__"): value for name, value in SMALL.items()}, training__devices="cpu")
    wanted = put(put(wanted, "data.train", (str(tmp_path / "data.jsonl"),)), "training.max_steps", 6)
    wanted = put(put(wanted, "training.batch_size", 2), "evaluation.after_training", False)
    folder = slurm_run(wanted, tmp_path, nodes=2)
    assert "#SBATCH --nodes=2" in (folder.path / NAME).read_text()
    assert standing(folder).state == "queued"
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "node[1-2]",
        "TUNEDECK_PORT": str(port),
    }
    done = subprocess.run(
        ["bash", str(folder.path / NAME)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    until(lambda: standing(folder).over, "the ending is written")
    assert standing(folder).state == "finished", done.stderr[-3000:] + folder.log.read_text()[-3000:]
    (reported,) = events(folder, "ranks")
    assert reported["world_size"] == 2
    assert [line["step"] for line in lines(folder.metrics) if "loss" in line] == [1, 2, 3, 4, 5, 6]
