"""How many rows of which file cannot be read as samples, and why; counted apart from what is dropped or held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.dataset.records import BadLine

_MOST_REASONS = 50
_LISTED_REASONS, _LISTED_FILES = 3, 20
_OTHER = "other reasons"


@dataclass(slots=True)
class _File:
    rows: int = 0
    unreadable: int = 0
    malformed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


class RowCounts:
    """Counts the rows of some files.

    Args:
        files: in source order.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = [(file, _File()) for file in files]

    def row(self, source: int, reason: str = "") -> None:
        """Counts a good row.

        Args:
            source: the number of its file.
            reason: why it is no sample, or "" where it is one.
        """
        file = self._files[source][1]
        file.rows += 1
        if reason:
            file.unreadable += 1
            self._because(file, reason)

    def malformed(self, lines: Iterable[BadLine]) -> None:
        """Counts places where a file's text is broken."""
        by_file = dict(self._files)
        for line in lines:
            if (file := by_file.get(line.file)) is not None:
                file.malformed += 1
                self._because(file, f"malformed: {line.reason}")

    @staticmethod
    def _because(file: _File, reason: str) -> None:
        file.reasons[reason if reason in file.reasons or len(file.reasons) < _MOST_REASONS else _OTHER] += 1

    def to_json(self) -> dict[str, Any]:
        """`rows` in all (malformed ones included), `unreadable`, `malformed`, and the worst `files` with reasons."""
        worst = sorted(self._files, key=lambda each: -(each[1].unreadable + each[1].malformed))
        return {
            "rows": sum(file.rows + file.malformed for _, file in self._files),
            "unreadable": sum(file.unreadable for _, file in self._files),
            "malformed": sum(file.malformed for _, file in self._files),
            "files": [
                {
                    "file": str(path),
                    "rows": file.rows + file.malformed,
                    "unreadable": file.unreadable,
                    "malformed": file.malformed,
                    "reasons": [
                        {"reason": reason, "rows": number}
                        for reason, number in file.reasons.most_common(_LISTED_REASONS)
                    ],
                }
                for path, file in worst[:_LISTED_FILES]
                if file.unreadable + file.malformed
            ],
        }
