"""Kinds of files that are not read: each is named, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.dataset.dataset import Dataset
from core.errors import BadInput
from tui.cli import main
from tui.commands.scan_tokens import token_lines


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.yaml", "- prompt: a\n  completion: b\n", "YAML"),
        ("a.yml.gz", "- prompt: a\n", "YAML"),
        ("a.toml", "[[row]]\nprompt = 'a'\n", "TOML"),
        ("a.xml", "<rows><row/></rows>", "XML"),
        ("plain", "<?xml version='1.0'?><rows/>", "XML"),
        ("page", "<!DOCTYPE html><p>a</p>", "HTML"),
        ("rows", "---\n- prompt: a\n  completion: b\n", "YAML"),
        ("a.rtf", "{\\rtf1 a}", "document"),
        ("a.pdf", "%PDF-1.7 ...", "PDF"),
        ("a.sql", "INSERT INTO a VALUES (1);", "SQL"),
        ("a.tar", "text", "archive"),
    ],
)
def test_kinds_that_are_not_read_are_named_with_what_to_do(tmp_path: Path, name: str, data: str, words: str) -> None:
    path = tmp_path / name
    if name.endswith(".gz"):
        import gzip

        path.write_bytes(gzip.compress(data.encode()))
    else:
        path.write_text(data)
    with pytest.raises(BadInput, match=words) as fault:
        Dataset.open(path)
    assert fault.value.do
    assert str(path) in fault.value.where


def test_rows_in_yaml_are_not_taken_for_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rows in ("- prompt: a\n  completion: b\n", "rows:\n  - prompt: a\n", "# rows\n---\n[{prompt: a}]\n"):
        (tmp_path / "rows.yaml").write_text(rows)
        assert main(["scan", str(tmp_path / "rows.yaml")]) == 2
        assert "not supported as data" in capsys.readouterr().err
    (tmp_path / "rows.yaml").write_text("model:\n  path: m\n")
    assert main(["scan", str(tmp_path / "rows.yaml")]) == 2
    assert "is a recipe" in capsys.readouterr().err


def test_rows_with_another_name_are_still_read(tmp_path: Path) -> None:
    for name, data in (("a.yaml", '{"text": "a"}\n'), ("notes.txt", "---\nkey: a\n"), ("b.md", "<html> is a tag")):
        (tmp_path / name).write_text(data)
        assert Dataset.open(tmp_path / name).count == 1


def test_a_folder_says_what_it_has_that_is_not_read(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml", "c.xml"):
        (tmp_path / name).write_text("a: b")
    with pytest.raises(BadInput, match=r"2 \.yaml files, 1 \.xml file"):
        Dataset.open(tmp_path)


def test_the_tokens_of_plain_text_that_would_be_used_are_said() -> None:
    found = {"tokens": 2_048, "trained": 2_048, "lost": 8_192, "context_lost": 0, "model": "m", "max_length": 2_048}
    (_, line) = token_lines({"tokens": {**found, "chunk_text": False}}, plain_text=True)
    assert "2,048 of 10,240 tokens (20.0%)" in line
    assert "data.chunk_text" in line
    (_, line) = token_lines({"tokens": {**found, "lost": 0, "chunk_text": True}}, plain_text=True)
    assert "all tokens" in line
    assert len(token_lines({"tokens": {**found, "chunk_text": False}})) == 1


def test_a_text_is_rows_by_paragraph_by_line_or_whole(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text("\none\ntwo\n\nthree\n")
    counts = {}
    for form in (None, "text-lines", "text-files"):
        dataset = Dataset.open(tmp_path, form)
        dataset.reader.extend()
        counts[form] = dataset.count
        texts = [dataset.sample(entry).text for entry in range(dataset.count)]
    assert counts == {None: 4, "text-lines": 6, "text-files": 2}
    assert texts == ["one\ntwo\n\nthree"] * 2
