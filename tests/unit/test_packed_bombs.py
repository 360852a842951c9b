"""Packed columnar files: bombs end in a sentence before they are unpacked, damaged ones never end the process."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from pyarrow import ipc

from core.dataset.arrow_limits import parquet_batch_rows, too_many_rows
from core.dataset.dataset import Dataset
from core.dataset.thrift import Compact, Damaged
from core.errors import BadInput

BIG = arrow.table({"text": arrow.array(["a" * (300 * 2**20)], arrow.large_string())})


def write_arrow(table: arrow.Table, target: object, *, stream: bool = False, packed: bool = True) -> None:
    options = ipc.IpcWriteOptions(compression="zstd" if packed else None)
    opened = ipc.new_stream if stream else ipc.new_file
    with opened(target, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=20)


def write_parquet(table: arrow.Table, target: object) -> None:
    parquet.write_table(table, target, compression="zstd", use_dictionary=False, write_statistics=False)


@pytest.mark.parametrize(
    "write", [write_parquet, write_arrow, lambda table, path: write_arrow(table, path, stream=True)]
)
def test_a_bomb_of_few_bytes_ends_in_a_sentence_and_is_not_unpacked(
    tmp_path: Path, write: Callable[[arrow.Table, Path], None]
) -> None:
    path = tmp_path / "bomb"
    write(BIG, path)
    assert path.stat().st_size < 2**20
    before = arrow.total_allocated_bytes()
    with pytest.raises(BadInput, match=r"unpack to 300\.0 MiB at once: a compressed bomb, not read") as fault:
        Dataset.open(path)
    assert str(path) in str(fault.value)
    assert arrow.total_allocated_bytes() - before < 2**20


def test_rows_that_share_a_long_text_are_decoded_few_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "shared.parquet"
    parquet.write_table(arrow.table({"text": ["a" * 2**22] * 12}), path)
    assert parquet_batch_rows(path, 512) == 3
    dataset = Dataset.open(path)
    assert len(str((dataset.row(11).value or {})["text"])) == 2**22


def test_more_rows_than_a_file_can_hold_are_a_sentence() -> None:
    assert "1,099,511,627,776 rows, which 1000 B cannot hold" in too_many_rows(2**40, 1_000)
    assert not too_many_rows(1_000_000, 1_000)  # of one value that stands in each row


SMALL = arrow.table(
    {
        "messages": [
            [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": "a" * n}] for n in range(60)
        ],
        "label": arrow.array(["x", "y"] * 30).dictionary_encode(),
    }
)


def small(kind: str) -> bytes:
    target = io.BytesIO()
    if kind == "parquet":
        parquet.write_table(SMALL, target)
    else:
        write_arrow(SMALL, target, stream="stream" in kind, packed="packed" in kind)
    return target.getvalue()


@pytest.mark.parametrize("kind", ["parquet", "file", "packed file", "stream", "packed stream"])
def test_damaged_files_give_rows_or_sentences_and_never_end_the_process(tmp_path: Path, kind: str) -> None:
    """The library ended the process over a column's statistics of the wrong length: it is no longer asked for them."""
    whole = small(kind)
    chance = random.Random(7)
    outcomes = set()
    for number in range(120):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 2, 8))):
            at = chance.randrange(len(data))
            if chance.random() < 0.8:
                data[at] = chance.choice((0, 127, 128, 255, chance.randrange(256)))
            else:
                del data[at : at + chance.randrange(1, 40)]
        path = tmp_path / str(number)
        path.write_bytes(data)
        try:
            dataset = Dataset.open(path)
            dataset.reader.extend()
            for entry in range(min(dataset.count, 60)):
                row = dataset.row(entry)
                assert (row.value is None) == bool(row.error)
            outcomes.add("rows")
        except BadInput:
            outcomes.add("a sentence")
    assert outcomes == {"rows", "a sentence"}


@pytest.mark.parametrize(
    "data", [b"", b"\x19", b"\x1c" * 100, b"\x15" + b"\xff" * 12, b"\x19\xf8\xff\xff\xff\x7f", b"\x1f"]
)
def test_structures_that_are_none_are_told(data: bytes) -> None:
    with pytest.raises(Damaged):
        Compact(data).struct()
