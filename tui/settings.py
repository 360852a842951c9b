"""The user's settings: `settings.toml` in the settings folder, and the theme chosen last."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.clean import clean_line
from core.paths import config_dir

FILE = "settings.toml"


_THEME = "theme"
"""The file with the name of the theme that was chosen last; `settings.toml` is the user's own and is never written."""


MOST_REASONS = 9
"""Reasons and labels that digits can name."""

MOST_LETTERS = 40
"""Characters of a reason or a label."""

DROP_REASONS = ("wrong", "cut off", "off topic", "style", "unsafe")
"""Why rows are dropped, unless the user has a list of their own."""


@dataclass(frozen=True, slots=True)
class UserSettings:
    """The user's settings; each has a default.

    Attributes:
        price_per_hour: price of an hour of this machine, or None.
        price_per_million_tokens: price of a million trained tokens, counted in each epoch, or None.
        currency: of the prices, such as `EUR`.
        mouse: whether the terminal reports the mouse to the app.
        fault: a sentence on what is wrong with the file, or "".
        drop_reasons: reasons that a drop offers by number, at most nine; empty for a drop that asks nothing.
        labels: the user's own labels for rows, at most nine.
    """

    price_per_hour: float | None = None
    price_per_million_tokens: float | None = None
    currency: str = ""
    mouse: bool = True
    fault: str = ""
    drop_reasons: tuple[str, ...] = DROP_REASONS
    labels: tuple[str, ...] = ()


def chosen_theme() -> str:
    """The theme that the user has chosen last, or "". Never raises."""
    try:
        return clean_line((config_dir() / _THEME).read_text(encoding="utf-8").strip(), 60)
    except (OSError, ValueError):
        return ""


def keep_theme(name: str) -> str:
    """Remember a theme for the next start; a sentence if that fails, else ""."""
    path = config_dir() / _THEME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n", encoding="utf-8")
    except OSError as error:
        return f"Could not save the theme for next time: cannot write {path} ({error.strerror})."
    return ""


def load_settings(path: Path | None = None) -> UserSettings:
    """Read the settings. Never raises: `fault` says what is wrong, and the defaults are used.

    Args:
        path: the file; None for the user's own.
    """
    path = path or config_dir() / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return UserSettings()
    except (OSError, ValueError) as error:
        return UserSettings(fault=f"Cannot read {path}: {error}. Using the default settings.")
    import tomllib  # most have no settings, and need not wait for it

    try:
        values = tomllib.loads(text)
    except ValueError as error:
        return UserSettings(fault=f"{path} is not valid TOML: {error}. Using the default settings.")
    prices: list[float | None] = []
    for name in ("price_per_hour", "price_per_million_tokens"):
        price = values.get(name)
        if price is not None and (isinstance(price, bool) or not isinstance(price, (int, float)) or not price >= 0):
            return UserSettings(fault=f"{path}: {name} must be a number, such as 2.49. Using the default settings.")
        prices.append(price)
    currency, mouse = values.get("currency", ""), values.get("mouse", True)
    if not isinstance(mouse, bool):
        return UserSettings(fault=f"{path}: mouse must be true or false. Using the default settings.")
    lists: dict[str, tuple[str, ...]] = {"drop_reasons": DROP_REASONS, "labels": ()}
    for name in lists:
        given = values.get(name, list(lists[name]))
        if not isinstance(given, list) or len(given) > MOST_REASONS or not all(_is_word(word) for word in given):
            wanted = f'{name} must be a list of up to {MOST_REASONS} short texts, such as ["wrong", "cut off"]'
            return UserSettings(fault=f"{path}: {wanted}. Using the default settings.")
        lists[name] = tuple(clean_line(word.strip(), MOST_LETTERS) for word in given)
    if not isinstance(values.get("user", ""), str):
        return UserSettings(fault=f'{path}: user must be a text, such as "ada". Using the default settings.')
    return UserSettings(
        prices[0],
        prices[1],
        clean_line(currency, 8) if isinstance(currency, str) else "",
        mouse,
        drop_reasons=lists["drop_reasons"],
        labels=lists["labels"],
    )


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= MOST_LETTERS
