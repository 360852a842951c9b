"""Which dataset was opened last in a workspace: it is the likeliest to be opened again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from core.paths import hidden_dir

_FILE = "opened.json"


def remember(workspace: Path, paths: Sequence[Path]) -> None:
    """Note what is open now; where that cannot be written, nothing is remembered."""
    file = hidden_dir(workspace) / _FILE
    partial = file.with_name(f".{_FILE}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({"paths": [str(path.absolute()) for path in paths]}) + "\n", encoding="utf-8")
        partial.replace(file)
    except (OSError, ValueError):  # a full disk, or a name that is no UTF-8
        return


def last_opened(workspace: Path) -> Path | None:
    """The file or folder that was opened last, if it is still there; None where several were opened together."""
    try:
        paths = json.loads((hidden_dir(workspace) / _FILE).read_text(encoding="utf-8"))["paths"]
        (path,) = map(Path, paths)
        return path if path.exists() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
