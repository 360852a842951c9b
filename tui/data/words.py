"""What the Data screen says about the dataset as a whole."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.style import Style

from core import timestamps
from core.clean import clean_line
from core.dataset.records import encoding_offer
from core.units import count
from tui.data.desk import OpenDataset
from tui.data.listing import FLAG, LABEL, REASON, SOURCE, Listing

_LOOKED_AT = 1_000
"""Malformed lines that are looked at for what to do about them, at each picture."""

if TYPE_CHECKING:
    from core.dataset.audit.decisions import DecisionState
    from core.dataset.audit.queue import Audit
    from core.dataset.dataset import Dataset


def title(listing: Listing, pace: str = "") -> Content:
    """The border's title: how many samples of which format; `…` while more are found. In an audit how far it is."""
    rows = listing.rows
    if listing.filter == "audit" and listing.audit is not None:
        of, kept, dropped = listing.audited()
        words = [f"audit: {count(kept + dropped)} of {count(of)}", f"kept {count(kept)}", f"dropped {count(dropped)}"]
        return Content("  ".join(filter(None, [*words, pace, f"({clean_line(listing.audit.words, 40)})"])))
    dataset = rows.dataset
    growing = "" if dataset.reader.complete else "…"
    bad = len(rows.bad)
    many = "s" * (rows.good != 1 or bool(growing))
    parts = [f"{count(rows.good)}{growing} row{many}"]
    if bad:
        parts.append(f"{count(bad)} malformed line{'s' * (bad != 1)}")
    parts += [_formats(dataset), dataset.reader.container]
    return Content(" · ".join(parts))


def _formats(dataset: Dataset) -> str:
    """The format of the rows; how many there are where files or rows have their own."""
    names = dict.fromkeys(found.name for each in dataset.recognitions.at_open() for found in each.first)
    return next(iter(names)) if len(names) == 1 else f"{len(names)} formats"


FILTER = "filter"
"""Key of a filter's name in the style of its words."""


def counts(listing: Listing, width: int) -> Content:
    """How many rows each filter lists, the present one in capitals, wrapped to `width`; a click lists its rows.

    Where several lists narrow each other, these alone.
    """
    parts: list[tuple[str, str | Style]] = [(f" {listing.order} first ", "bold")] if listing.order else []
    used = len(parts[0][0]) if parts else 0
    if listing.also:
        of = f" {count(listing.count)} of {count(listing.rows.good)} "
        return Content.assemble(*parts, (of, "reverse bold"), f" {_conditions(listing)}")
    for name, number in listing.counts().items():
        here = name == listing.filter
        text = f" {_list_name(listing, name) if here else name} {count(number)} "
        if used and used + cell_len(text) > width:
            parts.append(("\n", ""))
            used = 0
        parts.append((text, Style(reverse=here or None, bold=here or None) + Style.from_meta({FILTER: name})))
        used += cell_len(text)
    return Content.assemble(*parts)


def nothing_listed(listing: Listing, *, waits: bool) -> str:
    """What an empty list says: why it is empty, and what to do.

    Args:
        listing: the list.
        waits: whether a scan or a search may still add rows.
    """
    if listing.filter == "found":
        if waits:
            return "Searching …"
        return f"No rows {_conditions(listing)}. Press esc to clear the search."
    if not listing.also and listing.filter == "undecided":
        return "No undecided rows: every row has a decision. Press f for the next filter."
    what = "rows" if listing.filter == "all" else f"{_conditions(listing)} rows"
    if waits:
        return f"No {what} so far; the scan is still running."
    return f"No {what}. Press {'esc to remove a filter' if listing.also else 'f for the next filter'}."


def listed(listing: Listing) -> str:
    """What is listed, in a sentence: `flagged`, `rows with “a text”`, `cut + undecided`."""
    words = _conditions(listing)
    return f"rows {words}" if listing.filter == "found" else words


def _conditions(listing: Listing) -> str:
    return " + ".join(condition(listing, name) for name in reversed(listing.names))


def condition(listing: Listing, name: str) -> str:
    """A list as one of several: `undecided`, `file b.jsonl`, `of 500 tokens and more`."""
    if name == "found":
        return listing.sought
    if name.startswith(SOURCE):
        return _list_name(listing, name).replace("FILE", "file", 1)
    if name.startswith(LABEL):
        return f"labeled {clean_line(name.removeprefix(LABEL), 40)}"
    if name.startswith(REASON):
        return f"dropped as {clean_line(name.removeprefix(REASON), 40)}"
    return name.removeprefix(FLAG).replace("_", " ")


def _list_name(listing: Listing, name: str) -> str:
    if name.startswith(SOURCE):
        path, _, _ = listing.rows.sources()[int(name.removeprefix(SOURCE))]
        return f"FILE {clean_line(path.name, 30)}"
    if name.startswith((LABEL, REASON)):
        return condition(listing, name).upper()
    return name.removeprefix(FLAG).replace("_", " ").upper()


def _why(dataset: Dataset) -> str:
    """Why it is this format; with several, which file is read as what."""
    container = dataset.reader.container
    if "'" in container:  # what was read inside a workbook or zip
        return f"{clean_line(container, 200)}. {dataset.recognition.why}"
    files = dataset.recognitions.at_open()
    if len({(found.name, tuple(found.columns.items())) for each in files for found in each.first}) == 1:
        return dataset.recognition.why
    named = "; ".join(f"{each.file.name} {', '.join(found.name for found in each.first)}" for each in files[:4])
    return f"{named}{'; …' if len(files) > 4 else '.'}"


def remark(row: int, action: str, state: DecisionState) -> str:
    """What was said of a row that stays under the cursor; "" for what the list shows."""
    name = f"row {count(row + 1)}"
    match action:
        case "edit":
            return f"{name} edited and kept; u undoes both"
        case "rate":
            return f"{name} rated {state.rating} of 5" if state.rating else f"{name} has no rating now"
        case "label":
            labels = clean_line(", ".join(state.labels), 200)
            return f"{name} labeled: {labels}" if labels else f"{name} has no labels now"
    return ""


def taken_back(row: int, before: DecisionState, after: DecisionState) -> str:
    """What was undone, and the decision on the row now."""
    if before.edit != after.edit:
        what = "the edit of"
    elif before.note != after.note:
        what = "the note on"
    elif before.flag != after.flag:
        what = "the flag on"
    elif before.rating != after.rating:
        what = "the rating of"
    elif before.labels != after.labels:
        what = "the labels of"
    elif before.verdict != after.verdict:
        what = f"the {before.verdict or 'decision'} of"
    else:
        what = "the last decision on"
    now = {"keep": "kept", "drop": "dropped", "": "undecided"}[after.verdict]
    return f"undone: {what} row {count(row + 1)}, which is now {now}"


_LATELY = 6 * 3600.0
"""Seconds after which it is said when something was decided."""


def when(seconds: float) -> str:
    """When a decision was made that was taken back, where that is some hours ago; else ""."""
    if time.time() - seconds < _LATELY:
        return ""
    return f" (decided {timestamps.text(seconds, '%Y-%m-%d %H:%M')})"


def audit_name(audit: Audit) -> str:
    """An audit as one of several: `random 40`, `agreement 100`, `flag cut`, `worst first`."""
    if audit.mode == "random":
        return f"{'agreement' if audit.overlap else 'random'} {count(audit.size)}"
    return clean_line(audit.words, 40)


def begun(audit: Audit, by: str) -> str:
    """When an audit was begun, and by whom."""
    at = timestamps.text(audit.started, "%m-%d %H:%M")
    return f"started {at} by {clean_line(by, 16)}" if by else f"started {at}"


def audit_facts(listing: Listing) -> str:
    """What an audit says so far about the whole dataset, or about its reviewers; "" where it says nothing."""
    audit, rows = listing.audit, listing.rows
    if listing.filter != "audit" or audit is None:
        return ""
    words = []
    if audit.mode == "random":
        from core.dataset.audit.estimate import BadShare

        _, kept, dropped = listing.audited()
        if kept + dropped:
            words.append(BadShare(dropped, kept + dropped, rows.good).words)
    if audit.overlap:
        from core.dataset.audit.agreement import agreements

        wanted = {row for entry in listing.queue if (row := rows.row_of(entry)) is not None and not rows.hides(row)}
        words += [
            clean_line(each.words, 120) for each in agreements(rows.others[row] for row in wanted & set(rows.others))
        ]
        if conflicts := len(wanted.intersection(rows.conflicts)):
            words.append(f"{count(conflicts)} conflict{'s' * (conflicts != 1)} (F lists them)")
    elif others := sorted(set(listing.taken.values()) - {rows.reviewer}):
        words.append(f"also reviewing: {clean_line(', '.join(others), 60)}")
    return " · ".join(words)


def facts(desk: OpenDataset, audit: str = "") -> str:
    """How far the scan is, what is known of tokens, and at first why it is this format.

    Args:
        desk: the dataset.
        audit: what an audit says (`audit_facts`).
    """
    found = desk.rows.dataset.recognition
    unknown = [each for each in desk.rows.dataset.recognitions.at_open() if not each.found.known]
    if found.known and unknown:
        why = f"{unknown[0].file.name}: format unknown. Press M to say which column is which."
    elif found.known:
        why = "" if desk.rows.judged else f"Format: {_why(desk.rows.dataset)}"
    else:
        why = found.why.replace("Say which column is which.", "Press M to say which column is which.")
    windows = encoding_offer([line for _, line in desk.rows.bad[:_LOOKED_AT]], in_app=True)
    words = [desk.changed, desk.scan_words, audit, windows, desk.unused, desk.rows.tokens.words, why]
    return clean_line(" · ".join(filter(None, words)), 400)
