"""Who is notified when a run ends: the recipe's own command or address, and the user's for every run."""

from __future__ import annotations

import tomllib
from typing import Any

from core.paths import config_dir
from core.recipe.recipe import Recipe

SETTING = "at_end"
"""The name in `settings.toml`."""


def at_end_of(recipe: Recipe) -> dict[str, Any]:
    """What the keeper is to do when the job has ended, for the job's payload; empty where there is nothing to do."""
    wanted = [command for command in (recipe.reporting.at_end.strip(), command_of_the_user()) if command]
    if not wanted:
        return {}
    return {
        "targets": list(dict.fromkeys(wanted)),
        "seconds": recipe.reporting.at_end_seconds,
    }


def command_of_the_user() -> str:
    """The user's command for every run; "" where there is none. What is wrong with the file the app says."""
    try:
        values = tomllib.loads((config_dir() / "settings.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    command = values.get(SETTING)
    return command.strip() if isinstance(command, str) else ""
