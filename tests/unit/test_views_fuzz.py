"""No row makes a reader or a view crash, take more than a second, show a control character, or write a file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clean import is_hostile
from core.dataset.dataset import Dataset
from core.dataset.formats import recognise
from core.dataset.mapping import Chosen
from core.dataset.scan import scan
from core.dataset.search import search
from core.errors import BadInput
from tests.attacks import ATTACKS, HOSTILE
from tests.unit.test_dataset_fuzz import ROWS
from tui.screens import data_preview, data_sample
from tui.screens.data_edit import as_text
from tui.screens.data_lines import around
from tui.screens.data_rows import DataRows
from tui.screens.mapping_draft import MappingDraft
from tui.widgets.sample_entry import Entry
from tui.widgets.text_view import Line
from tui.widgets.word_diff import compare

QUIET = b'{"prompt": "a quiet question", "completion": "a quiet answer"}'
_SHOWN = 3_000
"""Lines that are looked at of a view: the widget wraps no more before the first paint."""

_COMPARED = 2_000
"""Bytes of a row up to which its views are compared word by word, which is done in a thread."""


def check_lines(lines: Iterable[Line]) -> list[Line]:
    shown = list(islice(lines, _SHOWN))
    for line in shown:
        for text, _ in line.spans:
            assert not is_hostile(text)
            assert "\n" not in text
    return shown


def template(text: str) -> list[Line]:
    """The template view, where the preview service answers with this text in tokens of some lengths."""
    pieces, at = [], 0
    for number, length in zip(range(4_000), cycle((1, 7, 2, 30, 3)), strict=False):
        pieces.append([text[at : at + length], number % 4 < 2])
        at += length
        if at >= len(text):
            break
    counts = {"tokens": len(pieces), "trained": 0, "lost": 9, "lost_trained": 1}
    answer = {"pieces": pieces, "template": text[:300], "stop_trained": False, "lost_text": text[at:], **counts}
    return check_lines(data_preview._lines(answer))


def look_at(path: Path, format: str | None = None) -> None:
    """Every view of every row of a file."""
    try:
        rows = DataRows(Dataset.open(path, format))
    except BadInput:
        return
    reader = rows.dataset.reader
    reader.extend()
    values: list[dict[str, Any]] = []
    for entry in range(reader.count):
        line = rows.line(entry)
        assert isinstance(line, Entry)
        assert not is_hostile(line.preview + line.status + line.size)
        text = data_sample.RowText(rows, entry)
        chat = check_lines(text.rendering("chat")[0]())
        raw = check_lines(text.rendering("raw")[0]())
        if len(text.row.raw) < _COMPARED:
            compare(chat, raw)
        assert len(template(text.row.raw_text)) > 4
        assert not is_hostile(data_sample.subject(rows, entry).plain)
        sample = text.sample()
        if sample is not None:
            json.dumps(sample)
            assert not is_hostile(around(rows.sample(text.row), "e"))
        if text.row.value is not None:
            values.append(text.row.value)
            assert not is_hostile(as_text(text.row.value).replace("\n", ""))
    if values:
        draft = MappingDraft(values[:32], recognise(values[:32]), Chosen())
        assert not is_hostile(draft.words()[0])
        draft.sections()
        draft.states()
    for hits in search(reader, "quiet"):
        assert hits.done <= reader.count


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_read_scanned_and_shown_within_a_second_and_write_nothing(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for suffix, content in (
        (".jsonl", QUIET + b"\n" + ATTACKS[name] + b"\n" + QUIET + b"\n"),
        (".json", b"[" + QUIET + b",\n" + ATTACKS[name] + b",\n" + QUIET + b"]"),
        (".csv", b"prompt,completion\nx,y\n" + ATTACKS[name] + b"\n"),
        (".txt", ATTACKS[name]),
    ):
        path = folder / f"attack{suffix}"
        path.write_bytes(content)
        began = time.process_time()
        look_at(path)
        looked = time.process_time() - began
        assert looked < 1, f"{suffix} was shown in {looked:.1f} s"
        try:
            found = scan(path)
        except BadInput:
            continue
        assert time.process_time() - began - looked < 1, suffix
        if suffix == ".jsonl":
            assert found.rows + len(found.bad_entries) == 3
            assert [line.line for line in found.bad_lines] in ([], [2])
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        f"attack{suffix}" for suffix in (".jsonl", ".json", ".csv", ".txt")
    )


def test_attacks_in_names_of_files_and_columns_stay_in_their_place(tmp_path: Path) -> None:
    path = tmp_path / (HOSTILE.replace("/", "_").replace("\x00", "_")[:60] + ".jsonl")
    path.write_bytes(ATTACKS["controls as keys"] + b"\n")
    look_at(path)
    assert list(tmp_path.iterdir()) == [path]


@given(rows=st.lists(ROWS, min_size=1, max_size=3), ascii=st.booleans())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_rows_are_shown_in_every_view(tmp_path: Path, rows: list[dict[str, Any]], ascii: bool) -> None:
    path = tmp_path / "rows.jsonl"
    lines = "".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in rows)
    path.write_bytes(lines.encode("utf-8", "surrogatepass"))
    look_at(path)
