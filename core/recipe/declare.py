"""How a field of the recipe is declared, once; form, YAML, command line, validation and documentation read it here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, get_type_hints

from core.recipe.values import COERCERS, FORMATS, SWITCH, WANTED, Kind, Value, number_text, pairs_of, quoted, split

Severity = Literal["error", "warn", "note"]


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
            items = split(text)
            if items is None:
                return self._problem("has a quotation mark that is not closed")
            return self.coerce(items if self.kind == "list" else pairs_of(items))
        typed = text.strip()
        if self.kind == "switch":
            if typed.lower() not in SWITCH:
                return self._problem(f"is yes or no, not {quoted(typed)}")
            return SWITCH[typed.lower()]
        return self.coerce(typed)

    def format(self, value: Value) -> str:
        """The value as a person types it; `parse(format(value)) == value`."""
        return FORMATS[self.kind](value)

    def coerce(self, raw: object) -> Value | Problem:
        """A value from JSON, YAML or a form as the field's own type and within its range, or what is wrong."""
        value = COERCERS[self.kind](raw)
        if value is None:
            return self._problem(f"{WANTED[self.kind]}, not {quoted(raw)}")
        if self.kind == "choice" and value not in self.choices:
            return self._problem(f"is one of {', '.join(self.choices)}, not {quoted(raw)}")
        if isinstance(value, float) and not math.isfinite(value):
            return self._problem(f"is a finite number, not {quoted(raw)}")
        if isinstance(value, int | float) and not self._in_range(value):
            return self._problem(f"is {self.range}, not {number_text(value)}")
        if self.choices and isinstance(value, tuple):
            unknown = next((item for item in value if item not in self.choices), None)
            if unknown is not None:
                return self._problem(f"takes {', '.join(self.choices)}, not {quoted(unknown)}")
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


def _kind(hint: Any, said: Mapping[str, Any]) -> Kind:
    if hint is str:
        return "choice" if said["choices"] else "path" if said["paths"] else "text"
    scalar: dict[Any, Kind] = {bool: "switch", int: "whole", float: "number", tuple[str, ...]: "list"}
    return scalar.get(hint, "mapping")
