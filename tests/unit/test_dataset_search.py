"""Search finds what a decoded scan finds, in every script, escaping and kind of file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.dataset import Dataset
from core.dataset.search import holds, search
from core.folding import fold
from tests.kit.clock import slow_time


def found(path: Path | Sequence[Path], query: str) -> list[int]:
    reader = Dataset.open(path if isinstance(path, Path) else list(path)).reader
    reader.extend()
    return [entry for hits in search(reader, query) for entry in hits.entries]


def write(path: Path, texts: Sequence[str], *, ascii: bool = False) -> Path:
    lines = [json.dumps({"text": text}, ensure_ascii=ascii) for text in texts]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


TEXTS = [
    "How do I reset my password?",
    "如何重置密码",
    "Как СБРОСИТЬ пароль",
    'she said "no\\way"',
    "Ünïcödé and 😀 smiles",
    "nothing here",
    "PASSWORDS and пароль",
    "ΟΔΟΣ",
]


@pytest.mark.parametrize("ascii", [False, True], ids=["raw", "escaped"])
@pytest.mark.parametrize(
    ("query", "entries"),
    [
        ("PASSWORD", [0, 6]),
        ("重置", [1]),
        ("重", [1]),
        ("сбросить ПАРОЛЬ", [2]),
        ("пароль", [2, 6]),
        ('"no\\way"', [3]),
        ('"', [3]),
        ("ÜNÏ", [4]),
        ("😀", [4]),
        ("é and 😀", [4]),
        ("οδος", [7]),
        ("text", []),  # the name of a field
        ("", list(range(8))),
    ],
)
def test_both_ways_of_writing_json_are_found(tmp_path: Path, ascii: bool, query: str, entries: list[int]) -> None:
    assert found(write(tmp_path / "rows.jsonl", TEXTS, ascii=ascii), query) == entries


def test_characters_escaped_for_no_need_are_found(tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(
        b'{"text": "p\\u0061ssword"}\n\n'
        + '{"text": "你\\u597d"}\n{"text": "你好"}\n{"text": "\\u4F60\\u597D"}\n'.encode()
    )
    assert found(path, "password") == [0]
    assert found(path, "你好") == [1, 2, 3]


@pytest.mark.parametrize("ascii", [False, True], ids=["raw", "escaped"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_composed_and_decomposed_texts_are_one(tmp_path: Path, ascii: bool, form: Literal["NFC", "NFD"]) -> None:
    texts = ["Ein NAÏVER Käufer", "cafe", "이 데이터", "がぎぐ", "豈有此理", "Й"]
    path = write(tmp_path / "rows.jsonl", [normalize(form, text) for text in texts], ascii=ascii)
    for query, entries in [("naïve", [0]), ("KÄU", [0]), ("café", []), ("데이", [2]), ("ぎ", [3]), ("й", [5])]:
        for spelled in ("NFC", "NFD"):
            assert found(path, normalize(spelled, query)) == entries, (query, spelled)
    twin = write(tmp_path / "twin.jsonl", ["\uf900有此理", "豈有", "有"], ascii=ascii)
    assert found(twin, "豈") == [0, 1]
    assert found(twin, "\uf900有") == [0, 1]


@pytest.mark.parametrize("query", ["量子", "数据", "模型训练", "的", "Python", "naïve"])
def test_chinese_is_complete_in_real_rows_raw_and_escaped(public_data: Path, tmp_path: Path, query: str) -> None:
    rows = json.loads((public_data / "alpaca_zh_demo.json").read_text())
    wanted = [entry for entry, row in enumerate(rows) if any(fold(query) in fold(str(text)) for text in row.values())]
    for ascii in (False, True):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in rows))
        assert found(path, query) == wanted


def test_later_pieces_are_searched_as_the_first_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From some pieces on the bytes are folded by numpy."""
    monkeypatch.setattr("core.dataset.search._WARM", 0)
    texts = ["Needle", "NEEDLE 重置", "hay", "é", "E\u0301 п\u0430", "x" * 600_000]
    for ascii in (False, True):
        path = write(tmp_path / "rows.jsonl", texts, ascii=ascii)
        for query in ("needle", "重置", "é", "па"):
            assert found(path, query) == [n for n, text in enumerate(texts) if fold(query) in fold(text)], query


def test_empty_and_bad_lines_do_not_shift_the_hits(tmp_path: Path) -> None:
    path = tmp_path / "gaps.jsonl"
    row = b'{"text": "needle"}\n'
    path.write_bytes(b"\n\n" + row + b"\n" + b"{needle\n" + b"\r\n\n" + row + b'{"text": "hay"}\n' + row.rstrip())
    assert found(path, "needle") == [0, 2, 4]


def test_every_kind_of_file_is_searched(tmp_path: Path) -> None:
    rows = [{"text": text} for text in TEXTS]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    (tmp_path / "rows.csv").write_text('text,other\n"a ""needle"", quoted",1\nhay,2\n')
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(write(tmp_path / "rows.jsonl", TEXTS).read_bytes()))
    assert found(tmp_path / "rows.json", "重置") == [1]
    assert found(tmp_path / "rows.csv", 'A "NEEDLE"') == [0]
    assert found(tmp_path / "rows.jsonl.gz", "password") == [0, 6]
    shards = [write(tmp_path / f"{n}.jsonl", TEXTS[n : n + 3]) for n in (0, 3)]
    assert found(shards, "пароль") == [2]
    assert found(shards, "😀") == [4]


def test_a_hit_that_lies_across_two_pieces_is_found(tmp_path: Path) -> None:
    lead = json.dumps({"text": ""})[:-2]
    for shift in range(12):
        text = "x" * (2**18 - len(lead) - 12 + shift) + "needle" + "y" * 400_000
        assert found(write(tmp_path / "long.jsonl", [text, "hay"]), "needle") == [0]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(alphabet='aAkKéÉпПйσςΣ重가😀"\\/ \n\u0130\x7f1e\u0301', max_size=12), min_size=1, max_size=8),
    st.text(alphabet='aAkéпйσ重가😀"\\ 1', min_size=1, max_size=3),
    st.booleans(),
)
def test_no_row_is_missed_that_a_decoded_scan_finds(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], query: str, ascii: bool
) -> None:
    path = write(tmp_path_factory.mktemp("search") / "rows.jsonl", texts, ascii=ascii)
    assert found(path, query) == [entry for entry, text in enumerate(texts) if fold(query) in fold(text)]


def test_a_search_follows_an_index_that_still_grows_and_stops_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.dataset.files.index.time", slow_time())
    path = write(tmp_path / "rows.jsonl", ["needle", "hay"] * 20_000)
    reader = Dataset.open(path).reader
    assert not reader.complete
    entries: list[int] = []
    for hits in search(reader, "needle"):
        entries += hits.entries
        reader.extend(0.0005)
    assert entries == list(range(0, 40_000, 2))
    assert list(search(reader, "needle", lambda: True)) == []


def test_values_of_all_kinds_are_compared() -> None:
    row = {"id": 4711, "turns": [{"content": "Yes"}, None, True], "deep": {"er": ("Straße",)}}
    assert holds(row, "4711")
    assert holds(row, "yes")
    assert holds(row, "straße")
    assert not holds(row, "content")
