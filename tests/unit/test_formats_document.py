"""The page about formats: every format has an example row that is detected as it, and all its columns are named."""

from __future__ import annotations

import json
import re

import pytest

from core.dataset.files.sources import DATA_SUFFIXES
from core.dataset.formats import FORMATS, Format, recognize, to_sample
from core.paths import ROOT

PAGE = (ROOT / "docs" / "formats.md").read_text()
NOT_DETECTED = ("text-lines", "text-files")


def section(name: str) -> str:
    return PAGE.split(f"### `{name}`\n", 1)[1].split("\n#", 1)[0]


@pytest.mark.parametrize("name", [each.name for each in FORMATS if each.name not in NOT_DETECTED])
def test_the_example_row_of_a_format_is_detected_as_this_format(name: str) -> None:
    rows = [json.loads(line) for line in re.findall(r"^\{.*\}$", section(name), re.M)]
    assert rows
    found = recognize(rows)
    assert found.name == name
    assert all(to_sample(row, found).kind == found.kind for row in rows)


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.name)
def test_every_required_column_and_its_spellings_are_named(each: Format) -> None:
    text = section(each.name)
    for field in each.fields if each.name not in NOT_DETECTED else ():
        if field.required:
            assert [name for name in field.spellings if f"`{name}`" not in text and f'"{name}"' not in text] == []


def test_every_kind_of_file_is_named() -> None:
    files = PAGE.split("## Files\n", 1)[1].lower()
    assert [suffix for suffix in DATA_SUFFIXES if suffix not in (".txt",) and suffix[1:] not in files] == []
    assert all(word in files for word in (".xlsx", "zip", ".gz", ".zst", "standard input", "org/name:split", "shard"))
