"""What the user has set once and for all, in `settings.toml` of the settings folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.clean import clean_line
from core.paths import config_dir

FILE = "settings.toml"


_THEME = "theme"
"""The file with the name of the theme that was chosen last; `settings.toml` is the user's own and is never written."""


@dataclass(frozen=True, slots=True)
class UserSettings:
    """The user's settings; every one may be missing.

    Attributes:
        price_per_hour: what an hour of the machine costs, or None.
        price_per_million_tokens: what a million tokens that are trained on cost, each epoch counted, or None.
        currency: what the prices are in, such as `EUR`.
        fault: a sentence on what is wrong with the file, or "".
    """

    price_per_hour: float | None = None
    price_per_million_tokens: float | None = None
    currency: str = ""
    fault: str = ""


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
        return f"The theme is not remembered: {path} cannot be written ({error.strerror})."
    return ""


def load_settings(path: Path | None = None) -> UserSettings:
    """The settings; never raises: what is wrong is said in `fault`, and what it concerns has its default.

    Args:
        path: the file; None for the user's own.
    """
    path = path or config_dir() / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return UserSettings()
    except (OSError, ValueError) as error:
        return UserSettings(fault=f"The settings in {path} were left out: {error}")
    import tomllib  # most have no settings, and need not wait for it

    try:
        values = tomllib.loads(text)
    except ValueError as error:
        return UserSettings(fault=f"The settings in {path} were left out: {error}")
    prices: list[float | None] = []
    for name in ("price_per_hour", "price_per_million_tokens"):
        price = values.get(name)
        if price is not None and (isinstance(price, bool) or not isinstance(price, (int, float)) or not price >= 0):
            return UserSettings(fault=f"{path}: {name} must be a number, such as 2.49")
        prices.append(price)
    currency = values.get("currency", "")
    return UserSettings(prices[0], prices[1], clean_line(currency, 8) if isinstance(currency, str) else "")
