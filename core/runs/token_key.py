"""Which cache of token facts belongs to a dataset and a recipe: `.tunedeck/tokens/DATA-RECIPE`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.errors import BadInput
from core.jobs.derived import digest
from core.jobs.stamps import stamp
from core.paths import hidden_dir
from core.recipe import model_files, templates
from core.recipe.paths import absolute
from core.recipe.recipe import Recipe, to_json
from core.runs.token_facts import ABOUT, TokenFacts

_VERSION = 2
"""Of what the numbers rest on: a program that counts otherwise counts again."""

_TOKENIZER = ("tokenizer", "special_tokens", "added_tokens", "chat_template", "vocab", "merges", "config.json")
"""How the names of files begin that decide a model's tokens."""

TokenState = Literal["known", "stale", "none"]


@dataclass(frozen=True, slots=True)
class TokenLookup:
    """What is known of the tokens of a dataset under a recipe.

    Attributes:
        standing: `known`: measured, or being measured, with just this recipe; `stale`: only with another one;
            `none`: never.
        facts: the cache of this recipe; where it is not `known`, one that has no rows.
    """

    standing: TokenState
    facts: TokenFacts


def data_key(paths: Iterable[Path], format: str, columns: Mapping[str, str]) -> str:
    """Twelve characters that change with size or time of any file, and with how its rows are read.

    Args:
        paths: every file of the dataset, in its order (`Dataset.reader.files`).
        format: what the rows are read as (`Recognition.name`).
        columns: with which columns (`Recognition.columns`).
    """
    return digest([_VERSION, [stamp(path) for path in paths], format, dict(columns)])


def recipe_key(recipe: Recipe, base: Path) -> str:
    """Twelve characters that change with tokenizer, chat template, task, loss, packing, chunks and max length.

    Args:
        recipe: whose tokens are counted.
        base: the folder that its relative paths are taken from.
    """
    whole = to_json(absolute(recipe, base))
    model, data = whole["model"], whole["data"]
    chosen = model["chat_template"]
    template = chosen if chosen in ("", templates.NO_TEMPLATE, *templates.names()) else stamp(chosen)
    parts = [
        *(_VERSION, whole["task"], model["path"], model["revision"], _tokenizer(model["path"], model["revision"])),
        *(template, data["max_length"], data["loss_on"], data["packing"]),
        *(["chunk_text"] if data["chunk_text"] else []),
        *(["keep_end"] if data["truncation"] == "keep_end" else []),
        *([repr(tasks.to_json())] if (tasks := recipe.data.row_tasks) is not None else []),
        *(["without", *sorted(data["train_without"])] if data["train_without"] else []),
    ]
    return digest(parts)


def find_facts(workspace: Path, data: str, recipe: str) -> TokenLookup:
    """The cache of a dataset under a recipe.

    Args:
        workspace: the folder that holds `.tunedeck`.
        data: `data_key`.
        recipe: `recipe_key`.
    """
    folder = facts_folder(workspace, data, recipe)
    if (folder / ABOUT).exists():
        return TokenLookup("known", TokenFacts(folder))
    return TokenLookup("stale" if _folders(workspace, data) else "none", TokenFacts(folder))


def latest_facts(workspace: Path, data: str) -> TokenFacts | None:
    """The complete cache of a dataset that was written last, whatever its recipe; None where there is none."""
    found = [facts for facts in map(TokenFacts, _folders(workspace, data)) if facts.complete]
    return found[0] if found else None


def facts_folder(workspace: Path, data: str, recipe: str) -> Path:
    """Where the cache of a dataset under a recipe is."""
    return _parent(workspace) / f"{data}-{recipe}"


def about(recipe: Recipe, base: Path, paths: Iterable[Path]) -> dict[str, Any]:
    """What the numbers rest on, for people and reports: `about.json` but for `complete` and `created`."""
    whole = to_json(absolute(recipe, base))
    model, data = whole["model"], whole["data"]
    return {
        "version": _VERSION,
        "task": whole["task"],
        "paths": [str(Path(path).absolute()) for path in paths],
        "model": model["path"],
        "chat_template": model["chat_template"],
        **{name: data[name] for name in _ABOUT},
    }


_ABOUT = ("max_length", "loss_on", "packing", "chunk_text", "truncation", "train_without")


def _parent(workspace: Path) -> Path:
    return hidden_dir(workspace) / "tokens"


def _folders(workspace: Path, data: str) -> list[Path]:
    """The caches of a dataset, the last one first."""
    found = []
    for about_file in _parent(workspace).glob(f"{data}-*/{ABOUT}"):
        try:
            found.append((about_file.stat().st_mtime, about_file.parent))
        except OSError:
            continue
    return [folder for _, folder in sorted(found, reverse=True)]


def _tokenizer(path: str, revision: str) -> list[tuple[str, int, int]]:
    """Name, size and time of the files that make a local model's tokens; none for a model that is not here."""
    try:
        folder = model_files.find(path, revision)
        names = sorted(entry.name for entry in os.scandir(folder))
    except (BadInput, OSError):
        return []
    return [stamp(folder / name) for name in names if name.startswith(_TOKENIZER)]
