"""Where things lie: the installed package, its data, the workspace, the user's cache, settings and state."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds `core`, `tui`, `themes` and `sample_data`, installed or checked out."""

SAMPLE_DATA = ROOT / "sample_data"
THEMES = ROOT / "themes"

RECIPE_SUFFIXES = (".yaml", ".yml")
"""What the name of a recipe ends with."""


def cache_dir() -> Path:
    """The user's cache folder of tunedeck (`XDG_CACHE_HOME`, else `~/.cache`)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tunedeck"


def config_dir() -> Path:
    """The user's settings folder of tunedeck (`XDG_CONFIG_HOME`, else `~/.config`)."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "tunedeck"


def state_dir() -> Path:
    """The user's state folder of tunedeck (`XDG_STATE_HOME`, else `~/.local/state`)."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "tunedeck"


def hidden_dir(workspace: Path) -> Path:
    """The folder in a workspace for decisions, views, indexes and caches: `.tunedeck`."""
    return workspace / ".tunedeck"


def runs_dir(workspace: Path) -> Path:
    """The folder in a workspace that holds one folder per run: `runs`."""
    return workspace / "runs"
