"""Every row read once: what cannot be read, what should be looked at, and each row's key."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.dataset.checks import CHECKS, Check, Context, Flag, SetProperty
from core.dataset.checks.near import LeakNear, NearDuplicate
from core.dataset.checks.rows import LeakExact
from core.dataset.dataset import Dataset
from core.dataset.eval_place import EvalPlace
from core.dataset.formats import Recognition
from core.dataset.formats.unused import UnusedNames, UnusedSearch
from core.dataset.item import Item, prompt_digest
from core.dataset.mapping import Chosen
from core.dataset.near.gather import Gatherer
from core.dataset.near.result import NearOptions, NearResult, StageProgress
from core.dataset.near.shared import Shared
from core.dataset.records import BadLine, Row, Unreadable, encoding_offer
from core.dataset.sample import Sample
from core.dataset.scan.collector import seldom_collecting
from core.dataset.scan.keys import Occurrences, key_text, pack, row_digest
from core.dataset.scan.read_as import ReadAs, ReadRows
from core.dataset.scan.resume import Begun
from core.dataset.synthetic import NAME
from core.errors import BadInput

Progress = Callable[[int, int], None]
"""Called with entries done and entries in all, some times a second."""

FlagSink = Callable[[int, tuple[Flag, ...]], None]
"""Takes flags of a good row; those of one row may come in parts, the later ones in any order."""

_PERIOD = 0.1
_OF_SEARCH = (NearDuplicate.name, LeakNear.name)


class ScanStopped(Exception):
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
        item: what the checks were given.
        flags: what the checks found while passing (the rest comes from `Scanner.finish`).
    """

    number: int
    row: Row
    sample: Sample | None
    digest: bytes
    occurrence: int
    item: Item
    flags: tuple[Flag, ...]

    @property
    def content(self) -> bytes:
        """The hash of the sample's content, b"" without sample."""
        return self.item.content

    @property
    def key(self) -> str:
        """The key of decisions on this row."""
        return key_text(self.digest, self.occurrence)


@dataclass(frozen=True, slots=True)
class EvalRows:
    """The rows of the eval files, of which a scan compares the prompts.

    Attributes:
        rows: how many there are, malformed ones included.
        without_prompt: how many of them have no prompt that could be read.
        first: the first of these, its place and the reason, or "".
    """

    rows: int = 0
    without_prompt: int = 0
    first: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `scan --json` prints it."""
        return {"rows": self.rows, "without_prompt": self.without_prompt, "first": self.first}


class Scanner:
    """Reads a dataset from end to end, one row a step.

    Args:
        dataset: what is read.
        eval_paths: files whose prompts must not stand in it.
        eval_chosen: what the user has said of their format and columns.
        checks: the checks to run; those that need eval files or `near` are passed over without.
        near: takes the rows for a search for near-duplicates, which `finish` makes.
        synthetic: what marks a row as synthetic, see `core.dataset.synthetic.marker`.
        each_row: names of checks by which rows are dropped: they flag each row, however many they are.
        begun: what an earlier scan of the same rows by the same checks had found; not together with `near`.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        eval_paths: Sequence[str | Path] = (),
        eval_chosen: Chosen | None = None,
        checks: Sequence[type[Check]] = CHECKS,
        near: Gatherer | None = None,
        synthetic: str = NAME,
        each_row: Collection[str] = (),
        begun: Begun | None = None,
    ) -> None:
        self.dataset = dataset
        self._begun = begun or Begun()
        self._near = near
        prompts: dict[bytes, EvalPlace] = {}
        self.eval_rows = EvalRows()
        """What was found of the eval files."""
        if eval_paths:
            prompts, self.eval_rows = _eval_prompts(dataset.open_eval(eval_paths, eval_chosen), near)
        context = Context(prompts, near, synthetic, each_row)
        without_eval = () if eval_paths else (LeakExact, LeakNear)
        without_near = () if near is not None else (NearDuplicate, LeakNear)
        wanted = [each for each in checks if each not in (*without_eval, *without_near)]
        self._checks = [each(context) for each in wanted]
        self.counts = {each.name: self._begun.counts.get(each.name, 0) for each in wanted}
        self.bad = list(self._begun.bad)
        self.read_as = ReadAs(dataset)
        """How many rows of which file were read as what."""
        self.first_rows: dict[int, int] = {}
        """File number to its first good row."""
        self._unused = UnusedSearch()

    @property
    def unused(self) -> UnusedNames:
        """What the formats did not read in the rows so far."""
        return self._unused.found()

    def __iter__(self) -> Iterator[ScannedRow | None]:
        """Every entry in order: a good row, or None for a bad one (then `bad` has grown) and what is known already."""
        reader = self.dataset.reader
        occurrences = Occurrences()
        for _ in self._see_again(occurrences):
            yield None
        number = self._begun.rows
        inspections = [check.inspect for check in self._checks]
        for entry in range(self._begun.entries, reader.count):
            row = reader.row(entry)
            if row.value is None:
                self.bad.append((entry, row.bad_line))
                yield None
                continue
            digest = row_digest(row.value)
            item = self._item(number, row, digest)
            flags = tuple([flag for inspect in inspections if (flag := inspect(item)) is not None])
            for flag in flags:
                self.counts[flag.name] += 1
            scanned = ScannedRow(number, row, item.sample, digest, occurrences.next(digest), item, flags)
            if self._near is not None and self._near.needs_keys:
                self._near.see_key(scanned.key, number)
            yield scanned
            number += 1

    def _see_again(self, occurrences: Occurrences) -> Iterator[None]:
        """Shows the rows of the earlier scan to those checks that compare rows."""
        remembering = [check for check in self._checks if check.remembers]
        bad = {entry for entry, _ in self._begun.bad}
        number = 0
        for entry in range(self._begun.entries):
            if entry not in bad:
                row = self.dataset.reader.row(entry)
                item = self._item(number, row, self._begun.digest(number))
                for check in remembering:
                    check.inspect(item)
                occurrences.next(self._begun.digest(number))
                number += 1
            yield

    def _item(self, number: int, row: Row, digest: bytes) -> Item:
        sample, error, which = None, "", 0
        if row.source not in self.first_rows:
            self.first_rows[row.source] = number
        if row.value is not None:
            read = self.dataset.recognitions.of(row.source)
            try:
                which, sample = read.numbered(row.value)
            except Unreadable as fault:
                error = str(fault)
            else:
                self._unused.see(row.value, read.readings[which], sample)
        else:
            error = row.error
        self.read_as.take(row.source, which, sample is not None)
        return Item(number, sample, error=error, nonstandard=row.nonstandard, value=row.value, digest=digest)

    def finish(self, tick: StageProgress | None = None) -> Iterator[tuple[int, Flag]]:
        """Flags that needed all rows, with row numbers; to be called after the last entry.

        Args:
            tick: told how far the search for near-duplicates is; may raise to stop it.
        """
        if self._near is not None:
            self._near.search(tick or (lambda what, done, of: None))
        for check in self._checks:
            for number, flag in check.finish():
                self.counts[flag.name] += 1
                yield number, flag

    @property
    def properties(self) -> tuple[SetProperty, ...]:
        """What is true of the whole set, once `finish` has ended."""
        return tuple(found for check in self._checks for found in check.properties())

    @property
    def bad_lines(self) -> list[BadLine]:
        """Every place that could not be read, the files' own faults last."""
        return [line for _, line in self.bad] + self.dataset.reader.faults()


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan found.

    Attributes:
        rows: how many good rows there are.
        format: what the dataset was taken for.
        bad_lines: what could not be read.
        bad_entries: the entry numbers of bad lines, ascending.
        flags: check name to number of rows, 0 included for every check that ran.
        properties: what checks say of the whole set in place of flags on each row.
        container: what kind of file it is, in words (`core.dataset.files.readers.Reader`).
        row_flags: good row to its flags, for rows that have some.
        keys: packed keys of all good rows (`core.dataset.scan.keys.unpack`).
        near: the near-duplicates, where they were asked for.
        shared: what that search left out of the texts.
        read_as: where files or rows are read in several ways, each with the number of its rows.
        first_rows: the files that have good rows, each with the number of its first one, ascending.
        examples: check name to the first row that it flagged.
        eval_rows: what was found of the eval files.
        unused: columns and keys of turns that the formats do not read.
    """

    rows: int
    format: Recognition
    bad_lines: tuple[BadLine, ...] = ()
    bad_entries: tuple[int, ...] = ()
    flags: Mapping[str, int] = field(default_factory=dict)
    properties: tuple[SetProperty, ...] = ()
    container: str = ""
    row_flags: Mapping[int, tuple[Flag, ...]] = field(default_factory=dict, repr=False)
    keys: bytes = field(default=b"", repr=False)
    near: NearResult | None = field(default=None, repr=False)
    shared: Shared | None = field(default=None, repr=False)
    read_as: tuple[ReadRows, ...] = ()
    first_rows: tuple[tuple[Path, int], ...] = ()
    examples: Mapping[str, int] = field(default_factory=dict)
    eval_rows: EvalRows = field(default_factory=EvalRows)
    unused: UnusedNames = field(default_factory=UnusedNames, repr=False)

    def to_json(self) -> dict[str, Any]:
        """As `scan --json` prints it."""
        return {
            "rows": self.rows,
            "container": self.container,
            "format": self.format.name,
            "why": self.format.why,
            "columns": dict(self.format.columns),
            **({"read_as": [each.to_json() for each in self.read_as]} if self.read_as else {}),
            "unused": self.unused.to_json(),
            "warnings": [*self.unused.warnings, *filter(None, (encoding_offer(self.bad_lines),))],
            **({"eval": self.eval_rows.to_json()} if self.eval_rows.rows else {}),
            "bad_lines": [line.to_json() for line in self.bad_lines],
            "flags": dict(self.flags),
            "properties": [each.to_json() for each in self.properties],
            **(self.near.to_json() if self.near is not None else {}),
        }


def scan(
    paths: str | Path | Sequence[str | Path],
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    eval_paths: Sequence[str | Path] = (),
    eval_chosen: Chosen | None = None,
    checks: Sequence[type[Check]] = CHECKS,
    near: NearOptions | None = None,
    apart: Collection[tuple[str, str]] = (),
    on_progress: Progress | None = None,
    on_phase: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    found: FlagSink | None = None,
) -> ScanResult:
    """Scans files or folders in this process.

    Args:
        paths: as `Dataset.open`.
        format: as `Dataset.open`.
        columns: as `Dataset.open`.
        eval_paths: files whose prompts must not be in the dataset.
        eval_chosen: what the user has said of their format and columns.
        checks: the checks to run.
        near: search for near-duplicates as well.
        apart: pairs of row keys that the user has marked as not duplicates (`Ledger.apart`).
        on_progress: told how far the phase is.
        on_phase: told what is being done, each time that changes.
        should_stop: asked some times a second.
        found: takes the flags of each row, which then are not in `row_flags` but for those of a search.

    Raises:
        BadInput: nothing can be read.
        Stopped: `should_stop` said so.
    """
    dataset = Dataset.open(paths, format, columns)
    row_flags: dict[int, tuple[Flag, ...]] = {}
    examples: dict[str, int] = {}

    def take(number: int, flags: tuple[Flag, ...]) -> None:
        for flag in flags:
            if number < examples.get(flag.name, number + 1):
                examples[flag.name] = number
        if found is not None:
            found(number, flags)
            flags = tuple(flag for flag in flags if flag.name in _OF_SEARCH)
        if flags:
            row_flags[number] = (*row_flags.get(number, ()), *flags)

    keys = bytearray()
    rows = 0
    with seldom_collecting(), gatherer(near, apart) as gathered:
        scanner = Scanner(dataset, eval_paths=eval_paths, eval_chosen=eval_chosen, checks=checks, near=gathered)
        for scanned in watched(scanner, on_progress, should_stop):
            if scanned is not None:
                rows += 1
                keys += pack(scanned.digest, scanned.occurrence)
                if scanned.flags:
                    take(scanned.number, scanned.flags)
        for number, flag in scanner.finish(ticking(on_progress, on_phase, should_stop)):
            take(number, (flag,))
    return ScanResult(
        rows=rows,
        format=dataset.recognition,
        bad_lines=tuple(scanner.bad_lines),
        bad_entries=tuple(entry for entry, _ in scanner.bad),
        flags=scanner.counts,
        properties=scanner.properties,
        container=dataset.reader.container,
        row_flags=row_flags,
        keys=bytes(keys),
        near=None if gathered is None else gathered.result,
        shared=None if gathered is None else gathered.shared,
        read_as=scanner.read_as.rows(),
        first_rows=tuple((dataset.reader.files[source], row) for source, row in scanner.first_rows.items()),
        examples=examples,
        eval_rows=scanner.eval_rows,
        unused=scanner.unused,
    )


def gatherer(
    options: NearOptions | None, apart: Collection[tuple[str, str]] = (), folder: str | Path | None = None
) -> AbstractContextManager[Gatherer | None]:
    """What takes the rows for a search, or nothing where none is wanted."""
    return nullcontext() if options is None else Gatherer(options, apart, folder)


def ticking(
    on_progress: Progress | None, on_phase: Callable[[str], None] | None, should_stop: Callable[[], bool] | None
) -> StageProgress:
    """Tells a search's progress, and stops it.

    Raises:
        Stopped: `should_stop` said so, when the tick is called.
    """
    phase = ""

    def tick(what: str, done: int, of: int) -> None:
        nonlocal phase
        if what != phase and on_phase is not None:
            on_phase(what)
        phase = what
        if on_progress is not None:
            on_progress(done, of)
        if should_stop is not None and should_stop():
            raise ScanStopped

    return tick


def watched(
    scanner: Scanner, on_progress: Progress | None, should_stop: Callable[[], bool] | None
) -> Iterator[ScannedRow | None]:
    """The scanner's entries, with progress told and the wish to stop asked for before the first and ten times a second.

    Raises:
        Stopped: `should_stop` said so.
    """
    reader = scanner.dataset.reader
    while not reader.extend(_PERIOD):
        if should_stop is not None and should_stop():
            raise ScanStopped
    if should_stop is not None and should_stop():
        raise ScanStopped
    reported_at = time.monotonic()
    done = 0
    for done, scanned in enumerate(scanner, 1):
        yield scanned
        if done % 64 == 0 and (now := time.monotonic()) - reported_at > _PERIOD:
            reported_at = now
            if on_progress is not None:
                on_progress(done, reader.count)
            if should_stop is not None and should_stop():
                raise ScanStopped
    if on_progress is not None:
        on_progress(done, reader.count)


def _eval_prompts(dataset: Dataset, near: Gatherer | None) -> tuple[dict[bytes, EvalPlace], EvalRows]:
    """The digest of each prompt of the eval files, with its place, and what was counted; `near` is given their samples.

    A row without an answer counts as well: only its prompt matters.
    """
    dataset.reader.extend()
    prompts: dict[bytes, EvalPlace] = {}
    occurrences = Occurrences()
    missing, first = 0, ""
    for entry in range(dataset.count):
        row = dataset.row(entry)
        if row.value is None:
            missing += 1
            first = first or f"{EvalPlace.of(row).words}: {row.error}"
            continue
        key = ""
        if near is not None:
            digest = row_digest(row.value)
            key = key_text(digest, occurrences.next(digest))
        try:
            sample = dataset.asked(row)
        except Unreadable as fault:
            missing += 1
            first = first or f"{EvalPlace.of(row).words}: {fault}"
            continue
        place = EvalPlace.of(row)
        asked = prompt_digest(sample)
        if asked is not None:
            prompts.setdefault(asked, place)
        if near is not None:
            near.add_eval(sample, place, entry, key)
    if not prompts:
        raise BadInput(
            f"no row of the eval file has a prompt{f' ({first})' if first else ''}",
            where=str(dataset.paths[0]),
            do="Map its columns: M on Data, --eval-columns prompt=COLUMN, or data.eval_columns",
        )
    return prompts, EvalRows(dataset.count, missing, first)
