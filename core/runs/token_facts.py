"""The tokens of each row as training will see them: the cache that the `measure` job writes and others read.

The numbers come from `core.engine.encode` alone. A cache is a folder `.tunedeck/tokens/DATA-RECIPE` (see
`core.runs.token_key` for its name), and rows are the readable rows of the dataset, from 0, in source order.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.errors import BadInput
from core.jobs import files

if TYPE_CHECKING:
    from core.dataset.checks import Flag

FACTS, NOTES, ABOUT = "facts.bin", "notes.jsonl", "about.json"

_RECORD = struct.Struct("<5IQ")
RECORD_BYTES = _RECORD.size
_NOT_RENDERED, _CONTEXT, _CONTROL = 0x100, 0x200, 0x400
"""Bits of a record, beside the number of the state."""
_STATES = ("", "measured", "refused", "unreadable")
_MOST = 0xFFFF_FFFF
_READ_AT_ONCE = 65_536

State = Literal["measured", "refused", "unreadable"]


@dataclass(frozen=True, slots=True)
class RowTokens:
    """The tokens of one row.

    Attributes:
        row: among the good rows, from 0.
        tokens: after the cut at the max length.
        trained: of those, how many carry loss.
        lost: tokens that the cut takes away.
        lost_trained: of those, how many would have carried loss.
        state: `measured`; `refused` by the chat template; `unreadable` for a row that has no normal form.
        edit: digest of the edit that was measured, 0 for the row as it stands in the file.
        not_rendered: whether it holds something to train on that is not in the rendered text.
        context_lost: whether it holds something in its context alone that is not in the rendered text.
        control: whether special tokens of the tokenizer stand in its text.
    """

    row: int
    tokens: int = 0
    trained: int = 0
    lost: int = 0
    lost_trained: int = 0
    state: State = "measured"
    edit: int = 0
    not_rendered: bool = False
    context_lost: bool = False
    control: bool = False

    @property
    def total(self) -> int:
        """Tokens before the cut."""
        return self.tokens + self.lost

    @property
    def answer(self) -> int:
        """Tokens that would carry loss if nothing were cut: the answers, where loss is on answers alone."""
        return self.trained + self.lost_trained

    @property
    def flagged(self) -> bool:
        """Whether the row has a flag: `not_rendered`, `control_tokens`, `zero_trained` or `cut`."""
        if self.not_rendered or self.control:
            return True
        return self.state == "refused" or (self.state == "measured" and (not self.trained or bool(self.lost)))

    def pack(self) -> bytes:
        """The record in `facts.bin`."""
        numbers = (min(each, _MOST) for each in (self.tokens, self.trained, self.lost, self.lost_trained))
        bits = self.not_rendered * _NOT_RENDERED | self.context_lost * _CONTEXT | self.control * _CONTROL
        return _RECORD.pack(*numbers, _STATES.index(self.state) | bits, self.edit)


def _unpacked(row: int, tokens: int, trained: int, lost: int, lost_trained: int, state: int, edit: int) -> RowTokens:
    number = state & 0xFF
    name: Any = _STATES[number] if number < len(_STATES) else "unreadable"
    found = (bool(state & bit) for bit in (_NOT_RENDERED, _CONTEXT, _CONTROL))
    return RowTokens(row, tokens, trained, lost, lost_trained, name, edit, *found)


class TokenFacts:
    """Reads a cache, complete or while a job still fills it.

    Args:
        folder: the cache's folder, which need not be there yet.

    Attributes:
        folder: as given.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._notes: dict[int, dict[str, Any]] = {}
        self._notes_read = 0

    @property
    def count(self) -> int:
        """Rows measured so far: those from 0 up to but not including it."""
        try:
            return os.stat(self.folder / FACTS).st_size // RECORD_BYTES
        except OSError:
            return 0

    @property
    def about(self) -> Mapping[str, Any]:
        """`model`, `chat_template`, `max_length`, `loss_on`, `packing`, `paths`, `created`, and `complete`."""
        return files.read_json(os.fspath(self.folder / ABOUT)) or {}

    @property
    def complete(self) -> bool:
        """Whether every row of the dataset has been measured."""
        return bool(self.about.get("complete"))

    def row(self, row: int) -> RowTokens | None:
        """The tokens of a row, or None where the job has not come to it."""
        return next(self.rows(row, row + 1), None)

    def rows(self, first: int = 0, last: int | None = None) -> Iterator[RowTokens]:
        """The tokens of the rows from `first` up to but not including `last`, as far as they are known."""
        try:
            stream = (self.folder / FACTS).open("rb")
        except OSError:
            return
        with stream:
            while last is None or first < last:
                wanted = _READ_AT_ONCE if last is None else min(_READ_AT_ONCE, last - first)
                piece = os.pread(stream.fileno(), wanted * RECORD_BYTES, first * RECORD_BYTES)
                whole = len(piece) // RECORD_BYTES
                if not whole:
                    return
                for record in _RECORD.iter_unpack(piece[: whole * RECORD_BYTES]):
                    yield _unpacked(first, *record)
                    first += 1

    def flags(self, facts: RowTokens) -> tuple[Flag, ...]:
        """The flags `not_rendered`, `control_tokens`, `zero_trained` and `cut` of a row, each with its reason."""
        if not facts.flagged:
            return ()
        from core.dataset.checks.tokens import token_flags

        note = self._note(facts.row)
        problem = note.get("problem") or "the chat template rejects it" if facts.state == "refused" else ""
        return token_flags(
            facts.trained,
            facts.lost,
            facts.lost_trained,
            problem=problem,
            lost_text=note.get("lost_text", ""),
            of_text=facts.total if note.get("kind") == "text" else 0,
            not_rendered=note.get("not_rendered") or "see the row" if facts.not_rendered else "",
            control=note.get("control") or "special tokens" if facts.control else "",
        )

    def all_flags(self) -> dict[int, tuple[Flag, ...]]:
        """The flags of every row that has some."""
        return {facts.row: self.flags(facts) for facts in self.rows() if facts.flagged}

    def context_lost(self) -> int:
        """How many rows lose something from context alone."""
        return sum(facts.context_lost for facts in self.rows())

    def totals(self) -> dict[str, int]:
        """Over all rows measured so far: `rows`, `tokens`, `trained`, `lost`, `lost_trained`."""
        found = dict.fromkeys(("rows", "tokens", "trained", "lost", "lost_trained"), 0)
        for facts in self.rows():
            found["rows"] += 1
            found["tokens"] += facts.tokens
            found["trained"] += facts.trained
            found["lost"] += facts.lost
            found["lost_trained"] += facts.lost_trained
        return found

    def _note(self, row: int) -> Mapping[str, Any]:
        try:
            with (self.folder / NOTES).open("rb") as stream:
                stream.seek(self._notes_read)
                for line in stream:
                    if not line.endswith(b"\n"):
                        break
                    self._notes_read += len(line)
                    note = json.loads(line)
                    self._notes[note["row"]] = note
        except (OSError, ValueError, KeyError):
            pass  # a reason without its words is still a reason
        return self._notes.get(row, {})


def edit_digest(sample: Mapping[str, Any]) -> int:
    """Tells edits of a row apart: 64 bits of a hash of `Sample.to_json()`, never 0."""
    import hashlib

    canonical = json.dumps(sample, sort_keys=True).encode()
    return int.from_bytes(hashlib.blake2b(canonical, digest_size=8).digest(), "little") or 1


class TokenFactsWriter:
    """Fills a cache in; continues where an earlier job has stopped.

    Args:
        folder: the cache's folder; made.
        about: what the numbers rest on.

    Raises:
        BadInput: another job is filling it in.
        OSError: it cannot be written.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self.folder = folder
        self._about = dict(about)
        folder.mkdir(parents=True, exist_ok=True)
        self._facts = os.open(folder / FACTS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.FILE_MODE)
        try:
            fcntl.flock(self._facts, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._facts)
            raise BadInput(
                "Another program is counting the tokens of these rows", where=str(folder), do="Wait until it is done"
            ) from None
        except OSError:
            pass  # a file system without locks
        self.count = os.fstat(self._facts).st_size // RECORD_BYTES
        """Rows from 0 that have a record."""
        os.ftruncate(self._facts, self.count * RECORD_BYTES)
        self._describe(complete=False)

    def add(self, facts: Sequence[tuple[RowTokens, Mapping[str, str]]]) -> None:
        """Writes rows, each with its note or none; a row that is there is replaced.

        A note has `problem`, or `lost_text` and where the row is plain text `kind`; beside it `not_rendered` and
        `control` where there is something to say.

        New rows must come in their order.
        """
        for each, note in facts:
            if note:  # before the record: who finds the record finds its words
                files.append_line(os.fspath(self.folder / NOTES), files.encode({"row": each.row, **note}) + b"\n")
        start = 0
        while start < len(facts):  # neighbours in one write
            end = start + 1
            while end < len(facts) and facts[end][0].row == facts[end - 1][0].row + 1:
                end += 1
            first = facts[start][0].row
            os.pwrite(self._facts, b"".join(each.pack() for each, _ in facts[start:end]), first * RECORD_BYTES)
            self.count = max(self.count, first + end - start)
            start = end

    def finish(self) -> None:
        """Says that every row has been measured."""
        self._describe(complete=True)

    def close(self) -> None:
        """Ends the writing."""
        os.close(self._facts)

    def _describe(self, *, complete: bool) -> None:
        value = {**self._about, "complete": complete}
        files.replace(os.fspath(self.folder / ABOUT), files.encode(value), durable=False)
