"""What the data screen says about the data set as a whole."""

from __future__ import annotations

from textual.content import Content

from core.clean import clean_line
from core.units import count
from tui.screens.data_desk import Desk
from tui.screens.data_rows import FILTERS, DataRows


def title(rows: DataRows) -> Content:
    """The border's title: how many samples of which format; `…` while more are found."""
    dataset = rows.dataset
    growing = "" if dataset.reader.complete else "…"
    bad = len(rows.bad)
    parts = [f"{count(rows.good)}{growing} samples", dataset.recognition.name, dataset.reader.container]
    if bad:
        parts.append(f"{count(bad)} bad line{'s' * (bad != 1)}")
    return Content(" · ".join(parts))


def counts(rows: DataRows) -> Content:
    """How many rows each filter lists; the present one in capitals."""
    numbers = rows.counts()
    parts = []
    for name in FILTERS:
        here = name == rows.filter
        text = f" {name.upper() if here else name} {count(numbers[name])} "
        parts.append((text, "reverse bold" if here else ""))
    return Content.assemble(*parts)


def facts(desk: Desk) -> str:
    """How far the scan is, and why the format is what it is."""
    words = [desk.scan_words, desk.rows.dataset.recognition.why]
    return clean_line(" · ".join(filter(None, words)), 400)


def asked(desk: Desk, digits: str) -> str:
    """What stands there while a row's number is being typed."""
    return f"go to row: {digits}▏  (1 to {count(desk.rows.good)}; enter goes there, esc does not)"
