"""What a format declares: its fields with the spellings found in the wild, and how a row becomes a sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.dataset.records import Unreadable, json_type
from core.dataset.sample import Sample, SampleKind

UNKNOWN = "unknown"
"""Name of the recognition where no format matches."""


@dataclass(frozen=True, slots=True)
class FormatField:
    """One field of a format.

    Attributes:
        name: what the mapping calls it.
        spellings: column names that are taken for it, best first.
        required: whether a row without it is not in this format.
    """

    name: str
    spellings: tuple[str, ...]
    required: bool = True


@dataclass(frozen=True, slots=True)
class FormatOption:
    """What a mapping may say beside columns: keys and names inside the values.

    Attributes:
        name: what the mapping calls it.
        title: what it is, in a few words.
    """

    name: str
    title: str


TURN_OPTIONS = (
    FormatOption("turn.role", "role key"),
    FormatOption("turn.content", "content key"),
    FormatOption("role.user", "user role"),
    FormatOption("role.assistant", "assistant role"),
    FormatOption("role.system", "system role"),
    FormatOption("role.tool", "tool role"),
)
"""Of formats that hold turns; several names of one role stand with `|` between them."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """The format of a dataset, and why.

    Attributes:
        name: the format's name, or `unknown`.
        why: one sentence for the user.
        columns: field of the format to column of the file.
        kind: the kind of sample that comes out, or None where the format is unknown.
        all_columns: every column seen, for a mapping form.
    """

    name: str
    why: str
    columns: Mapping[str, str] = field(default_factory=dict)
    kind: SampleKind | None = None
    all_columns: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether rows can be turned into samples."""
        return self.name != UNKNOWN

    def to_json(self) -> dict[str, Any]:
        """Name, reason and mapping, as manifests and `scan --json` hold them."""
        return {"format": self.name, "why": self.why, "columns": dict(self.columns), "kind": self.kind}


class Format:
    """A shape of dataset rows; subclasses declare and build."""

    name: ClassVar[str]
    title: ClassVar[str]
    kind: ClassVar[SampleKind]
    fields: ClassVar[tuple[FormatField, ...]]
    options: ClassVar[tuple[FormatOption, ...]] = ()

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether the mapped columns of a row hold values of the right shape."""
        raise NotImplementedError

    def fitting(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> int:
        """How many of some rows match; 0 where they show together that they are something else."""
        return sum(1 for row in rows if self.matches(row, columns))

    def refine(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> dict[str, str]:
        """The mapping without columns that the first rows show to be something else, or with options that they show.

        Args:
            rows: the first good rows.
            columns: the mapping by names alone.
        """
        return dict(columns)

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """The sample of a row.

        Raises:
            Unreadable: the row cannot be formatted, with the reason.
        """
        raise NotImplementedError

    def missing(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> str:
        """Which required columns a row lacks, in words, or "" where it has them all."""
        needed = [columns.get(each.name) or each.name for each in self.fields if each.required]
        return missing_words(row, [name for name in needed if row.get(name) is None])

    def reason(self, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]] = ()) -> str:
        """What was found in the columns, for the sentence that explains the detected format; "" for nothing special.

        Args:
            columns: the mapping.
            rows: the first good rows.
        """
        named = [f"`{columns[each.name]}`" for each in self.fields if each.name in columns]
        return f"column{'s' * (len(named) != 1)} {', '.join(named)}"

    def map_columns(self, present: Sequence[str], chosen: Mapping[str, str]) -> dict[str, str] | None:
        """Field to column: the user's choice, else the first spelling present; None where a required one is missing.

        A field that is not required and whose choice is "" has no column, whatever stands there.
        """
        options = {each.name for each in self.options}
        said = {name: value for name, value in chosen.items() if name in options}
        chosen = {name: column for name, column in chosen.items() if name not in options}
        known = {each.name for each in self.fields}
        if not known.issuperset(chosen):
            return None
        lower = {column.lower().strip(): column for column in reversed(present)}
        taken = set(chosen.values())
        columns = {}
        for each in self.fields:
            column = chosen.get(each.name)
            if column == "" and not each.required:
                continue
            if not column:
                spelled = (lower[name] for name in each.spellings if name in lower)
                column = next((name for name in spelled if name not in taken), None)
            if column is not None:
                columns[each.name] = column
                taken.add(column)
            elif each.required:
                return None
        return {**columns, **said}


_NAMED_COLUMNS = 8
"""Columns of a row that a sentence names."""


def missing_words(row: Mapping[str, Any], missing: Sequence[str]) -> str:
    """What a row lacks and what it has: "No `messages` in this row; it has `prompt`, `completion`"; "" for nothing.

    Args:
        row: the parsed row.
        missing: columns that it needs and that are absent or null.
    """
    if not missing:
        return ""
    empty = [name for name in missing if name in row]
    if len(empty) == len(missing):
        said = f"{_listed(missing, ' and ')} {'is' if len(missing) == 1 else 'are'} null in this row"
    else:
        said = f"No {_listed(missing, ' and no ')} in this row"
    filled = [name for name, value in row.items() if value is not None]
    more = f" and {len(filled) - _NAMED_COLUMNS:,} more" if len(filled) > _NAMED_COLUMNS else ""
    has = f"; it has {_listed(filled[:_NAMED_COLUMNS], ', ')}{more}" if filled else ""
    return said + (has or ("" if row else "; it is empty"))


def _listed(names: Sequence[str], between: str) -> str:
    return between.join(f"`{name[:40]}`" for name in names)


def no_number(value: Any) -> str:
    """What a value is that reads as a number and is none: NaN, or one beyond what a float keeps; else ""."""
    if not isinstance(value, float) or math.isfinite(value):
        return ""
    return "not a number (NaN)" if math.isnan(value) else "a number that is too large to store"


def text_of(row: Mapping[str, Any], columns: Mapping[str, str], name: str, *, required: bool = True) -> str:
    """The text in a mapped column.

    Raises:
        Unreadable: it is required and missing, or it is not text.
    """
    column = columns.get(name)
    value = None if column is None else row.get(column)
    if value is None:
        if required:
            raise Unreadable(missing_words(row, [column or name]))
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isnan(value) and not required:
        return ""  # as pandas writes what is not there
    if what := no_number(value):
        raise Unreadable(f"`{column}` should be text, but it is {what}")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise Unreadable(f"`{column}` should be text, but it is {json_type(value)}")
