"""Reading files: every good row shows, each bad one has its line and reason, and what is no data gets a sentence."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.dataset.files.index import GoodRows, LineIndex
from core.dataset.files.readers import Reader
from core.dataset.files.sources import open_reader
from core.dataset.files.streams import PlainBytes
from core.dataset.records import Row
from core.errors import BadInput
from tests.kit.clock import slow_time

Write = Callable[[str, bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return write


def rows(reader: Reader) -> list[Row]:
    reader.extend()
    return [reader.row(entry) for entry in range(reader.count)]


def values(reader: Reader) -> list[object]:
    return [row.value for row in rows(reader) if row.value is not None]


def bad(reader: Reader) -> list[tuple[int, str]]:
    return [(row.line, row.error) for row in rows(reader) if row.value is None]


# JSONL


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [b"", b"\n"])
def test_jsonl_is_read_whatever_its_line_ends_and_byte_order_mark(
    write: Write, end: bytes, mark: bytes, last: bytes
) -> None:
    reader = open_reader([write("a.jsonl", mark + end.join([b'{"text": "a"}', b'{"text": "b"}']) + last)])
    assert values(reader) == [{"text": "a"}, {"text": "b"}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_encodings_are_told_with_and_without_a_mark(write: Write, encoding: str) -> None:
    text = "\n".join(json.dumps({"text": f"größer {number} 好"}, ensure_ascii=False) for number in range(50))
    reader = open_reader([write("a.jsonl", text.encode(encoding))])
    assert values(reader)[49] == {"text": "größer 49 好"}


def test_bad_lines_have_their_numbers_and_stop_no_other_row(write: Write) -> None:
    lines = [b'{"text": "a"}', b"", b"{broken", b'{"text": "\xff"}', b"   ", b"[1]", b'{"text": "b"}', b'{"text": "c']
    reader = open_reader([write("a.jsonl", b"\n".join(lines))])
    assert values(reader) == [{"text": "a"}, {"text": "b"}]
    found = dict(bad(reader))
    assert list(found) == [3, 4, 5, 6, 8]
    assert "not valid JSON" in found[3]
    assert "not UTF-8: byte 0xff at column 11" in found[4]
    assert "a list" in found[6]
    assert "ends in the middle of this line" in found[8]


def test_nan_and_lone_surrogates_are_read_and_named(write: Write) -> None:
    reader = open_reader([write("a.jsonl", b'{"x": NaN}\n{"text": "\\ud800"}\n{"text": "fine"}\n')])
    nan, surrogate, fine = rows(reader)
    assert nan.value is not None
    assert "NaN" in nan.nonstandard
    assert surrogate.value == {"text": "\ud800"}
    assert "surrogate" in surrogate.nonstandard
    assert fine.nonstandard == ""


@pytest.mark.parametrize(
    "deep",
    [
        pytest.param(b'{"a":' * 250 + b"1" + b"}" * 250, id="objects"),
        pytest.param(b'{"a":' + b"[" * 100_000, id="unclosed"),
        pytest.param(b"[" * 900 + b"]" * 900, id="lists"),
    ],
)
def test_deep_nesting_ends_in_a_sentence(write: Write, deep: bytes) -> None:
    reader = open_reader([write("a.jsonl", b'{"text": "a"}\n' + deep + b'\n{"text": "b"}\n')])
    assert values(reader) == [{"text": "a"}, {"text": "b"}]
    assert bad(reader)[0][0] == 2


def test_a_line_of_50_mb_is_a_row_and_so_are_its_neighbors(write: Write) -> None:
    huge = json.dumps({"text": "x" * 50_000_000}).encode()
    reader = open_reader([write("a.jsonl", b'{"text": "a"}\n' + huge + b'\n{"text": "b"}\n')])
    first, second, third = rows(reader)
    assert first.value == {"text": "a"}
    assert second.value is not None
    assert len(second.value["text"]) == 50_000_000
    assert third.line == 3


def test_jsonl_under_a_json_name_is_told_from_a_document(write: Write) -> None:
    assert values(open_reader([write("a.json", b'{"text": "a"}\n{"text": "b"}\n')])) == [{"text": "a"}, {"text": "b"}]
    assert values(open_reader([write("b.json", b'{"messages": []}')])) == [{"messages": []}]


@pytest.mark.parametrize("count", [1, 3])
def test_objects_over_several_lines_one_after_the_other_are_rows(write: Write, count: int) -> None:
    row = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    reader = open_reader([write("a.json", "\n".join([json.dumps(row, indent=2)] * count).encode())])
    assert values(reader) == [row] * count
    assert [each.line for each in rows(reader)] == [1 + 12 * number for number in range(count)]


def test_an_array_in_an_object_is_found_whatever_it_is_called(write: Write) -> None:
    for name in ("conversations", "text", "data"):
        document = {name: [{"text": "a"}, {"text": "b"}]}
        assert values(open_reader([write("a.json", json.dumps(document).encode())])) == document[name]


def test_the_first_rows_are_there_before_the_index_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.dataset.files.index.time", slow_time())
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "abcdefghij"}\n' * 200_000)
    reader = open_reader([path])
    assert 0 < reader.count < 200_000
    assert reader.row(0).value == {"text": "abcdefghij"}
    assert reader.extend()
    assert reader.count == 200_000
    assert reader.row(199_999).line == 200_000


def test_the_index_takes_eight_bytes_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}\n\n' * 10_000)
    index = LineIndex(PlainBytes(path))
    index.extend()
    assert index.count == 10_000
    assert index.span(9_999) == (9 * 9_999, 9 * 9_999 + 8, 19_999)


def test_a_file_cut_short_after_opening_gives_errors_and_no_crash(write: Write) -> None:
    path = write("a.jsonl", b'{"text": "a"}\n' * 10)
    reader = open_reader([path])
    os.truncate(path, 20)
    assert reader.row(0).value == {"text": "a"}
    assert reader.row(9).error


def test_good_rows_and_entries_translate_both_ways() -> None:
    translate = GoodRows([0, 3, 4])
    assert [translate.entry(row) for row in range(4)] == [1, 2, 5, 6]
    assert [translate.row(entry) for entry in range(7)] == [None, 0, 1, None, None, 2, 3]


# JSON documents

OBJECTS = [{"text": 'a, [b] {c} " \\'}, {"text": "d", "n": [1, {"x": []}]}]


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize(
    ("wrap", "container"),
    [
        (lambda rows: rows, "JSON array"),
        (lambda rows: {"version": 1, "meta": {"a": {}}, "data": rows, "more": [1, 2]}, "JSON array"),
        (lambda rows: {f"id{n}": row for n, row in enumerate(rows)}, "JSON object keyed by id"),
    ],
)
def test_documents_give_their_rows(
    write: Write, wrap: Callable[[list[object]], object], container: str, indent: int | None
) -> None:
    reader = open_reader([write("a.json", json.dumps(wrap(list(OBJECTS)), indent=indent).encode())])
    assert values(reader) == OBJECTS
    assert reader.container == container


def test_a_large_array_is_read_across_chunks_with_right_lines(write: Write) -> None:
    many = [{"text": '\\"{[' * (number % 700), "n": number} for number in range(3_000)]
    reader = open_reader([write("a.json", json.dumps(many, indent=2).encode())])
    found = rows(reader)
    assert [row.value for row in found] == many
    assert [row.line for row in found[:3]] == [2, 6, 10]
    assert found[2_999].line == 2 + 4 * 2_999


def test_bad_elements_of_an_array_stop_no_other_row(write: Write) -> None:
    text = b'[\n{"text": "a"},\n{"text": oops},\n{"text": "never closed},\n5,\n{"text": "b"},\n]'
    reader = open_reader([write("a.json", text)])
    assert values(reader) == [{"text": "a"}, {"text": "b"}]
    assert [line for line, _ in bad(reader)] == [3, 4]


def test_a_bracket_too_many_does_not_end_an_array(write: Write) -> None:
    reader = open_reader([write("a.json", b'[{"text": "a"}},\n{"text": "b"}]\n{"text": "c"}')])
    assert [row.value for row in rows(reader)][1] == {"text": "b"}
    assert bad(reader)[0][0] == 1
    assert "after the end" in reader.faults()[0].reason


def test_an_array_that_ends_too_early_shows_its_whole_rows(write: Write) -> None:
    reader = open_reader([write("a.json", b'[{"text": "a"}, {"text": "b"}, {"te')])
    assert values(reader) == [{"text": "a"}, {"text": "b"}]
    assert "ends in the middle" in bad(reader)[0][1]
    assert "last bracket" in reader.faults()[0].reason


# tables, text, Parquet


def test_csv_cells_hold_line_ends_quotes_and_delimiters(write: Write) -> None:
    text = b'prompt,completion\r\n"a\nb, ""c""",d\r\n\r\nq,"5"" screen"\r\nonly one\r\nx,y\r\n'
    reader = open_reader([write("a.csv", text)])
    assert values(reader) == [
        {"prompt": 'a\nb, "c"', "completion": "d"},
        {"prompt": "q", "completion": '5" screen'},
        {"prompt": "x", "completion": "y"},
    ]
    assert bad(reader) == [(6, "1 cell, but the header has 2 columns")]


def test_a_quote_inside_an_unquoted_cell_swallows_no_rows(write: Write) -> None:
    reader = open_reader([write("a.csv", b'prompt,completion\n5" screen,a\nb,c\n')])
    assert values(reader) == [{"prompt": '5" screen', "completion": "a"}, {"prompt": "b", "completion": "c"}]


def test_tsv_and_semicolons_are_told(write: Write) -> None:
    assert values(open_reader([write("a.tsv", b"prompt\tcompletion\na,b\tc\n")])) == [
        {"prompt": "a,b", "completion": "c"}
    ]
    assert values(open_reader([write("b.csv", b"prompt;completion\na,b;c\n")])) == [
        {"prompt": "a,b", "completion": "c"}
    ]


def test_text_is_rows_by_paragraph_or_by_line(write: Write) -> None:
    path = write("a.txt", b"one\ntwo\n\n\nthree\n")
    assert values(open_reader([path])) == [{"text": "one\ntwo"}, {"text": "three"}]
    assert [row.line for row in rows(open_reader([path]))] == [1, 5]
    lines = open_reader([path], unit_of=lambda file: "line")
    assert values(lines) == [{"text": "one"}, {"text": "two"}, {"text": "three"}]
    whole = open_reader([path], unit_of=lambda file: "file")
    assert values(whole) == [{"text": "one\ntwo\n\n\nthree"}]


def test_parquet_is_read_by_row_groups(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    turns = [[{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}] for n in range(10)]
    parquet.write_table(arrow.table({"messages": turns}), tmp_path / "a.parquet", row_group_size=3)
    reader = open_reader([tmp_path / "a.parquet"])
    assert values(reader) == [{"messages": each} for each in turns]


# gzip and shards


def test_gzip_is_read_at_random_places_over_several_members(write: Write) -> None:
    lines = [json.dumps({"text": f"{number} {os.urandom(400).hex()}"}).encode() for number in range(8_000)]
    half = len(lines) // 2
    packed = gzip.compress(b"\n".join(lines[:half]) + b"\n") + gzip.compress(b"\n".join(lines[half:]))
    reader = open_reader([write("a.jsonl.gz", packed)])
    reader.extend()
    assert reader.count == 8_000
    for entry in (7_999, 0, 4_000, 3_999, 1, 6_000):
        assert reader.row(entry).raw == lines[entry]
    assert reader.faults() == []


def test_a_torn_gzip_file_shows_what_it_holds_and_says_so(write: Write) -> None:
    packed = gzip.compress(b"".join(b'{"text": "%d"}\n' % number for number in range(20_000)))
    reader = open_reader([write("a.jsonl.gz", packed[: len(packed) // 2])])
    assert len(values(reader)) > 1_000
    assert "truncated" in reader.faults()[0].reason


def test_a_compressed_bomb_ends_in_a_sentence(write: Write) -> None:
    reader = open_reader([write("a.jsonl.gz", gzip.compress(b'{"text": "a"}\n' + b" " * 80 * 2**20))])
    assert values(reader)[:1] == [{"text": "a"}]
    assert "bomb" in reader.faults()[0].reason


def test_a_folder_of_shards_is_one_data_set_in_order(write: Write, tmp_path: Path) -> None:
    write("set/b.jsonl", b'{"text": "2"}\nbroken\n')
    write("set/a.json", b'[{"text": "0"}, {"text": "1"}]')
    write("set/deep/c.jsonl.gz", gzip.compress(b'{"text": "3"}\n'))
    write("set/README.md", b"not data")
    write("set/.cache/d.jsonl", b'{"text": "no"}\n')
    write("set/model/config.json", b'{"text": "no"}')
    write("set/requirements.txt", b"torch")
    write("set/notes.txt", b"not data where other files are")
    write("set/runs/1/job.json", b"{}")
    write("set/runs/1/metrics.jsonl", b'{"text": "no"}\n')
    write("set/runs/1/data/train.jsonl", b'{"text": "no"}\n')
    write("set/lfs.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    reader = open_reader([tmp_path / "set"])
    assert values(reader) == [{"text": str(number)} for number in range(4)]
    assert [row.source for row in rows(reader)] == [0, 0, 1, 1, 2]
    assert bad(reader)[0][0] == 2
    assert [(fault.file.name, "LFS" in fault.reason) for fault in reader.faults()] == [("lfs.jsonl", True)]


# what is no data


def test_what_is_no_data_gets_a_sentence(write: Write, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases: list[tuple[Path, str]] = [
        (tmp_path / "none.jsonl", "no such file"),
        (tmp_path / "empty", "no data file"),
        (write("a.jsonl", b""), "is empty"),
        (write("b.jsonl", b"\n \n\n"), "no row"),
        (write("c.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 24\n"), "git lfs pull"),
        (write("d.jsonl", os.urandom(5_000)), "binary data"),
        (write("e.jsonl", b"PK\x03\x04" + b"x" * 50), "zip archive"),
        (write("f.parquet", b"PAR1" + b"x" * 50), "Parquet"),
        (write("g.csv", b""), "is empty"),
        (write("h.jsonl.gz", b"\x1f\x8b" + b"x" * 50), "gzip"),
        (write("i.json", b"[]"), "no row"),
        (Path("/dev/null"), "not a regular file"),
    ]
    for path, words in cases:
        with pytest.raises(BadInput) as fault:
            rows(open_reader([path])) and pytest.fail(f"{path} was read")
        assert words in str(fault.value), path
        assert str(path) in str(fault.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_gets_a_sentence(write: Write) -> None:
    path = write("a.jsonl", b'{"text": "a"}\n')
    path.chmod(0)
    with pytest.raises(BadInput, match="may not read"):
        open_reader([path])


# Keys that stand twice


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "a", "text": "b"}', "the key 'text' is repeated in an object; the last value counts"),
        ('{"a": {"x": 1, "x": 2}, "text": "b"}', "the key 'x' is repeated in an object; the last value counts"),
        ('{"text": "say \\"a\\": 1, \\"a\\": 2"}', ""),
        ('{"text" : "b", "a": {"text": [{"text": 1}, {"text": 2}]}}', ""),
    ],
)
def test_a_key_that_stands_twice_is_reported(write: Write, line: str, said: str) -> None:
    (row,) = rows(open_reader([write("a.jsonl", line.encode())]))
    assert row.nonstandard == said
