"""Themes from TOML files: the project's own, then the user's. A broken one is left out and named."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from textual.theme import Theme

from core.paths import THEMES, config_dir


def read_theme(path: Path) -> Theme:
    """One theme from its file.

    Raises:
        ValueError: the file is no theme; the text says why.
        OSError: the file cannot be read.
    """
    values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    if "primary" not in values:
        raise ValueError('it has no colour named "primary"')
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
    theme.to_color_system().generate()  # a colour that does not parse raises here, not at the first paint
    return theme


def load_themes() -> tuple[list[Theme], list[str]]:
    """All themes, the user's last, and a sentence for each file that could not be used."""
    themes: dict[str, Theme] = {}
    faults: list[str] = []
    own = sorted(THEMES.glob("*.toml"), key=lambda path: (path.stem != "dark", path.stem))
    likeness: dict[tuple[bool, bool], Theme] = {}
    for path in [*own, *sorted((config_dir() / "themes").glob("*.toml"))]:
        try:
            theme = read_theme(path)
        except Exception as error:  # a user's file may be wrong in any way; the app starts without it
            faults.append(f"The theme {path.name} was left out: {error}")
        else:
            # What a theme does not name, colours of charts mostly, is as in the project's theme of its kind.
            like = likeness.setdefault((theme.dark, theme.ansi), theme)
            theme.variables = {**like.variables, **theme.variables}
            themes[theme.name] = theme
    return list(themes.values()), faults
