"""The script for a cluster, run by a real shell with stand-ins for Slurm's programs."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from core.jobs.folder import JobFolder
from core.recipe.recipe import Recipe, put
from core.runs.commands import training_command
from core.runs.slurm import NAME, script_of

SRUN = """#!/bin/bash
printf '%s\\n' "again=$TUNEDECK_AGAIN" "nodes=$TUNEDECK_NODES" "meets=$TUNEDECK_RENDEZVOUS" "$4"
"""


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    """A run in a folder whose name shells and Slurm stumble over."""
    found = JobFolder.create(tmp_path / "100% it's a disk", "a run", "training")
    recipe = put(Recipe(), "training.devices", "0,1")
    (found.path / NAME).write_text(script_of(recipe, found, 2, [training_command(recipe, found, 2)]))
    return found


def shown(folder: JobFolder, tmp_path: Path) -> list[str]:
    """What the script has srun do."""
    for name, text in (("srun", SRUN), ("scontrol", "#!/bin/bash\nprintf 'node1\\nnode2\\n'\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_ID": "7"}
    script = os.fspath(folder.path / NAME)
    done = subprocess.run(
        ["bash", script], env={**environment, "SLURM_JOB_NODELIST": "node[1-2]"}, capture_output=True, check=False
    )
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


def test_it_goes_on_from_a_checkpoint_whenever_there_is_one(folder: JobFolder, tmp_path: Path) -> None:
    assert shown(folder, tmp_path)[:3] == ["again=", "nodes=2", "meets=node1:29500"]
    (folder.checkpoints / "checkpoint-40").mkdir(parents=True)
    assert shown(folder, tmp_path)[0] == "again=1"  # a second sbatch must not begin at step 0


def test_a_path_with_spaces_quotes_and_percents_stays_one_word(folder: JobFolder, tmp_path: Path) -> None:
    lines = (folder.path / NAME).read_text().splitlines()
    (output,) = [shlex.split(line)[1] for line in lines if "--output=" in line]
    assert output == f"--output={folder.path}/slurm-%j.out".replace("100%", "100%%")
    inner = shown(folder, tmp_path)[3]
    assert shlex.split(inner).count(f"{folder.path};") + shlex.split(inner).count(str(folder.path)) >= 1
    subprocess.run(["bash", "-n", "-c", inner], check=True)
