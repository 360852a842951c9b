"""Decisions as a file, to take them to another workspace or another program: one line of JSON per row and reviewer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from core.clean import clean_line
from core.dataset.audit.decisions import OPEN, RATINGS, Action, DecisionState, Ledger
from core.dataset.audit.store import DecisionStore, Foreign, read_decisions
from core.dataset.dataset import Dataset
from core.dataset.sample import Sample, SampleKind
from core.dataset.scan.keys import Occurrences, key_text, row_digest
from core.errors import BadInput, TunedeckError
from core.jobs import files

_PROGRESS = 5_000
"""Rows between two reports of how far it is."""

_IMPORTED = "imported"
"""The reviewer of a line that names none."""

_MOST_LABELS = 100
_MOST_NAME = 60
_DAY = 86_400.0
"""Seconds that another machine's clock may be ahead."""


@dataclass(frozen=True, slots=True)
class RowPlace:
    """Where a row stands in a dataset.

    Attributes:
        number: among the good rows, from 1, as in the program.
        file: the name of its file.
    """

    number: int
    file: str


@dataclass(frozen=True, slots=True)
class ReviewConflict:
    """A row on which the file and this workspace differ.

    Attributes:
        row: its number, from 1.
        line: of the file, from 1.
        here: who decided here, and what.
        there: who decided in the file, and what.
    """

    row: int
    line: int
    here: tuple[str, str]
    there: tuple[str, str]


@dataclass(slots=True)
class ImportedDecisions:
    """What came of a file of decisions.

    Attributes:
        lines: lines that are not empty.
        matched: lines whose row is in the dataset.
        taken: lines that brought something new.
        known: lines that were here already.
        older: lines of a reviewer who has decided again here since.
        unmatched: lines whose row is not in the dataset.
        malformed: line number and what is wrong with it.
        conflicts: rows that were decided differently here.
        replaced: whether the verdicts of the file stand in conflicts; else they are second opinions.
    """

    lines: int = 0
    matched: int = 0
    taken: int = 0
    known: int = 0
    older: int = 0
    unmatched: list[int] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    conflicts: list[ReviewConflict] = field(default_factory=list)
    replaced: bool = False

    def to_json(self) -> dict[str, Any]:
        """As `decisions --json` prints it."""
        return {
            "lines": self.lines,
            "matched": self.matched,
            "imported": self.taken,
            "already_here": self.known,
            "older": self.older,
            "unmatched": self.unmatched,
            "malformed": [{"line": line, "reason": reason} for line, reason in self.malformed],
            "conflicts": [
                {
                    "row": each.row,
                    "line": each.line,
                    "here": {"user": each.here[0], "decision": each.here[1]},
                    "file": {"user": each.there[0], "decision": each.there[1]},
                }
                for each in self.conflicts
            ],
            "replaced": self.replaced,
        }


def row_places(dataset: Dataset, on_progress: Callable[[int, int], object] | None = None) -> dict[str, RowPlace]:
    """The key of each good row, and where it stands, in the order of the rows.

    Args:
        dataset: opened.
        on_progress: told entries done and in all.
    """
    dataset.reader.extend()
    occurrences = Occurrences()
    places: dict[str, RowPlace] = {}
    for entry in range(dataset.count):
        if on_progress is not None and entry % _PROGRESS == 0:
            on_progress(entry, dataset.count)
        row = dataset.row(entry)
        if row.value is not None:
            digest = row_digest(row.value)
            places[key_text(digest, occurrences.next(digest))] = RowPlace(len(places) + 1, row.file.name)
    return places


# -- export -------------------------------------------------------------------------------------------------


def decision_records(workspace: Path, places: Mapping[str, RowPlace]) -> Iterator[dict[str, Any]]:
    """One record per row and reviewer, in the order of the rows.

    Raises:
        TunedeckError: the decisions cannot be read.
    """
    decisions = read_decisions(workspace)
    ledger = Ledger()
    ledger.take(decisions)
    by_id = {each.id: each for each in decisions}
    for key, place in places.items():
        state = ledger.standing(key)
        if state is OPEN:
            continue
        stands, last = ledger.decider(key), ledger.last_ids(key)
        for user, own in ledger.by_user(key).items():
            made = by_id[last[user]]
            record: dict[str, Any] = {"key": key, "row": place.number, "file": place.file}
            record |= {"user": user, "host": made.host, "time": made.time}
            record |= {"decision": own.verdict or None, "stands": user == stands, "blind": state.blind}
            said = {"reason": own.why, "rating": own.rating, "labels": list(own.labels), "note": own.note}
            record |= {name: value for name, value in {**said, "flag": own.flag, "sample": own.edit}.items() if value}
            yield record


def export_decisions(records: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Writes records to a new file, whole or not at all.

    Returns:
        How many.

    Raises:
        BadInput: the file exists.
        TunedeckError: it cannot be written.
    """
    lines = [files.encode(record) + b"\n" for record in records]
    if os.path.lexists(path):
        raise BadInput("It already exists and was not overwritten", where=str(path), do="Choose another file")
    try:
        files.replace(os.fspath(path), b"".join(lines), durable=True)
    except OSError as fault:
        raise TunedeckError(f"cannot be written: {fault.strerror or fault}", where=str(path)) from fault
    return len(lines)


# -- import -------------------------------------------------------------------------------------------------


def import_decisions(
    path: Path, workspace: Path, places: Mapping[str, RowPlace], *, replace: bool = False
) -> ImportedDecisions:
    """Takes the decisions of a file into a workspace, all of them in one transaction.

    Rows are matched by `key`, or by `row` (with `file`, where the dataset has several) where a line has no key. What a
    reviewer has decided here later than in the file stays. Where somebody else has decided differently here, that
    decision stands, and the file's is kept as a second opinion.

    Args:
        path: JSONL as `export_decisions` writes it; `-` is not known here.
        workspace: the folder that holds `.tunedeck`.
        places: the dataset's rows.
        replace: let the verdicts of the file stand in conflicts.

    Raises:
        BadInput: the file cannot be read.
        TunedeckError: the decisions cannot be read or written; then none was taken.
    """
    found = ImportedDecisions(replaced=replace)
    decisions = read_decisions(workspace)
    ledger = Ledger()
    ledger.take(decisions)
    times = {each.id: each.time for each in decisions}
    by_row = {(place.number, file): key for key, place in places.items() for file in ("", place.file)}
    new: list[Foreign] = []
    verdicts: dict[str, tuple[str, str]] = {}
    for line, record in sorted(_records(path, found), key=lambda each: (not each[1].stands, each[1].time, each[0])):
        key = record.key or by_row.get((record.row, record.file), "")
        if key not in places:
            found.unmatched.append(line)
            continue
        found.matched += 1
        own = ledger.by_user(key).get(record.user, OPEN)
        changes = list(record.changes(own))
        if not changes:
            found.known += 1
            continue
        if own is not OPEN and record.time <= times[ledger.last_ids(key)[record.user]]:
            found.older += 1
            continue
        found.taken += 1
        state = ledger.standing(key)
        here = verdicts.get(key) or (ledger.decider(key), state.verdict)
        theirs = (record.user, record.verdict)
        other = bool(here[1] and record.verdict) and here[0] != record.user
        if other and here[1] != record.verdict:
            found.conflicts.append(ReviewConflict(places[key].number, line, here, theirs))
        if record.verdict and (not other or replace):
            verdicts[key] = theirs
        second = {"blind": True} if other or record.blind else {}
        second |= {"stands": False} if other and not replace else {}
        for action, payload in changes:
            given = {**payload, **second} if action in ("keep", "drop", "edit") else payload
            new.append(Foreign(key, action, given, record.user, record.host, record.time))
    if new:
        store = DecisionStore(workspace)
        try:
            store.take_in(new).result()
        finally:
            store.close()
    found.unmatched.sort()
    return found


@dataclass(frozen=True, slots=True)
class _Record:
    """A line of the file, checked."""

    key: str
    row: int
    file: str
    user: str
    host: str
    time: float
    verdict: str
    stands: bool
    blind: bool
    state: DecisionState

    @classmethod
    def read(cls, value: Any) -> _Record:
        """Checks a line.

        Raises:
            ValueError: what is wrong with it, as a phrase.
        """
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
        key, row = value.get("key") or "", value.get("row") or 0
        if not isinstance(key, str) or not isinstance(row, int) or isinstance(row, bool) or not (key or row > 0):
            raise ValueError("`key` or `row` (from 1) is missing or invalid")
        verdict = value.get("decision") or ""
        if verdict not in ("keep", "drop", ""):
            raise ValueError(f"`decision` is {json.dumps(verdict)}, not keep or drop")
        rating = value.get("rating") or 0
        if isinstance(rating, bool) or (rating and rating not in RATINGS):
            raise ValueError(f"`rating` is {json.dumps(rating)}, not 1 to 5")
        labels = value.get("labels") or ()
        if not isinstance(labels, (list, tuple)) or len(labels) > _MOST_LABELS or not all(map(_is_text, labels)):
            raise ValueError("`labels` is not a list of strings")
        texts = {name: value.get(name) or "" for name in ("reason", "note", "flag", "user", "host", "file")}
        wrong = next((name for name, text in texts.items() if not isinstance(text, str)), "")
        if wrong:
            raise ValueError(f"`{wrong}` is not a string")
        sample = value.get("sample")
        if sample is not None and not _is_sample(sample):
            raise ValueError("`sample` is not a valid sample")
        when = value.get("time") or 0.0
        if isinstance(when, bool) or not isinstance(when, (int, float)) or not 0 <= when <= time.time() + _DAY:
            raise ValueError("`time` is not a past time in unix seconds")
        state = DecisionState(
            "keep" if verdict == "keep" else "drop" if verdict == "drop" else "",
            sample,
            texts["note"],
            texts["flag"],
            texts["reason"] if verdict == "drop" else "",
            int(rating),
            tuple(labels),
        )
        if not (verdict or sample or state != DecisionState()):
            raise ValueError("no decision, rating, labels, note, flag or sample")
        return cls(
            key,
            row,
            texts["file"],
            clean_line(texts["user"], _MOST_NAME).strip() or _IMPORTED,
            clean_line(texts["host"], _MOST_NAME),
            float(when) or time.time(),
            verdict or ("keep" if sample is not None else ""),
            value.get("stands") is not False,
            value.get("blind") is True,
            state,
        )

    def changes(self, own: DecisionState) -> Iterator[tuple[Action, dict[str, Any]]]:
        """What is to be decided so that the reviewer's own state here is that of the line."""
        there = self.state
        if there.edit is not None and there.edit != own.edit:
            yield "edit", {"sample": dict(there.edit)}
        decided = there.verdict or own.verdict
        edited = there.edit is not None and there.edit != own.edit
        if decided == "drop" and (edited or (own.verdict, own.why) != ("drop", there.why)):
            yield "drop", {"text": there.why} if there.why else {}
        elif there.verdict == "keep" and not edited and own.verdict != "keep":
            yield "keep", {}
        if there.note and there.note != own.note:
            yield "note", {"text": there.note}
        if there.flag and there.flag != own.flag:
            yield "flag", {"text": there.flag}
        if there.rating and there.rating != own.rating:
            yield "rate", {"rating": there.rating}
        if there.labels and there.labels != own.labels:
            yield "label", {"labels": list(there.labels)}


def _is_sample(value: Any) -> bool:
    """Whether a value is a sample as `Sample.to_json` writes it."""
    try:
        sample = Sample.from_json(dict(value))
        turns = (*sample.messages, *sample.chosen, *sample.rejected)
        texts = (sample.text, *(turn.content for turn in turns), *(turn.role for turn in turns))
    except (KeyError, TypeError, AttributeError, ValueError):
        return False
    return sample.kind in get_args(SampleKind) and all(map(_is_text, texts)) and bool(turns or sample.text)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _records(path: Path, found: ImportedDecisions) -> Iterator[tuple[int, _Record]]:
    """The lines that are records, with their numbers; what is wrong with others is noted."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                found.lines += 1
                try:
                    yield number, _Record.read(json.loads(line))
                except RecursionError:
                    found.malformed.append((number, "nested too deeply"))
                except ValueError as fault:
                    why = "not JSON" if isinstance(fault, (json.JSONDecodeError, UnicodeDecodeError)) else str(fault)
                    found.malformed.append((number, why))
    except OSError as fault:
        raise BadInput(f"cannot be read: {fault.strerror}", where=str(path)) from fault
