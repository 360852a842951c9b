"""Files that are not UTF-8: named, offered as cp1252 where they read well so, and read alike wherever that was said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.dataset.dataset import Dataset
from core.dataset.mapping import Chosen, save
from core.dataset.records import reads_as_cp1252
from core.dataset.scan.scan import scan
from core.errors import BadInput
from core.recipe.mapped import with_mapping
from core.recipe.recipe import Recipe, put
from core.runs.curate import curate
from core.runs.token_job import key_of
from tui.commands.scan import columns_of
from tui.commands.scan_lines import scan_lines

ASKED, SAID = "Wo ist das Café?", "Im „Süden“ – 5 €."


def lines(*encodings: str) -> bytes:
    rows = (json.dumps({"prompt": f"{n} {ASKED}", "completion": SAID}, ensure_ascii=False) for n in range(99))
    return b"".join(f"{row}\n".encode(encoding) for row, encoding in zip(rows, encodings, strict=False))


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(lines("utf-8", "cp1252", "utf-8", "cp1252", "cp1252"))
    return path


def test_lines_that_read_well_as_cp1252_are_an_offer_and_no_rows(mixed: Path) -> None:
    found = scan(mixed)
    assert found.rows == 2
    assert len(found.bad_lines) == 3
    assert all("cp1252: Café" in line.reason for line in found.bad_lines)
    text = " ".join(scan_lines(found))
    assert "3 lines" in text
    assert "--encoding cp1252" in text
    assert any("--encoding cp1252" in words for words in found.to_json()["warnings"])


def test_read_as_cp1252_every_line_is_right_and_those_in_utf_8_too(mixed: Path) -> None:
    dataset = Dataset.open(mixed, columns={"encoding": "cp1252"})
    dataset.reader.extend()
    assert [dataset.sample(entry).question for entry in range(dataset.count)] == [f"{n} {ASKED}" for n in range(5)]
    assert {dataset.sample(entry).answer for entry in range(5)} == {SAID}
    assert dataset.recognition.known
    assert dataset.recognitions.uniform


def test_a_table_whose_header_is_not_utf_8_is_refused_with_the_way_to_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("Frage,Größe\na,b\n".encode("cp1252"))
    with pytest.raises(BadInput, match="--encoding cp1252"):
        Dataset.open(path)
    dataset = Dataset.open(path, "prompt-completion", {"encoding": "cp1252", "prompt": "Frage", "completion": "Größe"})
    assert dataset.sample(0).answer == "b"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("你好吗，我很好", "gbk"),
        ("こんにちは世界", "shift_jis"),
        ("Привет, как дела сегодня", "cp1251"),
        ("\x81\x8d", "latin-1"),
        ("\xff\xfe\xfd\xfc", "latin-1"),
    ],
)
def test_other_encodings_are_no_offer(text: str, encoding: str) -> None:
    assert not reads_as_cp1252(text.encode(encoding))


@pytest.mark.parametrize("text", ["Café", "naïve façade", "5 € – “quoted”", "Größe 10°", "Señor Núñez", "l’été"])
def test_western_text_is_an_offer(text: str) -> None:
    assert reads_as_cp1252(text.encode("cp1252"))


@pytest.mark.parametrize("encoding", ["gbk", "shift_jis", "big5", "euc-kr", "utf-16"])
def test_other_encodings_can_be_named(tmp_path: Path, encoding: str) -> None:
    text = "안녕하세요" if encoding == "euc-kr" else "世界"
    path = tmp_path / "a.jsonl"
    path.write_bytes(json.dumps({"text": text}, ensure_ascii=False).encode(encoding))
    assert Dataset.open(path, columns={"encoding": encoding}).sample(0).text == text


@pytest.mark.parametrize("name", ["xyz", "base64", "rot13", ""])
def test_what_is_no_encoding_is_refused_by_name(mixed: Path, name: str) -> None:
    if not name:
        assert Dataset.open(mixed, columns={"encoding": ""}).count
        return
    with pytest.raises(BadInput, match=name):
        Dataset.open(mixed, columns={"encoding": name})


def test_what_was_said_counts_in_the_workspace_the_recipe_and_the_training_set(tmp_path: Path, mixed: Path) -> None:
    save(tmp_path, [mixed], Chosen(columns={"encoding": "cp1252"}))
    assert Dataset.open_as_said([mixed], Chosen(), tmp_path).count == 5
    recipe = put(put(Recipe(), "data.train", [str(mixed)]), "data.eval_fraction", 0.0)
    plain = curate(recipe, tmp_path)
    mapped = with_mapping(recipe, tmp_path)
    assert mapped.data.columns == {"encoding": "cp1252"}
    view = curate(mapped, tmp_path)
    assert (plain.train_count, view.train_count) == (2, 5)
    assert plain.fingerprint != view.fingerprint
    assert SAID in view.train.read_text(encoding="utf-8")
    assert key_of(Dataset.open(mixed)) != key_of(Dataset.open(mixed, columns={"encoding": "cp1252"}))


def test_an_encoding_says_nothing_of_the_columns(tmp_path: Path, mixed: Path) -> None:
    save(tmp_path, [mixed], Chosen("prompt-completion", {"prompt": "completion", "completion": "prompt"}))
    opened = Dataset.open_as_said([mixed], Chosen(columns=columns_of([], encoding="cp1252") or {}), tmp_path)
    assert opened.sample(1).answer == f"1 {ASKED}"


def test_eval_files_are_read_alike_and_one_file_of_several_alone(tmp_path: Path, mixed: Path) -> None:
    held = tmp_path / "held.jsonl"
    held.write_bytes(lines("cp1252", "utf-8"))
    dataset = Dataset.open(mixed, columns={"encoding": "cp1252"})
    assert dataset.open_eval([held]).sample(0).answer == SAID
    assert dataset.open_eval([held], Chosen("prompt-completion")).sample(0).answer == SAID
    both = Dataset.open([mixed, held], columns={"held.jsonl:encoding": "cp1252"})
    both.reader.extend()
    assert sum(both.row(entry).value is None for entry in range(both.count)) == 3
