"""Windows line endings inside texts."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from core.dataset.checks.base import Check, Context, Flag, SetProperty
from core.dataset.item import Item


class LineEnds(Check):
    """Carriage returns, of which each is a character that the model learns to write."""

    name = "crlf"
    title = "Windows line endings"
    help = (
        "Lines in the text end in CR LF or CR. The model would be trained on the carriage returns, mixed with plain "
        "line endings."
    )
    example = "`Dear Ann,\\r\\nthank you`"
    advice = (
        "Replace `\\r\\n` by `\\n` in the file. If most rows have them, this is reported once for the dataset, not "
        "per row."
    )
    severity = "note"
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._rows = array("L")
        self._counts = array("L")
        self._lone = array("L")
        self._seen = 0

    def inspect(self, item: Item) -> Flag | None:
        """Counts them; whether each row is flagged shows at the end."""
        self._seen += item.sample is not None
        if "\r" in item.text:
            times, pairs = item.text.count("\r"), item.text.count("\r\n")
            self._rows.append(item.row)
            self._counts.append(times)
            self._lone.append(times - pairs)
        return None

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Flags the rows, unless most have them."""
        if self._is_all:
            return
        for row, times, lone in zip(self._rows, self._counts, self._lone, strict=True):
            what = "CR" if lone == times else "CR LF"
            yield row, self.flag(f"{times:,} {what} line ending{'s' * (times != 1)}")

    def properties(self) -> Iterator[SetProperty]:
        """In how many rows, where those are most."""
        if self._is_all:
            rows = len(self._rows)
            yield SetProperty(self.name, f"CR LF line endings in the texts of {rows:,} of {self._seen:,} rows", rows)

    @property
    def _is_all(self) -> bool:
        return self.is_property(len(self._rows), self._seen)
