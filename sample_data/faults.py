"""Plants faults in clean support-desk rows, as real data has them, and lists where they are."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

TRAIN, EVAL = "support_train.jsonl", "support_eval.jsonl"
SEED = 41

# Questions of rows that are written again: one row twice, one three times.
_COPIED = ("Do schools pay less for Pennywren?", "Where do I get an API key?", "Where do I get an API key?")
# (the question, the same with another word, number or punctuation mark)
_NEARLY_COPIED = (
    (
        "I was charged for another year although I wanted to stop. Can I get my money back?",
        "I was charged for another year although I wanted to stop! Can I get my money back?",
    ),
    (
        "I have three years of time entries in another tool. Can I bring them along?",
        "I have three years of time entries in another tool. Can I bring these along?",
    ),
    (
        "I am on Solo and would like to move to Studio. What happens to what I already paid?",
        "I am on Solo and would like to move to Studio. What happens with what I already paid?",
    ),
    (
        "The import says that 12 rows were rejected. Which ones?",
        "The import says that 17 rows were rejected. Which ones?",
    ),
)
# Questions of eval rows that turn up in the training data: one to the letter, one nearly.
_LEAKED = (
    (
        "Why do I see the subscription fee two times on my card?",
        "Why do I see the subscription fee two times on my card?",
    ),
    (
        "My login is blocked because of too many attempts. How long does that last?",
        "My login is blocked because of too many attempts! How long does that last?",
    ),
)
_EMPTY = {"I miss a budget for each project. Is it planned?": "", "Which exchange rate do you use?": " \n"}
_ROLES_SWAPPED = "How are seats counted?"
_COLORED = "How many API calls may I make in a minute?"
_TERMINAL_OUTPUT = (
    "Your command line client stops with this:\n$ \x1b[1mpennywren sync --all\x1b[0m\n"
    "\x1b[31mERROR\x1b[0m 429 too many requests\nHow many API calls may I make in a minute?"
)
_LOGGED = "I get 403 when I ask for invoices, but projects work."
_LOG_LINES = 60
_TORN = "How do I stop an invoice that repeats?"
_TORN_CHARACTERS = 31  # as if the writer had died in the middle of the answer


@dataclass(slots=True)
class Slot:
    """A line of the training file.

    Attributes:
        row: what the line was meant to hold.
        kind: the fault in it, by the name of the flag that finds it where there is one, or "".
        note: the fault in words.
        of: (file, number) of the row from 0 in that file's clean order that this one repeats, or None.
        torn: characters missing at the end of the line.
    """

    row: Row
    kind: str = ""
    note: str = ""
    of: tuple[str, int] | None = None
    torn: int = 0

    @property
    def line(self) -> str:
        """The line as written, without its line end; everything but printable ASCII is escaped."""
        whole = json.dumps(self.row, ensure_ascii=True)
        return whole[: len(whole) - self.torn]


def plant(train: list[Row], held_out: list[Row]) -> tuple[list[str], dict[str, Any]]:
    """Puts the faults among the training rows.

    Args:
        train: clean training rows in their order.
        held_out: eval rows in their order; they stay as they are.

    Returns:
        The lines of the training file, and the contents of FAULTS.json.
    """
    slots = [Slot(row) for row in train]
    _spoil(slots)
    place = random.Random(SEED)
    for slot in _repeats(train, held_out):
        first = slot.of[1] + 1 if slot.of is not None and slot.of[0] == TRAIN else 0
        slots.insert(place.randint(min(first + 20, len(slots)), len(slots)), slot)
    return [slot.line for slot in slots], _report(slots, train, len(held_out))


def _spoil(slots: list[Slot]) -> None:
    for question, nothing in _EMPTY.items():
        slot = _slot(slots, question, "empty_answer", f"the answer is {nothing!r}")
        slot.row = _with(slot.row, "assistant", nothing)
    slot = _slot(slots, _ROLES_SWAPPED, "role_order", "the answer comes before its question")
    system, user, assistant = slot.row["messages"]
    slot.row = {"messages": [system, assistant, user]}
    slot = _slot(slots, _COLORED, "control_characters", "the question contains ANSI color sequences")
    slot.row = _with(slot.row, "user", _TERMINAL_OUTPUT)
    slot = _slot(slots, _LOGGED, "over_long", f"a log of {_LOG_LINES} lines is pasted into the question")
    slot.row = _with(slot.row, "user", f"{_LOGGED} This is our log:\n{_log()}")
    slot = _slot(slots, _TORN, "bad_line", "the line ends in the middle of a string")
    slot.torn = _TORN_CHARACTERS


def _repeats(train: list[Row], held_out: list[Row]) -> list[Slot]:
    slots = []
    for question in _COPIED:
        at = _find(train, question)
        slots.append(Slot(train[at], "exact_duplicate", "the same row again", (TRAIN, at)))
    for question, changed in _NEARLY_COPIED:
        at = _find(train, question)
        note = f"one word or sign of the question differs: {changed}"
        slots.append(Slot(_with(train[at], "user", changed), "near_duplicate", note, (TRAIN, at)))
    for question, changed in _LEAKED:
        at = _find(held_out, question)
        kind = "leak_exact" if changed == question else "leak_near"
        note = "the same row" if changed == question else "the same row, but for one sign of the question,"
        slots.append(Slot(_with(held_out[at], "user", changed), kind, f"{note} is in the eval data", (EVAL, at)))
    return slots


def _report(slots: list[Slot], train: list[Row], eval_rows: int) -> dict[str, Any]:
    """Lines count from 1, rows from 0 among the lines that are JSON."""
    line_of = {id(slot.row): n for n, slot in reversed(list(enumerate(slots, 1)))}
    faults, row = [], 0
    for number, slot in enumerate(slots, 1):
        if slot.kind:
            fault: dict[str, Any] = {"kind": slot.kind, "file": TRAIN, "line": number}
            if not slot.torn:
                fault["row"] = row
            if slot.of is not None:
                file, at = slot.of
                fault["of"] = {"file": file, "line": line_of[id(train[at])] if file == TRAIN else at + 1}
            faults.append({**fault, "note": slot.note})
        row += not slot.torn
    return {
        "files": {
            TRAIN: {"lines": len(slots), "rows": row},
            EVAL: {"lines": eval_rows, "rows": eval_rows},
        },
        "counts": dict(sorted(Counter(fault["kind"] for fault in faults).items())),
        "faults": faults,
    }


def _find(rows: list[Row], question: str) -> int:
    """The number of the row of one round that asks exactly this."""
    [at] = [n for n, row in enumerate(rows) if len(row["messages"]) == 3 and row["messages"][1]["content"] == question]
    return at


def _slot(slots: list[Slot], question: str, kind: str, note: str) -> Slot:
    slot = slots[_find([slot.row for slot in slots], question)]
    slot.kind, slot.note = kind, note
    return slot


def _with(row: Row, role: str, content: str) -> Row:
    """A copy of the row in which this role says something else."""
    return {"messages": [{**turn, "content": content} if turn["role"] == role else turn for turn in row["messages"]]}


def _log() -> str:
    return "\n".join(
        f"2026-11-0{1 + n // 24} {n % 24:02}:{n * 7 % 60:02}:{n * 13 % 60:02} GET /v2/invoices?page={n + 1} "
        f"-> 403 forbidden in {31 + n * 17 % 90} ms"
        for n in range(_LOG_LINES)
    )
