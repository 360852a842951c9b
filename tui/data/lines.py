"""What the list says of one row: its flag in a word or two, its length, the beginning of its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.clean import clean_line
from core.dataset.flag_names import UNREADABLE
from core.dataset.records import Unreadable
from core.dataset.sample import Sample, characters
from core.dataset.search import fold
from core.units import percent, size
from tui.data.rows import DataRows
from tui.widgets.sample_entry import ListEntry, Tone, length_words

if TYPE_CHECKING:
    from core.dataset.checks import Flag

HUGE = 4 * 2**20
"""Bytes of a row beyond which it is read only when someone asks: parsing it would hold up the keys."""

PREVIEW = 400
"""Characters of a row that the list reads."""

_BEFORE = 16
"""Characters that stand before a hit."""


SHORT_WORDS = {
    UNREADABLE: "unreadable",
    "leak_exact": "leak",
    "leak_near": "leak",
    "near_duplicate": "near",
    "empty_answer": "empty",
    "role_order": "roles",
    "missing_turn": "no turn",
    "exact_duplicate": "dup",
    "normalized_duplicate": "same",
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
    "zero_trained": "no loss",
    "cut": "cut",
}
"""The word for each check in the list's narrow column; other checks show their own name."""


def short_words(flag: Flag) -> str:
    """A flag in the list: `dup 412`, `near 93%`, `empty`."""
    word = SHORT_WORDS.get(flag.name, flag.name)
    if flag.similarity is not None:
        return f"{word} {percent(flag.similarity)}"
    return word if flag.of is None else f"{word} {flag.of + 1}"


def around(sample: Sample, query: str) -> str:
    """One clean line with the text around the first place where a query stands, or ""."""
    wanted = fold(query)
    turns = (*sample.messages, *sample.chosen, *sample.rejected)
    for text in (sample.text, *(turn.content for turn in turns), *(turn.reasoning for turn in turns)):
        at = fold(text).find(wanted)
        if at >= 0:
            start = max(0, at - _BEFORE)
            words = " ".join(text[start : start + PREVIEW].split())
            return clean_line(f"…{words}" if start else words, PREVIEW)
    return ""


def preview(sample: Sample) -> str:
    """One clean line for the list: the first question, or the beginning of the text."""
    first = next((turn.content for turn in sample.messages if turn.role == "user"), sample.answer)
    words = " ".join(first[: PREVIEW * 4].split())
    return clean_line(words, PREVIEW) or "(empty)"


def row_line(rows: DataRows, entry: int, query: str = "") -> ListEntry:
    """What the list says of an entry; reads and parses the row.

    Args:
        rows: what is known of the rows.
        entry: which of them.
        query: what was searched for: the text around the first hit is shown then.
    """
    length = rows.dataset.reader.size(entry)
    if length > HUGE:
        return _entry(rows, entry, size(length), f"(a row of {size(length)})")
    row = rows.read(entry)
    try:
        sample = rows.sample(row)
    except Unreadable as fault:
        if row.value is None:
            return ListEntry(0, "malformed", "bad", "", f"line {row.line:,}", clean_line(str(fault), PREVIEW))
        return _entry(rows, entry, "", clean_line(f"({fault})", PREVIEW), unformatted=True)
    text = (query and around(sample, query)) or preview(sample)
    return _entry(rows, entry, f"{length_words(characters(sample))} ch", text)


def _entry(rows: DataRows, entry: int, length: str, text: str, *, unformatted: bool = False) -> ListEntry:
    row = rows.row_of(entry)
    flags = rows.flags_of(entry)
    own = rows.mark(entry)
    status: tuple[str, Tone] = ("-", "plain")
    if own is not None:
        word = "flag" if own.flag else "edited" if own.edit is not None else "note"
        status = (word, "flag" if own.flag else "good")
    elif unformatted:
        status = (SHORT_WORDS[UNREADABLE], "bad")
    elif flags:
        status = (short_words(flags[0]), "bad" if flags[0].severity == "error" else "flag")
    elif row is not None and row < rows.scanned:
        status = ("ok", "good") if rows.judged else ("ok so far", "plain")
    tokens = rows.tokens.cell(row, None if row is None else rows.edited(row))
    return ListEntry(0 if row is None else row + 1, *status, rows.decision(entry), length, text, tokens)
