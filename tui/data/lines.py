"""What the list says of one row: its flag in a word or two, its length, the beginning of its text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.clean import clean_line
from core.dataset.flag_names import UNREADABLE
from core.dataset.records import Row, Unreadable
from core.dataset.sample import Sample, characters
from core.folding import places
from core.units import percent, size
from tui.data.rows import DataRows
from tui.widgets.sample_entry import UNKNOWN, Column, ListEntry, Tone, length_words

if TYPE_CHECKING:
    from core.dataset.checks import Flag

HUGE = 4 * 2**20
"""Bytes of a row beyond which it is read only when someone asks: parsing it would hold up the keys."""

PREVIEW = 400
"""Characters of a row that the list reads."""

_BEFORE = 15
"""Characters that stand before a hit: of wide ones, twice as many cells."""

_STATUS = 10
"""Cells of the widest status that names no row: `unreadable`."""

SHORT_WORDS = {
    UNREADABLE: "unreadable",
    "leak_exact": "leak",
    "leak_near": "leak",
    "near_duplicate": "near",
    "empty_answer": "empty",
    "loss_weight": "weight",
    "role_order": "roles",
    "missing_turn": "no turn",
    "exact_duplicate": "dup",
    "normalized_duplicate": "dup",
    "answer_equals_prompt": "echo",
    "placeholder": "gap",
    "control_characters": "control",
    "nonstandard_json": "json",
    "length_outlier": "length",
    "repetition_loop": "loop",
    "personal_data": "personal",
    "same_template": "template",
    "system_prompt": "system",
    "label_imbalance": "label",
    "think_block": "thinking",
    "rendered_chat": "rendered",
    "same_answers": "same pair",
    "conflicting_answers": "conflict",
    "not_rendered": "unrendered",
    "control_tokens": "ctrl token",
    "zero_trained": "no loss",
    "cut": "cut",
}
"""The word for each check in the list's narrow column, at most `_STATUS` cells; other checks show their own name."""


def short_words(flag: Flag) -> str:
    """A flag in the list: `dup 412`, `near 93%`, `empty`."""
    word = SHORT_WORDS.get(flag.name, flag.name)
    if flag.similarity is not None:
        return f"{word} {percent(flag.similarity)}"
    return word if flag.of is None else f"{word} {flag.of + 1}"


def status_width(rows: int) -> int:
    """Cells of the widest status in a list of so many rows, `dup 1234567` included."""
    return max(_STATUS, len("dup ") + len(str(rows)))


def around(sample: Sample, folded: str) -> str:
    """One clean line with the text around the first place where a text is found, or "".

    Args:
        sample: whose text.
        folded: what was searched for, as `core.folding.fold` returns it.
    """
    turns = (*sample.messages, *sample.chosen, *sample.rejected)
    for text in (sample.text, *(turn.content for turn in turns), *(turn.reasoning for turn in turns)):
        for start, _ in places(text, folded):
            return _window(text, start)
    return ""


def _around_value(row: Row, folded: str) -> str:
    """As `around`, for a hit in a column that the sample does not show: `column: … text …`."""
    for name, value in row.value.items() if isinstance(row.value, dict) else ():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        for start, _ in places(text, folded):
            return clean_line(f"{name}: {_window(text, start)}", PREVIEW)
    return ""


def _window(text: str, at: int) -> str:
    """A text from a few words before a place on, or from its begin where the place is seen all the same."""
    start = 0
    if at > _BEFORE:
        start = at - _BEFORE
        start = max(start, text.find(" ", start, at) + 1)
    words = " ".join(text[start : start + PREVIEW].split())
    return clean_line(f"…{words}" if start else words, PREVIEW)


def preview(sample: Sample) -> str:
    """One clean line for the list: the first question, or the beginning of the text."""
    first = next((turn.content for turn in sample.messages if turn.role == "user"), sample.answer)
    words = " ".join(first[: PREVIEW * 4].split())
    return clean_line(words, PREVIEW) or "(empty)"


def row_line(rows: DataRows, entry: int, folded: str = "") -> ListEntry:
    """What the list says of an entry; reads and parses the row.

    Args:
        rows: what is known of the rows.
        entry: which of them.
        folded: what was searched for, folded: the text around the first hit is shown then.
    """
    length = rows.dataset.reader.size(entry)
    if length > HUGE:
        return _entry(rows, entry, size(length), f"(a row of {size(length)}: enter reads it)")
    row = rows.read(entry)
    try:
        sample = rows.sample(row)
    except Unreadable as fault:
        if row.value is None:
            reason = clean_line(f"line {row.line:,}: {fault}", PREVIEW)
            return ListEntry(0, "malformed", "bad", "", _facts(rows, None, ""), reason)
        return _entry(rows, entry, "", clean_line(f"({fault})", PREVIEW), unreadable=True)
    text = preview(sample) if not folded else around(sample, folded) or _around_value(row, folded) or preview(sample)
    return _entry(rows, entry, f"{length_words(characters(sample))} chars", text)


def columns(*, tokens: bool, needed: str = "") -> tuple[Column, ...]:
    """The columns for the facts of `row_line`.

    Args:
        tokens: whether there is anything to say of tokens.
        needed: the length that the list is sorted by, `tokens` or `chars`, or "".
    """
    lengths = Column(len("99,999 chars"), needed == "chars")
    return (Column(len("99,999 tokens"), needed == "tokens"), lengths) if tokens else (lengths,)


def _facts(rows: DataRows, row: int | None, length: str) -> tuple[str, ...]:
    if rows.tokens.standing == "none":
        return (length,)
    return rows.tokens.cell(row, None if row is None else rows.edited(row)), length


def _entry(rows: DataRows, entry: int, length: str, text: str, *, unreadable: bool = False) -> ListEntry:
    row = rows.row_of(entry)
    flags = rows.flags_of(entry)
    own = rows.mark(entry)
    status: tuple[str, Tone] = (UNKNOWN, "plain")
    if own is not None:
        marks = [word for word, here in (("edit", own.edit is not None), ("note", bool(own.note))) if here]
        word = "flag" if own.flag else "+".join(marks).replace("edit", "edited" if len(marks) == 1 else "edit")
        word = word or (f"{own.rating} of 5" if own.rating else clean_line(own.labels[0], _STATUS))
        status = (word, "flag" if own.flag else "good")
    elif unreadable:
        status = (SHORT_WORDS[UNREADABLE], "bad")
    elif flags:
        status = (short_words(flags[0]), "bad" if flags[0].severity == "error" else "flag")
    elif row is not None and row < rows.scanned and rows.judged:
        status = ("", "good")
    facts = _facts(rows, row, length)
    return ListEntry(0 if row is None else row + 1, *status, rows.decision(entry), facts, text)
