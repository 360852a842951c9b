"""What a check is, and what it is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from core.dataset.flag_names import flag_name
from core.dataset.item import Item

if TYPE_CHECKING:
    from core.dataset.near.gather import Gatherer

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Flag:
    """Why to look at a row.

    Attributes:
        name: the check's name.
        reason: what was found in this row, a sentence without a full stop. May quote data: clean before drawing.
        of: the good row (from 0) that this one repeats, or None.
        severity: `error` (should not be trained on as it is), `warning`, `note`.
        similarity: of near-duplicates and near leaks, to what they are like; else None.
    """

    name: str
    reason: str
    of: int | None = None
    severity: Severity = "warning"
    similarity: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in `flags.jsonl`."""
        value = {"name": self.name, "reason": self.reason, "of": self.of, "severity": self.severity}
        return value if self.similarity is None else {**value, "similarity": self.similarity}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Flag:
        """The inverse of `to_json`; old names of checks are read, too."""
        severity = value.get("severity", "warning")
        return cls(flag_name(value["name"]), value["reason"], value.get("of"), severity, value.get("similarity"))


@dataclass(frozen=True, slots=True)
class Context:
    """What checks know beside the row.

    Attributes:
        eval_prompts: digest of each normalised prompt of the eval files, with the place it stands at, in words.
        near: where a search for near-duplicates was asked for, what takes the rows for it.
        synthetic: what marks a row as synthetic, see `core.dataset.synthetic.marker`.
    """

    eval_prompts: Mapping[bytes, str] = field(default_factory=dict)
    near: Gatherer | None = None
    synthetic: str = "synthetic"


class Check:
    """One reason to look at a row. A check is made anew for each scan and sees the rows in order.

    Attributes:
        name: in JSON, filters and recipes.
        title: on screens, a few words.
        help: one sentence on what it finds and why that matters.
        severity: of its flags.
        remembers: whether what it says of a row depends on other rows. Such a check is shown all rows before, when a
            scan goes on that was ended early; the others are not.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    help: ClassVar[str]
    severity: ClassVar[Severity] = "warning"
    remembers: ClassVar[bool] = False

    def __init__(self, context: Context) -> None:
        self.context = context

    def inspect(self, item: Item) -> Flag | None:
        """The flag of a row, or None."""
        raise NotImplementedError

    def finish(self) -> Iterable[tuple[int, Flag]]:
        """Flags that need all rows to have been seen, with their row numbers."""
        return ()

    def flag(self, reason: str, of: int | None = None, similarity: float | None = None) -> Flag:
        """A flag of this check."""
        return Flag(self.name, reason, of, self.severity, similarity)
