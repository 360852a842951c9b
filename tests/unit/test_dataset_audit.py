"""Decisions: on disk before they show, never lost, shared by processes, folded to what stands."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

import pytest

from core.dataset.audit.agreement import agreements
from core.dataset.audit.decisions import OPEN, DecisionState
from core.dataset.audit.reviewer import reviewer_name
from core.dataset.audit.store import DecisionStore, read_decisions, read_ledger
from core.errors import BadInput, TunedeckError
from core.paths import ROOT
from tests.kit.users import run_as
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


# -- undo ---------------------------------------------------------------------------------------------------


def everywhere(keys: Collection[str]) -> Collection[str]:
    return keys


def test_undo_takes_back_the_own_last_step_in_any_sitting_and_nothing_of_others(tmp_path: Path) -> None:
    first = DecisionStore(tmp_path, user="ada")
    first.decide("a:0", "keep").result(PATIENCE)
    first.decide_together([(f"{row}:0", "drop", {}) for row in range(3)]).result(PATIENCE)
    (drop,) = first.decide_together([("b:0", "drop", {})]).result(PATIENCE)
    first.decide_together([("b:0", "drop", {"text": "wrong"})], joins=drop.step).result(PATIENCE)
    first.decide("elsewhere:0", "drop").result(PATIENCE)
    first.close()
    bob = DecisionStore(tmp_path, user="bob")
    bob.decide("a:0", "drop").result(PATIENCE)
    bob.close()
    again = DecisionStore(tmp_path, user="ada")
    here = {"a:0", "b:0", "0:0", "1:0", "2:0"}.intersection
    undone = [[each.key for each in again.take_back(here).result(PATIENCE)] for _ in range(4)]
    assert undone == [["b:0", "b:0"], ["2:0", "1:0", "0:0"], ["a:0"], []]
    assert again.standing("a:0").verdict == "drop", "bob's decision stands"
    assert again.standing("elsewhere:0").verdict == "drop"
    assert again.take_back(here, latest=True).result(PATIENCE) == []
    again.close()


# -- what else is said of a row -----------------------------------------------------------------------------


def test_ratings_and_labels_stand_beside_the_verdict(tmp_path: Path) -> None:
    store = DecisionStore(tmp_path)
    store.decide("a:0", "rate", {"rating": 4})
    store.decide("a:0", "label", {"labels": ["tone", "billing"]})
    store.decide("a:0", "drop", {"text": "cut off"}).result(PATIENCE)
    assert store.standing("a:0") == DecisionState("drop", why="cut off", rating=4, labels=("tone", "billing"))
    store.decide("a:0", "rate", {"rating": 9}).result(PATIENCE)
    assert store.standing("a:0").rating == 0
    store.close()


def test_the_reviewers_name_is_set_by_variable_or_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "tunedeck").mkdir()
    (tmp_path / "tunedeck" / "settings.toml").write_text('user = "ada"\n')
    assert reviewer_name() == "ada"
    monkeypatch.setenv("TUNEDECK_USER", "bob\x1b[31m")
    assert reviewer_name().startswith("bob")
    assert "\x1b" not in reviewer_name()


# -- two reviewers ------------------------------------------------------------------------------------------


def test_reviewers_who_cannot_see_each_other_agree_or_conflict_until_it_is_settled(tmp_path: Path) -> None:
    ada, bob = DecisionStore(tmp_path, user="ada"), DecisionStore(tmp_path, user="bob")
    for row, verdict in enumerate(("keep", "keep", "drop", "drop")):
        ada.decide(f"{row}:0", verdict, {"blind": True}).result(PATIENCE)  # type: ignore[arg-type]
    for row, verdict in enumerate(("keep", "drop", "drop", "drop")):
        bob.decide(f"{row}:0", verdict, {"blind": True}).result(PATIENCE)  # type: ignore[arg-type]
    bob.decide("x:0", "keep")
    ada.decide("x:0", "drop").result(PATIENCE)  # he saw hers, so this is no conflict
    bob.refresh().result(PATIENCE)
    ledger = read_ledger(tmp_path)
    (both,) = agreements(ledger.standings().values())
    assert (both.first, both.second, both.both, both.same, both.kappa) == ("ada", "bob", 4, 3, pytest.approx(0.5))
    assert [key for key, _ in ledger.conflicts()] == ["1:0"]
    assert ledger.standing("1:0").verdict_of("ada") == "keep"
    ada.decide("1:0", "drop").result(PATIENCE)
    ledger = read_ledger(tmp_path)
    assert list(ledger.conflicts()) == []
    (both,) = agreements(ledger.standings().values())
    assert both.same == 3, "settling a conflict does not make the first reading agree"
    ada.close()
    bob.close()


READER = """
import sys
from core.dataset.audit.store import DecisionStore
store = DecisionStore(sys.argv[1], user=sys.argv[2])
store.ready.result()
keys = [f"{number}:0" for number in range(60)]
mine = store.claim("audit", keys, 3).result().mine
print("ready", flush=True)
sys.stdin.readline()
while mine:
    for key in mine:
        store.decide(key, "keep").result()
        print(key, flush=True)
    mine = store.claim("audit", keys, 3).result().mine
store.close()
"""


def test_two_processes_share_a_queue_and_read_no_row_twice(tmp_path: Path) -> None:
    DecisionStore(tmp_path).close()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(tmp_path), name],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("ada", "bob")
    ]
    for each in readers:
        assert each.stdout is not None
        assert each.stdin is not None
        each.stdout.readline()
    for each in readers:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    read = [each.communicate(timeout=PATIENCE)[0].split() for each in readers]
    assert sorted(read[0] + read[1], key=lambda key: int(key[:-2])) == [f"{number}:0" for number in range(60)]
    assert all(read), "both read some"


def test_claims_end_with_a_release_and_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = DecisionStore(tmp_path, user="ada"), DecisionStore(tmp_path, user="bob")
    keys = ["a:0", "b:0", "c:0"]
    assert ada.claim("x", keys, 2).result(PATIENCE).mine == ("a:0", "b:0")
    found = bob.claim("x", keys, 2).result(PATIENCE)
    assert (found.mine, found.others) == (("c:0",), {"a:0": "ada", "b:0": "ada"})
    assert bob.claim("y", keys, 1).result(PATIENCE).mine == ("a:0",), "another queue"
    ada.release().result(PATIENCE)
    assert bob.claim("x", keys, 9).result(PATIENCE).mine == ("a:0", "b:0", "c:0")
    monkeypatch.setattr("core.dataset.audit.store._LEASE", -1.0)
    bob.claim("x", keys, 9).result(PATIENCE)  # as of a program that was killed
    assert ada.claim("x", keys, 9).result(PATIENCE).mine == ("a:0", "b:0", "c:0")
    ada.close()
    bob.close()


# -- tables of earlier versions -----------------------------------------------------------------------------

VERSION_1 = """
CREATE TABLE decisions (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('keep', 'drop', 'edit', 'note', 'flag', 'undo')),
    payload TEXT NOT NULL, user TEXT NOT NULL, host TEXT NOT NULL, time REAL NOT NULL);
CREATE INDEX decisions_by_key ON decisions (key);
CREATE TRIGGER decisions_stay BEFORE UPDATE ON decisions BEGIN SELECT RAISE (ABORT, 'never'); END;
CREATE TRIGGER decisions_remain BEFORE DELETE ON decisions BEGIN SELECT RAISE (ABORT, 'never'); END;
INSERT INTO decisions VALUES (1, 'a:0', 'drop', '{"text":"bad"}', 'ada', 'h', 1.0);
INSERT INTO decisions VALUES (2, 'b:0', 'keep', '{}', 'ada', 'h', 2.0);
INSERT INTO decisions VALUES (3, 'c:0', 'keep', '{}', 'ada', 'h', 3.0);
INSERT INTO decisions VALUES (4, 'c:0', 'undo', '{}', 'ada', 'h', 4.0);
PRAGMA user_version = 1;
"""


@pytest.fixture
def old_table(tmp_path: Path) -> Path:
    (tmp_path / ".tunedeck").mkdir()
    path = tmp_path / ".tunedeck" / "decisions.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    connection.close()
    return path


def test_an_old_table_is_read_as_it_is_and_brought_up_to_date_by_the_first_write(
    tmp_path: Path, old_table: Path
) -> None:
    before = old_table.read_bytes()
    expected = {"a:0": DecisionState("drop", why="bad"), "b:0": DecisionState("keep")}
    assert read_ledger(tmp_path).standings() == expected
    store = DecisionStore(tmp_path, user="ada")
    store.ready.result(PATIENCE)
    assert store.standings() == expected
    assert old_table.read_bytes() == before, "whoever only looks changes nothing"
    other = sqlite3.connect(old_table)  # a program of the earlier version that runs beside this one
    store.decide("b:0", "rate", {"rating": 2}).result(PATIENCE)
    other.execute("INSERT INTO decisions (key, action, payload, user, host, time) VALUES ('d:0','drop','{}','b','h',5)")
    other.commit()
    other.close()
    assert [each.id for each in read_decisions(tmp_path)] == [1, 2, 3, 4, 5, 6]
    assert store.take_back(everywhere).result(PATIENCE)[0].action == "rate"
    assert store.take_back(everywhere).result(PATIENCE)[0].key == "b:0", "a decision of the old table, too"
    store.close()
    connection = sqlite3.connect(old_table)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("DELETE FROM decisions")
    connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_table_that_cannot_be_written_is_read() -> None:
    folder = Path(tempfile.mkdtemp(prefix="read-only-"))
    folder.chmod(0o755)
    (folder / ".tunedeck").mkdir()
    connection = sqlite3.connect(folder / ".tunedeck" / "decisions.sqlite")
    connection.executescript(VERSION_1)
    connection.close()
    code = """
print(read_ledger(arguments[0]).standing("a:0").verdict)
store = DecisionStore(arguments[0], lambda keys: None, user="guest")
store.ready.result()
print(store.standing("b:0").verdict)
print(store.decide("b:0", "drop").exception())
store.close()
"""
    imports = "from core.dataset.audit.store import DecisionStore, read_ledger"
    try:
        said = run_as(code, folder, imports=imports, umask=0o022, uid=54_321, gid=54_321)
    finally:
        shutil.rmtree(folder)
    assert said.split("\n")[:2] == ["drop", "keep"]
    assert "readonly" in said
