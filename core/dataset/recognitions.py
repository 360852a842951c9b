"""What each file of a dataset is read as: a format and columns of its own, and inside a file a few alternatives.

Files of one dataset often come from different places, and one file may be two that somebody joined. So each file is
recognized from its own first rows. Rows of another schema among them are recognized apart; a later row that lacks what
its file's format needs is read by another format if one fits and makes the same kind of sample. How a row is read
depends on the row and on the first rows of its file alone, so it is the same whoever asks, and in whatever order.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.dataset.formats import FORMATS, UNKNOWN, Format, Recognition, choose, format_named, recognize, to_sample
from core.dataset.formats.unused import UnusedNames, unused_names
from core.dataset.mapping import Chosen
from core.dataset.records import Row, Unreadable
from core.dataset.sample import KINDS, Sample, SampleKind
from core.errors import BadInput

AT_OPEN = 16
"""Files that are recognized when a dataset is opened; of a folder with hundreds of shards the others follow."""

_MOST_SCHEMAS = 8
_LEAST_SHARE = 0.25
_JUDGED = ("preference", "kto")
NEITHER = -1
_MOST_REMEMBERED = 4_096
_BY_NAME = {each.name: each for each in FORMATS}

Rows = Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class FileRecognition:
    """How the rows of one file are read.

    Attributes:
        file: the file.
        readings: the recognition of the file as a whole, then the other schemas among its first rows; later ones as
            they are met.
        known: how many of these were known from the first rows.
        fixed: whether the user has named columns, so that no other reading is tried.
    """

    file: Path
    readings: list[Recognition]
    known: int = 1
    fixed: bool = False
    _formats: tuple[Format, ...] = FORMATS
    _common: frozenset[str] = frozenset()
    _by_keys: dict[tuple[str, ...], int] = field(default_factory=dict)
    _other_kinds: dict[tuple[str, ...], list[tuple[Format, dict[str, str]]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def found(self) -> Recognition:
        """The recognition of the file as a whole."""
        return self.readings[0]

    @property
    def first(self) -> tuple[Recognition, ...]:
        """What is known from the first rows, the file's own recognition first."""
        return tuple(self.readings[: self.known])

    @property
    def kinds(self) -> tuple[SampleKind, ...]:
        """The kinds of samples that its first rows make."""
        return tuple(dict.fromkeys(each.kind for each in self.first if each.kind is not None))

    def which(self, value: Mapping[str, Any]) -> int:
        """The number in `readings` of what reads a row; `NEITHER` where it is another kind of sample than these."""
        if self.fixed or not self.readings[0].known:
            return 0
        keys = _filled(value)
        found = self._by_keys.get(keys)
        if found is None:
            with self._lock:
                found, lasting = self._reading(keys, value)
                if lasting and len(self._by_keys) < _MOST_REMEMBERED:
                    self._by_keys[keys] = found
        return found

    def sample(self, value: Mapping[str, Any]) -> Sample:
        """The sample of a parsed row.

        Raises:
            Unreadable: with the reason.
        """
        return self.numbered(value)[1]

    def numbered(self, value: Mapping[str, Any]) -> tuple[int, Sample]:
        """The number in `readings` of what reads a row, and its sample; as `sample`."""
        number = self.which(value)
        if number == NEITHER:
            told, _ = _told_otherwise(self.found, _filled(value), value, self._common)
            kind = "another kind of sample" if told is None or told.kind is None else KINDS[told.kind]
            raise Unreadable(f"the columns of this row look like {kind}, unlike the first rows of this file")
        try:
            return number, to_sample(value, self.readings[number])
        except Unreadable as fault:
            if number or not (other := self._other_kind(value)):
                raise
            raise Unreadable(f"{fault}; it looks like {other}, unlike the first rows of this file") from None

    def fitting(self, rows: Rows) -> int:
        """How many of some rows are samples."""
        count = 0
        for row in rows:
            try:
                self.sample(row)
            except Unreadable:
                continue
            count += 1
        return count

    def _reading(self, keys: Sequence[str], value: Mapping[str, Any]) -> tuple[int, bool]:
        """What reads a row, and whether that follows from the names of its filled columns alone."""
        for each in self.readings[: self.known]:
            if _is_complete(each, keys):
                told, lasting = (
                    (None, True) if self._formats is not FORMATS else _told_otherwise(each, keys, value, self._common)
                )
                if told is not None:
                    return self._number(told) if told.kind in self.kinds else NEITHER, False
                return self._number(_with_own(each, keys)), lasting
        kinds = self.kinds
        fitting = [each for each in self._formats if each.kind in kinds]
        candidates = [(each, columns) for each in fitting if (columns := each.map_columns(keys, {})) is not None]
        for form, named in candidates:
            columns = form.refine([value], named)
            if form.fitting([value], columns):
                why = f"{form.title}; {form.reason(columns)}."
                return self._number(Recognition(form.name, why, columns, form.kind, tuple(keys))), False
        return 0, not candidates

    def _number(self, found: Recognition) -> int:
        for number, each in enumerate(self.readings):
            if each is found or (each.name == found.name and each.columns == found.columns):
                return number
        self.readings.append(found)
        return len(self.readings) - 1

    def _other_kind(self, value: Mapping[str, Any]) -> str:
        """What a row that cannot be read is, where that is another kind of sample; else ""."""
        if self.fixed or not self.found.known or not _format(self.found).missing(value, self.found.columns):
            return ""
        keys = _filled(value)
        fitting = self._other_kinds.get(keys)
        if fitting is None:
            mapped = ((each, each.map_columns(keys, {})) for each in FORMATS)
            fitting = [(each, columns) for each, columns in mapped if columns is not None]
            if len(self._other_kinds) < _MOST_REMEMBERED:
                self._other_kinds[keys] = fitting
        kind = next((each.kind for each, columns in fitting if each.fitting([value], columns)), None)
        return KINDS[kind] if kind is not None and kind not in self.kinds else ""

    def to_json(self) -> list[dict[str, Any]]:
        """What is known from the first rows, without the words on why."""
        return [{"format": each.name, "columns": dict(each.columns), "kind": each.kind} for each in self.first]


class Recognitions:
    """How the rows of each file of a dataset are read.

    Args:
        files: in source order.
        first_rows: gives the first rows of a file by its number.
        chosen: what the user has said.

    Raises:
        BadInput: of none of the first files any row can be read, or the first one does not fit what was said.
    """

    def __init__(self, files: Sequence[Path], first_rows: Callable[[int], Rows], chosen: Chosen) -> None:
        self.files = tuple(files)
        self._first_rows = first_rows
        self._chosen = chosen
        self._found: dict[int, FileRecognition] = {}
        self._lock = threading.RLock()
        self._elsewhere: dict[int, BadInput] = {}  # files that have none of the columns that were named
        fault: BadInput | None = None
        self._leading: FileRecognition | None = None
        for source in range(min(len(files), AT_OPEN)):
            try:
                found = self._found[source] = self._recognized(source)
            except BadInput as error:
                if chosen.of_file(self.files[source]).alone:
                    raise
                fault = fault or error
                continue
            if self._leading is None or (found.found.known and not self._leading.found.known):
                self._leading = found
        if self._leading is None:
            raise fault or BadInput("no rows in the files")
        if len(self._elsewhere) == len(self._found):
            raise next(iter(self._elsewhere.values()))
        for source, found in self._found.items():
            self._found[source] = self._as_siblings(source, found)

    @property
    def leading(self) -> Recognition:
        """That of the first file that has a known one."""
        assert self._leading is not None
        return self._leading.found

    def of(self, source: int) -> FileRecognition:
        """How the rows of a file are read; reads its first rows where nobody did before."""
        found = self._found.get(source)
        if found is None:
            with self._lock:
                found = self._found.get(source) or self._decided(source)
                self._found[source] = found
        return found

    def all(self) -> list[FileRecognition]:
        """How the rows of every file are read; may have to open them."""
        return [self.of(source) for source in range(len(self.files))]

    def at_open(self) -> list[FileRecognition]:
        """Those of the files that were looked at when the dataset was opened."""
        return [self.of(source) for source in range(min(len(self.files), AT_OPEN))]

    def read(self, row: Row) -> Sample:
        """The sample of a good row.

        Raises:
            Unreadable: with the reason.
        """
        assert row.value is not None
        found = self._found.get(row.source) or self.of(row.source)
        return found.sample(row.value)

    def unused(self) -> UnusedNames:
        """What the formats do not read in the first rows of the files that were looked at."""
        return unused_names(self._read_first())

    def masked_rows(self) -> int:
        """How many first rows are conversations, where the data excludes every answer in them from the loss; else 0."""
        rows = 0
        for _, _, sample in self._read_first():
            if sample is None or sample.kind != "messages":
                continue
            answers = [turn for turn in sample.messages if turn.role == "assistant"]
            if not answers or any(turn.trained for turn in answers):
                return 0
            rows += 1
        return rows

    def _read_first(self) -> Iterator[tuple[Mapping[str, Any], Recognition, Sample | None]]:
        for source, each in enumerate(self.at_open()):
            rows: Rows = ()
            with suppress(BadInput):
                rows = self._first_rows(source)
            for value in rows:
                sample = None
                with suppress(Unreadable):
                    sample = each.sample(value)
                yield value, each.readings[max(0, each.which(value))], sample

    @property
    def uniform(self) -> bool:
        """Whether all files are read alike, each by one recognition."""
        first = self.leading
        return all(
            each.known == 1 and each.found.name == first.name and each.found.columns == first.columns
            for each in self.all()
        )

    @property
    def key(self) -> tuple[str, dict[str, str]]:
        """Format and columns as what rests on them is filed under; those of one file where all are read alike."""
        if self.uniform:
            return self.leading.name, dict(self.leading.columns)
        columns: dict[str, str] = {}
        for number, each in enumerate(self.all()):
            for which, found in enumerate(each.first):
                place = f"{number}.{which}:"
                columns.update({f"{place}format": found.name, **{place + k: v for k, v in found.columns.items()}})
        return "several", columns

    def _decided(self, source: int) -> FileRecognition:
        try:
            return self._as_siblings(source, self._recognized(source))
        except BadInput as fault:
            return FileRecognition(self.files[source], [Recognition(UNKNOWN, fault.what)])

    def _recognized(self, source: int) -> FileRecognition:
        file = self.files[source]
        own = self._chosen.of_file(file)
        rows = self._first_rows(source)
        try:
            return recognize_file(file, rows, own)
        except BadInput as fault:
            if own.alone:
                raise BadInput(fault.what, where=str(file), do=fault.do) from None
            # Columns that were named for all files, and that this one has none of, concern the others.
            present = {name for row in rows for name in row}
            if own.named is None and not present.intersection(own.columns.values()):
                self._elsewhere[source] = fault
                return recognize_file(file, rows, Chosen())
            if not source:
                raise
            return FileRecognition(file, [Recognition(UNKNOWN, _first_upper(fault.what))], fixed=True)

    def _as_siblings(self, source: int, found: FileRecognition) -> FileRecognition:
        """A file of an unknown format is read as the one before it, where that fits: a shard may hold one odd row."""
        if found.found.known or self._leading is None or not self._leading.found.known:
            return found
        if self._chosen.of_file(found.file).alone:
            return found
        like = self._leading
        rows = self._first_rows(source)
        if any(_fits(row, like.found) for row in rows):
            return FileRecognition(found.file, list(like.first), like.known, like.fixed, like._formats)
        return found


def recognize_file(file: Path, rows: Rows, chosen: Chosen) -> FileRecognition:
    """Says how the rows of a file are read, from its first rows.

    Args:
        file: the file.
        rows: its first good rows.
        chosen: what the user has said of this file.

    Raises:
        BadInput: what was said does not fit.
    """
    named, columns = chosen.named, dict(chosen.columns)
    found = choose(rows, named, columns)
    if columns:
        return FileRecognition(file, [found], fixed=True)
    formats = FORMATS if named is None else (format_named(named),)
    if not found.known:
        # No format has half of the rows: that of a quarter with the same columns, where there is one.
        found = next((each for each in map(recognize, _groups(rows)) if each.known and named is None), found)
    if found.kind == "prompt" and named is None:
        # Where a quarter of the rows have answers, the others lack theirs.
        found = next((each for each in map(recognize, _groups(rows)) if each.known and each.kind != "prompt"), found)
    readings, common = [found], _common(rows)
    if found.known and named is None:
        readings += _others(rows, found, common)
    return FileRecognition(file, readings, len(readings), _formats=formats, _common=common)


def _common(rows: Rows) -> frozenset[str]:
    """The columns that more than half of some rows have filled."""
    counts = Counter(name for row in rows for name in _filled(row))
    return frozenset(name for name, count in counts.items() if 2 * count > len(rows))


def _told_otherwise(
    found: Recognition, keys: Sequence[str], value: Mapping[str, Any], common: frozenset[str]
) -> tuple[Recognition | None, bool]:
    """What a row is by columns that most first rows lack, where that says that its answer may be a bad one.

    A row with a label or a rejected answer among rows without is no answer to learn like theirs.

    Returns:
        The recognition, or None; and whether None follows from the names of the columns alone.
    """
    rare = set(keys).difference(common, found.columns.values())
    if not rare:
        return None, True
    lasting = True
    for form in FORMATS:
        if form.name == found.name:
            break
        if form.kind not in _JUDGED or form.kind == found.kind:
            continue
        named = form.map_columns(keys, {})
        if named is None or not rare.intersection(named.values()):
            continue
        lasting = False
        columns = form.refine([value], named)
        if rare.intersection(columns.values()) and form.fitting([value], columns):
            return Recognition(
                form.name, f"{form.title}; {form.reason(columns)}.", columns, form.kind, tuple(keys)
            ), False
    return None, lasting


def _others(rows: Rows, found: Recognition, common: frozenset[str]) -> Iterator[Recognition]:
    """The further schemas among some rows."""

    def is_other(row: Mapping[str, Any]) -> bool:
        keys = _filled(row)
        return not _is_complete(found, keys) or _told_otherwise(found, keys, row, common)[0] is not None

    rest = [row for row in rows if is_other(row)]
    for _ in range(_MOST_SCHEMAS):
        if not rest:
            return
        keys = _filled(rest[0])
        alike = [row for row in rest if _filled(row) == keys]
        other = recognize([{name: row[name] for name in keys} for row in alike])
        if other.known and other.kind != "prompt":  # a row that lacks its answer among others that have one
            yield other
            rest = [row for row in rest if not _is_complete(other, _filled(row))]
        rest = [row for row in rest if _filled(row) != keys]


def _groups(rows: Rows) -> Iterator[Rows]:
    """The rows that have the same columns filled, the largest groups first; those of less than a quarter are none."""
    counts = Counter(map(_filled, rows))
    for keys, count in counts.most_common():
        if _LEAST_SHARE * len(rows) <= count < len(rows):
            yield [row for row in rows if _filled(row) == keys]


def _filled(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple([name for name, value in row.items() if value is not None])


def _format(found: Recognition) -> Format:
    return _BY_NAME[found.name]


def _is_complete(found: Recognition, keys: Sequence[str]) -> bool:
    """Whether a row with these columns has all that a recognition needs."""
    needed = (found.columns.get(each.name) for each in _format(found).fields if each.required)
    return all(column in keys for column in needed)


def _with_own(found: Recognition, keys: Sequence[str]) -> Recognition:
    """A recognition with the row's own columns for what the file's other rows have in columns that it lacks."""
    own = _format(found).map_columns(keys, {})
    if own is None:
        return found
    here = {name: column for name, column in found.columns.items() if column in keys}
    taken = set(here.values())
    more = {
        name: column
        for name, column in own.items()
        if name not in here
        and column not in taken
        and found.columns.get(name) != column
        and (name in found.columns or column not in found.all_columns)  # else the first rows spoke against it
    }
    return replace(found, columns={**found.columns, **more}) if more else found


def _fits(row: Mapping[str, Any], found: Recognition) -> bool:
    try:
        to_sample(row, found)
    except Unreadable:
        return False
    return True


def _first_upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
