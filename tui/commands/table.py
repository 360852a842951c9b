"""The headless commands: what each does, in which group, with examples. `tui/commands/<name>.py` does it (`_` for `-`).

A module of a command has `add_arguments` and `run`; its docstring is what `--help` says first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tui.commands.environment import FOLDERS, HUB, SCREEN, TRAINING

DATA, TRAIN, RUNS, OTHER = "Data", "Training", "Runs", "This installation"


@dataclass(frozen=True, slots=True)
class CommandInfo:
    """What `--help` says about a command.

    Attributes:
        group: the heading it is listed under.
        summary: one sentence without its full stop.
        examples: command lines, the name `tunedeck` left out.
        reads: areas of `tui.commands.environment.VARIABLES` that matter to it.
    """

    group: str
    summary: str
    examples: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


COMMANDS: Mapping[str, CommandInfo] = {
    "scan": CommandInfo(
        DATA,
        "check a dataset: format, malformed lines, flags, near-duplicates",
        ("scan tickets.jsonl", "scan train.jsonl --eval test.jsonl --near 0.85", "scan org/name:train --json"),
        (HUB, FOLDERS),
    ),
    "overview": CommandInfo(
        DATA,
        "show what would be trained on: split, sources, labels, tokens, cost",
        ("overview tickets.jsonl", "overview --recipe recipe.yaml --json"),
        (HUB, FOLDERS),
    ),
    "export-data": CommandInfo(
        DATA,
        "write the curated dataset as JSONL, Parquet or for a hosted service",
        (
            "export-data tickets.jsonl --out clean.jsonl",
            "export-data --recipe recipe.yaml --to openai --out hosted.jsonl",
        ),
        (HUB, FOLDERS),
    ),
    "decisions": CommandInfo(
        DATA,
        "show, export or import review decisions",
        (
            "decisions tickets.jsonl",
            "decisions tickets.jsonl --export ada.jsonl",
            "decisions tickets.jsonl --import bob.jsonl",
        ),
        (HUB, FOLDERS),
    ),
    "advise": CommandInfo(
        DATA,
        "decide whether to fine-tune at all, from six questions and the dataset",
        (
            "advise tickets.jsonl",
            "advise --questions > answers.yaml",
            "advise tickets.jsonl --answers answers.yaml --json",
        ),
        (HUB, FOLDERS),
    ),
    "init": CommandInfo(
        TRAIN,
        "write a recipe with every common field explained",
        ("init", "init support.yaml tickets.jsonl --model Qwen/Qwen3-0.6B"),
        (HUB,),
    ),
    "train": CommandInfo(
        TRAIN,
        "train a recipe in a detached run and show its progress",
        (
            "train recipe.yaml",
            "train recipe.yaml --dry-run",
            "train recipe.yaml --set training.learning_rate=1e-4 --detach",
            "train recipe.yaml --queue --at 23:30",
        ),
        (HUB, TRAINING, FOLDERS),
    ),
    "rewards": CommandInfo(
        TRAIN,
        "test the rewards of a recipe on ten samples of its dataset",
        ("rewards recipe.yaml", "rewards recipe.yaml --set task=rloo --json"),
        (FOLDERS,),
    ),
    "preflight": CommandInfo(
        TRAIN,
        "check a recipe, its data, model and devices without starting it",
        ("preflight recipe.yaml", "preflight recipe.yaml --set training.devices=1 --json"),
        (HUB, TRAINING, FOLDERS),
    ),
    "script": CommandInfo(
        TRAIN,
        "print a plain TRL script that trains the same way",
        ("script recipe.yaml > train.py", "script recipe.yaml --set method=full --rows rows > train.py"),
        (HUB, TRAINING, FOLDERS),
    ),
    "queue": CommandInfo(
        TRAIN,
        "list the queue; add, move or remove runs; pause or start it",
        ("queue", "queue add recipe.yaml --free-gib 20", "queue move support-tone 1"),
        (HUB, TRAINING, FOLDERS),
    ),
    "demo": CommandInfo(
        TRAIN,
        "try everything on the sample data, in about a minute on two CPU cores",
        ("demo", "demo --headless"),
        (SCREEN,),
    ),
    "runs": CommandInfo(RUNS, "list the runs of this workspace", ("runs", "runs --all", "runs --json")),
    "attach": CommandInfo(
        RUNS, "open the live screen of a run", ("attach", "attach support-tone --low-bandwidth"), (SCREEN,)
    ),
    "tail": CommandInfo(
        RUNS, "print metrics and events of a run as they arrive", ("tail", "tail support-tone --once --json")
    ),
    "stop": CommandInfo(RUNS, "save a run and stop it", ("stop support-tone", "stop support-tone --now")),
    "pause": CommandInfo(RUNS, "pause a run at its next step", ("pause", "pause support-tone --release")),
    "resume": CommandInfo(
        RUNS,
        "resume a paused run, or an ended one from its last checkpoint",
        ("resume", "resume support-tone --dry-run"),
        (HUB, TRAINING),
    ),
    "extend": CommandInfo(
        RUNS,
        "train a finished run for more epochs, as a new run",
        ("extend support-tone --epochs 2", "extend support-tone --fresh", "extend support-tone --dry-run"),
        (HUB, TRAINING),
    ),
    "save": CommandInfo(RUNS, "write a checkpoint of a run now", ("save support-tone",)),
    "delete": CommandInfo(
        RUNS,
        "delete a run that has ended, with its checkpoints and weights",
        ("delete support-tone", "delete support-tone --yes"),
    ),
    "trust": CommandInfo(
        OTHER, "trust a copied workspace, or what a recipe runs", ("trust .", "trust recipe.yaml"), (FOLDERS,)
    ),
    "doctor": CommandInfo(
        OTHER,
        "check this installation, GPUs, Hub login and terminal",
        ("doctor", "doctor --json", "doctor --gpu"),
        (SCREEN, HUB, TRAINING, FOLDERS),
    ),
    "completion": CommandInfo(
        OTHER,
        "print a completion script for bash, zsh or fish",
        ("completion bash", "completion fish > ~/.config/fish/completions/tunedeck.fish"),
    ),
}
"""Every command by its name, in the order of `tunedeck --help`."""
