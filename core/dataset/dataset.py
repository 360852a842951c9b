"""A dataset as the screens and the headless commands use it: opened at once, read row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from core.clean import clean_line
from core.dataset.files.readers import Reader
from core.dataset.files.shards import ShardReader
from core.dataset.files.sources import open_reader
from core.dataset.formats import Recognition, format_named
from core.dataset.formats.text import UNITS
from core.dataset.mapping import AUTO, Chosen, saved
from core.dataset.prompts import prompt_alone
from core.dataset.recognitions import Recognitions
from core.dataset.records import CP1252, HOW_TO_READ, Row, Unreadable
from core.dataset.sample import Sample
from core.errors import BadInput

_LOOKED_AT = 32
_LOOKED_AT_BYTES = 2**22
_TRIED = 1_000
_PREVIEW_BYTES = 2 * 2**20


class Dataset:
    """Files, their formats, and their rows as samples.

    Entries are numbered from 0 in source order, good and malformed ones; which of them are good rows is known to a
    scan (`core.dataset.files.index.GoodRows` translates).

    Attributes:
        paths: what was opened, as given.
        reader: the entries; `reader.extend(seconds)` looks for more of them.
        recognitions: how the rows of each file are read.
        chosen: what the user has said of the formats and the columns.
    """

    def __init__(self, paths: tuple[Path, ...], reader: Reader, chosen: Chosen) -> None:
        self.chosen = chosen
        self.paths = paths
        self.reader = reader
        self.recognitions = Recognitions(reader.files, self._first_rows, chosen)

    @property
    def recognition(self) -> Recognition:
        """The format and why: that of the first file which has a known one."""
        return self.recognitions.leading

    def _first_rows(self, source: int) -> Sequence[Mapping[str, object]]:
        return first_rows(self.reader.ahead(source) if isinstance(self.reader, ShardReader) else self.reader)

    @classmethod
    def open(
        cls,
        paths: str | Path | Sequence[str | Path],
        format: str | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> Dataset:
        """Opens files or folders; reads only as far as the first rows of each.

        Args:
            paths: one path or several that make one dataset.
            format: the format's name where the user knows better (`core.dataset.formats.FORMATS`).
            columns: field of the format to column of the file, as far as the user corrected it; `FILE:FIELD` for one
                file alone (`core.dataset.mapping.Chosen`).

        Raises:
            BadInput: with a sentence, see `core.dataset.files.sources.open_reader`; no row can be read; the format or a
                column does not exist.
        """
        given = [paths] if isinstance(paths, (str, Path)) else list(paths)
        if format is not None:
            format_named(format)
        chosen = Chosen(format or AUTO, dict(columns or {}))
        reader = open_reader(
            given,
            unit_of=lambda file: UNITS.get(chosen.of_file(file).format, "paragraph"),
            encoding_of=chosen.encoding_of,
        )
        return cls(tuple(Path(path) for path in given), reader, chosen)

    @classmethod
    def open_as_said(cls, paths: Sequence[str | Path], chosen: Chosen, workspace: str | Path) -> Dataset:
        """Opens files as the user reads them: as said now, else as kept in the workspace if that still fits.

        Raises:
            BadInput: as `open`.
        """
        # Who names an encoding now has said nothing of the columns.
        if chosen.only_encodings:
            kept = saved(workspace, paths)
            if kept.said:
                with suppress(BadInput):  # the file has other columns by now
                    return cls.open(paths, kept.named, {**kept.columns, **chosen.columns})
        return cls.open(paths, chosen.named, chosen.columns)

    def open_eval(self, paths: Sequence[str | Path], chosen: Chosen | None = None) -> Dataset:
        """Opens the eval files of this dataset.

        Args:
            paths: of the eval files.
            chosen: what the user has said of them; with nothing said they are read as `open_beside` reads them.

        Raises:
            BadInput: as `open`; what does not fit them names them.
        """
        try:
            if chosen is None or not chosen.said:
                return self.open_beside(paths)
            of_all = {name: value for name, value in self.chosen.encodings.items() if ":" not in name}
            return Dataset.open(paths, chosen.named, {**of_all, **chosen.columns})
        except BadInput as fault:
            names = ", ".join(str(path) for path in paths)
            if any(str(path) in fault.where for path in paths):
                raise
            raise BadInput(f"eval file: {fault.what}", where=names, do=fault.do) from None

    def open_beside(self, paths: Sequence[str | Path]) -> Dataset:
        """Opens other files of the same job.

        They are read in the format and columns that the user has named for this dataset, where they have these
        columns and most of their first rows fit; else as what they are themselves; where that is unknown, as this one.

        Raises:
            BadInput: as `open`.
        """
        said = self.chosen
        if said.files:
            other = Dataset.open(paths, columns={name: held for name, held in said.columns.items() if ":" in name})
            if any(said.of_file(file).alone for file in other.reader.files):
                return other
        if said.of_all.said and (same := self._alike(paths)) is not None:
            return same
        other = Dataset.open(paths, columns=said.encodings)
        return other if other.recognition.known else self._alike(paths) or other

    def _alike(self, paths: Sequence[str | Path]) -> Dataset | None:
        """Other files read as this dataset is, or None where they do not fit."""
        found, said = self.recognition, self.chosen.of_all.columns
        if not found.known:
            return None
        required = {each.name for each in format_named(found.name).fields if each.required}
        columns = {name: held for name, held in found.columns.items() if name in required or name in said}
        columns |= self.chosen.encodings
        try:
            other = Dataset.open(paths, found.name, columns)
            rows = other._first_rows(0)
        except BadInput:  # they have no such columns
            return None
        return other if 2 * other.recognitions.of(0).fitting(rows) >= len(rows) else None

    @property
    def read_how(self) -> dict[str, str]:
        """What the rows depend on beside the files and how they are mapped: encodings, and what is read inside a file.

        Part of every key under which something is kept of these rows.
        """
        inside = {
            f"{number}": path.name
            for number, path in enumerate(self.paths)
            if ":" in path.name and not any(path.name in file.parts for file in self.reader.files)
        }
        return {**self.chosen.encodings, **inside}

    def check_mapping(self, *others: Dataset) -> None:
        """Refuses a mapping of a file that is neither of this dataset nor of others.

        Raises:
            BadInput: naming the files there are.
        """
        self.chosen.check_files([file for each in (self, *others) for file in each.reader.files])

    @property
    def count(self) -> int:
        """Entries known so far."""
        return self.reader.count

    def row(self, entry: int) -> Row:
        """The entry as it is in the file; `row.value` is None where `row.error` says why."""
        return self.reader.row(entry)

    def sample(self, entry: int) -> Sample:
        """The entry as the model will see it.

        Raises:
            Unreadable: the entry cannot be read or formatted; its text is the reason.
        """
        return self.sample_of(self.reader.row(entry))

    def sample_of(self, row: Row) -> Sample:
        """As `sample`, for a row at hand."""
        if row.value is None:
            raise Unreadable(row.error)
        return self.recognitions.read(row)

    def sample_like(self, entry: int, value: Mapping[str, object]) -> Sample:
        """Another row in the place of an entry, as the model would see it.

        Raises:
            Unreadable: with the reason.
        """
        return self.recognitions.of(self.reader.row(entry).source).sample(value)

    def asked(self, row: Row) -> Sample:
        """A row for what only its prompt matters: as `sample_of`, or with an answer that means nothing.

        Raises:
            Unreadable: there is no prompt either.
        """
        try:
            return self.sample_of(row)
        except Unreadable:
            found = self.recognitions.of(row.source)
            named = self.chosen.of_file(found.file).columns
            alone = None if row.value is None else prompt_alone(row.value, found.found, named)
            if alone is None:
                raise
            return alone

    def preview(self, entry: int, limit: int = 200) -> str:
        """One cleaned line for a list: the prompt, the start of the text, or why the entry is unreadable."""
        if self.reader.size(entry) > _PREVIEW_BYTES:
            return f"(a row of {self.reader.size(entry) / 2**20:.1f} MiB)"
        try:
            sample = self.sample(entry)
        except Unreadable as fault:
            return clean_line(f"({fault})", limit)
        first = next((turn.content for turn in sample.messages if turn.role == "user"), sample.answer)
        return clean_line(" ".join(first[: limit * 4].split()), limit)


def first_rows(reader: Reader) -> list[Mapping[str, object]]:
    """The first good rows: 32, or fewer where they are large; always the same, however fast the file is read.

    Raises:
        BadInput: nothing among the first entries is a row.
    """
    rows: list[Mapping[str, object]] = []
    first: Row | None = None
    entry = looked_at = 0
    while len(rows) < _LOOKED_AT and entry < _TRIED and not (rows and looked_at > _LOOKED_AT_BYTES):
        if entry >= reader.count:
            if reader.complete:
                break
            reader.extend(0.02)
            continue
        looked_at += reader.size(entry)
        row = reader.row(entry)
        if row.value is not None:
            rows.append(row.value)
        elif first is None:
            first = row
        entry += 1
    if not rows and first is not None:
        raise BadInput(
            f"none of the first {entry:,} entries could be read. The first: {first.error}",
            where=f"{first.file}, line {first.line}",
            do=f"Read the file as {CP1252}: {HOW_TO_READ}" if CP1252 in first.error else "",
        )
    return rows
