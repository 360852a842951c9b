"""What a split can be stratified by: the answer where it is a label, the file, or a column of the rows."""

from __future__ import annotations

from collections.abc import Callable

from core.dataset.records import Row
from core.dataset.sample import Sample
from core.errors import BadInput

ANSWER, SOURCE = "answer", "source"
COLUMN = "column:"
"""Begins the name of a column that would be taken for one of these words."""

LONGEST_LABEL = 40
"""Characters of an answer that may be a label; longer ones are text, and share one stratum."""


class Strata:
    """Tells the stratum of each row.

    Args:
        spec: `answer`, `source`, or the name of a column; "" for none.
    """

    def __init__(self, spec: str) -> None:
        self.spec = spec.strip()
        self._column = self.spec.removeprefix(COLUMN)
        self._stratum_of: Callable[[Row, Sample], str] = {ANSWER: _answer, SOURCE: _source}.get(self.spec, self._value)
        self._seen: dict[str, None] = {}
        self._found = self.spec in (ANSWER, SOURCE)

    def __bool__(self) -> bool:
        return bool(self.spec)

    def of(self, row: Row, sample: Sample) -> str:
        """The stratum of a row."""
        return self._stratum_of(row, sample) if self.spec else ""

    def check(self, where: str) -> None:
        """Refuses a column that no row has; to be called after all rows.

        Raises:
            BadInput: naming the columns there are.
        """
        if self.spec and not self._found:
            columns = ", ".join(list(self._seen)[:12]) or "none"
            what = f"no row has the column {self._column!r}, so the split cannot be stratified by it"
            raise BadInput(what, where=where, do=f"Use answer, source, or one of the columns: {columns}")

    def _value(self, row: Row, _: Sample) -> str:
        value = (row.value or {}).get(self._column)
        if value is None:
            if not self._found:
                self._seen.update(dict.fromkeys(row.value or ()))
            return ""
        self._found = True
        return str(value)[:200]


def label_of(sample: Sample) -> str:
    """The answer where it may be a label, and the label of a rated answer; else ""."""
    if sample.kind == "kto":
        return "desirable" if sample.label else "undesirable"
    answer = sample.answer.strip()
    return answer if sample.kind == "messages" and len(answer) <= LONGEST_LABEL else ""


def _answer(_: Row, sample: Sample) -> str:
    return label_of(sample).casefold()


def _source(row: Row, _: Sample) -> str:
    return str(row.source)
