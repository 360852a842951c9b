"""What the user has set once and for all, in `settings.toml` of the settings folder."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from core.clean import clean_line
from core.paths import config_dir

FILE = "settings.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """The user's settings; every one may be missing.

    Attributes:
        price_per_hour: what an hour of the machine costs, or None.
        currency: what the price is in, such as `EUR`.
        fault: a sentence on what is wrong with the file, or "".
    """

    price_per_hour: float | None = None
    currency: str = ""
    fault: str = ""


def load_settings(path: Path | None = None) -> Settings:
    """The settings; never raises: what is wrong is said in `fault`, and what it concerns has its default.

    Args:
        path: the file; None for the user's own.
    """
    path = path or config_dir() / FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        return Settings(fault=f"The settings in {path} were left out: {error}")
    price = values.get("price_per_hour")
    if price is not None and (isinstance(price, bool) or not isinstance(price, (int, float)) or price < 0):
        return Settings(fault=f"{path}: price_per_hour must be a number, such as 2.49")
    currency = values.get("currency", "")
    return Settings(price, clean_line(str(currency), 8) if isinstance(currency, str) else "")
