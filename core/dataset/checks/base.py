"""What a check is, and what it is given."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from core.dataset.eval_place import EvalPlace
from core.dataset.flag_names import flag_name
from core.dataset.item import Item

if TYPE_CHECKING:
    from core.dataset.near.gather import Gatherer

Severity = Literal["error", "warning", "note"]

ROWS_OF_A_SET = 20
"""Rows from which on something can be said of the set."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Why to look at a row.

    Attributes:
        name: the check's name.
        reason: what was found in this row, a phrase without a full stop. May quote data: clean before drawing.
        of: the good row (from 0) that this one repeats, or None.
        severity: `error` (do not train on it unchanged), `warning`, `note`.
        similarity: of near-duplicates and near leaks, to the row or prompt that they resemble; else None.
        place: of leaks, where the prompt stands in the eval files; else None.
    """

    name: str
    reason: str
    of: int | None = None
    severity: Severity = "warning"
    similarity: float | None = None
    place: EvalPlace | None = None

    def to_json(self) -> dict[str, Any]:
        """As written in `flags.jsonl`."""
        value: dict[str, Any] = {"name": self.name, "reason": self.reason, "of": self.of, "severity": self.severity}
        if self.similarity is not None:
            value["similarity"] = self.similarity
        if self.place is not None:
            value |= {"eval_file": self.place.file, "eval_line": self.place.line}
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Flag:
        """The inverse of `to_json`; old names of checks are read, too."""
        severity = value.get("severity", "warning")
        place = EvalPlace(value["eval_file"], value["eval_line"]) if "eval_file" in value else None
        name = flag_name(value["name"])
        return cls(name, value["reason"], value.get("of"), severity, value.get("similarity"), place)


@dataclass(frozen=True, slots=True)
class SetProperty:
    """What a check found of the whole set: said once, in place of a flag on each row.

    Attributes:
        name: the check's name.
        reason: what was found, a sentence without a full stop. May quote data: clean before drawing.
        rows: in how many rows.
    """

    name: str
    reason: str
    rows: int

    def to_json(self) -> dict[str, Any]:
        """As `scan --json` prints it."""
        return {"name": self.name, "reason": self.reason, "rows": self.rows}


@dataclass(frozen=True, slots=True)
class FlagText:
    """What is said about a flag; the attributes are those of `Check`."""

    name: str
    title: str
    help: str
    example: str
    advice: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Context:
    """What checks know besides the row.

    Attributes:
        eval_prompts: digest of each normalized prompt of the eval files, with its place.
        near: what collects the rows for a near-duplicate search, where one was requested.
        synthetic: what marks a row as synthetic, see `core.dataset.synthetic.marker`.
        each_row: names of checks that flag each row even where most rows have it, since rows are dropped by them.
    """

    eval_prompts: Mapping[bytes, EvalPlace] = field(default_factory=dict)
    near: Gatherer | None = None
    synthetic: str = "synthetic"
    each_row: Collection[str] = ()


class Check:
    """One reason to look at a row. Each scan makes its own instance, which sees the rows in order.

    Attributes:
        name: in JSON, filters and recipes.
        title: on screens, a few words.
        help: one sentence on what it finds and why that matters.
        example: the smallest case, as Markdown.
        advice: what to do about it, as Markdown.
        severity: of its flags.
        remembers: whether what it says of a row depends on other rows. When a scan is resumed, such a check sees all
            earlier rows again; the others do not.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    help: ClassVar[str]
    example: ClassVar[str]
    advice: ClassVar[str]
    severity: ClassVar[Severity] = "warning"
    remembers: ClassVar[bool] = False

    def __init__(self, context: Context) -> None:
        self.context = context

    @classmethod
    def text(cls) -> FlagText:
        """What is said about its flag."""
        return FlagText(cls.name, cls.title, cls.help, cls.example, cls.advice, cls.severity)

    def inspect(self, item: Item) -> Flag | None:
        """The flag of a row, or None."""
        raise NotImplementedError

    def finish(self) -> Iterable[tuple[int, Flag]]:
        """Flags that need all rows to have been seen, with their row numbers."""
        return ()

    def properties(self) -> Iterable[SetProperty]:
        """What is true of the whole set instead; to be called after `finish`."""
        return ()

    def is_property(self, flagged: int, rows: int, share: float = 0.5) -> bool:
        """Whether so many rows would be flagged that it is a property of the set.

        Args:
            flagged: how many.
            rows: how many were looked at.
            share: of the rows, from which on it is one.
        """
        return rows >= ROWS_OF_A_SET and flagged > share * rows and self.name not in self.context.each_row

    def flag(
        self, reason: str, of: int | None = None, similarity: float | None = None, place: EvalPlace | None = None
    ) -> Flag:
        """A flag of this check."""
        return Flag(self.name, reason, of, self.severity, similarity, place)
