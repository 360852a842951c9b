"""How a recipe field is declared, once; form, YAML, command line, validation and documentation read it here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, get_args, get_type_hints

from core.recipe.conditions import ALWAYS, Condition
from core.recipe.values import (
    COERCERS,
    FORMATS,
    SWITCH,
    WANTED,
    Record,
    Value,
    ValueKind,
    join,
    number_text,
    pairs_of,
    quoted,
    split,
)
from core.recipe.witness import Witness

ProblemLevel = Literal["error", "warn", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field, as a sentence for the person at the keyboard.

    Attributes:
        path: the field, dotted (`lora.rank`), or a section, or "".
        sentence: a full sentence, safe to draw.
        severity: `error` stops a start, `warn` is likely a mistake, `note` is worth knowing.
        brief: the same in two or three words, where there is no room for the sentence; may be "".
    """

    path: str
    sentence: str
    severity: ProblemLevel = "error"
    brief: str = ""


@dataclass(frozen=True, slots=True)
class Knob:
    """One field of the recipe, with every text about it.

    Attributes:
        path: dotted path in the recipe, `lora.rank`; a field of the recipe itself has no dot.
        kind: what values it takes; `path` is text that names a file or folder, `choice` is text out of `choices`,
            `records` is a list of small dataclasses, whose own fields are `columns`.
        default: its value in a fresh recipe.
        title: what a form calls it.
        help: what it is, one to three sentences.
        consequence: what follows from its value, one or two sentences that read well without the help.
        ge, gt, le, lt: the range of a number, None where open.
        choices: each value that is allowed, with what it means; empty where any is.
        unit: what a number counts (`tokens`, `steps`), or "".
        source: where the default or the advice comes from, or "".
        advanced: whether a form hides it at first.
        paths: whether the entries of a list name files or folders.
        renamed: old spelling of an entry of a list to today's.
        gone: values that people look for and that do not exist, in lower case, each with a sentence on what to use.
        when: what must hold for it to have an effect.
        witness: where its effect can be read once the trainer is built; None for a field that the trainer never sees.
        record: the dataclass of each entry of a `records` field.
        columns: the fields of such an entry.
    """

    path: str
    kind: ValueKind
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
    renamed: Mapping[str, str] = field(default_factory=dict)
    gone: Mapping[str, str] = field(default_factory=dict)
    when: Condition = ALWAYS
    witness: Witness | None = None
    record: type | None = None
    columns: tuple[Knob, ...] = ()

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
        """The range in words, `greater than 0, at most 1`, or "" where there is none."""
        words = (
            ("at least", self.ge),
            ("greater than", self.gt),
            ("at most", self.le),
            ("less than", self.lt),
        )
        return ", ".join(f"{word} {number_text(bound)}" for word, bound in words if bound is not None)

    def parse(self, text: str) -> Value | Problem:
        """The value that a person typed into a form or on a command line, or what is wrong with it."""
        if self.kind in ("list", "mapping", "records"):
            items = split(text)
            if items is None:
                return self._problem("has an unclosed quotation mark")
            return self.coerce(pairs_of(items) if self.kind == "mapping" else items)
        typed = text.strip()
        if self.kind == "switch":
            if typed.lower() not in SWITCH:
                return self._problem(f"must be yes or no, got {quoted(typed)}")
            return SWITCH[typed.lower()]
        return self.coerce(typed)

    def format(self, value: Value) -> str:
        """The value as a person types it; `parse(format(value)) == value`."""
        if self.kind == "records":
            assert isinstance(value, tuple)
            return join(self._entry_text(entry) for entry in value)
        return FORMATS[self.kind](value)

    def coerce(self, raw: object) -> Value | Problem:
        """A value from JSON, YAML or a form as the field's own type and within its range, or what is wrong."""
        if self.kind == "records":
            return self._records(raw)
        value = COERCERS[self.kind](raw)
        if value is None:
            return self._problem(f"must be {WANTED[self.kind]}, got {quoted(raw)}")
        if self.kind == "choice" and value not in self.choices and (instead := self.gone.get(str(value).lower())):
            return Problem(self.path, instead)
        if self.kind == "choice" and value not in self.choices:
            return self._problem(f"must be one of {', '.join(self.choices)}, got {quoted(raw)}")
        if isinstance(value, float) and not math.isfinite(value):
            return self._problem(f"must be a finite number, got {quoted(raw)}")
        if isinstance(value, int | float) and not self._in_range(value):
            return self._problem(f"must be {self.range}, got {number_text(value)}")
        if self.renamed and isinstance(value, tuple):
            value = tuple(self.renamed.get(str(item), str(item)) for item in value)
        if self.choices and isinstance(value, tuple):
            unknown = next((item for item in value if item not in self.choices), None)
            if unknown is not None:
                return self._problem(f"must be from {', '.join(self.choices)}, got {quoted(unknown)}")
        return value

    def _records(self, raw: object) -> Value | Problem:
        """A list of records, each a mapping, a record already, or text as in a form (`general.jsonl=0.1`)."""
        made: list[Record] = []
        for item in [] if raw is None or raw == "" else raw if isinstance(raw, list | tuple) else [raw]:
            record = self._one_record(item)
            if isinstance(record, Problem):
                return record
            made.append(record)
        return tuple(made)

    def _one_record(self, item: object) -> Record | Problem:
        assert self.record is not None
        known = [column.name for column in self.columns]
        named: object = item
        if isinstance(item, self.record):
            named = {name: getattr(item, name) for name in known}
        elif isinstance(item, str):
            named = self._named_parts(item)
        if not isinstance(named, Mapping):
            return self._problem(f"{self._wanted}, got {quoted(item)}")
        unknown = next((name for name in named if name not in known), None)
        if unknown is not None:
            return self._problem(f"{self._wanted}; {quoted(unknown)} is not one of its fields")
        values: dict[str, Any] = {}
        for column in self.columns:
            read = column.parse if isinstance(item, str) and column.name in named else column.coerce
            outcome = read(named.get(column.name, column.default))
            if isinstance(outcome, Problem):
                return Problem(self.path, f"{self.title}: {outcome.sentence}")
            values[column.name] = outcome
        if values[known[0]] == "":
            return self._problem(f"{self._wanted}, got {quoted(item)}")
        made: Record = self.record(**values)
        return made

    @property
    def _wanted(self) -> str:
        first, *others = (column.name for column in self.columns)
        return (
            f"must be a list of {'; '.join(('='.join((first, *others[:1])), *(f'{name}=...' for name in others[1:])))}"
        )

    def _named_parts(self, text: str) -> dict[str, str] | None:
        """The text of one record by the names of its columns; None where it is none.

        The first two columns are written `first=second`, further ones follow by name: `first=second; third=3`.
        """
        first, *others = (column.name for column in self.columns)
        lead, *more = (split(text, ";") or [""]) if len(others) > 1 else [text]
        key, mark, second = lead.rpartition("=") if others else (lead, "=", "")
        if not mark and self.columns[0].choices and lead.strip():
            key, second = lead, str(self.columns[1].default)  # one of the choices alone
        elif not mark or not key.strip():
            return None
        named = {first: key.strip()} | {name: second.strip() for name in others[:1]}
        for part in more:
            name, _, value = part.partition("=")
            named[name.strip()] = value.strip()
        return named

    def _entry_text(self, entry: object) -> str:
        """One record as `_named_parts` reads it; further columns only where they are not at their defaults."""
        values = [(column, getattr(entry, column.name)) for column in self.columns]
        lead = "=".join(column.format(value) for column, value in values[:2])
        more = [f"{column.name}={column.format(value)}" for column, value in values[2:] if value != column.default]
        return join((lead, *more), "; ") if len(values) > 2 else lead

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
    renamed: Mapping[str, str] | None = None,
    gone: Mapping[str, str] | None = None,
    when: Condition = ALWAYS,
    witness: Witness | None = None,
) -> Any:
    """A dataclass field with every text about it; the arguments are the attributes of `Knob`.

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
        "renamed": renamed or {},
        "gone": gone or {},
        "when": when,
        "witness": witness,
    }
    if isinstance(default, Mapping):
        entries = dict(default)
        return field(default_factory=lambda: dict(entries), metadata=said)
    return field(default=default, metadata=said)


@cache
def fields_of(recipe_class: type, prefix: str = "", when: Condition = ALWAYS) -> tuple[Knob, ...]:
    """Every field of a recipe class, sections included, in the order of their declaration.

    A section is a field that holds a dataclass; `when` in its metadata must hold for any of its own fields to apply.
    """
    hints = get_type_hints(recipe_class)
    found: list[Knob] = []
    for declared in fields(recipe_class):
        hint = hints[declared.name]
        path = prefix + declared.name
        said = dict(declared.metadata)
        said["when"] = when & said.get("when", ALWAYS)
        if isinstance(hint, type) and is_dataclass(hint):
            found.extend(fields_of(hint, f"{path}.", said["when"]))
            continue
        make = declared.default_factory
        default: Any = declared.default if make is MISSING else make()
        record = _record(hint)
        columns = fields_of(record) if record else ()
        found.append(Knob(path, _kind(hint, said), default, record=record, columns=columns, **said))
    return tuple(found)


def _record(hint: Any) -> type | None:
    """The dataclass of which a field holds several; None where it holds something else."""
    inner = next(iter(get_args(hint)), None)
    return inner if isinstance(inner, type) and is_dataclass(inner) else None


def _kind(hint: Any, said: Mapping[str, Any]) -> ValueKind:
    if hint is str:
        return "choice" if said["choices"] else "path" if said["paths"] else "text"
    if _record(hint):
        return "records"
    scalar: dict[Any, ValueKind] = {bool: "switch", int: "whole", float: "number", tuple[str, ...]: "list"}
    return scalar.get(hint, "mapping")
