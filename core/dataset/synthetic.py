"""Which rows are marked as synthetic: made by augmentation, they may be trained on and are never held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

NAME = "synthetic"
"""The check, the column that is looked at unless another is named, and the flag by hand that marks a row."""

_NESTED = ("metadata", "meta")
_TRUE = frozenset(("true", "yes", "1", NAME))


def marker(spec: str) -> Callable[[Mapping[str, Any]], bool]:
    """What tells from a parsed row whether it is marked.

    Args:
        spec: a column, whose value is then true, yes, 1 or `synthetic`; or `column=value`. The same entry within
            `metadata` or `meta` counts, too. "" marks none.
    """
    column, _, wanted = (part.strip() for part in spec.partition("="))
    values = frozenset((wanted.lower(),)) if wanted else _TRUE

    def marked(row: Mapping[str, Any]) -> bool:
        value = row.get(column)
        for name in _NESTED:
            inner = row.get(name)
            if value is None and isinstance(inner, Mapping):
                value = inner.get(column)
        return isinstance(value, (str, bool, int, float)) and _text(value) in values

    return marked if column else lambda row: False


def by_hand(flag: str) -> bool:
    """Whether a flag that the user has typed marks the row: alone, or beside a reason, as in `too short; synthetic`."""
    return any(_marks(part) for part in flag.split(";"))


def toggled(flag: str) -> str:
    """The flag with the mark or, where it is marked, without it; a reason beside it stays."""
    parts = [part.strip() for part in flag.split(";") if part.strip()]
    left = [part for part in parts if not _marks(part)]
    return "; ".join(left if len(left) < len(parts) else [*parts, NAME])


def _marks(part: str) -> bool:
    return part.strip().lower() == NAME


def _text(value: str | bool | int | float) -> str:
    return str(value).strip().lower()
