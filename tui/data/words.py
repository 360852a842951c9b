"""What the data screen says about the data set as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from core.clean import clean_line
from core.units import count
from tui.data.desk import Desk
from tui.data.list_names import FLAG, SOURCE
from tui.data.rows import DataRows

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Standing


def title(rows: DataRows, pace: str = "") -> Content:
    """The border's title: how many samples of which format; `…` while more are found. In an audit how far it is."""
    if rows.filter == "audit" and rows.audit is not None:
        of, kept, dropped = rows.audited()
        words = f"audit: {count(kept + dropped)} of {count(of)} ({clean_line(rows.audit.words, 40)})"
        return Content("  ".join(filter(None, [words, f"kept {count(kept)}", f"dropped {count(dropped)}", pace])))
    dataset = rows.dataset
    growing = "" if dataset.reader.complete else "…"
    bad = len(rows.bad)
    many = "s" * (rows.good != 1 or bool(growing))
    parts = [f"{count(rows.good)}{growing} sample{many}", dataset.recognition.name, dataset.reader.container]
    if bad:
        parts.append(f"{count(bad)} bad line{'s' * (bad != 1)}")
    return Content(" · ".join(parts))


def counts(rows: DataRows, width: int) -> Content:
    """How many rows each filter lists; the present one in capitals; on another line what `width` is too small for.

    Where several lists narrow each other, these alone.
    """
    parts = [(f" {rows.order} first ", "bold")] if rows.order else []
    used = len(parts[0][0]) if parts else 0
    if rows.also:
        of = f" {count(rows.count)} of {count(rows.good)} "
        words = " + ".join(condition(rows, name) for name in reversed(rows.names))
        return Content.assemble(*parts, (of, "reverse bold"), f" {words}")
    for name, number in rows.counts().items():
        here = name == rows.filter
        text = f" {_list_name(rows, name) if here else name} {count(number)} "
        if used and used + cell_len(text) > width:
            parts.append(("\n", ""))
            used = 0
        parts.append((text, "reverse bold" if here else ""))
        used += cell_len(text)
    return Content.assemble(*parts)


def condition(rows: DataRows, name: str) -> str:
    """A list as one of several: `undecided`, `file b.jsonl`, `of 500 tokens and more`."""
    if name == "found":
        return rows.sought
    if name.startswith(SOURCE):
        return _list_name(rows, name).replace("FILE", "file", 1)
    return name.removeprefix(FLAG).replace("_", " ")


def _list_name(rows: DataRows, name: str) -> str:
    if name.startswith(SOURCE):
        path, _, _ = rows.sources()[int(name.removeprefix(SOURCE))]
        return f"FILE {clean_line(path.name, 30)}"
    return name.removeprefix(FLAG).replace("_", " ").upper()


def taken_back(row: int, before: Standing, after: Standing) -> str:
    """What an undo took back, and where the row stands now."""
    if before.edit != after.edit:
        what = "the edit of"
    elif before.note != after.note:
        what = "the note on"
    elif before.flag != after.flag:
        what = "the flag on"
    elif before.verdict != after.verdict:
        what = f"the {before.verdict or 'decision'} of"
    else:
        what = "the last decision on"
    now = {"keep": "kept", "drop": "dropped", "": "undecided"}[after.verdict]
    return f"taken back: {what} row {count(row + 1)}, which is {now} now"


def facts(desk: Desk, width: int) -> str:
    """How far the scan is, what is known of tokens, and at first why it is this format, in at most `width` cells."""
    found = desk.rows.dataset.recognition
    why = "" if found.known and desk.rows.judged else found.why
    words = [desk.changed, desk.scan_words, desk.rows.tokens.words, why]
    line = clean_line(" · ".join(filter(None, words)), 400)
    return line if cell_len(line) <= width else set_cell_size(line, max(0, width - 1)).rstrip() + "…"
