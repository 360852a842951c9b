"""Where a row of an eval file stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.dataset.records import Row


@dataclass(frozen=True, slots=True)
class EvalPlace:
    """A place in the eval files.

    Attributes:
        file: the file.
        line: the line where the row begins, from 1 (for Parquet: the row).
    """

    file: str
    line: int

    @classmethod
    def of(cls, row: Row) -> EvalPlace:
        """The place of a row."""
        return cls(str(row.file), row.line)

    @property
    def absolute(self) -> EvalPlace:
        """The same place, wherever the reader stands."""
        return EvalPlace(str(Path(self.file).absolute()), self.line)

    @property
    def words(self) -> str:
        """`eval.jsonl, line 1,204`."""
        return f"{Path(self.file).name}, line {self.line:,}"
