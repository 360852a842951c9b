"""How many tokens a second an earlier run of this workspace has trained, with the same model and method."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median
from typing import Any

from core.jobs import files
from core.jobs.tail import objects, parser
from core.paths import runs_dir
from core.recipe.adapters import adapter_of
from core.recipe.recipe import Recipe

_TAIL = 2**16
_LOOKED_AT = 20
"""Runs that are looked at, the newest first."""


def pace_of(recipe: Recipe, workspace: Path) -> float | None:
    """Tokens a second, as the newest such run has logged them; None where there is none.

    Args:
        recipe: with absolute paths.
        workspace: the folder that holds `runs/`.
    """
    for path in sorted(runs_dir(workspace).glob("*/metrics.jsonl"), reverse=True)[:_LOOKED_AT]:
        payload = (files.read_json(os.fspath(path.parent / "job.json")) or {}).get("payload")
        if isinstance(payload, dict) and _same(recipe, payload.get("recipe")):
            logged = [line["tokens_per_second"] for line in _last(path) if _is_number(line.get("tokens_per_second"))]
            if logged:
                return float(median(logged))
    return None


def _same(recipe: Recipe, other: Any) -> bool:
    """Whether another recipe, as JSON, trains the same weights with the same length and batch."""
    if not isinstance(other, dict):
        return False
    model, data, training = (other.get(section) or {} for section in ("model", "data", "training"))
    return (
        model.get("path") == recipe.model.path
        and model.get("quantization") == recipe.model.quantization
        and other.get("method") == adapter_of(recipe).kind
        and data.get("max_length") == recipe.data.max_length
        and data.get("packing") == recipe.data.packing
        and training.get("batch_size") == recipe.training.batch_size
    )


def _last(path: Path) -> list[dict[str, Any]]:
    """The last lines of a file of JSON lines."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL))
            lines = stream.read().splitlines()
    except OSError:
        return []
    return objects(lines, parser())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
