"""Kinds of files that are not read: each is named, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.dataset.dataset import Dataset
from core.errors import BadInput


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


def test_rows_with_another_name_are_still_read(tmp_path: Path) -> None:
    for name, data in (("a.yaml", '{"text": "a"}\n'), ("notes.txt", "---\nkey: a\n"), ("b.md", "<html> is a tag")):
        (tmp_path / name).write_text(data)
        assert Dataset.open(tmp_path / name).count == 1


def test_a_folder_says_what_it_has_that_is_not_read(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml", "c.xml"):
        (tmp_path / name).write_text("a: b")
    with pytest.raises(BadInput, match=r"2 \.yaml files, 1 \.xml file"):
        Dataset.open(tmp_path)
