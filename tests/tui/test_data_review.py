"""A reviewer's day on Data: reasons, ratings and labels by a key, whole lists, undo in a later session, colleagues."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.dataset.audit.decisions import DecisionState
from core.dataset.audit.store import DecisionStore, read_ledger
from core.dataset.dataset import Dataset
from core.dataset.view.exchange import row_places
from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, chat, dataset, line, list_text, rows_list, sample_text, scanned
from tests.tui.test_data_audit import choose, title
from tui.app import TunedeckApp
from tui.data.screen import DataScreen
from tui.settings import UserSettings, load_settings

ROWS = [chat(f"question {number}", f"answer {number}.") for number in range(1, 31)]


@pytest.fixture(autouse=True)
def ada(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEDECK_USER", "ada")


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    path = tmp_path / "tickets.jsonl"
    path.write_text("\n".join(ROWS) + "\n")
    return path


def states(path: Path) -> dict[int, DecisionState]:
    """What was decided, by row number from 1, as the disk has it."""
    ledger = read_ledger(path.parent)
    found = {place.number: ledger.standing(key) for key, place in row_places(Dataset.open(path)).items()}
    return {number: state for number, state in found.items() if state != DecisionState()}


async def is_on_disk(pilot: Pilot[int], path: Path, expected: dict[int, DecisionState]) -> None:
    await until(pilot, lambda: states(path) == expected, f"{expected}, not {states(path)}")


def says(app: TunedeckApp, words: str) -> Callable[[], bool]:
    return lambda: words in line(app)


async def test_one_key_gives_reasons_ratings_and_labels_and_undo_reaches_into_the_session_before(
    make_app: MakeApp, tickets: Path
) -> None:
    app = make_app(data=(tickets,))
    app.session.settings = UserSettings(labels=("billing", "tone"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("d")
        await until(pilot, says(app, "row 1 dropped. Why?"), "the reasons")
        assert "2 cut off" in line(app)
        await pilot.press("6")
        await until(pilot, says(app, "6 is not listed"), "a slip of the finger")
        assert isinstance(app.screen, DataScreen)
        await pilot.press("2")
        await until(pilot, says(app, "row 1 dropped: cut off"), "the reason")
        await pilot.press("d", "d", "a")  # the fast path: nobody has to answer
        kept, dropped = DecisionState("keep"), DecisionState("drop")
        expected = {1: DecisionState("drop", why="cut off"), 2: dropped, 3: dropped, 4: kept}
        await is_on_disk(pilot, tickets, expected)
        await until(pilot, lambda: rows_list(app).cursor == 4, "the next row")
        assert "Why?" not in line(app)
        await pilot.press("R")
        await until(pilot, says(app, "rate row 5"), "the ratings")
        await pilot.press("4", "l")
        await until(pilot, says(app, "label row 5"), "the labels")
        await pilot.press("1", "2", "escape")
        await is_on_disk(pilot, tickets, expected | {5: DecisionState(rating=4, labels=("billing", "tone"))})
        await pilot.press("l", "0")
        await until(pilot, says(app, "labels on row 5"), "the line")
        await pilot.press(*", new", "enter", "d")
        after = expected | {5: DecisionState("drop", rating=4, labels=("billing", "tone", "new"))}
        await is_on_disk(pilot, tickets, after)
        await until(pilot, says(app, "row 5 dropped. Why?"), "the reasons")
        await pilot.press("enter")
        await until(pilot, lambda: "Why?" not in line(app), "enter: no reason")
        assert not dataset(app).reading
        await pilot.press("2")
        await until(pilot, lambda: not isinstance(app.screen, DataScreen), "2 is a step again")
    tickets.write_text("\n".join([chat("a row before all others"), *ROWS]) + "\n")
    again = make_app(data=(tickets,))
    async with again.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(again), "the scan")
        moved = {number + 1: state for number, state in after.items()}
        assert states(tickets) == moved
        await pilot.press("u")
        await until(pilot, says(again, "undone: the drop of row 6"), "the undo")
        await pilot.press("u", "u", "u", "u", "u", "u", "u")
        moved = {2: DecisionState("drop", why="cut off")}
        await is_on_disk(pilot, tickets, moved)
        await pilot.press("u")
        await is_on_disk(pilot, tickets, {})
        await pilot.press("j", "u")
        await pilot.pause()
        assert states(tickets) == {}


async def test_a_search_by_a_pattern_is_decided_as_a_whole_and_undone_as_one(make_app: MakeApp, tickets: Path) -> None:
    with tickets.open("a") as file:
        file.write(chat("a" * 40, "an answer") + "\n")
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("/", *"/(a|question 1/", "enter")
        await until(pilot, says(app, "not a valid regular expression"), "the fault of the pattern")
        await pilot.press("escape", "/", *"/(a+)+!/", "enter")
        await until(pilot, lambda: "stopped early" in list_text(app), "a pattern that hangs")
        await pilot.press("escape", "/", *r"/question 1\d$/", "enter")
        await until(pilot, lambda: rows_list(app).count == 10, "the rows that match")
        assert "question 10" in list_text(app)
        await choose(pilot, "B", "drop all 10 rows")
        await until(pilot, says(app, "10 rows dropped. Why?"), "the reasons")
        await pilot.press("3")
        expected = {number: DecisionState("drop", why="off topic") for number in range(10, 20)}
        await is_on_disk(pilot, tickets, expected)
        await pilot.press("a")
        await is_on_disk(pilot, tickets, expected | {10: DecisionState("keep")})
        await choose(pilot, "B", "keep all 10 rows")
        await is_on_disk(pilot, tickets, {number: DecisionState("keep") for number in range(10, 20)})
        await pilot.press("u")
        await is_on_disk(pilot, tickets, expected | {10: DecisionState("keep")})
        await pilot.press("u", "u")
        await is_on_disk(pilot, tickets, {})


async def test_chosen_and_rejected_change_places_as_an_edit(make_app: MakeApp, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"topic {n}", "better": f"good {n}", "worse": f"bad {n}"} for n in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    app = make_app(data=(path,))
    app.session.columns = {"chosen": "better", "rejected": "worse"}
    app.session.format = "preference"
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("W")
        await until(pilot, says(app, "row 1 edited and kept"), "the edit")
        (key,) = read_ledger(tmp_path).standings()
        edit = read_ledger(tmp_path).standing(key).edit
        assert edit is not None
        assert edit["row"] == {"prompt": "topic 0", "better": "bad 0", "worse": "good 0"}
        assert (edit["chosen"][0]["content"], edit["rejected"][0]["content"]) == ("bad 0", "good 0")
        await until(pilot, lambda: "bad 0" in sample_text(app).partition("rejected")[0], "the swapped row")
        await pilot.press("u")
        await until(pilot, lambda: not read_ledger(tmp_path).standings(), "the undo")


async def test_colleagues_share_an_audit_or_read_the_same_rows_blind(make_app: MakeApp, tickets: Path) -> None:
    bob = DecisionStore(tickets.parent, user="bob")
    places = row_places(Dataset.open(tickets))
    app = make_app(data=(tickets,))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await choose(pilot, "A", "random 50")
        await until(pilot, lambda: "audit: 0 of 30" in title(app), "the audit")
        audit = dataset(app).rows_pane.listing.audit
        assert audit is not None
        listing = dataset(app).rows_pane.listing
        await until(pilot, lambda: len(listing.mine) == 4, "her rows")
        keys = list(places)
        queue = [keys[entry] for entry in listing.queue]
        his = bob.claim(audit.name, queue, 3).result().mine
        assert his == tuple(queue[4:7])
        for number in range(5):
            await pilot.press("d" if number == 1 else "a")
            await until(pilot, lambda: f"audit: {number + 1} of 30" in title(app), "her decision")  # noqa: B023
        decided = {key for key, _ in read_ledger(tickets.parent).standings().items()}
        assert decided == {*queue[:4], queue[7]}, "she passes over the rows that bob reads"
        await until(pilot, says(app, "also reviewing: bob"), "who else reads")
        assert "1 of 5 bad: 3-63% of the set" in line(app)
        await choose(pilot, "A", "agreement 100")
        await until(pilot, lambda: "blind" in title(app), "the audit that all read")
        queue = [keys[entry] for entry in listing.queue if not dataset(app).desk.rows.decision(entry)]
        for key, action in zip(queue[:3], ("keep", "drop", "drop"), strict=True):
            bob.decide(key, action, {"text": "his reason", "blind": True}).result()  # type: ignore[arg-type]
        bob.decide(queue[0], "note", {"text": "his note"}).result()
        await until(pilot, lambda: len(dataset(app).desk.rows.decisions) == 8, "his decisions")
        assert "his note" not in sample_text(app)
        row = dataset(app).desk.rows
        first = next(entry for entry in listing.queue if keys[entry] == queue[0])
        assert row.decision(first) == "", "nobody sees what others decided before they decide"
        await pilot.press("a", "a", "d", "1")
        await until(pilot, lambda: "wrong" in row.reasons.values(), "her decisions")
        await until(pilot, says(app, "ada and bob agree on 2 of 3 rows, kappa 0.40"), "the agreement")
        assert "1 conflict" in line(app)
        await choose(pilot, "F", "conflicts")
        await until(pilot, lambda: rows_list(app).count == 1, "the conflict")
        await pilot.press("d")
        await until(pilot, lambda: not list(read_ledger(tickets.parent).conflicts()), "it is settled")
        await pilot.press("A")
        await until(pilot, lambda: "blind" in title(app), "the audit that was begun last")
        await choose(pilot, "A", "resume random 50")
        await until(pilot, lambda: "of 30" in title(app) and "blind" not in title(app), "the earlier audit")
    bob.close()


def test_the_settings_name_reasons_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('drop_reasons = ["wrong", "made up"]\nlabels = ["a"]\nuser = "ada"\n')
    found = load_settings(path)
    assert (found.drop_reasons, found.labels, found.fault) == (("wrong", "made up"), ("a",), "")
    path.write_text("drop_reasons = []\n")
    assert load_settings(path).drop_reasons == ()
    for wrong in ("drop_reasons = 3", f"labels = {['x'] * 10}", 'labels = [""]', "user = 3", "labels = [1]"):
        path.write_text(f"{wrong}\n")
        assert wrong.split(" ")[0] in load_settings(path).fault
