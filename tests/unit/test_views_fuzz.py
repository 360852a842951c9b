"""No row makes a reader or a view crash, take more than a second, show a control character, or write a file."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clean import is_hostile
from core.dataset.audit.store import DecisionStore
from core.dataset.dataset import Dataset
from core.dataset.formats import recognize
from core.dataset.mapping import Chosen
from core.dataset.scan.keys import key_text, row_digest
from core.dataset.scan.scan import scan
from core.dataset.search import search
from core.dataset.view.plan import build_view
from core.dataset.write.write import export_view
from core.errors import BadInput
from tests.kit.attacks import ATTACKS, HOSTILE
from tests.unit.test_dataset_fuzz import ROWS
from tui.data import preview as data_preview
from tui.data import sample as data_sample
from tui.data.edit import as_text
from tui.data.lines import around, row_line
from tui.data.mapping_draft import MappingDraft
from tui.data.rows import DataRows
from tui.widgets.sample_entry import ListEntry
from tui.widgets.text_view import TextLine
from tui.widgets.word_diff import compare

QUIET = b'{"prompt": "a quiet question", "completion": "a quiet answer"}'
_SHOWN = 3_000
"""Lines that are looked at of a view: the widget wraps no more before the first paint."""

_COMPARED = 2_000
"""Bytes of a row up to which its views are compared word by word, which is done in a thread."""


_PLACES = {"os.rename": 2, "os.link": 2, "os.symlink": 2} | dict.fromkeys(
    ("os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.chown", "os.utime", "sqlite3.connect"), 1
)
"""Of each audit event that says that the disk is changed, how many arguments are the paths."""

_STARTED = frozenset(("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect"))
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_noted: list[list[str]] = []
"""Where the events are noted now, if anywhere."""


@cache
def _listen() -> None:
    """Have Python tell what it opens, makes and removes; a hook stays for as long as the process."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        for noted in _noted:
            if event in _STARTED:
                noted.append(event)
            paths = args[: 1 if event == "open" and args[2] & _WRITES else _PLACES.get(event, 0)]
            noted.extend(os.fsdecode(path) for path in paths if not isinstance(path, int))

    sys.addaudithook(hook)


@contextmanager
def writes_within(folder: Path) -> Iterator[list[str]]:
    """Asserts that whatever is written, made, renamed or removed lies in a folder, and that nothing is started.

    Yields:
        the paths, as they come.
    """
    _listen()
    paths: list[str] = []
    _noted.append(paths)
    try:
        yield paths
    finally:
        _noted.pop()
    inside = os.path.realpath(folder) + os.sep
    strange = [path for path in paths if not os.path.realpath(path).startswith(inside)]
    assert [path for path in strange if path != os.devnull and "__pycache__" not in path] == []


def check_lines(lines: Iterable[TextLine]) -> list[TextLine]:
    shown = list(islice(lines, _SHOWN))
    for line in shown:
        for text, _ in line.spans:
            assert not is_hostile(text)
            assert "\n" not in text
    return shown


def template(text: str) -> list[TextLine]:
    """The template view, where the preview service answers with this text in tokens of some lengths."""
    pieces, at = [], 0
    for number, length in zip(range(4_000), cycle((1, 7, 2, 30, 3)), strict=False):
        pieces.append([text[at : at + length], number % 4 < 2])
        at += length
        if at >= len(text):
            break
    part = {"name": "", "pieces": pieces, "kept": len(pieces), "lost": 9, "lost_trained": 1, "lost_text": text[at:]}
    answer = {"parts": [part], "template": text[:300], "stop_trained": False, "trained": 0}
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
        line = row_line(rows, entry)
        assert isinstance(line, ListEntry)
        assert not is_hostile(line.preview + line.status + "".join(line.facts))
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
        draft = MappingDraft(values[:32], recognize(values[:32]), Chosen())
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
        with writes_within(folder):
            look_at(path)
        looked = time.process_time() - began
        assert looked < 1, f"{suffix} was shown in {looked:.1f} s"
        try:
            with writes_within(folder):
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


def test_attacks_are_decided_on_and_exported_within_the_workspace(tmp_path: Path) -> None:
    data, out = tmp_path / "data.jsonl", tmp_path / "out"
    data.write_bytes(b"\n".join(attack.replace(b"\n", b" ") for attack in ATTACKS.values()) + b"\n")
    out.mkdir()
    with writes_within(tmp_path) as paths:
        store = DecisionStore(tmp_path)
        for entry in (0, 3, 23):
            value = Dataset.open(data).row(entry).value
            assert value is not None
            store.decide(key_text(row_digest(value), 0), "flag", {"text": HOSTILE})
        store.close()
        view = build_view(tmp_path, paths=[data], eval_fraction=0.2, drop_flags=())
        export_view(view, "jsonl", out / "curated.jsonl")
    assert view.train_count + view.eval_count > 10
    for folder in (view.folder.parent, out):
        assert any(path.startswith(str(folder)) for path in paths), "what is written is noted"
    assert {path.name for path in tmp_path.iterdir()} == {".tunedeck", "data.jsonl", "out"}


def test_a_write_elsewhere_is_noted(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(AssertionError, match=r"elsewhere"), writes_within(inside):
        (inside / ".." / "elsewhere").write_bytes(b"x")
    with pytest.raises(AssertionError, match=r"insider"), writes_within(inside):
        os.mkdir(tmp_path / "insider")


def test_attacks_in_names_of_files_and_columns_stay_in_their_place(tmp_path: Path) -> None:
    path = tmp_path / (HOSTILE.replace("/", "_").replace("\x00", "_")[:60] + ".jsonl")
    path.write_bytes(ATTACKS["controls as keys"] + b"\n")
    with writes_within(tmp_path):
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
