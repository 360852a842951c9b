"""The columns of the source files that a sample was not made of, for an export that keeps them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from core.dataset.files.readers import Reader
from core.dataset.files.sources import open_reader
from core.dataset.scan.keys import row_digest
from core.dataset.view.view import CuratedView
from core.errors import BadInput

_BESIDE = "source_"
"""Begins the name of a column whose own name is taken by the sample."""


class OtherColumns:
    """Finds the source row of each sample of a view, by the hash in its key.

    Args:
        view: the view; its source files must be as they were when it was built.
    """

    def __init__(self, view: CuratedView) -> None:
        said = view.manifest
        self._files: list[str] = said["files"]
        self._used = _used_columns(said)
        self._rows: dict[str, tuple[Reader, dict[bytes, int]]] = {}
        self.kept: Counter[str] = Counter()
        """Each column that was kept, under the name it has now, and in how many samples."""

    def beside(self, row: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, Any]:
        """A row of the export with the other columns of its source row.

        Args:
            row: the sample as it is exported.
            line: the sample's line of the view.

        Raises:
            BadInput: the source has changed since the view was built.
        """
        found = dict(row)
        file = self._files[line["source"]]
        used = self._used.get(file, self._used[""])
        for name, value in self._source_row(file, line["key"]).items():
            if name not in used:
                beside = name if name not in row else f"{_BESIDE}{name}"
                found[beside] = value
                self.kept[beside] += 1
        return found

    def _source_row(self, file: str, key: str) -> Mapping[str, Any]:
        if file not in self._rows:
            self._rows[file] = _by_digest(file)
        reader, entries = self._rows[file]
        entry = entries.get(bytes.fromhex(key.partition(":")[0]))
        row = None if entry is None else reader.row(entry).value
        if row is None:
            raise BadInput(
                "an exported row is no longer in this file, so its other columns cannot be kept",
                where=file,
                do="Export again, so that the training set is built from the file as it is now",
            )
        return row

    @property
    def words(self) -> str:
        """Which columns were kept, a sentence."""
        if not self.kept:
            return "No other columns to keep: every column of the source is part of the samples."
        return f"Kept {len(self.kept)} other column{'s' * (len(self.kept) != 1)}: {', '.join(self.kept)}."


def _by_digest(file: str) -> tuple[Reader, dict[bytes, int]]:
    reader = open_reader([Path(file)])
    reader.extend()
    entries: dict[bytes, int] = {}
    for entry in range(reader.count):
        row = reader.row(entry)
        if row.value is not None:
            entries.setdefault(row_digest(row.value), entry)
    return reader, entries


def _used_columns(said: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """For each source file, the columns that its samples are made of; under "" those of the dataset as a whole."""
    found: dict[str, frozenset[str]] = {"": frozenset(map(str, said["columns"].values()))}
    for part in (said, *said["mix"]):
        read_as = part.get("read_as") or [None] * len(part["sources"])
        for source, each in zip(part["sources"], read_as, strict=False):
            forms = [part] if each is None else each["as"]
            found[source["path"]] = frozenset(str(name) for form in forms for name in form["columns"].values())
    return found


def of_one_type(rows: Iterable[Mapping[str, Any]], names: Mapping[str, bool]) -> list[dict[str, Any]]:
    """Rows whose other columns fit a table, where a column has one type.

    Args:
        rows: as `OtherColumns.beside` makes them.
        names: each other column, and whether its values are written as JSON text.
    """
    return [
        {
            name: orjson.dumps(value, default=str).decode() if names.get(name) and value is not None else value
            for name, value in row.items()
        }
        for row in rows
    ]


def type_name(value: Any) -> str:
    """What a column's values must have in common to stand in a table as they are: nested ones never do."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "nested"
