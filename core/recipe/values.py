"""Values of recipe fields: from text, JSON or YAML to the field's own type, and back to text."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal, Protocol

from core.clean import clean_line


class Record(Protocol):
    """A small frozen dataclass, one entry of a field of the kind `records`."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Value = str | int | float | bool | tuple[str, ...] | tuple[Record, ...] | Mapping[str, str]
ValueKind = Literal["text", "path", "choice", "whole", "number", "switch", "list", "mapping", "records"]

SWITCH = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def number_text(value: float) -> str:
    """A number as short as it can be written and still be read back exactly: `2e-4`, `0.05`, `16`."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    mantissa, mark, exponent = repr(float(value)).partition("e")
    if not mark and 0 < abs(value) < 1e-2:
        mantissa, mark, exponent = _scientific(value)
    mantissa = mantissa.removesuffix(".0")
    return f"{mantissa}e{int(exponent)}" if mark else mantissa


def _scientific(value: float) -> tuple[str, str, str]:
    digits = next(text for n in range(18) if float(text := f"{value:.{n}e}") == value)
    mantissa, mark, exponent = digits.partition("e")
    return mantissa, mark, exponent


def quoted(raw: object) -> str:
    return f"'{clean_line(raw if isinstance(raw, str) else repr(raw), 60)}'"


def split(text: str, mark: str = ",") -> list[str] | None:
    """Entries of a comma-separated line; an entry with a comma in it is in double quotes."""
    if not text.strip():
        return []
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True, strict=True))
    except csv.Error:
        return None
    return [entry.strip() if entry.strip() else entry for row in rows for entry in row if entry]


def join(entries: Iterable[str], mark: str = ", ") -> str:
    """The line that `split` reads as these entries."""
    special = f'{mark.strip()}"\r\n'
    return mark.join(
        '"' + entry.replace('"', '""') + '"' if any(char in entry for char in special) else entry for entry in entries
    )


def pairs_of(items: list[str]) -> dict[str, str] | str:
    pairs = [item.partition("=") for item in items]
    if all(key.strip() and mark for key, mark, _ in pairs):
        return {key.strip(): value.strip() for key, _, value in pairs}
    return ", ".join(items)


def _text(raw: object) -> str | None:
    """The text; a number that YAML read from unquoted text becomes text again."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return "" if raw is None else None
    return str(raw)


def _whole(raw: object) -> int | None:
    number = _number(raw)
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    return int(number) if number is not None and math.isfinite(number) and number == int(number) else None


def _number(raw: object) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return None
    try:
        return float(raw.replace("_", "").replace(",", "") if isinstance(raw, str) else raw)
    except (ValueError, OverflowError):
        return None


def _switch(raw: object) -> bool | None:
    return raw if isinstance(raw, bool) else None


def _entries(raw: object) -> tuple[str, ...] | None:
    """A list of texts; one text alone is a list of one."""
    if raw is None or raw == "":
        return ()
    items = [raw] if isinstance(raw, str) else raw
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) and item for item in items):
        return None
    return tuple(items)


def _mapping(raw: object) -> dict[str, str] | None:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        return None
    sound = all(isinstance(key, str) and isinstance(value, str) and "=" not in key for key, value in raw.items())
    return dict(raw) if sound else None


COERCERS: dict[ValueKind, Callable[[object], Value | None]] = {
    "text": _text,
    "path": _text,
    "choice": _text,
    "whole": _whole,
    "number": _number,
    "switch": _switch,
    "list": _entries,
    "mapping": _mapping,
}
WANTED: dict[ValueKind, str] = {
    "text": "text",
    "path": "the name of a file or folder",
    "choice": "one of its choices",
    "whole": "a whole number",
    "number": "a number",
    "switch": "yes or no",
    "list": "a list of names",
    "mapping": "a list of field=column pairs",
}
FORMATS: dict[ValueKind, Callable[[Any], str]] = {
    "text": str,
    "path": str,
    "choice": str,
    "whole": str,
    "number": number_text,
    "switch": lambda value: "yes" if value else "no",
    "list": join,
    "mapping": lambda value: join(f"{key}={column}" for key, column in value.items()),
}
