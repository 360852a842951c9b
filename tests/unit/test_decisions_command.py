"""Decisions leave a workspace as JSONL and come into another one: matched by content, with conflicts named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.dataset.audit.store import DecisionStore, read_ledger
from core.dataset.dataset import Dataset
from core.dataset.view.exchange import row_places
from tests.kit.data_screen import chat
from tui.cli import main


def workspace(folder: Path, rows: list[str]) -> list[str]:
    """Makes a workspace with a dataset; the keys of its rows."""
    folder.mkdir()
    path = folder / "rows.jsonl"
    path.write_text("\n".join(rows) + "\n")
    return list(row_places(Dataset.open(path)))


def decide(folder: Path, user: str, *made: tuple[str, str, dict[str, Any]]) -> None:
    store = DecisionStore(folder, user=user)
    for key, action, payload in made:
        store.decide(key, action, payload).result()  # type: ignore[arg-type]
    store.close()


def command(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> int:
    monkeypatch.chdir(folder)
    return main(["decisions", "rows.jsonl", *words])


ROWS = [chat(f"question {number}") for number in range(5)]


@pytest.fixture
def ada(tmp_path: Path) -> Path:
    """Ada keeps row 1 with a rating and labels, drops row 2 with a reason and edits row 3."""
    folder = tmp_path / "ada"
    keys = workspace(folder, ROWS)
    sample = {"kind": "text", "text": "edited"}
    decide(
        folder,
        "ada",
        (keys[0], "keep", {}),
        (keys[0], "rate", {"rating": 4}),
        (keys[0], "label", {"labels": ["tone"]}),
        (keys[1], "drop", {"text": "cut off"}),
        (keys[2], "edit", {"sample": sample}),
        (keys[3], "note", {"text": "look again"}),
        (keys[4], "keep", {}),
        (keys[4], "undo", {}),
    )
    return folder


def test_what_is_exported_comes_into_another_workspace_as_it_was(
    ada: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ada.jsonl"
    assert command(monkeypatch, ada, "--export", str(out)) == 0
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [each["row"] for each in records] == [1, 2, 3, 4]
    assert records[0] | {"key": "", "host": "", "time": 0} == {
        "key": "", "row": 1, "file": "rows.jsonl", "user": "ada", "host": "", "time": 0, "decision": "keep",
        "stands": True, "blind": False, "rating": 4, "labels": ["tone"],
    }  # fmt: skip
    assert command(monkeypatch, ada, "--export", str(out)) == 2
    assert command(monkeypatch, ada, "--export", "here.jsonl") == 0, "a name without a folder"
    assert (ada / "here.jsonl").read_bytes() == out.read_bytes()
    assert "already exists" in capsys.readouterr().err
    bob = tmp_path / "bob"
    workspace(bob, ["{broken", chat("a row of his own"), *reversed(ROWS)])
    assert command(monkeypatch, bob, "--import", str(out)) == 0
    assert "4 lines: 4 imported" in capsys.readouterr().out
    assert read_ledger(bob).standings() == read_ledger(ada).standings()
    assert command(monkeypatch, bob, "--import", str(out), "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["imported"], again["already_here"]) == (0, 4)
    assert command(monkeypatch, bob, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["reviewers"][0]["user"] == "ada"
    assert (facts["kept"], facts["dropped"], facts["reasons"]) == (2, 1, {"cut off": 1})


def test_an_import_says_what_matched_what_did_not_and_where_reviewers_differ(
    ada: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bob = tmp_path / "bob"
    keys = workspace(bob, ROWS)
    decide(bob, "bob", (keys[0], "drop", {}), (keys[1], "drop", {}))
    out = tmp_path / "ada.jsonl"
    command(monkeypatch, ada, "--export", str(out))
    lines = [
        "",
        '{"key": "00:0", "decision": "keep"}',
        "{broken",
        '{"key": "00:0", "decision": "burn"}',
        '{"row": 5, "decision": "drop", "reason": "by number"}',
        '{"row": 99, "decision": "drop"}',
        '{"decision": "drop"}',
        '{"row": 1, "rating": 7}',
        '{"row": 1}',
        "[]",
        "[" * 100_000,
    ]
    out.write_text(out.read_text() + "\n".join(lines) + "\n")
    capsys.readouterr()
    assert command(monkeypatch, bob, "--import", str(out)) == 0
    said = capsys.readouterr().out
    assert "14 lines: 5 imported, 2 not in this dataset, 7 malformed" in said
    assert 'line 8: `decision` is "burn"' in said
    assert "1 conflict" in said
    assert "row 1: bob drops it, ada keeps it (line 1)" in said
    ledger = read_ledger(bob)
    assert [ledger.standing(key).verdict for key in keys] == ["drop", "drop", "keep", "", "drop"]
    assert [key for key, _ in ledger.conflicts()] == [keys[0]]
    assert ledger.standing(keys[0]).rating == 4
    assert command(monkeypatch, bob) == 0
    said = capsys.readouterr().out
    assert "ada and bob agree on 1 of 2" in said
    assert "row 1: bob drop, ada keep" in said


def test_the_file_wins_where_that_is_asked_for_and_an_older_decision_never_does(
    ada: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bob = tmp_path / "bob"
    keys = workspace(bob, ROWS)
    decide(bob, "bob", (keys[0], "drop", {}))
    out = tmp_path / "ada.jsonl"
    command(monkeypatch, ada, "--export", str(out))
    decide(bob, "ada", (keys[1], "keep", {}))
    assert command(monkeypatch, bob, "--import", str(out), "--replace") == 0
    assert "1 older" in capsys.readouterr().out
    ledger = read_ledger(bob)
    assert [ledger.standing(key).verdict for key in keys[:2]] == ["keep", "keep"]


def test_two_reviewers_of_one_workspace_stay_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = tmp_path / "one"
    keys = workspace(one, ROWS)
    decide(one, "ada", (keys[0], "keep", {"blind": True}))
    decide(one, "bob", (keys[0], "drop", {"blind": True}))
    out = tmp_path / "both.jsonl"
    command(monkeypatch, one, "--export", str(out))
    other = tmp_path / "other"
    workspace(other, ROWS)
    assert command(monkeypatch, other, "--import", str(out)) == 0
    state = read_ledger(other).standing(keys[0])
    assert (state.verdict, dict(state.verdicts), state.conflict) == ("drop", {"ada": "keep", "bob": "drop"}, True)
    assert command(monkeypatch, other, "--replace") == 2
    assert "--import" in capsys.readouterr().err


@pytest.mark.parametrize(
    "fields",
    [
        '"time": NaN, "decision": "keep"',
        '"time": 1e400, "decision": "keep"',
        '"time": 9e9, "decision": "keep"',
        '"sample": {"kind": "poem", "text": "x"}',
        '"sample": {"kind": "messages", "messages": [{"role": "user", "content": 3}]}',
        '"sample": {"kind": "messages"}',
        '"labels": "tone"',
        '"rating": "4"',
        '"rating": 4.5',
        '"note": ["x"]',
    ],
)
def test_a_line_that_cannot_be_kept_is_named_and_brings_nothing(
    fields: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "one"
    workspace(folder, ROWS)
    lines = f'{{"row": 1, {fields}}}\n{{"row": 2, "decision": "drop", "user": "e\\ud800ve\\u001b[31m"}}\n'
    (folder / "in.jsonl").write_text(lines)
    assert command(monkeypatch, folder, "--import", "in.jsonl") == 0
    said = capsys.readouterr().out
    assert "1 imported, 1 malformed" in said
    assert "line 1:" in said
    assert len(read_ledger(folder).standings()) == 1
