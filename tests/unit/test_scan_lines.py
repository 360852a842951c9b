"""What `tunedeck scan` says to people: titles, counts, a row to look at, nothing beyond 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from core.dataset.dataset import Dataset
from core.dataset.near.result import NearOptions
from core.dataset.scan.scan import scan
from core.paths import SAMPLE_DATA
from tui.cli import main
from tui.commands.scan_lines import near_lines, scan_lines


def test_rows_of_no_format_end_with_the_option_that_names_columns_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("Frage;Antwort\nWas?;Das.\n")
    assert main(["scan", str(path)]) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "--columns prompt=COLUMN" in said
    assert main(["scan", str(path), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["rows"] == 1
    assert main(["scan", str(path), "--columns", "prompt=Frage", "--columns", "completion=Antwort"]) == 0


def test_a_word_that_is_no_command_and_a_folder_that_is_none_are_refused_as_what_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal it said only that there is none; a workspace that does not exist had no runs yet."""
    assert main(["frobnicate"]) == 2
    assert "frobnicate: Not a file" in capsys.readouterr().err
    assert main(["runs", "--workspace", str(tmp_path / "none")]) == 2
    assert "No such folder" in capsys.readouterr().err
    assert main(["runs", "--workspace", str(tmp_path)]) == 0


def test_a_script_for_a_cluster_says_where_the_devices_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(SAMPLE_DATA / "recipe.yaml"), "--print-slurm", "--workspace", str(tmp_path)]) == 2
    assert "--set training.devices=0,1,2,3" in capsys.readouterr().err


def test_each_flag_has_its_title_its_count_and_a_row_and_every_line_fits(tmp_path: Path) -> None:
    text = "同じ文章をもう一度ここに書いておきますので、よく読んでください。" * 3
    rows = [{"prompt": text + str(n % 2), "completion": "はい、わかりました。" if n else ""} for n in range(4)]
    path = tmp_path / f"{'long' * 40}.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows) + '{"torn": \x1b[2J\n')
    found = scan(path, near=NearOptions(0.8))
    lines = scan_lines(found) + near_lines(found, Dataset.open(path))
    assert max(map(cell_len, lines)) <= 80
    flags = [line.split() for line in lines]
    assert ["empty", "answer", "1", "e.g.", "row", "1"] in flags
    assert ["exact", "duplicate", "1", "e.g.", "row", "4"] in flags
    assert any(line.startswith("  line 5: not valid JSON") for line in lines)
    assert not any("\x1b" in line for line in lines)
