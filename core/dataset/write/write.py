"""Writes the training set to files of the user's choice: whole or not at all, never over an existing file."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from core.clean import clean_line
from core.dataset.flag_names import flag_name
from core.dataset.sample import Sample
from core.dataset.view.excluded import EXCLUDED
from core.dataset.view.facts import BAD
from core.dataset.view.view import CuratedView, encoded
from core.dataset.write.forms import as_cells, as_row
from core.dataset.write.hosted import MOST_TOKENS, NotHosted, as_hosted, file_faults, length_words
from core.dataset.write.other_columns import OtherColumns, of_one_type, type_name
from core.errors import BadInput, TunedeckError
from core.jobs.files import FILE_MODE, current_umask

ExportFormat = Literal["jsonl", "parquet", "openai"]
FORMS: Mapping[ExportFormat, str] = {
    "jsonl": "JSONL, one sample per line, as messages, text or pairs",
    "parquet": "Parquet, the same columns",
    "openai": "JSONL for OpenAI and other hosted fine-tuning services, checked against their rules",
}

KEEP_COLUMNS = "keep-columns"
"""The word that has `python -m core.dataset.write` keep the other columns."""

_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        path: the samples that are trained on.
        samples: how many.
        eval_path: the samples that are held out, or None where there are none.
        eval_samples: how many.
        rejects_path: what was rejected, and why.
        rejects: reason to number of rows.
        warnings: sentences on what a service will not take.
    """

    path: Path
    samples: int
    eval_path: Path | None
    eval_samples: int
    rejects_path: Path
    rejects: Mapping[str, int]
    warnings: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As `export-data --json` prints it."""
        return {
            "path": str(self.path),
            "samples": self.samples,
            "eval_path": None if self.eval_path is None else str(self.eval_path),
            "eval_samples": self.eval_samples,
            "rejects_path": str(self.rejects_path),
            "rejects": dict(self.rejects),
            "warnings": list(self.warnings),
        }


def export_view(view: CuratedView, form: ExportFormat, path: str | Path, *, keep_columns: bool = False) -> Exported:
    """Writes a view's samples, and beside them those held out and those rejected.

    For `data.jsonl` these are `data.eval.jsonl`, where something is held out, and `data.rejects.jsonl`. A reject has
    `reason`, `detail`, `row` (from 1, in its file), `file`, and its `sample` where there is one; a line that could not
    be read has `line` instead of `row`. Where an export in another form has rejects of that name already, they go to
    `data.rejects-2.jsonl`, and so on.

    Args:
        view: the curated view.
        form: one of `FORMS`.
        path: the file to write.
        keep_columns: also write the columns of the source files that the samples were not made of.

    Raises:
        BadInput: one of the files is there already, the form is unknown, nothing can be written in it, or a service
            would not take the file.
        TunedeckError: the disk does not take it.
    """
    if form not in FORMS:
        raise BadInput(f"unknown export format {form!r}", do=f"Choose {', '.join(FORMS)}")
    target = Path(path).expanduser()
    if target.is_dir():
        raise BadInput("this is a folder, not a file", where=str(target), do="Name a file in it")
    held = target.with_name(f"{target.stem}.eval{target.suffix}") if view.eval_count else None
    if keep_columns and form == "openai":
        raise BadInput("hosted services accept no other columns", do="Export as jsonl or parquet to keep them")
    for each in (target, held):
        if each is not None and os.path.lexists(each):
            raise BadInput("it already exists and was not overwritten", where=str(each))
    rejects = unused_name(target.with_name(f"{target.stem}.rejects.jsonl"))
    others = OtherColumns(view) if keep_columns else None
    write = _parquet(others) if form == "parquet" else _jsonl(as_hosted if form == "openai" else as_row, others)
    with ExitStack() as stack:
        try:
            # The last one to appear is the file that was asked for: with it, all is there.
            places = [stack.enter_context(_Unnamed(each)) for each in (rejects, held, target) if each is not None]
            left = _Rejects(places[0].file, view)
            samples = write(places[-1].file, view.train, left)
            eval_samples = 0 if held is None else write(places[1].file, view.eval, left)
            counts = left.rest()
            if not samples:
                reasons = ", ".join(f"{name} {number:,}" for name, number in counts.most_common(3))
                raise BadInput(f"no samples can be written as {form} ({reasons})", where=str(target))
            fault = next(file_faults(samples, places[-1].file.tell()), None) if form == "openai" else None
            if fault is not None:
                raise BadInput(fault, where=str(target), do="Export as jsonl or parquet instead: they have no limits")
            for place in places:
                place.publish()
        except OSError as fault:
            raise TunedeckError(f"cannot be written: {fault.strerror or fault}", where=str(target)) from fault
    said = (length_words(left.long) if form == "openai" else "", "" if others is None else others.words)
    return Exported(target, samples, held, eval_samples, rejects, counts, tuple(filter(None, said)))


def unused_name(path: Path) -> Path:
    """A path, or where there is a file already the next one that is free: `name-2.suffix`, `name-3.suffix`."""
    found, number = path, 1
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


class _Unnamed:
    """A file beside its target, which gets its name when it is whole, and is removed where it never is."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> _Unnamed:
        number, name = tempfile.mkstemp(prefix=f".{self._target.name}.", dir=self._target.parent)
        self._made = Path(name)
        self.file: BinaryIO = os.fdopen(number, "w+b")
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self._made.unlink(missing_ok=True)

    def publish(self) -> None:
        """Gives the file its name; one that has appeared there meanwhile stays as it is.

        Raises:
            BadInput: there is a file of that name.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        os.fchmod(self.file.fileno(), FILE_MODE & ~current_umask())
        try:
            os.link(self._made, self._target)
        except FileExistsError:
            raise BadInput("it was created in the meantime and was not overwritten", where=str(self._target)) from None
        except OSError:  # a file system without hard links
            if os.path.lexists(self._target):
                raise BadInput(
                    "it was created in the meantime and was not overwritten", where=str(self._target)
                ) from None
            os.rename(self._made, self._target)


class _Rejects:
    """Writes the rejected rows."""

    def __init__(self, file: BinaryIO, view: CuratedView) -> None:
        self._file = file
        self._view = view
        self._files = view.manifest["files"]
        self._first_rows = view.manifest.get("first_rows", ())  # a view of an earlier program has none
        self.counts: Counter[str] = Counter()
        self.long = 0
        """Lines written that may be too long for a service."""

    def add(self, reason: str, detail: str, line: Mapping[str, Any]) -> None:
        """Notes a sample of the view that this form does not take."""
        self.counts[reason] += 1
        first = self._first_rows[line["source"]] if line["source"] < len(self._first_rows) else 0
        place = {"row": line["row"] - first + 1, "file": self._name(line["source"])}
        sample = {"sample": line["sample"]} if "sample" in line else {}
        self._file.write(encoded({"reason": reason, "detail": detail, **place, "key": line["key"], **sample}))

    def rest(self) -> Counter[str]:
        """Notes the rows that are not in the view at all.

        Returns:
            Reason to number of rows.
        """
        for line in _lines(self._view.folder / EXCLUDED):
            self.add(flag_name(line["reason"]), line["detail"], line)
        for line in _lines(self._view.folder / BAD):
            self.counts["bad_line"] += 1
            place = {"line": line["line"], "file": line["file"]}
            self._file.write(encoded({"reason": "bad_line", "detail": line["reason"], **place}))
        return self.counts

    def _name(self, source: int) -> str:
        return self._files[source] if source < len(self._files) else ""


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as stream:
        for line in stream:
            yield json.loads(line)


_Write = Callable[[BinaryIO, Path, _Rejects], int]


def _jsonl(form: Callable[[Sample], Mapping[str, Any]], others: OtherColumns | None) -> _Write:
    def write(file: BinaryIO, source: Path, rejects: _Rejects) -> int:
        written = 0
        for line in _lines(source):
            try:
                row = form(Sample.from_json(line["sample"]))
            except NotHosted as reason:
                rejects.add("not_hosted", clean_line(str(reason), 300), line)
                continue
            data = encoded(dict(row) if others is None else others.beside(row, line))
            rejects.long += len(data) > MOST_TOKENS
            file.write(data)
            written += 1
        return written

    return write


def _parquet(others: OtherColumns | None) -> _Write:
    """Writes row groups of one shape: that of all samples of the file, which a first pass finds."""

    def write(file: BinaryIO, source: Path, rejects: _Rejects) -> int:
        try:
            import pyarrow as arrow
            import pyarrow.parquet as parquet
        except ImportError:
            raise BadInput("writing Parquet requires pyarrow", do="Install it: pip install pyarrow") from None
        as_text = {} if others is None else _as_text(source, others)
        schema = None
        for batch in _batches(source, others, as_text):
            found = arrow.Table.from_pylist(_same_columns(batch)).schema
            schema = found if schema is None else arrow.unify_schemas([schema, found], promote_options="permissive")
        if schema is None:
            return 0
        written = 0
        with parquet.ParquetWriter(file, schema) as writer:
            for batch in _batches(source, others, as_text):
                writer.write_table(arrow.Table.from_pylist(batch, schema=schema))
                written += len(batch)
        return written

    return write


def _as_text(source: Path, others: OtherColumns) -> dict[str, bool]:
    """The other columns, and whether they are written as JSON text: where values have no type in common."""
    types: dict[str, set[str]] = {}
    for line in _lines(source):
        own = as_cells(Sample.from_json(line["sample"]))
        for name, value in others.beside(own, line).items():
            if name not in own:
                types.setdefault(name, set()).add(type_name(value))
    return {name: "nested" in found or len(found - {""}) > 1 for name, found in types.items()}


def _batches(source: Path, others: OtherColumns | None, as_text: Mapping[str, bool]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []

    def ready() -> list[dict[str, Any]]:
        return batch if others is None else of_one_type(batch, as_text)

    for line in _lines(source):
        row = as_cells(Sample.from_json(line["sample"]))
        batch.append(row if others is None else others.beside(row, line))
        if len(batch) == _BATCH:
            yield ready()
            batch = []
    if batch:
        yield ready()


def _same_columns(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with all columns that one of them has: pyarrow takes them from the first."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows]
