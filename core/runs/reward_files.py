"""The files that rewards read, kept in the run's folder: `rewards/`, with `files.json` that names their originals.

A run scores with what the user said yes to at its start, whatever becomes of the originals. A copy is run only if this
user has allowed exactly its contents: the folder may be anyone's.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from core.errors import BadInput
from core.jobs import files
from core.recipe.recipe import Recipe, put, why_without_effect

FOLDER, NAMES = "rewards", "files.json"


def keep_reward_files(recipe: Recipe, run: Path) -> None:
    """Copies the files of a recipe's rewards into a run's folder.

    Raises:
        BadInput: one cannot be read.
        OSError: the folder cannot be written.
    """
    if why_without_effect(recipe, "rewards"):
        return
    names: dict[str, str] = {}
    for name in dict.fromkeys(reward.file for reward in recipe.rewards if reward.file):
        try:
            raw = Path(name).read_bytes()
        except OSError as error:
            raise BadInput(f"Cannot read the file of a reward: {error.strerror}", where=name) from error
        names[name] = f"{hashlib.sha256(raw).hexdigest()[:16]}-{Path(name).name}"
        (run / FOLDER).mkdir(exist_ok=True)
        files.replace(os.fspath(run / FOLDER / names[name]), raw, durable=True)
    if names:
        files.replace(os.fspath(run / FOLDER / NAMES), files.encode(names), durable=True)


def kept_files(run: Path) -> Mapping[str, Path]:
    """The original name of each file to its copy in a run's folder; empty where none were kept."""
    try:
        found = json.loads((run / FOLDER / NAMES).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    copies = {str(name): run / FOLDER / Path(str(copy)).name for name, copy in found.items()}
    return {name: copy for name, copy in copies.items() if copy.is_file()}


def with_kept_files(recipe: Recipe, run: Path) -> Recipe:
    """The recipe with the run's own copies of the files of its rewards: what a resumed run scores with."""
    copies = kept_files(run)
    if not copies:
        return recipe
    rewards = tuple(replace(each, file=os.fspath(copies.get(each.file, each.file))) for each in recipe.rewards)
    return put(recipe, "rewards", rewards)
