"""Workbooks and zips: unpacked by a process with limits, refused in a sentence, and read like the file inside."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from core.dataset.dataset import Dataset
from core.dataset.files import unpacked
from core.dataset.files.sources import DATA_SUFFIXES
from core.dataset.files.unpacked import UnpackLimits, open_inside
from core.dataset.scan.scan import scan
from core.errors import BadInput
from core.recipe.recipe import Recipe, put
from core.runs.curate import curate
from core.runs.token_job import key_of
from tests.kit.workbooks import write_parts, write_workbook
from tui.commands.scan_lines import scan_lines

ROWS = [{"prompt": f"question {n}", "completion": f"answer {n}"} for n in range(3)]
LINES = "\n".join(map(json.dumps, ROWS))
TABLE = [["prompt", "completion"], *[[row["prompt"], row["completion"]] for row in ROWS]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tunedeck" / "unpacked"


def pack(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def values(dataset: Dataset) -> list[object]:
    dataset.reader.extend()
    return [dataset.row(entry).value for entry in range(dataset.count)]


# Workbooks


def test_a_sheet_is_read_with_the_numbers_of_its_rows_and_named_with_the_others(tmp_path: Path) -> None:
    notes = [["About this file"]]
    table = [
        ["Tickets of 2024"],
        [],
        ["prompt", "completion", "n", "ok"],
        ["a", "b", 1, True],
        [],
        ["c", "d", 2.5, None],
    ]
    path = write_workbook(tmp_path / "a.xlsx", {"Notes": notes, "Data": table, "Old": TABLE})
    dataset = Dataset.open(path)
    assert values(dataset) == [
        {"prompt": "a", "completion": "b", "n": 1, "ok": True},
        {"prompt": "c", "completion": "d", "n": 2.5, "ok": None},
    ]
    assert [dataset.row(entry).line for entry in (0, 1)] == [4, 6]
    assert dataset.row(0).file == path
    assert dataset.reader.files == (path,)
    assert dataset.reader.container == "Excel, sheet 'Data', not 'Notes', 'Old'"
    text = " ".join(scan_lines(scan(path)))
    assert "'Data'" in text
    assert "'Old'" in text


def test_another_sheet_is_named_behind_a_colon_and_is_another_dataset(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"One": TABLE, "Two": [TABLE[0], ["x", "y"]]})
    first, second = Dataset.open(path), Dataset.open(f"{path}:Two")
    assert values(second) == [{"prompt": "x", "completion": "y"}]
    assert key_of(first) != key_of(second)
    recipe = put(Recipe(), "data.eval_fraction", 0.0)
    views = [curate(put(recipe, "data.train", [name]), tmp_path) for name in (str(path), f"{path}:Two")]
    assert [view.train_count for view in views] == [3, 1]
    both = Dataset.open([path, f"{path}:Two"])
    assert len(values(both)) == 4


def test_a_hidden_sheet_is_read_only_where_it_is_named(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"Secret": TABLE, "Open": [TABLE[0], ["x", "y"]]}, hidden=["Secret"])
    assert values(Dataset.open(path)) == [{"prompt": "x", "completion": "y"}]
    assert len(values(Dataset.open(f"{path}:Secret"))) == 3


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["prompt", "prompt"], ["a", "b"]], "'prompt'"),
        ([["prompt", None, "x"], ["a", "b", "c"]], "column B"),
        ([["prompt", "completion"]], "no rows"),
        ([], "no rows"),
    ],
)
def test_a_sheet_that_is_no_table_is_refused_with_the_reason(tmp_path: Path, rows: list[list[str]], words: str) -> None:
    with pytest.raises(BadInput, match=words) as fault:
        Dataset.open(write_workbook(tmp_path / "a.xlsx", {"Data": rows}))
    assert "a.xlsx" in fault.value.where


def test_a_sheet_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"One": TABLE, "Two": TABLE})
    with pytest.raises(BadInput, match="'Three'") as fault:
        Dataset.open(f"{path}:Three")
    assert "One, Two" in fault.value.do


def test_a_cell_at_the_end_of_the_sheet_ends_with_a_sentence(tmp_path: Path) -> None:
    far = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    with pytest.raises(BadInput, match="512 MiB"):
        Dataset.open(write_parts(tmp_path / "far.xlsx", {"Data": [far]}))


def test_without_the_reader_of_workbooks_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_workbook(tmp_path / "a.xlsx", {"One": TABLE})
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "python_calamine.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(hidden))
    with pytest.raises(BadInput, match="python-calamine") as fault:
        Dataset.open(path)
    assert "tunedeck[excel]" in fault.value.do


# Zips


@pytest.mark.parametrize(
    ("name", "data"),
    [("train.jsonl", LINES), ("a/b/train.json", json.dumps(ROWS)), ("train.csv", "\n".join(map(",".join, TABLE)))],
)
def test_the_one_data_file_of_a_zip_is_read(tmp_path: Path, name: str, data: str) -> None:
    others = {"README.md": "x", "LICENSE.txt": "MIT", "__MACOSX/._train.jsonl": "x", "config.json": "{}"}
    path = pack(tmp_path / "a.zip", {**others, name: data})
    dataset = Dataset.open(path)
    assert values(dataset) == ROWS
    assert f"in a zip, '{name}'" in dataset.reader.container
    assert dataset.row(0).file == path


def test_several_data_files_are_named_and_one_can_be_chosen(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"train.jsonl": LINES, "test.csv": "prompt,completion\nx,y"})
    with pytest.raises(BadInput, match="2 data files") as fault:
        Dataset.open(path)
    assert "train.jsonl, test.csv" in fault.value.what
    assert f"{path}:train.jsonl" in fault.value.do
    assert values(Dataset.open(f"{path}:test.csv")) == [{"prompt": "x", "completion": "y"}]
    with pytest.raises(BadInput, match=r"'nope\.csv'"):
        Dataset.open(f"{path}:nope.csv")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.png": b"x", "b.png": b"y"}, "no data file"),
        ({}, "no data file"),
        ({"word/document.xml": "<x/>"}, "Word"),
        ({"archive/data.pkl": b"x"}, "model weights"),
        ({"inner.zip": b"PK\x03\x04"}, "inside a zip"),
        ({"a.jsonl": "{broken"}, "could be read"),
    ],
)
def test_a_zip_without_data_is_refused_with_the_reason(
    tmp_path: Path, files: dict[str, str | bytes], words: str
) -> None:
    with pytest.raises(BadInput, match=words) as fault:
        Dataset.open(pack(tmp_path / "a.zip", files))
    assert str(tmp_path / "a.zip") in fault.value.where


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.jsonl": LINES * 50})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="damaged"):
        Dataset.open(path)


def test_a_zip_bomb_ends_with_a_sentence_and_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    path = pack(tmp_path / "bomb.zip", {"a.jsonl": b" " * (80 * 2**20)})
    with pytest.raises(BadInput, match="bomb"):
        Dataset.open(path)
    assert list(cache.iterdir()) == []


def test_bytes_and_time_are_limited(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.jsonl": LINES * 20_000})
    request = {"suffixes": DATA_SUFFIXES, "other": "x"}
    with pytest.raises(BadInput, match="more than 1 MiB"):
        open_inside(path, "", pytest.fail, request, UnpackLimits(bytes=2**20))
    with pytest.raises(BadInput, match="0 seconds"):
        open_inside(path, "", pytest.fail, request, UnpackLimits(seconds=0))


# Copies


def test_a_copy_is_made_once_and_again_when_the_file_changes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack(tmp_path / "a.zip", {"a.jsonl": LINES})
    assert len(values(Dataset.open(path))) == 3
    run = unpacked._run
    monkeypatch.setattr(unpacked, "_run", pytest.fail)
    assert len(values(Dataset.open(path))) == 3
    monkeypatch.setattr(unpacked, "_run", run)
    pack(path, {"a.jsonl": LINES + "\n" + LINES})
    assert len(values(Dataset.open(path))) == 6
    assert len(list(cache.iterdir())) == 2


def test_copies_that_nobody_has_used_go(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "_FRESH", -1.0)
    for number in range(6):
        Dataset.open(pack(tmp_path / f"{number}.zip", {"a.jsonl": LINES}))
    assert len(list(cache.iterdir())) == 4  # three that stay, and the newest


def test_a_folder_of_workbooks_is_data_and_beside_other_data_it_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name in "ab":
        write_workbook(folder / f"{name}.xlsx", {"Data": TABLE})
    assert len(values(Dataset.open(folder))) == 6
    (folder / "c.jsonl").write_text(LINES)
    assert len(values(Dataset.open(folder))) == 3
