"""Every row read once: what cannot be read, what should be looked at, and each row's key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.dataset.checks import CHECKS, Check, Context, Flag, Item
from core.dataset.checks.base import prompt_digest
from core.dataset.dataset import Dataset
from core.dataset.formats import Recognition
from core.dataset.keys import Occurrences, key_text, pack, row_digest
from core.dataset.records import BadLine, Row, Unreadable
from core.dataset.sample import Sample
from core.errors import BadInput

Progress = Callable[[int, int], None]
"""Called with entries done and entries in all, some times a second."""

_PERIOD = 0.1


class Stopped(Exception):
    """The scan ended because it was asked to."""


@dataclass(frozen=True, slots=True)
class ScannedRow:
    """One good row, after its checks.

    Attributes:
        number: among the good rows, from 0.
        row: the row itself.
        sample: its sample, or None where it cannot be formatted.
        digest: hash of the parsed row.
        occurrence: how many equal rows came before.
        content: hash of the sample's content, b"" without sample.
        flags: what the checks found while passing (the rest comes from `Scanner.finish`).
    """

    number: int
    row: Row
    sample: Sample | None
    digest: bytes
    occurrence: int
    content: bytes
    flags: tuple[Flag, ...]

    @property
    def key(self) -> str:
        """The key of decisions on this row."""
        return key_text(self.digest, self.occurrence)


class Scanner:
    """Reads a data set from end to end, one row a step.

    Args:
        dataset: what is read.
        eval_paths: files whose prompts must not stand in it.
        checks: the checks to run.
    """

    def __init__(
        self, dataset: Dataset, *, eval_paths: Sequence[str | Path] = (), checks: Sequence[type[Check]] = CHECKS
    ) -> None:
        self.dataset = dataset
        context = Context(eval_prompts=_eval_prompts(dataset, eval_paths) if eval_paths else {})
        wanted = [each for each in checks if eval_paths or each.name != "leak_exact"]
        self._checks = [each(context) for each in wanted]
        self.counts = {each.name: 0 for each in wanted}
        self.bad: list[tuple[int, BadLine]] = []

    def __iter__(self) -> Iterator[ScannedRow | None]:
        """Every entry in order: a good row, or None for a bad one (then `bad` has grown)."""
        reader = self.dataset.reader
        occurrences = Occurrences()
        number = 0
        for entry in range(reader.count):
            row = reader.row(entry)
            if row.value is None:
                self.bad.append((entry, row.bad_line))
                yield None
                continue
            sample, error = None, ""
            try:
                sample = self.dataset.sample_of(row)
            except Unreadable as fault:
                error = str(fault)
            item = Item(number, sample, error=error, nonstandard=row.nonstandard)
            flags = tuple(flag for check in self._checks if (flag := check.inspect(item)) is not None)
            for flag in flags:
                self.counts[flag.name] += 1
            digest = row_digest(row.value)
            yield ScannedRow(number, row, sample, digest, occurrences.next(digest), item.content, flags)
            number += 1

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Flags that needed all rows, with row numbers; to be called after the last entry."""
        for check in self._checks:
            for number, flag in check.finish():
                self.counts[flag.name] += 1
                yield number, flag

    @property
    def bad_lines(self) -> list[BadLine]:
        """Every place that could not be read, the files' own faults last."""
        return [line for _, line in self.bad] + self.dataset.reader.faults()


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan found.

    Attributes:
        rows: how many good rows there are.
        format: what the data set was taken for.
        bad_lines: what could not be read.
        bad_entries: the entry numbers of bad lines, ascending.
        flags: check name to number of rows, 0 included for every check that ran.
        row_flags: good row to its flags, for rows that have some.
        keys: packed keys of all good rows (`core.dataset.keys.unpack`).
    """

    rows: int
    format: Recognition
    bad_lines: tuple[BadLine, ...] = ()
    bad_entries: tuple[int, ...] = ()
    flags: Mapping[str, int] = field(default_factory=dict)
    row_flags: Mapping[int, tuple[Flag, ...]] = field(default_factory=dict, repr=False)
    keys: bytes = field(default=b"", repr=False)

    def to_json(self) -> dict[str, Any]:
        """As `scan --json` prints it."""
        return {
            "rows": self.rows,
            "format": self.format.name,
            "why": self.format.why,
            "columns": dict(self.format.columns),
            "bad_lines": [line.to_json() for line in self.bad_lines],
            "flags": dict(self.flags),
        }


def scan(
    paths: str | Path | Sequence[str | Path],
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    eval_paths: Sequence[str | Path] = (),
    checks: Sequence[type[Check]] = CHECKS,
    on_progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ScanResult:
    """Scans files or folders in this process.

    Args:
        paths: as `Dataset.open`.
        format: as `Dataset.open`.
        columns: as `Dataset.open`.
        eval_paths: files whose prompts must not stand in the data set.
        checks: the checks to run.
        on_progress: told how far it is.
        should_stop: asked some times a second.

    Raises:
        BadInput: nothing can be read.
        Stopped: `should_stop` said so.
    """
    dataset = Dataset.open(paths, format, columns)
    scanner = Scanner(dataset, eval_paths=eval_paths, checks=checks)
    row_flags: dict[int, tuple[Flag, ...]] = {}
    keys = bytearray()
    rows = 0
    for scanned in watched(scanner, on_progress, should_stop):
        if scanned is not None:
            rows += 1
            keys += pack(scanned.digest, scanned.occurrence)
            if scanned.flags:
                row_flags[scanned.number] = scanned.flags
    for number, flag in scanner.finish():
        row_flags[number] = (*row_flags.get(number, ()), flag)
    return ScanResult(
        rows=rows,
        format=dataset.recognition,
        bad_lines=tuple(scanner.bad_lines),
        bad_entries=tuple(entry for entry, _ in scanner.bad),
        flags=scanner.counts,
        row_flags=row_flags,
        keys=bytes(keys),
    )


def watched(
    scanner: Scanner, on_progress: Progress | None, should_stop: Callable[[], bool] | None
) -> Iterator[ScannedRow | None]:
    """The scanner's entries, with progress told and the wish to stop asked for ten times a second.

    Raises:
        Stopped: `should_stop` said so.
    """
    reader = scanner.dataset.reader
    while not reader.extend(_PERIOD):
        if should_stop is not None and should_stop():
            raise Stopped
    told = time.monotonic()
    done = 0
    for done, scanned in enumerate(scanner, 1):
        yield scanned
        if done % 64 == 0 and (now := time.monotonic()) - told > _PERIOD:
            told = now
            if on_progress is not None:
                on_progress(done, reader.count)
            if should_stop is not None and should_stop():
                raise Stopped
    if on_progress is not None:
        on_progress(done, reader.count)


def _eval_prompts(beside: Dataset, paths: Sequence[str | Path]) -> dict[bytes, str]:
    """The digest of each prompt of the eval files, with its place in words."""
    dataset = beside.open_beside(paths)
    dataset.reader.extend()
    prompts: dict[bytes, str] = {}
    for entry in range(dataset.count):
        row = dataset.row(entry)
        try:
            asked = prompt_digest(dataset.sample_of(row))
        except Unreadable:
            continue
        if asked is not None:
            prompts.setdefault(asked, f"{row.file.name}, line {row.line:,}")
    if not prompts:
        raise BadInput("the eval file holds no row that can be formatted", where=str(paths[0]))
    return prompts
