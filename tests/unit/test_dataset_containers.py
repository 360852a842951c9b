"""Zstd, Arrow and data sets saved to disk are read as they are, and end in a sentence where they are broken."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as arrow
import pytest
import zstandard
from pyarrow import feather, ipc

from core.dataset.dataset import Dataset
from core.dataset.files.sources import open_reader
from core.errors import BadInput
from tests.unit.test_dataset_sources import rows, values

ROWS = [{"text": f"row {number}"} for number in range(1_000)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
TABLE = arrow.Table.from_pylist(ROWS)


def test_zstd_of_several_frames_is_read_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(zstandard.compress(LINES[:5_000]) + zstandard.compress(LINES[5_000:]))
    reader = open_reader([path])
    reader.extend()
    assert [reader.row(entry).value for entry in (999, 0, 500)] == [ROWS[999], ROWS[0], ROWS[500]]
    assert values(open_reader([tmp_path])) == ROWS


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("zst", zstandard.compress)])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", "text,number\n" + "".join(f'"größer, {number}\n",x\n' for number in range(1_000))),
        ("a.tsv", "text\tnumber\n" + "".join(f"größer, {number}\tx\n" for number in range(1_000))),
        ("a.txt", "".join(f"größer, {number}\n\n" for number in range(1_000))),
        ("a.json", json.dumps([{"text": f"größer, {number}"} for number in range(1_000)], indent=1)),
        ("a.jsonl", "".join(json.dumps({"text": f"größer, {n}"}, ensure_ascii=False) + "\n" for n in range(1_000))),
    ],
)
def test_packed_files_of_every_line_format_give_all_their_rows(
    tmp_path: Path, name: str, data: str, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"{name}.{ending}"
    path.write_bytes(pack(data.encode("utf-16" if name == "a.jsonl" else "utf-8")))
    reader = open_reader([path])
    texts = [value["text"].strip() for value in values(reader) if isinstance(value, dict)]
    assert texts == [f"größer, {number}" for number in range(1_000)]
    assert not reader.faults()


def test_damaged_zstd_keeps_its_good_rows_and_a_bomb_ends_in_a_sentence(tmp_path: Path) -> None:
    damaged, bomb = tmp_path / "d.jsonl.zst", tmp_path / "b.jsonl.zst"
    whole = zstandard.compress(LINES)
    damaged.write_bytes(whole + whole[:20] + b"\0" * 50)
    reader = open_reader([damaged])
    assert values(reader)[:1_000] == ROWS
    assert "zstd file" in reader.faults()[0].reason
    bomb.write_bytes(zstandard.compress(b'{"text": "a"}\n' + b" " * (80 * 2**20)))
    reader = open_reader([bomb])
    assert len(values(reader)) == 1
    assert "bomb" in reader.faults()[0].reason


@pytest.mark.parametrize("name", ["file.arrow", "stream.arrow", "a.feather"])
def test_arrow_files_streams_and_feather_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.feather":
        feather.write_feather(TABLE, path, chunksize=100)
    else:
        opened = ipc.new_file if name == "file.arrow" else ipc.new_stream
        with opened(path, TABLE.schema) as writer:
            writer.write_table(TABLE, max_chunksize=100)
    assert values(open_reader([path])) == ROWS


def test_a_torn_arrow_stream_keeps_its_good_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    with ipc.new_stream(path, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=100)
    path.write_bytes(path.read_bytes()[:-600])
    reader = open_reader([path])
    assert 0 < len(rows(reader)) < 1_000
    assert "truncated" in reader.faults()[0].reason
    path.write_bytes(b"ARROW1\0\0 nothing")
    with pytest.raises(BadInput, match="not a readable Arrow file"):
        open_reader([path])


def saved(folder: Path) -> None:
    """A folder as `Dataset.save_to_disk` leaves it, with the cache file that a later `map` adds."""
    folder.mkdir(parents=True)
    for name in ("data-00000-of-00001.arrow", "cache-0f.arrow"):
        with ipc.new_stream(folder / name, TABLE.schema) as writer:
            writer.write_table(TABLE)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    (folder / "dataset_info.json").write_text("{}")


def test_a_data_set_saved_to_disk_is_read_without_its_caches(tmp_path: Path) -> None:
    saved(tmp_path / "one")
    assert values(open_reader([tmp_path / "one"])) == ROWS


def test_of_several_splits_one_must_be_named(tmp_path: Path) -> None:
    for split in ("train", "test"):
        saved(tmp_path / "both" / split)
    (tmp_path / "both" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(BadInput, match=r"splits: test, train.*both/train"):
        open_reader([tmp_path / "both"])
    assert Dataset.open(tmp_path / "both" / "train").count == 1_000


def test_a_hub_name_gets_the_command_that_fetches_it() -> None:
    with pytest.raises(BadInput, match="org/name:config:split"):
        open_reader(["tatsu-lab/alpaca"])


JSON_LINES = '{"prompt": "a, b", "completion": "c"}\n{"prompt": "d", "completion": "e"}\n'
CSV = 'prompt,completion\n"a, b",c\n"d\ne",f\n'


@pytest.mark.parametrize(
    ("name", "text", "container"),
    [
        ("noname", JSON_LINES, "JSONL"),
        ("wrong.csv", JSON_LINES, "JSONL"),
        ("wrong.txt", JSON_LINES, "JSONL"),
        ("wrong.tsv", "[" + JSON_LINES.strip().replace("\n", ",") + "]", "JSON array"),
        ("noname", CSV, "CSV"),
        ("wrong.jsonl", CSV, "CSV"),
        ("wrong.json", CSV.replace(",", "\t"), "TSV"),
        ("noname", "Dear all, hello\nThis is a test, is it not\n\nAnother one.\n", "text"),
        ("bad-first.jsonl", "no, json\n" + JSON_LINES, "JSONL"),
    ],
)
def test_a_wrong_name_or_none_hides_no_rows(tmp_path: Path, name: str, text: str, container: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    dataset = Dataset.open(path)
    dataset.reader.extend()
    assert dataset.reader.container == container
    good = [dataset.row(entry).value for entry in range(dataset.count)]
    assert len([value for value in good if value is not None]) == 2
