"""How a field of the recipe is declared, once; form, YAML, command line, validation and documentation read it here."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, get_type_hints

from core.clean import clean_line

Value = str | int | float | bool | tuple[str, ...] | Mapping[str, str]
Kind = Literal["text", "path", "choice", "whole", "number", "switch", "list", "mapping"]
Severity = Literal["error", "warn", "note"]

_SWITCH = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field, as a sentence for the person at the keyboard.

    Attributes:
        path: the field, dotted (`lora.rank`), or a section, or "".
        sentence: a full sentence, safe to draw.
        severity: `error` stops a start, `warn` is likely a mistake, `note` is worth knowing.
    """

    path: str
    sentence: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Knob:
    """One field of the recipe, with everything that is said about it anywhere.

    Attributes:
        path: dotted path in the recipe, `lora.rank`; a field of the recipe itself has no dot.
        kind: what values it takes; `path` is text that names a file or folder, `choice` is text out of `choices`.
        default: its value in a fresh recipe.
        title: what a form calls it.
        help: what it is, one to three sentences.
        consequence: what changes when it changes, one short sentence.
        ge, gt, le, lt: the range of a number, None where open.
        choices: each value that is allowed, with what it means; empty where any is.
        unit: what a number counts (`tokens`, `steps`), or "".
        source: where the default or the advice comes from, or "".
        advanced: whether a form hides it at first.
        paths: whether the entries of a list name files or folders.
    """

    path: str
    kind: Kind
    default: Value
    title: str
    help: str
    consequence: str = ""
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    source: str = ""
    advanced: bool = False
    paths: bool = False

    @property
    def section(self) -> str:
        """The section it belongs to, `lora`; "" for a field of the recipe itself."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Its name within the section, `rank`."""
        return self.path.rpartition(".")[2]

    @property
    def range(self) -> str:
        """The range in words, `more than 0, at most 1`, or "" where there is none."""
        words = (
            ("at least", self.ge),
            ("more than", self.gt),
            ("at most", self.le),
            ("less than", self.lt),
        )
        return ", ".join(f"{word} {number_text(bound)}" for word, bound in words if bound is not None)

    def parse(self, text: str) -> Value | Problem:
        """The value that a person typed into a form or on a command line, or what is wrong with it."""
        if self.kind in ("list", "mapping"):
            items = _split(text)
            if items is None:
                return self._problem("has a quotation mark that is not closed")
            return self.coerce(items if self.kind == "list" else _pairs(items))
        typed = text.strip()
        if self.kind == "switch":
            if typed.lower() not in _SWITCH:
                return self._problem(f"is yes or no, not {_quoted(typed)}")
            return _SWITCH[typed.lower()]
        return self.coerce(typed)

    def format(self, value: Value) -> str:
        """The value as a person types it; `parse(format(value)) == value`."""
        return _FORMATS[self.kind](value)

    def coerce(self, raw: object) -> Value | Problem:
        """A value from JSON, YAML or a form as the field's own type and within its range, or what is wrong."""
        value = _COERCERS[self.kind](raw)
        if value is None:
            return self._problem(f"{_WANTED[self.kind]}, not {_quoted(raw)}")
        if self.kind == "choice" and value not in self.choices:
            return self._problem(f"is one of {', '.join(self.choices)}, not {_quoted(raw)}")
        if isinstance(value, float) and not math.isfinite(value):
            return self._problem(f"is a finite number, not {_quoted(raw)}")
        if isinstance(value, int | float) and not self._in_range(value):
            return self._problem(f"is {self.range}, not {number_text(value)}")
        if self.choices and isinstance(value, tuple):
            unknown = next((item for item in value if item not in self.choices), None)
            if unknown is not None:
                return self._problem(f"takes {', '.join(self.choices)}, not {_quoted(unknown)}")
        return value

    def _in_range(self, value: float) -> bool:
        return (
            (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )

    def _problem(self, rest: str) -> Problem:
        return Problem(self.path, f"{self.title} {rest}.")


def knob(
    default: Value,
    *,
    title: str,
    help: str,
    consequence: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: Mapping[str, str] | None = None,
    unit: str = "",
    source: str = "",
    advanced: bool = False,
    path: bool = False,
) -> Any:
    """A dataclass field with all that is said about it; the arguments are the attributes of `Knob`.

    `path` says that the text, or each entry of the list, names a file or folder.
    """
    said = {
        "title": title,
        "help": help,
        "consequence": consequence,
        "ge": ge,
        "gt": gt,
        "le": le,
        "lt": lt,
        "choices": choices or {},
        "unit": unit,
        "source": source,
        "advanced": advanced,
        "paths": path,
    }
    if isinstance(default, Mapping):
        entries = dict(default)
        return field(default_factory=lambda: dict(entries), metadata=said)
    return field(default=default, metadata=said)


@cache
def fields_of(recipe_class: type, prefix: str = "") -> tuple[Knob, ...]:
    """Every field of a recipe class, sections included, in the order of their declaration."""
    hints = get_type_hints(recipe_class)
    found: list[Knob] = []
    for declared in fields(recipe_class):
        hint = hints[declared.name]
        path = prefix + declared.name
        if isinstance(hint, type) and is_dataclass(hint):
            found.extend(fields_of(hint, f"{path}."))
            continue
        said = dict(declared.metadata)
        make = declared.default_factory
        default: Any = declared.default if make is MISSING else make()
        found.append(Knob(path=path, kind=_kind(hint, said), default=default, **said))
    return tuple(found)


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


def _kind(hint: Any, said: Mapping[str, Any]) -> Kind:
    if hint is str:
        return "choice" if said["choices"] else "path" if said["paths"] else "text"
    scalar: dict[Any, Kind] = {bool: "switch", int: "whole", float: "number", tuple[str, ...]: "list"}
    return scalar.get(hint, "mapping")


def _quoted(raw: object) -> str:
    return f"'{clean_line(raw if isinstance(raw, str) else repr(raw), 60)}'"


def _split(text: str) -> list[str] | None:
    """Entries of a comma-separated line; an entry with a comma in it stands in double quotes."""
    if not text.strip():
        return []
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True))
    except csv.Error:
        return None
    return [entry.strip() if entry.strip() else entry for row in rows for entry in row if entry]


def _join(entries: Iterable[str]) -> str:
    return ", ".join(
        '"' + entry.replace('"', '""') + '"' if any(char in entry for char in ',"\r\n') else entry for entry in entries
    )


def _pairs(items: list[str]) -> dict[str, str] | str:
    pairs = [item.partition("=") for item in items]
    if all(key.strip() and mark for key, mark, _ in pairs):
        return {key.strip(): value.strip() for key, _, value in pairs}
    return ", ".join(items)


def _text(raw: object) -> str | None:
    """Text as it is; a number that YAML took out of unquoted text becomes text again."""
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


_COERCERS: dict[Kind, Callable[[object], Value | None]] = {
    "text": _text,
    "path": _text,
    "choice": _text,
    "whole": _whole,
    "number": _number,
    "switch": _switch,
    "list": _entries,
    "mapping": _mapping,
}
_WANTED: dict[Kind, str] = {
    "text": "is text",
    "path": "is the name of a file or folder",
    "choice": "is one of its choices",
    "whole": "is a whole number",
    "number": "is a number",
    "switch": "is yes or no",
    "list": "is a list of names",
    "mapping": "is a list of name=column pairs",
}
_FORMATS: dict[Kind, Callable[[Any], str]] = {
    "text": str,
    "path": str,
    "choice": str,
    "whole": str,
    "number": number_text,
    "switch": lambda value: "yes" if value else "no",
    "list": _join,
    "mapping": lambda value: _join(f"{key}={column}" for key, column in value.items()),
}
