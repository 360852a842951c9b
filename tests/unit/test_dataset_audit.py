"""Decisions: on disk before they show, never lost, shared by processes, folded to what stands."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from core.dataset.audit.decisions import OPEN, DecisionState
from core.dataset.audit.store import DecisionStore, read_ledger
from core.errors import BadInput, TunedeckError
from core.paths import ROOT
from tests.kit.waiting import PATIENCE, until

AUDITOR = """
import sys
from core.dataset.audit.store import DecisionStore
store = DecisionStore(sys.argv[1])
for number in range(int(sys.argv[2])):
    store.decide(f"{sys.argv[3]}{number}:0", "drop").result()
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
store.close()
"""


def auditor(workspace: Path, count: int, name: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", AUDITOR, str(workspace), str(count), name]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_the_latest_decision_stands_and_undo_takes_back_the_last(tmp_path: Path) -> None:
    store = DecisionStore(tmp_path)
    for action in ("keep", "drop", "note", "undo", "undo"):
        store.decide("a:0", action, {"text": "hm"}).result(PATIENCE)  # type: ignore[arg-type]
    assert store.standing("a:0") == DecisionState(verdict="keep")
    store.decide("a:0", "undo").result(PATIENCE)
    store.decide("a:0", "undo").result(PATIENCE)
    assert store.standing("a:0") == OPEN
    assert [each.action for each in store.history("a:0")] == ["keep", "drop", "note", "undo", "undo", "undo", "undo"]
    assert store.revision == 7
    store.close()


def test_an_edit_is_a_keep_and_notes_leave_the_verdict(tmp_path: Path) -> None:
    store = DecisionStore(tmp_path)
    store.decide("a:0", "drop")
    store.decide("a:0", "edit", {"sample": {"kind": "text", "text": "\ud800"}})
    store.decide("a:0", "note", {"text": "why"})
    store.decide("b:1", "flag", {"text": "odd"}).result(PATIENCE)
    assert store.standing("a:0") == DecisionState("keep", {"kind": "text", "text": "\ud800"}, "why")
    assert store.standing("b:1").flag == "odd"
    store.close()
    assert read_ledger(tmp_path).standings() == {
        "a:0": DecisionState("keep", {"kind": "text", "text": "\ud800"}, "why"),
        "b:1": DecisionState(flag="odd"),
    }


def test_decisions_made_together_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    store = DecisionStore(tmp_path)
    drops = [(f"{n}:0", "drop", {"text": "near-duplicate of row 1, 93%"}) for n in range(3)]
    assert [made.key for made in store.decide_together(drops).result(PATIENCE)] == ["0:0", "1:0", "2:0"]
    assert store.standing("1:0") == DecisionState("drop", why="near-duplicate of row 1, 93%")
    assert isinstance(
        store.decide_together([("a:0", "keep", {}), ("b:0", "burn", {})]).exception(PATIENCE), TunedeckError
    )
    assert store.standing("a:0") == DecisionState(), "the second could not be written, so the first was not either"
    store.decide_together([(f"{n}:0", "undo", {}) for n in range(3)]).result(PATIENCE)
    assert store.standings() == {}
    store.decide("0:0", "drop", {"text": "why"})
    store.decide("0:0", "keep").result(PATIENCE)
    assert store.standing("0:0") == DecisionState("keep"), "the reason of a drop goes with the drop"
    store.close()


def test_a_decision_is_on_the_disk_when_its_future_is_done(tmp_path: Path) -> None:
    store = DecisionStore(tmp_path)
    decision = store.decide("a:0", "drop").result(PATIENCE)
    assert read_ledger(tmp_path).standing("a:0").verdict == "drop"
    assert decision.user
    assert decision.host == os.uname().nodename
    store.close()


def test_no_wal_and_no_change_or_removal_of_what_was_decided(tmp_path: Path) -> None:
    store = DecisionStore(tmp_path)
    store.decide("a:0", "drop").result(PATIENCE)
    store.close()
    assert sorted(path.name for path in (tmp_path / ".tunedeck").iterdir()) == ["decisions.sqlite"]
    connection = sqlite3.connect(store.path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    for statement in ("UPDATE decisions SET action = 'keep'", "DELETE FROM decisions"):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    connection.close()


def test_kill_9_loses_nothing_that_was_shown(tmp_path: Path) -> None:
    for trial, after in enumerate((0, 3, 17, 60)):
        process = auditor(tmp_path, 100_000, f"t{trial}-")
        assert process.stdout is not None
        shown = [process.stdout.readline() for _ in range(after + 1)]
        os.kill(process.pid, signal.SIGKILL)
        shown += process.stdout.readlines()
        process.wait()
        numbers = [int(line) for line in shown if line.endswith("\n")]
        ledger = read_ledger(tmp_path)
        assert numbers
        assert all(ledger.standing(f"t{trial}-{number}:0").verdict == "drop" for number in numbers)


def test_two_processes_audit_one_workspace_at_once(tmp_path: Path) -> None:
    store = DecisionStore(tmp_path)
    others = [auditor(tmp_path, 40, name) for name in "xy"]
    mine = [store.decide(f"z{number}:0", "keep") for number in range(40)]
    for future in mine:
        future.result(PATIENCE)
    for other in others:
        other.communicate(timeout=PATIENCE)
        assert other.returncode == 0
    assert store.refresh().result(PATIENCE) == 120
    assert len(store.standings()) == 120
    store.close()


def test_decisions_that_cannot_be_written_say_so_and_the_store_goes_on(tmp_path: Path) -> None:
    path = tmp_path / ".tunedeck"
    path.write_text("a file where the folder should be")
    store = DecisionStore(tmp_path)
    with pytest.raises(TunedeckError, match="cannot be written"):
        store.decide("a:0", "drop").result(PATIENCE)
    assert store.standing("a:0") == OPEN
    path.unlink()
    store.decide("a:0", "drop").result(PATIENCE)
    assert store.standing("a:0").verdict == "drop"
    store.close()


def test_a_damaged_table_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".tunedeck").mkdir()
    (tmp_path / ".tunedeck" / "decisions.sqlite").write_bytes(b"not a table of decisions" * 100)
    with pytest.raises(BadInput, match="damaged"):
        read_ledger(tmp_path)
    store = DecisionStore(tmp_path)
    with pytest.raises(BadInput, match="damaged"):
        store.ready.result(PATIENCE)
    store.close()


def test_a_burst_of_decisions_waits_for_few_syncs_and_keeps_its_order(tmp_path: Path) -> None:
    store = DecisionStore(tmp_path)
    futures = [store.decide("a:0", "drop" if number % 2 else "keep") for number in range(1_001)]
    store.close()
    assert [future.result(0).id for future in futures] == list(range(1, 1_002))
    assert read_ledger(tmp_path).standing("a:0").verdict == "keep"


def test_a_store_hears_what_others_decide_and_not_what_it_wrote_itself(tmp_path: Path) -> None:
    first = DecisionStore(tmp_path)
    first.decide("a:0", "keep").result()
    received: list[str] = []
    other = DecisionStore(tmp_path, received.extend)
    other.ready.result()
    other.decide("b:0", "drop").result()
    first.decide("c:0", "drop").result()
    until(lambda: bool(received), "the other's decision")
    assert received == ["c:0"]
    assert other.standing("c:0").verdict == "drop"
    first.close()
    other.close()
