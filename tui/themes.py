"""Themes from TOML files: the project's own, then the user's. A broken one is skipped and reported."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from textual.theme import Theme

from core.paths import THEMES, config_dir


def read_theme(path: Path) -> Theme:
    """One theme from its file.

    Raises:
        ValueError: the file is not a theme; the text says why.
        OSError: the file cannot be read.
    """
    values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    if "primary" not in values:
        raise ValueError('it has no color named "primary"')
    colors = {name: str(value) for name, value in values.items() if isinstance(value, str)}
    theme = Theme(
        name=str(values.get("name", path.stem)),
        primary=colors["primary"],
        secondary=colors.get("secondary"),
        accent=colors.get("accent"),
        success=colors.get("success"),
        warning=colors.get("warning"),
        error=colors.get("error"),
        foreground=colors.get("foreground"),
        background=colors.get("background"),
        surface=colors.get("surface"),
        panel=colors.get("panel"),
        boost=colors.get("boost"),
        dark=bool(values.get("dark", True)),
        ansi=bool(values.get("ansi", False)),
        variables={str(key): str(value) for key, value in values.get("variables", {}).items()},
    )
    theme.to_color_system().generate()  # a color that does not parse raises here, not at the first paint
    return theme


def load_themes() -> tuple[list[Theme], list[str]]:
    """All themes, the user's last, and a sentence for each file that could not be loaded."""
    themes: dict[str, Theme] = {}
    faults: list[str] = []
    own = sorted(THEMES.glob("*.toml"), key=lambda path: (path.stem != "dark", path.stem))
    likeness: dict[tuple[bool, bool], Theme] = {}
    for path in [*own, *sorted((config_dir() / "themes").glob("*.toml"))]:
        try:
            theme = read_theme(path)
        except Exception as error:  # a user's file may be wrong in any way; the app starts without it
            faults.append(f"Cannot load the theme {path.name}: {error}")
        else:
            # Colors that a theme leaves unset, chart colors mostly, come from the project's theme of its kind.
            like = likeness.setdefault((theme.dark, theme.ansi), theme)
            theme.variables = {**like.variables, **theme.variables}
            themes[theme.name] = theme
    return list(themes.values()), faults
