"""The rows of a dataset in the normal form, for another interpreter: `python -m core.dataset.view.normal_rows`.

Reads one line of JSON on stdin: `{"paths", "format", "columns", "workspace", "start", "again", "tasks"}`. Writes
`{"entries": n}`, then `{"row": n, "sample": Sample.to_json()}` for each good row from `start` on, with null for one
that is unreadable. Rows that were edited are given as edited and say
`"edited": true`; of the rows before `start` those in `again` come, and those with an edit.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.dataset.audit.decisions import Ledger
from core.dataset.audit.store import read_ledger
from core.dataset.dataset import Dataset
from core.dataset.records import Row, Unreadable
from core.dataset.row_tasks import from_json
from core.dataset.sample import Sample
from core.dataset.scan.keys import Occurrences, key_text, row_digest
from core.dataset.view.view import encoded
from core.errors import TunedeckError


def write_rows(question: dict[str, Any], out: BinaryIO) -> None:
    """Writes the rows that a question asks for.

    Raises:
        TunedeckError: the data or the decisions cannot be read.
        BrokenPipeError: nobody reads any more.
    """
    dataset = Dataset.open(question["paths"], question.get("format"), question.get("columns"))
    dataset.reader.extend()
    out.write(json.dumps({"entries": dataset.count}).encode() + b"\n")
    out.flush()
    tasks = from_json(question.get("tasks"))
    start, again = int(question.get("start", 0)), set(question.get("again", ()))
    for number, row, edit in _good_rows(dataset, read_ledger(question["workspace"])):
        if number < start and edit is None and number not in again:
            continue
        line: dict[str, Any] = {"row": number, "sample": None}
        try:
            sample = Sample.from_json(edit) if edit is not None else dataset.sample_of(row)
            line["sample"] = (sample if tasks is None else tasks.apply(sample, tasks.of(row.value))).to_json()
        except (Unreadable, KeyError, TypeError, AttributeError):
            pass  # unreadable: it has no tokens
        if edit is not None:
            line["edited"] = True
        out.write(encoded(line))


def _good_rows(dataset: Dataset, ledger: Ledger) -> Iterator[tuple[int, Row, dict[str, Any] | None]]:
    """Each good row with its number and its edit. Keys are worked out only where something was edited."""
    edited = any(standing.edit is not None for standing in ledger.standings().values())
    occurrences = Occurrences()
    number = 0
    for entry in range(dataset.count):
        row = dataset.row(entry)
        if row.value is None:
            continue
        edit = None
        if edited:
            digest = row_digest(row.value)
            edit = ledger.standing(key_text(digest, occurrences.next(digest))).edit
        yield number, row, None if edit is None else dict(edit)
        number += 1


def main() -> int:
    """Answers the question on stdin.

    Returns:
        0, or 2 with a sentence on stderr.
    """
    try:
        write_rows(json.loads(sys.stdin.buffer.readline()), sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except TunedeckError as fault:
        print(fault, file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer must not be complained about
    return 0


if __name__ == "__main__":
    sys.exit(main())
