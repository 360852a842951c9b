"""The rows that are in no view, each with the reason: a file beside the samples."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from core.dataset.view.view import encoded

EXCLUDED = "left_out.jsonl"


class ExcludedRows:
    """Writes one line for each dropped row, and counts the reasons.

    A line has `reason` (`decision`, `unreadable`, `like_eval`, or a flag's name), `detail` in words or "", `key`, `row`
    (from 0), `source` (index of the file) and the `sample` where there is one.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> ExcludedRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, reason: str, detail: str, line: dict[str, Any], counts: Counter[str]) -> None:
        """Notes a row.

        Args:
            reason: in one word.
            detail: what was found, or "".
            line: the row's `key`, `row` and `source`, and its `sample` where it has one.
            counts: of the dataset that it belongs to.
        """
        counts[reason] += 1
        self._file.write(encoded({"reason": reason, "detail": detail, **line}))

    def flush(self) -> None:
        """Writes what is held back."""
        self._file.flush()
