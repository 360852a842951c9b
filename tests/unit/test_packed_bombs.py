"""Packed columnar files: bombs end in a sentence before they are unpacked, damaged ones never end the process."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from pyarrow import ipc

from core.dataset.dataset import Dataset
from core.dataset.files.arrow_limits import too_many_rows
from core.dataset.files.parquet_limits import ParquetLimits
from core.dataset.files.thrift import Compact, Damaged
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
    with pytest.raises(BadInput, match=r"unpack to 300\.0 MiB at once") as fault:
        Dataset.open(path)
    assert str(path) in str(fault.value)
    assert arrow.total_allocated_bytes() - before < 2**20


def test_rows_that_share_a_long_text_are_decoded_few_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "shared.parquet"
    parquet.write_table(arrow.table({"text": ["a" * 2**22] * 12}), path)
    assert ParquetLimits(path, 512).batch_rows == 3
    dataset = Dataset.open(path)
    assert len(str((dataset.row(11).value or {})["text"])) == 2**22


def test_more_rows_than_a_file_can_hold_are_a_sentence() -> None:
    assert "1,099,511,627,776 rows, which do not fit in 1000 B" in too_many_rows(2**40, 1_000)
    assert not too_many_rows(1_000_000, 1_000)  # of one value that stands in each row


LOOK = """
import json, re, sys, time
import pyarrow.parquet
from core.dataset.dataset import Dataset
from core.dataset.scan.scan import scan
from core.errors import BadInput

def memory():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024

for path in sys.argv[1:]:
    began, before, said = time.process_time(), memory(), []
    try:
        dataset = Dataset.open(path)
        dataset.reader.extend()
        said += [dataset.row(entry).error for entry in range(min(20, dataset.count))]
        said += [bad.reason for bad in dataset.reader.faults()]
    except BadInput as fault:
        said.append(str(fault))
    found = {"seconds": time.process_time() - began, "MiB": memory() - before, "said": " ".join(filter(None, said))}
    print(json.dumps(found), flush=True)
"""
"""Opens files in a process of its own and tells, for each, seconds, MiB more than ever before, and what it said."""


def varint(number: int, width: int = 0) -> bytes:
    """A number as Thrift's compact protocol writes it, in at least so many bytes."""
    number *= 2
    written = bytearray()
    while number > 0x7F or len(written) < width - 1:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def nested(values: int, length: int) -> bytes:
    """A Parquet row with a list of one string so many times: some hundred bytes, by dictionary and run length."""
    numbers = arrow.py_buffer(bytes(4 * values))
    strings = arrow.DictionaryArray.from_arrays(
        arrow.Array.from_buffers(arrow.int32(), values, [None, numbers]), arrow.array(["a" * length])
    )
    lists = arrow.ListArray.from_arrays(arrow.array([0, values], arrow.int32()), strings)
    return packed_parquet(arrow.table({"text": ["x"], "list": lists}))


def packed_parquet(table: arrow.Table, **options: object) -> bytes:
    target = io.BytesIO()
    parquet.write_table(table, target, compression="zstd", **options)
    return target.getvalue()


def second_page() -> tuple[bytes, bytes]:
    """Parquet whose second page unpacks to 260 MiB, of which the file's list of contents tells nothing; and one whose
    second page says that it unpacks to 2 GiB.
    """
    options = {"use_dictionary": False, "write_statistics": False, "data_page_size": 1, "write_batch_size": 1}
    long = 260 * 2**20
    data = packed_parquet(arrow.table({"text": arrow.array(["x", "a" * long], arrow.large_string())}), **options)
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    pages, contents = data[:footer], data[footer:]
    group = parquet.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
    for reported in {varint(group.column(0).total_uncompressed_size), varint(group.total_byte_size)}:
        assert reported in contents
        contents = contents.replace(reported, varint(100, len(reported)))
    (size,) = {varint(long + extra) for extra in range(20) if varint(long + extra) in pages}
    return pages + contents, pages.replace(size, varint(2**31 - 1, len(size))) + contents


def arrow_file(table: arrow.Table, *, packed: bool = False) -> bytes:
    target = io.BytesIO()
    write_arrow(table, target, packed=packed)
    return target.getvalue()


def declared(length: int) -> bytes:
    """Arrow whose packed text says that it unpacks to so much."""
    data = arrow_file(arrow.table({"text": ["ab" * 500] * 10}), packed=True)
    said = (10_000).to_bytes(8, "little")
    assert data.count(said) == 1
    return data.replace(said, length.to_bytes(8, "little"))


def listed(values: arrow.Array) -> arrow.Table:
    return arrow.table({"text": ["x"], "list": arrow.ListArray.from_arrays([0, len(values)], values)})


def attacks() -> dict[str, tuple[bytes, str]]:
    """Name of a file, its bytes, and what is said of it."""
    long = arrow.array(["a" * 2**20])
    numbers = arrow.array([0] * 20_000, arrow.int32())
    silent, loud = second_page()
    views = arrow.array(["a" * 2**20] * 2, arrow.string_view())
    shared = arrow.Array.from_buffers(
        arrow.string_view(),
        20_000,
        [None, arrow.py_buffer(bytes(views.buffers()[1])[:16] * 20_000), views.buffers()[2]],
    )
    line = b'{"text": "a"}\n'
    window = b"\x28\xb5\x2f\xfd\x00\xa8" + (len(line) << 3 | 1).to_bytes(3, "little") + line
    whole = b"\x28\xb5\x2f\xfd\xe0" + (2**62).to_bytes(8, "little") + window[6:]
    return {
        "dictionary in a list.parquet": (nested(3_000, 2**20), "longer than 256 MiB"),
        "many values in a list.parquet": (nested(3_000_000, 10), "a row with more than 200,000 values"),
        "a page that says nothing.parquet": (silent, "260.0 MiB at once"),
        "a page that says 2 GiB.parquet": (loud, "2.0 GiB at once"),
        "shared begins in lists.parquet": (
            packed_parquet(
                listed(arrow.array(["a" * 2**16] * 4_500)),
                use_dictionary=False,
                column_encoding={"text": "PLAIN", "list.list.element": "DELTA_BYTE_ARRAY"},
                data_page_size=2**30,
            ),
            "4,500 strings that may share",
        ),
        "a buffer of 2^40.arrow": (declared(2**40), "1024.0 GiB at once"),
        "a negative buffer.arrow": (declared(2**63 + 5), "no rows in the file: "),
        "dictionary in a list.arrow": (
            arrow_file(listed(arrow.DictionaryArray.from_arrays(numbers, long))),
            "longer than 256 MiB",
        ),
        "views of one text.arrow": (arrow_file(listed(shared)), "19.5 GiB of text in overlapping views"),
        "a list of nothing.arrow": (arrow_file(listed(arrow.nulls(5_000_000))), "a row with more than 200,000 values"),
        "window.jsonl.zst": (window, "zstd file"),
        "size.jsonl.zst": (whole, "zstd file"),
        "deep.json.gz": (gzip.compress(b'[{"text":' + b"[" * 10_000_000), "nested deeper than 200 levels"),
        "wide.json.gz": (gzip.compress(b'[{"text":"a","list":[' + b"[1]," * 400_000 + b"1]}]"), ""),
    }


def test_much_in_little_ends_in_a_sentence_in_little_time_and_memory(tmp_path: Path) -> None:
    """871 bytes of Parquet once took a gigabyte, 901 others two minutes."""
    made = attacks()
    for name, (data, _) in made.items():
        (tmp_path / name).write_bytes(data)
    looked = subprocess.run(
        [sys.executable, "-c", LOOK, *made],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert looked.returncode == 0, looked.stderr
    found = dict(zip(made, map(json.loads, looked.stdout.splitlines()), strict=True))
    for name, (_, sentence) in made.items():
        assert sentence in found[name]["said"], name
        assert found[name]["seconds"] < 3, name  # a second where nothing else runs
        assert found[name]["MiB"] < 400, name


def test_rows_of_a_dictionary_with_one_long_entry_are_read_where_each_is_short(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    texts = [f"text {number}" for number in range(2_000)] + ["a" * 2**20]
    lists = [[texts[row % 2_000], texts[-1] if row == 700 else texts[0]] for row in range(1_000)]
    path.write_bytes(packed_parquet(arrow.table({"text": ["x"] * 1_000, "list": lists})))
    assert ParquetLimits(path, 512).numbered(0) == {"list.list.element"}
    dataset = Dataset.open(path)
    assert [(dataset.row(entry).value or {})["list"] for entry in range(1_000)] == lists


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
def test_structures_that_are_not_there_are_reported(data: bytes) -> None:
    with pytest.raises(Damaged):
        Compact(data).struct()


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_file_that_is_cut_short_while_it_is_open_gives_sentences(tmp_path: Path, kind: str) -> None:
    """Reading a map behind the end of its file ended the process by a signal; so it is tried in another one."""
    path = tmp_path / f"data.{kind}"
    table = arrow.table({"text": [f"{number} " * 200 for number in range(4_000)]})
    if kind == "parquet":
        parquet.write_table(table, path, row_group_size=2_000, use_dictionary=False, compression="none")
    else:
        path.write_bytes(arrow_file(table))
    script = (
        "import os, sys\n"
        "from core.dataset.dataset import Dataset\n"
        "dataset = Dataset.open(sys.argv[1]); dataset.reader.extend()\n"
        "assert dataset.row(0).value\n"
        "os.truncate(sys.argv[1], 4_000)\n"
        "print(dataset.row(1_999).error, dataset.row(3_999).error, sep='\\n')\n"
    )
    looked = subprocess.run(
        [sys.executable, "-c", script, path],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert looked.returncode == 0, looked.stderr
    first, last = looked.stdout.splitlines()
    assert "truncated while it was open" in first
    assert "truncated while it was open" in last or "damaged" in last
