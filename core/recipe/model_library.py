"""The base models that this machine already has: the Hub cache, folders nearby, models used before, the demo's.

Reads configs and headers of weights, never the weights, and never the network. Other disks can be slow: call it in a
thread. What cannot be read is left out.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.clean import clean_line
from core.errors import BadInput
from core.paths import runs_dir
from core.recipe import model_files
from core.recipe.model_files import DEMO, DEMO_TITLE
from core.recipe.model_shape import ModelShape, read_shape

Origin = Literal["Hub cache", "folder", "used before", "demo"]

_DEPTH = 3
"""Levels below the workspace, and below its parent, that are searched for model folders."""
_FOLDERS, _SECONDS = 4_000, 2.0
"""Folders and time after which the search stops."""
_RUNS = 100
"""Newest runs whose models are offered again."""
_README = 8_192
"""Bytes of a README in which its front matter is."""
_LICENSE = re.compile(r"^(license(?:_name)?):[ \t]*[\"']?([\w.+ -]+?)[\"']?[ \t]*$", re.MULTILINE)
_SKIPPED = frozenset(("runs", "node_modules", "site-packages", "checkpoints", "__pycache__"))


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A base model on this machine.

    Attributes:
        path: what the recipe's `model.path` is set to: a Hub model ID or a folder.
        title: what a list calls it.
        origin: where it was found.
        parameters: how many there are; 0 if unknown.
        context: the longest input in tokens, or 0.
        license: as the model's README names it, or "".
        shape: what the memory forecast needs; None where weights are missing.
        problem: why it cannot be trained as it is, or "".
    """

    path: str
    title: str
    origin: Origin
    parameters: int = 0
    context: int = 0
    license: str = ""
    shape: ModelShape | None = None
    problem: str = ""


def local_models(workspace: Path) -> Iterator[LocalModel]:
    """Every model, each once, as it is found: used before, Hub cache, folders nearby, the demo's.

    Args:
        workspace: where the search for folders starts, and whose runs say what was used before.
    """
    seen: set[str] = set()
    places: tuple[tuple[Origin, Iterable[str]], ...] = (
        ("used before", used_before(workspace)),
        ("Hub cache", hub_models()),
        ("folder", (os.fspath(folder) for folder in folders_nearby(workspace))),
        ("demo", (os.fspath(DEMO),)),
    )
    for origin, paths in places:
        for path in paths:
            key = _key(path)
            if key in seen:
                continue
            seen.add(key)
            model = describe(path, "demo" if key == _key(str(DEMO)) else origin)
            if model is not None:
                yield model


def describe(path: str, origin: Origin) -> LocalModel | None:
    """What is known about a model; None where it is not on this machine or is not a model."""
    try:
        folder = model_files.find(path)
        config = model_files.read_config(folder)
    except (BadInput, OSError):
        return None
    shape, parameters, problem = None, 0, ""
    try:
        shape = read_shape(path)
        parameters, context = shape.parameters, shape.context
    except (BadInput, OSError) as error:
        problem = clean_line(error.what if isinstance(error, BadInput) else str(error.strerror), 200)
        parameters, context = _indexed_parameters(folder), _context(config)
    if origin == "folder" and shape is None and not parameters:
        return None  # an adapter, a tokenizer, a model of another kind
    title = DEMO_TITLE if origin == "demo" else clean_line(path, 200)
    return LocalModel(path, title, origin, parameters, context, license_of(folder), shape, problem)


def hub_models() -> Iterator[str]:
    """The IDs of the models in the Hub cache that have a config, by name."""
    try:
        names = sorted(os.listdir(model_files.hub_cache()))
    except OSError:
        return
    for name in names:
        kind, _, rest = name.partition("--")
        if kind == "models" and rest:
            yield rest.replace("--", "/", 1)


def folders_nearby(workspace: Path) -> Iterator[Path]:
    """Folders with a model's config in the workspace and beside it; bounded in depth, number and time."""
    until, left = time.monotonic() + _SECONDS, _FOLDERS
    cache = os.path.realpath(model_files.hub_cache())
    seen: set[str] = set()
    waiting = [(workspace.absolute(), 0)]
    if workspace.absolute().parent != workspace.absolute():
        waiting.append((workspace.absolute().parent, 0))
    while waiting and left and time.monotonic() < until:
        folder, depth = waiting.pop(0)
        real = os.path.realpath(folder)
        if real in seen or real == cache:
            continue
        seen.add(real)
        left -= 1
        try:
            with os.scandir(folder) as entries:
                inside = sorted(
                    entry.name
                    for entry in entries
                    if entry.name == "config.json" or (entry.is_dir() and not _is_skipped(entry.name))
                )
        except OSError:
            continue
        if "config.json" in inside:
            yield folder
        elif depth < _DEPTH:
            waiting += [(folder / name, depth + 1) for name in inside]


def used_before(workspace: Path) -> Iterator[str]:
    """The models of this workspace's runs, newest first, each once."""
    try:
        names = sorted(os.listdir(runs_dir(workspace)), reverse=True)[:_RUNS]
    except OSError:
        return
    seen: set[str] = set()
    for name in names:
        try:
            job = json.loads((runs_dir(workspace) / name / "job.json").read_text(encoding="utf-8"))
            path = job["payload"]["recipe"]["model"]["path"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(path, str) and path and path not in seen:
            seen.add(path)
            yield path


def license_of(folder: Path) -> str:
    """The license in the front matter of the model's README, or ""."""
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(_README)
    except OSError:
        return ""
    front = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    if front is None:
        return ""
    said: dict[str, str] = dict(_LICENSE.findall(front[1]))
    name = said.get("license", "")
    return clean_line(said.get("license_name", name) if name == "other" else name, 30)


def _key(path: str) -> str:
    return os.path.realpath(path) if os.path.isabs(path) else path


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED


def _indexed_parameters(folder: Path) -> int:
    """Parameters by the index of the weights, for a model whose weights are not all there."""
    try:
        said = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))["metadata"]
        return int(said.get("total_parameters") or said["total_size"] // 2)
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _context(config: Mapping[str, Any]) -> int:
    inner = config.get("text_config")
    found = (inner if isinstance(inner, Mapping) else config).get("max_position_embeddings")
    return found if isinstance(found, int) else 0
