"""Auditing and searching on the data screen: the queue, notes, flags, edits, hits, and what is taken along."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import OptionList, TextArea

from core.dataset.audit.decisions import DecisionState
from core.dataset.audit.store import read_ledger
from tests.kit.app_waiting import until
from tests.kit.data_screen import (
    MakeApp,
    chat,
    counts,
    data_screen,
    line,
    list_text,
    rows_list,
    sample_text,
    scanned,
    text_of,
)
from tui.app import TunedeckApp
from tui.widgets.key_bar import KeyBar


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """Two hundred rows; row 11 has no answer, row 21 has none and repeats it."""
    rows = [chat(f"question {n}", f"答案 {n}" if n % 50 == 0 else f"answer {n}") for n in range(1, 201)]
    rows[10] = rows[20] = chat("nobody answers", "")
    path = tmp_path / "tickets.jsonl"
    path.write_text("\n".join(rows) + "\n")
    return path


def title(app: TunedeckApp) -> str:
    return str(app.screen.query_one("#list-pane").border_title)


def progress(app: TunedeckApp, number: int) -> Callable[[], bool]:
    return lambda: f"audit: {number} of 50" in title(app)


def standings(path: Path) -> list[DecisionState]:
    return list(read_ledger(path.parent).standings().values())


async def choose(pilot: Pilot[int], key: str, words: str) -> None:
    """Open a menu and take the entry with these words."""
    await pilot.press(key)
    app = pilot.app
    assert isinstance(app, TunedeckApp)
    await until(pilot, lambda: bool(app.screen.query(OptionList)), "the menu")
    await until(pilot, lambda: app.seen.by(app.screen, time.monotonic()), "its picture: enter counts only then")
    menu = app.screen.query_one(OptionList)
    number = next(n for n, option in enumerate(menu.options) if words in str(option.prompt))
    menu.highlighted = number
    await pilot.press("enter")
    await until(pilot, lambda: not pilot.app.screen.query(OptionList), "the menu gone")


async def test_an_audit_shows_its_progress_and_goes_on_after_a_restart(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await choose(pilot, "A", "random 50")
        await until(pilot, lambda: "audit: 0 of 50  kept 0  dropped 0  (seed 1)" in title(app), "the queue")
        assert rows_list(app).count == 50
        for number, key in enumerate("ada", 1):
            await pilot.press(key)
            await until(pilot, progress(app, number), "the decision")
        assert "kept 2  dropped 1" in title(app)
        assert " s each" in title(app)
        assert "skip" in text_of(app.screen.query_one(KeyBar))
        await pilot.press("s", "s")
        await pilot.pause()
        assert rows_list(app).cursor == 5
        await pilot.press("left", "left")
        await pilot.pause()
        assert rows_list(app).cursor == 3
        queue = list_text(app)
    again = make_app(data=(tickets,))
    async with again.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(again), "the scan")
        await pilot.press("A")
        await until(pilot, lambda: "audit: 3 of 50  kept 2  dropped 1" in title(again), "the audit again")
        assert rows_list(again).cursor == 3, "it goes on where it was left"
        assert list_text(again) == queue
        await pilot.press("escape")
        assert rows_list(again).count == 200
        assert "resume the audit" in line(again)
        await pilot.press("A")
        await until(pilot, lambda: "audit: 3 of 50 " in title(again), "the audit once more")
        await choose(pilot, "A", "leave the audit")
        assert rows_list(again).count == 200
        await choose(pilot, "A", "you choose how many")
        await pilot.press(*"10", "enter")
        await until(pilot, lambda: "audit: 0 of 10 " in title(again), "an audit of that size")


async def test_the_worst_rows_come_first_and_a_flag_has_its_list(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(110, 30)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await choose(pilot, "A", "worst first")
        await until(pilot, lambda: "worst first" in title(app), "the queue")
        assert [row.split()[1 if row.startswith(">") else 0] for row in list_text(app).splitlines()[:2]] == ["21", "11"]
        await choose(pilot, "F", "empty answer")
        await until(pilot, lambda: "EMPTY ANSWER 2" in text_of(app.screen.query_one("#counts")), "the flag's rows")
        await choose(pilot, "F", "shortest first")
        await until(pilot, lambda: "shortest first" in counts(app), "the order")


async def test_notes_and_flags_are_typed_fast_and_stay_with_the_row(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("c", *"2 kinds, 不好", "enter", "!", *"ask Ann", "enter")
        notes = app.screen.query_one("#notes")
        await until(pilot, lambda: "ask Ann" in text_of(notes) and "2 kinds, 不好" in text_of(notes), "note and flag")
        assert standings(tickets) == [DecisionState(note="2 kinds, 不好", flag="ask Ann")]
        assert rows_list(app).cursor == 0
        await pilot.press("c", "ctrl+u", *"never", "escape")
        await choose(pilot, "F", "marked")
        assert rows_list(app).count == 1
        await pilot.press("h")
        await until(pilot, lambda: "note" in sample_text(app), "the history")
        assert "2 kinds, 不好" in sample_text(app)
        assert "ask Ann" in sample_text(app)
        assert "never" not in sample_text(app)


async def test_a_note_is_opened_by_the_key_that_the_user_gave_it_and_no_longer_by_its_old_one(
    make_app: MakeApp, tickets: Path
) -> None:
    """Keys that open a line stood in a table of their own, which no keymap reached: `c` still opened the note."""
    app = make_app(data=(tickets,))
    app.set_keymap({"data.note": "N", "data.search": "f3"})
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        assert "N note" in text_of(app.screen.query_one(KeyBar))
        await pilot.press("c", "/", "a")
        await until(pilot, lambda: "kept 1" in counts(app), "a, which is a key and no text")
        await pilot.press("N", *"kd", "enter")
        await until(pilot, lambda: DecisionState(note="kd") in standings(tickets), "the note")
        await pilot.press("f3", *"答案", "enter")
        await until(pilot, lambda: "4 rows containing “答案”" in line(app), "the hits")
        assert "kept 1  dropped 0" in counts(app)


async def test_what_is_typed_is_gone_when_another_dataset_opens(make_app: MakeApp, tickets: Path) -> None:
    other = tickets.with_name("other.jsonl")
    other.write_text(chat("another one") + "\n")
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("c", *"about row 1")
        data_screen(app).picker.open((other,))
        await until(pilot, lambda: "another one" in list_text(app), "the other dataset")
        await pilot.press("a")
        await until(pilot, lambda: "kept 1" in counts(app), "k, which is a key again")
        assert app.session.data == (other,)
        assert [each.note for each in standings(tickets)] == [""]


async def test_search_lists_every_hit_and_escape_all_rows(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("/", *"答案", "enter")
        await until(pilot, lambda: "4 rows containing “答案”" in line(app), "the hits")
        assert [row.split()[1 if row.startswith(">") else 0] for row in list_text(app).splitlines()[:4]] == [
            "50",
            "100",
            "150",
            "200",
        ]
        assert "答案 50" in list_text(app)
        await pilot.press("/", *"NOBODY", "enter")
        await until(pilot, lambda: "2 rows" in line(app), "the hits of another search")
        await pilot.press("/", *"nowhere at all", "enter")
        await until(pilot, lambda: "0 rows" in line(app), "the end of a search without hits")
        await pilot.press("escape")
        await pilot.pause()
        assert rows_list(app).count == 200


async def edit_here(pilot: Pilot[int], change: Callable[[str], str]) -> None:
    """Edit in the program's own field: a test has no terminal to give away."""
    await pilot.press("e")
    await until(pilot, lambda: bool(pilot.app.screen.query(TextArea)), "the field")
    area = pilot.app.screen.query_one(TextArea)
    area.text = change(area.text)
    await pilot.press("ctrl+s")


async def test_an_edit_is_checked_and_a_bad_one_is_kept_for_another_try(
    make_app: MakeApp, tickets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await edit_here(pilot, lambda text: text.replace("answer 1", "a better answer").replace('"role"', '"rol', 1))
        await until(pilot, lambda: "Edit not saved" in line(app), "the refusal")
        assert "at line 4 of the row, column" in line(app)
        assert standings(tickets) == []
        await edit_here(pilot, lambda text: text.replace('"rol', '"role"', 1))
        await until(pilot, lambda: "a better answer" in sample_text(app), "the edit")
        assert "kept 1" in counts(app)
        (standing,) = standings(tickets)
        assert standing.edit is not None
        assert standing.edit["messages"][1] == {"role": "assistant", "content": "a better answer"}
        assert "a better answer" not in tickets.read_text()
        await pilot.press("u")
        await until(pilot, lambda: "answer 1" in sample_text(app), "the undo")


async def test_keys_of_a_burst_keep_their_order_in_the_edit_field(
    make_app: MakeApp, tickets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        cursor = rows_list(app).cursor
        await pilot.press("e")
        await until(pilot, lambda: bool(app.screen.query(TextArea)), "the field")
        area = app.screen.query_one(TextArea)
        before = area.text.splitlines()
        for key in ("down", "down", "X", "end", "Y", "down", "Z", "left", "backspace", "escape"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await pilot.pause()
        after = area.text.splitlines()
        assert after[2] == f"X{before[2]}Y"
        assert "Z" in after[3], "and the letter before it is gone"
        assert len(after[3]) == len(before[3])
        assert "esc again" in str(app.screen.query_one("EditField Static").render())
        for key in ("down", "down", "left", "W", "f2", "down", "f2"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: area not in app.screen.query(TextArea), "the end of the edit")
        await until(pilot, lambda: "Edit not saved" in line(app), "the refusal")
        assert "W" in area.text
        assert rows_list(app).cursor == cursor


async def test_esc_drops_a_changed_row_only_at_the_second_press(
    make_app: MakeApp, tickets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("e")
        await until(pilot, lambda: bool(app.screen.query(TextArea)), "the field")
        await pilot.press("escape")
        await until(pilot, lambda: "unchanged" in line(app), "the end of an edit without a change")
        await pilot.press("e")
        await until(pilot, lambda: bool(app.screen.query(TextArea)), "the field again")
        await pilot.press("x", "escape", "y", "escape")
        assert app.screen.query_one(TextArea).text.startswith("xy")
        await pilot.press("escape")
        await until(pilot, lambda: "unchanged" in line(app), "the end")
        assert standings(tickets) == []


async def test_a_row_is_copied_and_written_as_it_is_shown(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("y")
        await pilot.pause()
        assert app.clipboard.splitlines()[:2] == ["user", "question 1"]
        await pilot.press("v", "v", "w", "enter")
        written = tickets.parent / "sample-1.json"
        await until(pilot, lambda: "Wrote" in line(app), "the file")
        assert json.loads(written.read_text())["messages"][0]["content"] == "question 1"
        await pilot.press("w", "ctrl+u", *"tickets.jsonl", "enter")
        await until(pilot, lambda: "already exists" in line(app), "the refusal")
        assert tickets.read_text().count("\n") == 200


async def test_the_report_is_written_on_a_key(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("d")
        await until(pilot, lambda: "dropped 1" in counts(app), "the drop")
        await pilot.press("m")
        await until(pilot, lambda: bool(list(tickets.parent.glob("audit-*.md"))), "the report")
        (report,) = tickets.parent.glob("audit-*.md")
        assert "1 decided by hand (0.5%): 0 kept, 1 dropped" in report.read_text()
