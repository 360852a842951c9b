"""How many rows of which file are read as what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.dataset.dataset import Dataset
from core.dataset.formats import Recognition


@dataclass(frozen=True, slots=True)
class ReadRows:
    """Rows of one file that are read alike.

    Attributes:
        file: the file.
        form: what they are read as.
        rows: how many became samples.
    """

    file: Path
    form: Recognition
    rows: int

    def to_json(self) -> dict[str, Any]:
        """As `scan --json` prints it."""
        return {"file": str(self.file), **self.form.to_json(), "rows": self.rows}


class ReadAs:
    """Counts while rows are scanned.

    Args:
        dataset: the rows.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._counts: Counter[tuple[int, int]] = Counter()

    def take(self, source: int, which: int, is_sample: bool) -> None:
        """Counts a good row; of a file without samples, that nothing is known.

        Args:
            source: its file.
            which: by which of the file's readings it was read; 0 where it is no sample.
            is_sample: whether it became one.
        """
        self._counts[source, which] += is_sample

    def rows(self) -> tuple[ReadRows, ...]:
        """Each way of reading with its rows, file by file; none where all rows are read alike."""
        recognitions = self._dataset.recognitions
        found = [
            ReadRows(recognitions.files[source], recognitions.of(source).readings[which], count)
            for (source, which), count in sorted(self._counts.items())
            if count or not which
        ]
        ways = {(each.form.name, tuple(sorted(each.form.columns.items()))) for each in found}
        return tuple(found) if len(ways) > 1 else ()
