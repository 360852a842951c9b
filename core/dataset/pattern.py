"""Search by a regular expression, in a separate process: some never end, and a running one cannot be interrupted."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.dataset.files.readers import Reader
from core.errors import BadInput, TunedeckError

_SPELLING = re.compile(r"/(?P<text>.+)/(?P<flags>[a-zA-Z]*)", re.DOTALL)
_FLAGS = "imsx"
_CHILD = Path(__file__).with_name("pattern_child.py")
_BATCH = 64
"""Rows that are sent together: their answers fit into a pipe, so that neither end waits for the other."""

_BATCH_LETTERS = 2**20
_PERIOD = 0.05
_WAIT = 0.002


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression as Python's `re` has them.

    Attributes:
        text: the expression.
        flags: letters: `i` ignores case, `m` lets `^` and `$` match at each line, `s` lets `.` match a line's end, `x`
            ignores spaces.
    """

    text: str
    flags: str = ""

    @classmethod
    def read(cls, query: str) -> Pattern | None:
        """From what somebody types: `/expression/` or `/expression/i`; None for a plain text."""
        found = _SPELLING.fullmatch(query.strip())
        return None if found is None else cls(found["text"], found["flags"])


@dataclass(frozen=True, slots=True)
class Matches:
    """What a search has found since its last report.

    Attributes:
        matches: entry, ascending, to the text that the expression matches there first.
        done: entries looked at.
        complete: whether this was the end.
    """

    matches: Mapping[int, str] = field(default_factory=dict)
    done: int = 0
    complete: bool = False


def matching(
    reader: Reader,
    pattern: Pattern,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    number: Callable[[int], int] = lambda entry: entry + 1,
) -> Iterator[Matches]:
    """Looks for an expression in all entries, those that another thread still finds included.

    Args:
        reader: the entries; somebody else calls its `extend`.
        pattern: what to look for, in values; names of fields are not looked at. Entries that cannot be read have none.
        should_stop: asked between entries.
        number: of an entry, as a person counts rows.

    Yields:
        Twenty times a second, and at the end.

    Raises:
        BadInput: it is no regular expression; the sentence says where it is wrong.
        TunedeckError: it takes too long for a row; the sentence names the row.
    """
    unknown = sorted(set(pattern.flags) - set(_FLAGS))
    if unknown:
        raise BadInput(f"unknown flag {unknown[0]!r} after the regular expression", do="Use i, m, s or x, or none")
    with _Child(pattern, number) as child:
        found: dict[int, str] = {}
        reported_at = time.monotonic()
        entry = 0
        while not should_stop():
            batch: list[tuple[int, list[str]]] = []
            letters = 0
            while entry < reader.count and len(batch) < _BATCH and letters < _BATCH_LETTERS:
                texts = list(_texts(reader.row(entry).value))
                letters += sum(map(len, texts))
                batch.append((entry, texts))
                entry += 1
            found.update(child.find(batch))
            ended = reader.complete and entry >= reader.count
            if ended or time.monotonic() - reported_at > _PERIOD:
                yield Matches(found, entry, complete=ended)
                found, reported_at = {}, time.monotonic()
            if ended:
                return
            if not batch:
                time.sleep(_WAIT)


def _texts(value: Any) -> Iterator[str]:
    """Every string and number in a parsed row, in its order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)


class _Child:
    """The process that matches; it ends itself where one row takes too long."""

    def __init__(self, pattern: Pattern, number: Callable[[int], int]) -> None:
        self._pattern = pattern
        self._number = number

    def __enter__(self) -> _Child:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True
        )
        try:
            self._send([self._pattern.text, self._pattern.flags])
            answer = self._answer()
        except TunedeckError:
            self._end()
            raise
        if answer is None or answer.get("error"):
            self._end()
            why = "it takes too much time or memory" if answer is None else answer["error"]
            raise BadInput(
                f"not a valid regular expression: {why}",
                where=f"/{self._pattern.text}/",
                do="Put a backslash before characters such as ( [ * ? to search for them as text",
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def find(self, batch: Sequence[tuple[int, list[str]]]) -> dict[int, str]:
        """The rows that match, each with the first text that does."""
        found: dict[int, str] = {}
        if not batch:
            return found
        self._send([texts for _, texts in batch])
        for entry, _ in batch:
            answer = self._answer()
            if answer is None:
                raise TunedeckError(
                    f"the regular expression takes too long on row {self._number(entry):,}, so the search was stopped",
                    do="Avoid repeats that can match the same text, such as (a+)+ or .*.*",
                )
            if "match" in answer:
                found[entry] = answer["match"]
        return found

    def _send(self, value: Any) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(value).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:  # it has ended itself: its answers say at which row
            return

    def _answer(self) -> dict[str, Any] | None:
        """The next answer; None where the process has ended itself.

        Raises:
            TunedeckError: it has ended for another reason.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line.endswith(b"\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        code = self._process.wait()
        if code == -signal.SIGVTALRM:
            return None
        raise TunedeckError(f"the search process ended unexpectedly (exit code {code})", do="Search again")
