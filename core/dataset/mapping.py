"""The mapping of a dataset as the user corrected it: kept in the workspace, and proposed where no format matches."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.dataset.formats.turns import CONTENT_KEY, ROLE_KEY, ROLE_NAMES, ROLES
from core.dataset.records import json_type
from core.errors import BadInput, TunedeckError
from core.paths import hidden_dir

AUTO = "auto"
FORMAT = "format"
"""As a field after `FILE:` names the format of that file."""

ENCODING = "encoding"
"""As a field names the encoding of files that are not UTF-8, of all of them or after `FILE:` of one."""

_FILE = "mappings.jsonl"
_MOST_ROLE = 40
"""Characters of a speaker's name; what is longer is something else."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the user has said of a dataset's rows.

    Attributes:
        format: the format's name, or `auto`.
        columns: field of the format to column of the file, as far as it was corrected. `FILE:FIELD` is said of one file
            alone and replaces there what is said of all; `FILE:format` names its format. `encoding` and `FILE:encoding`
            name the encoding of files that are not UTF-8.
        alone: whether this was said of one file alone.
    """

    format: str = AUTO
    columns: Mapping[str, str] = field(default_factory=dict)
    alone: bool = field(default=False, compare=False)

    @property
    def said(self) -> bool:
        """Whether anything was said."""
        return self.format != AUTO or bool(self.columns)

    @property
    def named(self) -> str | None:
        """The format, as an argument of `Dataset.open`."""
        return None if self.format == AUTO else self.format

    @property
    def files(self) -> tuple[str, ...]:
        """The files that something was said of alone, as they were spelled."""
        return tuple(dict.fromkeys(name.rpartition(":")[0] for name in self.columns if ":" in name))

    def of_file(self, file: Path) -> Chosen:
        """What concerns one file: what was said of it alone, else what was said of all."""
        own: dict[str, str] = {}
        for name, column in self.columns.items():
            place, separator, part = name.rpartition(":")
            if separator and part != ENCODING and names_file(place, file):
                own[part] = column
        if own:
            format = own.pop(FORMAT, self.format)
            return Chosen(format, own, alone=True)
        return self.of_all

    def said_of(self, file: Path) -> Chosen:
        """As `of_file`, with the encoding that was named for the file."""
        own, encoding = self.of_file(file), self.encoding_of(file)
        return Chosen(own.format, {**own.columns, **({ENCODING: encoding} if encoding else {})})

    def encoding_of(self, file: Path) -> str:
        """The encoding that was named for a file, "" for none."""
        found = self.columns.get(ENCODING, "")
        for name, encoding in self.columns.items():
            place, separator, part = name.rpartition(":")
            if separator and part == ENCODING and names_file(place, file):
                found = encoding
        return found

    @property
    def encodings(self) -> dict[str, str]:
        """The entries of `columns` that name an encoding."""
        return {name: value for name, value in self.columns.items() if name.rpartition(":")[2] == ENCODING and value}

    @property
    def only_encodings(self) -> bool:
        """Whether nothing was said of formats and columns."""
        return self.named is None and len(self.encodings) == len(self.columns)

    def with_file(self, file: Path, files: Sequence[Path], chosen: Chosen) -> Chosen:
        """This with something else said of one file.

        Args:
            file: the file.
            files: all files of the dataset; the only one needs no name.
            chosen: what is said of it; nothing takes back what was said.
        """
        if len(files) == 1:
            return chosen
        place = file_words(file, files)
        kept = {
            name: column
            for name, column in self.columns.items()
            if ":" not in name or not names_file(name.rpartition(":")[0], file)
        }
        own = {f"{place}:{name}": column for name, column in chosen.columns.items()}
        if chosen.said or self.of_all.said:
            own[f"{place}:{FORMAT}"] = chosen.format
        return Chosen(self.format, {**kept, **own})

    @property
    def of_all(self) -> Chosen:
        """What was said of the rows of all files."""
        kept = {name: column for name, column in self.columns.items() if ":" not in name and name != ENCODING}
        return Chosen(self.format, kept)

    def check_files(self, files: Sequence[Path], field: str = "columns") -> None:
        """Refuses a mapping of a file that is not there.

        Args:
            files: all files that it may speak of.
            field: where it was said.

        Raises:
            BadInput: naming the files there are.
        """
        for place in self.files:
            if not any(names_file(place, file) for file in files):
                there = ", ".join(file.name for file in files[:8]) + (", ..." if len(files) > 8 else "")
                raise BadInput(f"no file {place!r} in this dataset", where=field, do=f"Files: {there}")


def names_file(place: str, file: Path) -> bool:
    """Whether a spelling means a file: its path, or the end of it."""
    parts = Path(place).parts
    return bool(parts) and file.absolute().parts[-len(parts) :] == parts


def file_words(file: Path, files: Sequence[Path]) -> str:
    """The shortest end of a file's path that means it alone."""
    parts = file.absolute().parts
    for length in range(1, len(parts)):
        place = str(Path(*parts[-length:]))
        if sum(names_file(place, each) for each in files) == 1:
            return place
    return str(file.absolute())


def saved(workspace: str | Path, paths: Sequence[str | Path]) -> Chosen:
    """What was said last of these files in this workspace; nothing, where that is so. Never raises."""
    try:
        lines = (hidden_dir(Path(workspace)) / _FILE).read_bytes().splitlines()
    except OSError:
        return Chosen()
    data = _names(paths)
    for line in reversed(lines):
        try:
            record = json.loads(line)
        except ValueError:  # a line that was cut short by a full disk
            continue
        if isinstance(record, dict) and record.get("data") == data:
            columns, name = record.get("columns"), record.get("format")
            if isinstance(columns, dict) and isinstance(name, str):
                return Chosen(name, {str(key): str(value) for key, value in columns.items()})
    return Chosen()


def save(workspace: str | Path, paths: Sequence[str | Path], chosen: Chosen) -> None:
    """Keeps what was said of these files, on the disk when it returns; the latest counts.

    Raises:
        TunedeckError: it cannot be written.
    """
    path = hidden_dir(Path(workspace)) / _FILE
    record = {"data": _names(paths), "format": chosen.format, "columns": dict(chosen.columns)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write in append mode: two programs never mix their lines.
        with path.open("ab", buffering=0) as file:
            file.write(json.dumps(record).encode() + b"\n")
            os.fsync(file.fileno())
    except OSError as fault:
        raise TunedeckError(f"the mapping cannot be saved: {fault.strerror}", where=str(path)) from fault


def _names(paths: Sequence[str | Path]) -> list[str]:
    return sorted(str(Path(path).absolute()) for path in paths)


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of a file, as its first rows show it.

    Attributes:
        name: its name.
        kind: what it holds, in words: `text`, `turns`, `a number`.
        filled: in how many of the rows it holds something.
        examples: up to three different values.
    """

    name: str
    kind: str
    filled: int
    examples: tuple[Any, ...]


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[SourceColumn]:
    """The columns of some rows, in their order."""
    found = []
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row[name] for row in rows if row.get(name) not in (None, "", [], {})]
        kinds = Counter(_kind(value) for value in values)
        examples: list[Any] = []
        for value in values:
            if value not in examples and len(examples) < 3:
                examples.append(value)
        kind = kinds.most_common(1)[0][0] if kinds else "nothing"
        found.append(SourceColumn(str(name), kind, len(values), tuple(examples)))
    return found


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "turns"
    return json_type(value)


@dataclass(frozen=True, slots=True)
class TurnKeys:
    """What stands in the turns of a column.

    Attributes:
        keys: the keys of the turns, in their order.
        role: the key that seems to say who speaks, or "".
        content: the key that seems to hold the text, or "".
        speakers: names under the role's key, the first to speak first.
    """

    keys: tuple[str, ...] = ()
    role: str = ""
    content: str = ""
    speakers: tuple[str, ...] = ()


def turns_of(rows: Sequence[Mapping[str, Any]], column: str, role: str = "") -> TurnKeys:
    """Looks into the turns of a column.

    Args:
        rows: some rows.
        column: the column.
        role: the key that says who speaks where that is known.
    """
    lists = [row[column] for row in rows if isinstance(row.get(column), list)]
    turns = [turn for each in lists for turn in each if isinstance(turn, dict)]
    values: dict[str, list[str]] = {}
    keys = tuple(dict.fromkeys(str(key) for turn in turns for key in turn))
    for turn in turns:
        for key, value in turn.items():
            if isinstance(value, str):
                values.setdefault(key, []).append(value)
    lengths = {key: sum(map(len, found)) for key, found in values.items()}
    content = max(lengths, key=lambda key: lengths[key], default="")
    names = {key: set(found) for key, found in values.items() if key != content or role == key}
    if not role:
        short = [key for key in names if max(map(len, names[key])) <= _MOST_ROLE and len(values[key]) == len(turns)]
        role = min(short, key=lambda key: len(names[key]), default="")
    speakers = tuple(dict.fromkeys(values.get(role, ())))[:20]
    return TurnKeys(keys, role, content, speakers)


def propose(rows: Sequence[Mapping[str, Any]]) -> Chosen:
    """A mapping for rows of no known format, for the user to correct; at worst one that names no column."""
    columns = columns_of(rows)
    talks = [each.name for each in columns if each.kind == "turns"]
    texts = [each.name for each in columns if each.kind == "text"]
    for talk in talks:
        found = turns_of(rows, talk)
        if found.role and found.content:
            said = {"messages": talk, ROLE_KEY: found.role, CONTENT_KEY: found.content}
            return Chosen("messages", {**said, **role_names(found.speakers)})
    # What is the same in each row, or short in each, is a name or a number rather than a text to learn.
    long = [name for name in texts if _mean_length(rows, name) >= 12 or _is_prose(rows, name)] or texts
    verdicts = [each.name for each in columns if each.kind == "true or false"]
    if verdicts and len(long) >= 2:
        return Chosen("kto", {"label": verdicts[0], "prompt": long[0], "completion": long[1]})
    if len(long) >= 2:
        return Chosen("prompt-completion", {"prompt": long[0], "completion": long[1]})
    if texts:
        return Chosen("text", {"text": (long or texts)[0]})
    return Chosen("messages", {"messages": talks[0]} if talks else {})


def role_names(speakers: Sequence[str]) -> dict[str, str]:
    """Roles for speakers whose names are unusual: the first of them asks, all others answer."""
    unknown = [name for name in speakers if name.strip().lower() not in ROLES]
    taken = {ROLES[name.strip().lower()] for name in speakers if name.strip().lower() in ROLES}
    said: dict[str, list[str]] = {}
    for name in unknown:
        role = "user" if "user" not in taken and not said else "assistant"
        said.setdefault(role, []).append(name)
    return {ROLE_NAMES + role: "|".join(names) for role, names in said.items()}


def _is_prose(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether a column of short texts has sentences anyway: mostly of several words, and nearly all different."""
    values = [row[name] for row in rows if isinstance(row.get(name), str)]
    several = sum(len(value.split()) > 1 for value in values)
    return 2 * several > len(values) and len(set(values)) >= 0.9 * len(values) > 1


def _mean_length(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    lengths = [len(row[name]) for row in rows if isinstance(row.get(name), str)]
    return sum(lengths) / max(1, len(lengths))
