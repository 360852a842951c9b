"""Which rows of a dataset stay, by their flags and the user's decisions; those are written down, the others named."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from core.dataset.audit.decisions import OPEN, DecisionState, Ledger
from core.dataset.audit.tally import ReviewTally
from core.dataset.control_text import ControlText
from core.dataset.flag_names import CONTROL_TOKENS, UNREADABLE
from core.dataset.item import Item, digest
from core.dataset.near.families import Families
from core.dataset.near.leaks import LeakSearch
from core.dataset.row_tasks import RowTasks
from core.dataset.sample import Sample
from core.dataset.scan.scan import Progress, ScannedRow, Scanner, watched
from core.dataset.synthetic import NAME, by_hand
from core.dataset.view.excluded import ExcludedRows
from core.dataset.view.facts import ViewFactsWriter
from core.dataset.view.row_counts import RowCounts
from core.dataset.view.strata import Strata
from core.dataset.view.view import view_line
from core.errors import BadInput


class Selection:
    """The samples of one dataset that stay, in a file, numbered from 0 in their order.

    They go to a file first, because some checks and the split need to have seen all of them.

    Args:
        path: that file.
        files: of the dataset, in source order.
        first_source: number of the first of them among all files of the view.
        drop_flags: names of checks whose rows are dropped unless the user has kept them.
        decisions: the user's.
        control: finds special tokens in samples, whose rows are dropped; None where nothing is looked for.
        strata: tells what the split is stratified by.
        seen: contents of all samples that stay, of other datasets too: of equal ones the first stays.
        excluded: takes the rows that do not.
        families: takes the samples, where near-duplicates matter.
        leaks: takes the prompts of all rows, also of those that do not stay, where near leaks to eval files matter.
        columns: names of further columns that samples keep.
        tasks: what rows of each task get; None where there is one task.
    """

    def __init__(
        self,
        path: Path,
        files: Sequence[Path],
        first_source: int,
        *,
        drop_flags: frozenset[str],
        decisions: Ledger,
        control: ControlText | None,
        strata: Strata,
        seen: set[bytes],
        excluded: ExcludedRows,
        families: Families | None,
        leaks: LeakSearch | None,
        columns: Sequence[str] = (),
        tasks: RowTasks | None = None,
    ) -> None:
        self._tasks = tasks
        self._path = path
        self._columns = columns
        self._first_source = first_source
        self._drop_flags = drop_flags
        self._decisions = decisions
        self._control = control
        self._strata = strata
        self._seen = seen
        self._excluded = excluded
        self._families = families
        self.leaks = leaks
        self.dropped: Counter[str] = Counter()
        """Reason to number of rows."""
        self.review = ReviewTally()
        """What reviewers said about the rows."""
        self.rows = 0
        """Rows of the dataset."""
        self.counts = RowCounts(files)
        """What of them cannot be read."""
        self.kinds: Counter[str] = Counter()
        """Samples of each kind that stay, before near-duplicates are dropped."""
        self.first_rows: dict[int, int] = {}
        """File number to its first good row."""
        self.edited = 0
        self.rows_kept = array("L")
        """The row of each sample."""
        self.keys: list[str] = []
        self.prompts: list[bytes] = []
        self.contents: list[bytes] = []
        self.strata: list[str] = []
        self.synthetic: list[bool] = []
        self.decided: list[bool] = []
        self.tasks: list[str] = []
        """The task of each sample, where there are several."""
        self.gone: dict[int, tuple[str, str]] = {}
        """Samples that were found out later, with reason and detail."""

    def __len__(self) -> int:
        return len(self.keys)

    def gather(
        self,
        scanner: Scanner,
        facts: ViewFactsWriter | None,
        on_progress: Progress | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        """Reads the dataset and writes what stays.

        Args:
            scanner: of the dataset.
            facts: takes what the scan finds, where that is wanted.
            on_progress: told entries done and in all.
            should_stop: asked some times a second.

        Raises:
            Stopped: `should_stop` said so.
        """
        with self._path.open("wb") as kept:
            for scanned in watched(scanner, on_progress, should_stop):
                if scanned is None:
                    continue
                self.rows += 1
                if facts is not None:
                    facts.row(scanned)
                sample = self._staying(scanned)
                if sample is not None:
                    source = self._first_source + scanned.row.source
                    wanted = self._decisions.standing(scanned.key).verdict == "keep"
                    task = "" if self._tasks is None else self._tasks.of(scanned.row.value)
                    if self._tasks is not None:
                        self.tasks.append(task)
                        sample = self._tasks.apply(sample, task)
                    sample = with_columns(sample, scanned, self._columns)
                    kept.write(view_line(scanned.key, scanned.number, source, sample, kept=wanted, task=task))
            for number, flag in scanner.finish():
                if facts is not None:
                    facts.flag(number, (flag,))
                place = self.place(number)
                if place is not None and flag.name in self._drop_flags:
                    self.drop(place, flag.name, flag.reason)
        self.counts.malformed(scanner.bad_lines)
        self.first_rows = dict(scanner.first_rows)
        if facts is not None:
            facts.bad(scanner.bad)

    def place(self, row: int) -> int | None:
        """The number of the sample that a row became, or None."""
        low, high = 0, len(self.rows_kept)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.rows_kept[middle] < row else (low, middle)
        return low if low < len(self.rows_kept) and self.rows_kept[low] == row else None

    def drop(self, place: int, reason: str, detail: str) -> bool:
        """Drops a sample after all, unless the user has kept it.

        Returns:
            Whether it is dropped.
        """
        if not self.decided[place]:
            self.gone.setdefault(place, (reason, detail))
        return place in self.gone

    def always_drop(self, place: int, reason: str, detail: str) -> None:
        """Drops a sample whatever the user has decided: it would spoil the eval set."""
        self.gone.setdefault(place, (reason, detail))

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The samples that stay, as lines of a view, with their numbers; the others are noted as dropped."""
        with self._path.open("rb") as kept:
            for place, line in enumerate(kept):
                if place not in self.gone:
                    yield place, line
                    continue
                reason, detail = self.gone[place]
                self._excluded.add(reason, detail, orjson.loads(line), self.dropped)

    def remove(self) -> None:
        """Gives the file's space back."""
        self._path.unlink()

    def _line(self, scanned: ScannedRow) -> dict[str, Any]:
        return {"key": scanned.key, "row": scanned.number, "source": self._first_source + scanned.row.source}

    def _staying(self, scanned: ScannedRow) -> Sample | None:
        """The sample that a row contributes, or None; notes why not."""
        standing = self._decisions.standing(scanned.key)
        if standing is not OPEN:
            self.review.add(standing)
        sample, item = scanned.sample, scanned.item
        if standing.edit is not None and standing.verdict != "drop":
            sample = _edited(standing.edit, scanned)
            item = Item(scanned.number, sample)
            self.edited += 1
        if self.leaks is not None:
            self.leaks.add(scanned.number, item)
            self.leaks.see_key(scanned.key, scanned.number)
        synthetic = by_hand(standing.flag) or any(flag.name == NAME for flag in scanned.flags)
        reason, detail = self._reason(standing, scanned, sample, item.content, synthetic)
        self.counts.row(scanned.row.source, detail if reason == UNREADABLE else "")
        if reason or sample is None:
            line = self._line(scanned) | ({} if sample is None else {"sample": sample.to_json()})
            self._excluded.add(reason, detail, line, self.dropped)
            return None
        self._seen.add(item.content)
        self.kinds[sample.kind] += 1
        self.rows_kept.append(scanned.number)
        self.keys.append(scanned.key)
        self.contents.append(item.content)
        self.prompts.append(digest(item.prompt) if item.prompt else item.content)
        self.strata.append(self._strata.of(scanned.row, sample))
        self.synthetic.append(synthetic)
        self.decided.append(standing is not OPEN and bool(standing.verdict))
        if self._families is not None:
            self._families.add(item)
        return sample

    def _reason(
        self, standing: DecisionState, scanned: ScannedRow, sample: Sample | None, content: bytes, synthetic: bool
    ) -> tuple[str, str]:
        """Why a row is dropped, in one word and in detail; twice "" where it stays."""
        if standing.verdict == "drop":
            return "decision", standing.why or standing.flag or standing.note
        if sample is None:
            return UNREADABLE, scanned.item.error or "not a sample"
        if standing.verdict == "keep":
            return "", ""
        for flag in scanned.flags:
            # A duplicate goes only because of an equal sample that stays: the first one may have been dropped.
            if flag.name != "exact_duplicate" and flag.name in self._drop_flags:
                return flag.name, flag.reason
        if self._control is not None and (tokens := self._control.of(sample)):
            return CONTROL_TOKENS, f"the text contains {', '.join(tokens)}"
        if synthetic and NAME in self._drop_flags:
            return NAME, "marked by hand"
        if "exact_duplicate" in self._drop_flags and content in self._seen:
            return "exact_duplicate", next(
                (flag.reason for flag in scanned.flags if flag.name == "exact_duplicate"),
                "same sample as an earlier row",
            )
        return "", ""


def with_columns(sample: Sample, scanned: ScannedRow, columns: Sequence[str]) -> Sample:
    """The sample with further columns of its row; one that the row lacks is None."""
    if not columns:
        return sample
    value = scanned.row.value or {}
    return replace(sample, columns={name: value.get(name) for name in columns})


def _edited(edit: Mapping[str, Any], scanned: ScannedRow) -> Sample:
    try:
        return Sample.from_json(dict(edit))
    except (KeyError, TypeError, AttributeError) as fault:
        raise BadInput(
            f"the edit of row {scanned.number + 1:,} is not a valid sample", do="Undo it, or edit the row again"
        ) from fault
