"""The data screen: rows at once, flags as the scan finds them, decisions shown only when they are on the disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from textual.events import Key

from core.dataset.audit.decisions import Ledger
from core.dataset.audit.store import FILE, read_ledger
from core.dataset.dataset import Dataset
from core.paths import hidden_dir
from tests.kit.app_waiting import until
from tests.kit.data_screen import (
    MakeApp,
    chat,
    counts,
    dataset,
    line,
    list_text,
    rows_list,
    sample_text,
    sample_view,
    scanned,
    text_of,
)
from tests.tui.test_data_audit import choose
from tui.data.find import Lengths
from tui.data.lines import row_line
from tui.data.rows import DataRows
from tui.widgets.key_bar import KeyBar
from tui.widgets.top_bar import TopBar


async def test_the_first_paint_has_the_rows_and_the_first_sample(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "first" in list_text(app), "the text")
        assert "An answer." in sample_text(app)
        assert "messages" in str(app.screen.query_one("#list-pane").border_title)


async def test_flags_arrive_with_reasons_and_bad_lines_take_no_number(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        lines = [" ".join(row.split()) for row in list_text(app).splitlines()]
        assert lines[0].startswith("> 1 ")
        assert lines[2].startswith("■ malformed")
        assert "line 3" in lines[2]
        assert lines[3].startswith("3 ")
        assert lines[4].startswith("4 ■ dup 1")
        assert lines[5].startswith("5 ■ empty")
        assert "flagged 2" in counts(app)
        await pilot.press(":", "4", "enter")
        await pilot.pause()
        assert "exact duplicate  same sample as row 1" in text_of(app.screen.query_one("#notes"))
        await pilot.press("b")
        await until(pilot, lambda: "tickets.jsonl, line 3: not valid JSON" in sample_text(app), "the text")


async def test_a_decision_is_on_the_disk_when_it_shows_and_outlives_the_app(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("d")
        await until(pilot, lambda: "dropped 1" in counts(app), "the drop")
        verdicts = [standing.verdict for standing in read_ledger(tickets.parent).standings().values()]
        assert verdicts == ["drop"]
        assert rows_list(app).cursor == 1, "a decision moves on to the next row"
        await pilot.press("a")
        await until(pilot, lambda: "kept 1" in counts(app), "the keep")
    again = make_app(data=(tickets,))
    async with again.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "kept 1  dropped 1" in counts(again), "the decisions of the earlier sitting")
        assert "✗" in list_text(again).splitlines()[0]
        jobs = [path for path in (hidden_dir(tickets.parent) / "jobs").iterdir() if path.is_dir()]
        assert len(jobs) == 1, "a finished scan of unchanged files is not made again"


async def test_nothing_is_shown_as_decided_before_it_is_committed(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("a")
        await until(pilot, lambda: "kept 1" in counts(app), "the first decision, which makes the table")
        with sqlite3.connect(hidden_dir(tickets.parent) / FILE, isolation_level=None) as other:
            other.execute("BEGIN EXCLUSIVE")
            await pilot.press("d", "d")
            assert "dropped 0" in counts(app)
            assert "✗" not in list_text(app)
            assert rows_list(app).cursor == 1
            other.execute("ROLLBACK")
        await until(pilot, lambda: "dropped 2" in counts(app), "both drops, each for the row that was shown")
        dropped = [row.split()[-1] for row in list_text(app).splitlines() if "✗" in row]
        assert dropped == ["second", "third"]
        assert rows_list(app).cursor == 4


def test_a_row_is_ok_only_once_the_scan_is_done(tickets: Path) -> None:
    """Unusual lengths and the like are known when all rows have been seen."""
    rows = DataRows(Dataset.open([tickets]))
    assert row_line(rows, 0).status == "-"
    rows.learn({}, [], 1)
    assert row_line(rows, 0).status == "-", "some checks flag rows only when the scan is done"
    rows.judged = True
    assert row_line(rows, 0).status == "", "nothing that reads like a decision"


async def test_undo_goes_back_to_the_row_and_opens_it_again(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        assert "undo" not in str(app.screen.query_one(KeyBar).render())
        await pilot.press("d")
        await until(pilot, lambda: "dropped 1" in counts(app), "the drop")
        await pilot.press("u")
        await until(pilot, lambda: "dropped 0" in counts(app), "the undo")
        assert rows_list(app).cursor == 0
        assert all(standing.verdict == "" for standing in ledger(tickets).standings().values())
        assert "undone: the drop of row 1" in line(app)
        await pilot.press("a")
        await until(pilot, lambda: "kept 1" in counts(app), "a keep")
        await pilot.press("c", *"odd", "enter")
        await until(pilot, lambda: dataset(app).desk.rows.mark(1) is not None, "a note")
        await pilot.press("up", "y", "u")
        await until(pilot, lambda: "undone: the note on row 2" in line(app), "its words")
        await pilot.press("u")
        await until(pilot, lambda: "undone: the keep of row 1" in line(app), "the words of the next")


async def test_undo_typed_behind_decisions_that_are_still_on_their_way_takes_the_last_of_them_back(
    make_app: MakeApp, tickets: Path
) -> None:
    """It did nothing: nothing was on the disk yet that could be taken back."""
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        for key in "adu":
            app.post_message(Key(key, key))
        await until(pilot, lambda: "undone: the drop of row 2" in line(app), "its words")
        assert "kept 1  dropped 0" in counts(app)


def ledger(tickets: Path) -> Ledger:
    return read_ledger(tickets.parent)


async def test_filters_list_what_they_name(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("d")
        await until(pilot, lambda: "dropped 1" in counts(app), "the drop")
        shown = {}
        for name in ("flagged", "undecided", "kept", "dropped", "all"):
            await pilot.press("f")
            await pilot.pause()
            shown[name] = [
                row.split()[-1] for row in list_text(app).splitlines() if row.strip() and rows_list(app).count
            ]
        assert shown["flagged"] == ["first", "fifth"]
        assert shown["undecided"] == ["second", "third", "first", "fifth"]
        assert shown["kept"] == []
        assert shown["dropped"] == ["first"]
        assert len(shown["all"]) == 6


async def test_a_number_typed_fast_goes_to_the_row_and_to_no_other_screen(make_app: MakeApp, tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("\n".join(chat(f"question {n}") for n in range(1, 301)) + "\n")
    app = make_app(data=(path,))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(":", "2", "1", "6", "enter")
        await pilot.pause()
        assert app.current_mode == "data"
        assert "question 216" in sample_text(app)
        await pilot.press(":", "9", "9", "9", "9", "enter")
        await until(pilot, lambda: "question 300" in sample_text(app), "the text")
        await pilot.press(":", "1", "escape")
        await pilot.pause()
        assert "question 300" in sample_text(app)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (110, 30), (160, 45)])
async def test_list_and_sample_fit_every_size(make_app: MakeApp, tickets: Path, size: tuple[int, int]) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert rows_list(app).size.height >= 5
        assert sample_view(app).text.size.height >= 4
        assert "first" in list_text(app)
        beside = sample_view(app).region.x > rows_list(app).region.x
        assert beside == (size[0] >= 116)
        await pilot.press("enter")
        await pilot.pause()
        assert sample_view(app).text.has_focus
        assert sample_view(app).size.width >= size[0] - 4
        await pilot.press("escape")
        await pilot.pause()
        assert rows_list(app).has_focus


async def test_a_number_beyond_the_end_says_so_and_a_row_outside_the_list_is_found_in_all(
    make_app: MakeApp, tickets: Path
) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press(":", "9", "9", "9", "enter")
        await until(pilot, lambda: "No row 999: the last row is 5." in line(app), "the sentence")
        await pilot.press("f", ":", "1", "enter")
        await until(pilot, lambda: "Row 1 is not in this list (flagged)" in line(app), "the sentence")
        assert "ALL 5" in text_of(app.screen.query_one("#counts"))
        assert "first" in sample_text(app)
        await pilot.press("f", "f", "f")  # flagged, undecided, kept
        await pilot.pause()
        assert "No kept rows. Press f" in list_text(app), "an empty list says what to do next"
        for key in (":", "2", "d", "2", "enter"):  # all at once, in an empty list, with a slip of the finger
            app.post_message(Key({":": "colon"}.get(key, key), key if len(key) == 1 else None))
        await until(pilot, lambda: "No row 22: the last row is 5." in line(app), "the sentence")
        assert app.current_mode == "data"
        assert "dropped 0" in counts(app)


async def test_rows_are_chosen_by_length_and_sorted_by_flags(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        assert Lengths.read(">=1,000", "tokens") == Lengths(1_000, None, "tokens")
        assert Lengths.read("<20", "characters") == Lengths(0, 19, "characters")
        assert Lengths.read("5 to 7", "characters") == Lengths(5, 7, "characters")
        assert Lengths.read("long", "characters") is None
        await choose(pilot, "F", "by length in characters")
        await pilot.press(*"1-10", "enter")
        await until(pilot, lambda: "1 row with 1 to 10 characters" in line(app), "the short row")
        assert "fifth" in list_text(app)
        await pilot.press("escape")
        await pilot.pause()
        await choose(pilot, "F", "most flags first")
        await until(pilot, lambda: "most flags first" in counts(app), "the order")
        assert [row.split()[0] for row in list_text(app).splitlines()[1:3]] == ["5", "1"]


@pytest.mark.parametrize("status", ["running 41%  0:41:07", "running 41%  2 h 41 min  ends in 58 min"])
async def test_the_names_of_the_steps_stay_beside_a_long_state(make_app: MakeApp, tickets: Path, status: str) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        bar = app.screen.query_one(TopBar)
        bar.status = status
        await pilot.pause()
        assert "1 DATA  2 Recipe  3 Train  4 Evaluate  5 Export  6 Runs" in text_of(bar)
        assert text_of(bar).rstrip().endswith(status if len(status) < 22 else "running")
