"""The user's own settings: `settings.toml` in the folder of `core.paths.config_dir`. Without the file all are unset."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from typing import Any

from core.errors import BadInput
from core.paths import config_dir

FILE = "settings.toml"


@dataclass(frozen=True, slots=True)
class Prices:
    """What training costs this user.

    Attributes:
        per_million_tokens: of tokens that are trained on, each epoch counted; None where it is not set.
        per_hour: of the machine, or of its GPU; None where it is not set.
        currency: what stands behind an amount.
    """

    per_million_tokens: float | None = None
    per_hour: float | None = None
    currency: str = "EUR"


def read_prices() -> Prices:
    """The table `[prices]`: `per_million_tokens`, `per_hour` and `currency`, each of which may be missing.

    Raises:
        BadInput: the file cannot be read, or an entry is none.
    """
    path = config_dir() / FILE
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Prices()
    except (OSError, ValueError) as fault:
        raise BadInput(f"the settings cannot be read: {fault}", where=str(path)) from fault
    table = whole.get("prices", {})
    if not isinstance(table, dict):
        raise BadInput("prices is a table", where=str(path), do="Write it as [prices]")
    currency = table.get("currency", "EUR")
    if not isinstance(currency, str):
        raise BadInput("the currency is a word, such as EUR", where=str(path))
    return Prices(_price(table, "per_million_tokens", str(path)), _price(table, "per_hour", str(path)), currency[:8])


def _price(table: dict[str, Any], name: str, where: str) -> float | None:
    value = table.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise BadInput(f"{name} is a price, 0 or more", where=where, do=f"Write it as {name} = 1.5")
    return float(value)
