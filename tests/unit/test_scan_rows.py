"""`scan --json --rows`: each flagged row and each leak, counted from 1, however many there are."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from core.dataset.checks import Flag
from tui.cli import main
from tui.commands import scan_rows
from tui.commands.scan_rows import FlagSpool

ASK = "Please tell me how many working days it takes until my refund arrives on the bank account in the shop number "


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def asked(*prompts: str) -> list[dict[str, str]]:
    return [{"prompt": prompt, "completion": f"An answer to {len(prompt)}."} for prompt in prompts]


def scanned(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    assert main(["scan", *map(str, words), "--json", "--rows"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_leaks_name_row_kind_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write(tmp_path / "train.jsonl", asked(ASK + "17", ASK + "18", "What is the opening time on Sunday?"))
    held = write(tmp_path / "eval.jsonl", asked(ASK + "17"))
    leaks = [
        {"row": row, "kind": kind, "eval_file": str(held), "eval_line": 1} for row, kind in ((1, "exact"), (2, "near"))
    ]
    assert scanned(capsys, train, "--eval", held, "--near")["leaks"] == leaks
    wrong = write(tmp_path / "eval.jsonl", ["", "{torn", *asked("Something else entirely", ASK + "17")])
    found = scanned(capsys, train, "--eval", wrong, "--near")["leaks"]
    assert [(each["row"], each["eval_line"]) for each in found] == [(1, 4), (2, 4)]
    assert "leaks" not in scanned(capsys, train)


def test_rows_are_counted_in_their_file_and_malformed_lines_are_no_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write(tmp_path / "a.jsonl", ["{torn", *asked("What is what?", "Who is who?"), {"prompt": "?"}])
    two = write(tmp_path / "b.jsonl", [*asked("Where is it?"), {"prompt": "When is it?", "completion": ""}])
    held = write(tmp_path / "e.jsonl", asked("Where is it?"))
    found = scanned(capsys, one, two, "--eval", held)
    assert [(each["file"], each["row"], [flag["name"] for flag in each["flags"]]) for each in found["flagged"]] == [
        (str(one), 3, ["unreadable"]),
        (str(two), 1, ["leak_exact"]),
        (str(two), 2, ["empty_answer"]),
    ]
    assert found["leaks"] == [{"file": str(two), "row": 1, "kind": "exact", "eval_file": str(held), "eval_line": 1}]
    assert set(found["flagged"][0]["flags"][0]) == {"name", "reason"}


def test_a_reason_names_the_other_row_by_its_file_and_its_number_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write(tmp_path / "a.jsonl", asked("What is what?", "Who is who?"))
    two = write(tmp_path / "b.jsonl", asked("Where is it?", "Where is it?", "Who is who?"))
    found = scanned(capsys, one, two)["flagged"]
    reasons = {(each["file"], each["row"]): each["flags"][0]["reason"] for each in found}
    assert reasons[str(two), 2].endswith(f"row 1 of {two}")
    assert reasons[str(two), 3].endswith(f"row 2 of {one}")
    assert main(["scan", str(one), str(two)]) == 0
    assert "e.g. row 2 of b.jsonl" in capsys.readouterr().out
    assert scanned(capsys, two)["flagged"][0]["flags"][0]["reason"].endswith("row 1")


def test_yaml_with_rows_is_not_called_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.yaml").write_text("- prompt: a\n  completion: b\n")
    (tmp_path / "recipe.yaml").write_text("# mine\ntunedeck: 0.1.0\ndata: {train: a.jsonl}\n")
    for name, word in (("rows.yaml", "YAML, which is not supported"), ("recipe.yaml", "is a recipe")):
        assert main(["scan", str(tmp_path / name)]) == 2
        assert word in " ".join(capsys.readouterr().err.split())


def test_a_clean_file_has_an_empty_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scanned(capsys, write(tmp_path / "a.jsonl", asked("What is that over there?")))["flagged"] == []
    assert main(["scan", str(tmp_path / "a.jsonl"), "--rows"]) == 2
    assert "--json" in capsys.readouterr().err


def test_flags_that_come_at_the_end_join_their_row_from_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_rows, "_AT_ONCE", 50)
    late = random.Random(3).sample(range(500), 300)
    with FlagSpool() as spool:
        for row in range(0, 500, 2):
            spool.add(row, [Flag("early", "in passing")])
        for row in late:
            spool.add(row, [Flag("late", "at the end")])
        assert len(spool._late) < 50
        for _ in range(2):  # once for the rows, once for the leaks
            found = {row: [flag["name"] for flag in flags] for row, flags in spool.rows()}
            assert list(found) == sorted({*range(0, 500, 2), *late})
            assert all(found[row] == ["early"] * (row % 2 == 0) + ["late"] * (row in set(late)) for row in found)


def test_what_is_read_in_several_ways_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "a.jsonl", asked("What is what?", "Who is who?"))
    two = write(tmp_path / "b.jsonl", [{"instruction": "Say", "input": "", "output": "hm"}])
    found = scanned(capsys, one, two)["read_as"]
    assert [(each["file"], each["format"], each["rows"]) for each in found] == [
        (str(one), "prompt-completion", 2),
        (str(two), "alpaca", 1),
    ]
    assert main(["scan", str(one), str(two)]) == 0
    out = capsys.readouterr().out
    assert "a.jsonl: 2 rows as prompt-completion" in out
    assert "b.jsonl: 1 row as alpaca" in out
    assert "read_as" not in scanned(capsys, one)
    three = write(tmp_path / "c.jsonl", [{"foo": 1}])
    assert main(["scan", str(one), str(three)]) == 0
    out = capsys.readouterr().out
    assert "c.jsonl: No known format" in out
    assert "as No known" not in out
