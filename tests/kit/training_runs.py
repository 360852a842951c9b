"""Run folders for tests of the workers, and how to run the workers in them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.jobs.folder import JobFolder
from core.jobs.trust import workspace_ask
from core.paths import SAMPLE_DATA
from core.recipe.recipe import Recipe, put, to_json
from tests.kit.warm.process import WarmPython

BASE = SAMPLE_DATA / "tiny_base"

SMALL: Mapping[str, Any] = {
    "name": "test",
    "model.path": str(BASE),
    "data.max_length": 128,
    "lora.rank": 8,
    "training.learning_rate": 1e-2,
    "training.max_steps": 20,
    "training.gradient_accumulation": 1,
    "training.activation_checkpointing": False,
    "training.cpu_threads": 1,
    "samples.every": 0.0,
    "evaluation.prompts": 4,
    "evaluation.max_new_tokens": 60,
}
"""A run of a few seconds on one core."""


def recipe(**changes: Any) -> Recipe:
    """The small recipe with changes; `__` stands for the dot."""
    found = Recipe()
    for path, value in {**SMALL, **{name.replace("__", "."): value for name, value in changes.items()}}.items():
        found = put(found, path, value)
    return found


def talk(number: int, answer: str | None = None) -> dict[str, Any]:
    """A sample in the normal form, as JSON; each number another one."""
    things = ("password", "invoice", "export", "team", "ticket", "refund", "login")
    thing, other = things[number % 7], things[(number // 7 + 1) % 7]
    reply = f"Hello! Open the {thing} page and choose {other}. Kind regards, your desk."
    return {
        "kind": "messages",
        "messages": [
            {"role": "user", "content": f"Where do I find the {thing} of my {other}, please?"},
            {"role": "assistant", "content": reply if answer is None else answer},
        ],
    }


def pair(number: int) -> dict[str, Any]:
    """A preference pair in the normal form, as JSON; each number another one, answers of unlike lengths."""
    sample = talk(number)
    question, good = sample["messages"]
    bad = {"role": "assistant", "content": f"No idea. Look it up. {number} " + "Bye. " * (number % 3)}
    return {"kind": "preference", "messages": [question], "chosen": [good], "rejected": [bad]}


def make_run(
    parent: Path,
    train: Sequence[dict[str, Any]] | None = None,
    held_out: Sequence[dict[str, Any]] | None = None,
    **changes: Any,
) -> JobFolder:
    """A run's folder with its view, ready for `python -m core.training`; its workspace is known, as after a start."""
    folder = JobFolder.create(parent, "test", "training", payload={"recipe": to_json(recipe(**changes))})
    folder.data.mkdir()
    for name, samples in (("train", train), ("eval", held_out)):
        if samples is None:
            samples = [talk(number) for number in (range(48) if name == "train" else range(48, 54))]
        lines = [
            json.dumps({"key": f"{name}{row}:0", "row": row, "source": 0, "sample": sample})
            for row, sample in enumerate(samples)
        ]
        (folder.data / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines))
    workspace_ask(folder.path.parents[1]).agree()
    return folder


def lines(file: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file; none where there is no file."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def events(folder: JobFolder, kind: str) -> list[dict[str, Any]]:
    """The events of one kind."""
    return [event for event in lines(folder.events) if event["kind"] == kind]


def work(warm: WarmPython, module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a worker to its end, forked from the warm process."""
    return subprocess.run(
        [warm.path, "-m", module, *map(str, arguments)],
        env={**os.environ, **warm.environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def start(warm: WarmPython, module: str, folder: JobFolder) -> subprocess.Popen[bytes]:
    """Starts a worker and lets it run; its output goes where a keeper would put it."""
    with folder.log.open("ab") as log:
        return subprocess.Popen(
            [warm.path, "-m", module, str(folder.path)],
            env={**os.environ, **warm.environment},
            stdout=log,
            stderr=log,
        )
