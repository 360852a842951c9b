"""A run as a batch script for Slurm, on one machine or several: torchrun finds its ranks, the keeper keeps the run.

Not tested on a GPU yet, and on a cluster only as far as a stand-in for `srun` on one machine goes.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from core.errors import BadInput
from core.jobs.children import STAGES, write_stages
from core.jobs.code import code_root
from core.jobs.folder import JobFolder
from core.jobs.launch import enqueue, worker_command
from core.recipe.devices import devices_of
from core.recipe.recipe import Recipe
from core.runs.commands import training_command
from core.runs.start import prepare_run

NAME = "slurm.sh"
"""The script, in the run's folder."""


def slurm_run(recipe: Recipe, workspace: Path, nodes: int = 1) -> JobFolder:
    """Prepares a run and writes the script that starts it; the folder must be visible to all nodes.

    Args:
        recipe: what to train; its devices are those of each machine.
        workspace: where `runs/` lies.
        nodes: how many machines.

    Raises:
        BadInput: as at a start; or the recipe leaves the devices open.
    """
    if nodes < 1:
        raise BadInput("A run needs at least 1 node", where="--nodes")
    if not recipe.training.devices.strip():
        raise BadInput(
            "A Slurm script needs the number of GPUs per node",
            where="training.devices",
            do="Set the field in the recipe or with --set training.devices=0,1,2,3 (or cpu)",
        )
    run = prepare_run(recipe, workspace, elsewhere=True)
    stages = [training_command(run.recipe, run.folder, nodes), *run.stages[1:]]
    enqueue(run.folder, stages, env={})
    script = run.folder.path / NAME
    script.write_text(script_of(run.recipe, run.folder, nodes, stages), encoding="utf-8")
    run.folder.write_status(message=f"Waiting for Slurm. Submit it with: {_sbatch(run.folder)}")
    return run.folder


def script_of(recipe: Recipe, folder: JobFolder, nodes: int, stages: list[list[str]]) -> str:
    """The script's text."""
    devices = devices_of(recipe)
    keeper = shlex.join([*worker_command("core.jobs.keeper", folder), "--foreground"])
    others = shlex.join(training_command(recipe, folder, nodes))
    settings = [f"--job-name={folder.id}", f"--nodes={nodes}", "--ntasks-per-node=1"]
    if not devices.cpu:
        settings.append(f"--gpus-per-node={devices.ranks}")
    settings += ["--signal=TERM@300", "--requeue", f'--output="{_literal(folder.path)}/slurm-%j.out"']
    each = f'if [ "$SLURM_NODEID" = 0 ]; then exec {keeper}; else exec {others}; fi'
    saved = shlex.quote(f"{folder.checkpoints}/checkpoint-*")
    lines = [
        "#!/bin/bash",
        f"# The run {folder.id}. Add your partition, account and time limit, then: {_sbatch(folder)}",
        *(f"#SBATCH {setting}" for setting in settings),
        "# Slurm sends TERM five minutes before the time limit: the run saves and stops, "
        "and resumes when it is requeued.",
        f"export PYTHONPATH={shlex.quote(os.fspath(code_root()))} PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1",
        "export CUDA_DEVICE_ORDER=PCI_BUS_ID",
        "# What the keeper runs, one after the other.",
        f"export {STAGES}={shlex.quote(write_stages(stages))}",
        'export TUNEDECK_NODES="$SLURM_JOB_NUM_NODES"',
        'export TUNEDECK_JOB="tunedeck-$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}"',
        'head="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"',
        'export TUNEDECK_RENDEZVOUS="$head:${TUNEDECK_PORT:-29500}"',
        "# When requeued, or submitted again after the time limit, it resumes from its last checkpoint.",
        f"if compgen -G {saved} > /dev/null; then export TUNEDECK_AGAIN=1; fi",
        "# The first node runs the keeper, which starts its ranks; the other nodes only run ranks.",
        f"srun --kill-on-bad-exit=0 bash -c {shlex.quote(each)}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _sbatch(folder: JobFolder) -> str:
    return shlex.join(["sbatch", os.fspath(folder.path / NAME)])


def _literal(path: Path) -> str:
    """A path in a file name of Slurm's, where `%j` and the like stand for something."""
    return os.fspath(path).replace("%", "%%")
