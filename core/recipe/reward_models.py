"""Which folders hold a model that scores text, read off their configuration. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PARTS = ("adapter", "model")
"""Where a run keeps what it trained."""


def weights_of(name: str) -> Path:
    """The folder of the weights: of a run that of what it saved, else what was named."""
    if Path(name, "job.json").exists():
        return next((Path(name, part) for part in _PARTS if Path(name, part).is_dir()), Path(name))
    return Path(name)


def why_not_scoring(name: str) -> str:
    """Why the model in a folder gives no score, a sentence without a period; "" where it does, or where it is unknown.

    A model that writes text loads as a classifier as well, with a score layer of random numbers.

    Args:
        name: a run's folder, or one with a model or an adapter.
    """
    folder = weights_of(name)
    adapter = _object(folder / "adapter_config.json")
    if adapter:
        scores = adapter.get("task_type") == "SEQ_CLS"
    else:
        classes = _object(folder / "config.json").get("architectures")
        scores = not isinstance(classes, list) or any("ForSequenceClassification" in str(each) for each in classes)
    return "" if scores else "it writes text and has no score layer"


def _object(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
