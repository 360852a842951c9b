"""A key decides only about what was on the screen when it was typed: keys typed ahead delete and start nothing."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.events import Key
from textual.widgets import OptionList

from core.dataset.audit.store import FILE, read_ledger
from core.jobs.folder import JobFolder
from core.jobs.trust import COMMAND, ConsentRequest
from core.paths import hidden_dir
from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, chat, counts, dataset, list_text, rows_list, scanned
from tests.kit.recipe_screen import sound, workspace
from tests.kit.run_folders import make_run
from tests.tui.test_duplicates_screen import chained, found_in, open_duplicates, search, standing
from tests.tui.test_train_screen import read
from tests.unit.test_near_scan import texts_file
from tests.unit.test_near_similarity import sentence
from tui import actions
from tui.app import TunedeckApp
from tui.data.screen import DataScreen
from tui.recipe.screen import RecipeScreen
from tui.runs.screen import RunsScreen
from tui.seen import NO_KEY, Press, Seen
from tui.widgets.agree import Agree
from tui.widgets.choice_menu import ChoiceMenu

__all__ = ["chained", "workspace"]


def typed_earlier(app: TunedeckApp, *keys: str) -> None:
    """Keys that the program gets now, and that were typed before it had painted anything."""
    for key in keys:
        event = Key(key, key if len(key) == 1 else None)
        event.time = 0.0
        app.post_message(event)


def verdicts(path: Path) -> list[str]:
    return [each.verdict for each in read_ledger(path.parent).standings().values() if each.verdict]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    path = tmp_path / "many.jsonl"
    rows = [chat(f"question {number}", "" if number % 10 == 0 else "An answer.") for number in range(1, 101)]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_thing_counts_as_seen_from_its_first_picture_on_while_it_stays() -> None:
    seen = Seen()
    assert not seen.by("row", 9.0)
    seen.picture(["row"], 1.0)
    seen.picture(["row", "next"], 2.0)
    assert seen.by("row", 1.0)
    assert not seen.by("row", 0.9)
    assert not seen.by("next", 1.5)
    seen.picture(["next"], 3.0)
    seen.picture(["row", "next"], 4.0)
    assert not seen.by("row", 3.5), "it was away in between"
    assert seen.meant(Press("row", 1.0), "row")
    assert seen.meant(Press("row", 2.0), "next")
    assert not seen.meant(Press("row", 1.0), "next")
    assert seen.meant(NO_KEY, "anything")


def test_the_commands_that_decide() -> None:
    """Whoever adds one that acts at once on what is under the cursor marks it so."""
    assert {command.id for command in actions.by_id().values() if command.decides} >= {
        *("data.keep", "data.drop", "data.mark_synthetic"),
        *(f"duplicates.{name}" for name in ("drop_rest", "keep_row", "keep_first", "keep_longest")),
        *("duplicates.mark_not_duplicate", "duplicates.mark_none_duplicate"),
        *("runs.confirm", "runs.remove_from_queue", "runs.move_sooner", "runs.move_later"),
        *("train.confirm", "train.confirm_stop_now", "train.pause", "train.resume_paused"),
        *("recipe.start", "recipe.queue", "recipe.start_pilot"),
        *("menu.select", "agree.allow"),
    }


@pytest.mark.parametrize("key", ["d", "a", "S"])
async def test_keys_older_than_the_first_picture_of_data_decide_nothing(
    make_app: MakeApp, many: Path, key: str
) -> None:
    app = make_app(data=(many,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        typed_earlier(app, key, key, key)
        await pilot.pause()
        await pilot.press("c", *"a note", "enter")
        await until(pilot, lambda: len(read_ledger(many.parent).standings()) == 1, "the note, which came later")
        (standing,) = read_ledger(many.parent).standings().values()
        assert (standing.verdict, standing.note, standing.flag) == ("", "a note", "")


async def test_keys_typed_ahead_still_go_about(make_app: MakeApp, many: Path) -> None:
    app = make_app(data=(many,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        typed_earlier(app, "d", "colon", "9", "enter", "a")
        await until(pilot, lambda: rows_list(app).cursor == 8, "row 9")
        assert verdicts(many) == []
        await pilot.press("a")
        await until(pilot, lambda: "kept 1" in counts(app), "a key typed at row 9")


async def burst(app: TunedeckApp, *keys: str) -> None:
    """Keys that come all at once, now."""
    for key in keys:
        app.post_message(Key(key, key if len(key) == 1 else None))


@pytest.mark.parametrize("before", [("f",), ("colon", "9", "0", "enter"), ("end",)], ids=" ".join)
async def test_a_burst_that_leads_elsewhere_and_decides_there_only_leads_elsewhere(
    make_app: MakeApp, many: Path, before: tuple[str, ...]
) -> None:
    app = make_app(data=(many,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("a")
        await until(pilot, lambda: "kept 1" in counts(app), "a decision")
        await burst(app, *before, "d")
        await pilot.pause()
        await pilot.press("1")
        await pilot.press("c", *"later", "enter")
        await until(pilot, lambda: any(each.note for each in read_ledger(many.parent).standings().values()), "a note")
        assert verdicts(many) == ["keep"]


async def test_a_row_seen_before_another_screen_must_be_seen_again(make_app: MakeApp, many: Path) -> None:
    app = make_app(data=(many,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("5")
        await burst(app, "1", "d", "d", "d")
        await until(pilot, lambda: isinstance(app.screen, DataScreen), "Data again")
        await pilot.press("a")
        await until(pilot, lambda: "kept 1" in counts(app), "a decision")
        assert verdicts(many) == ["keep"]


async def test_rows_that_are_listed_are_decided_as_fast_as_keys_come(make_app: MakeApp, many: Path) -> None:
    app = make_app(data=(many,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await burst(app, "d", "d", "down", "a")
        await until(pilot, lambda: "kept 1" in counts(app) and "dropped 2" in counts(app), "three decisions")


async def test_decisions_that_wait_for_a_slow_disk_end_at_the_last_row_that_was_in_view(
    make_app: MakeApp, many: Path
) -> None:
    app = make_app(data=(many,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("a")
        await until(pilot, lambda: "kept 1" in counts(app), "the first decision, which makes the table")
        desk = dataset(app).desk
        in_view = len(rows_list(app).shown)
        assert 3 < in_view < 12
        with sqlite3.connect(hidden_dir(many.parent) / FILE, isolation_level=None) as other:
            other.execute("BEGIN EXCLUSIVE")
            await pilot.press(*"d" * 20)
            assert len(desk._waiting) == 19
            other.execute("ROLLBACK")
        await until(pilot, lambda: not desk._waiting and not desk._writing, "all that waited")
        assert f"dropped {in_view - 1}" in counts(app), "the first row in view is the one that was kept"
        assert f"question {in_view + 1}" in list_text(app)


async def test_a_row_on_the_whole_screen_is_decided_once_it_is_there(make_app: MakeApp, many: Path) -> None:
    app = make_app(data=(many,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("enter")
        assert dataset(app).reading
        await burst(app, "right", "d")
        await pilot.pause()
        await pilot.press("a")
        await until(pilot, lambda: len(verdicts(many)) == 1, "one decision")
        assert verdicts(many) == ["keep"]


async def test_nothing_is_decided_while_the_terminal_is_too_small_to_show_a_row(make_app: MakeApp, many: Path) -> None:
    app = make_app(data=(many,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.resize_terminal(40, 10)
        await pilot.press("d", "d")
        await pilot.resize_terminal(80, 24)
        await pilot.press("a")
        await until(pilot, lambda: len(verdicts(many)) == 1, "one decision")
        assert verdicts(many) == ["keep"]


async def test_a_menu_takes_no_key_that_is_older_than_it(make_app: MakeApp, tmp_path: Path) -> None:
    made = random.Random(4)
    one, two = sentence(made, 60), sentence(made, 60)
    path = texts_file(tmp_path / "a.jsonl", [one, f"{one} and so on", two, f"{two} as well", sentence(made, 30)])
    app = make_app(data=(path,))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_duplicates(pilot, app)
        await search(pilot, app)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, ChoiceMenu), "the question")
        typed_earlier(app, "down", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ChoiceMenu)
        assert app.screen.query_one(OptionList).highlighted == 1
        assert standing(path) == {}
        await pilot.press("enter")
        await until(pilot, lambda: len(standing(path)) == 2, "the answer to what could be read")


async def test_nothing_is_allowed_by_a_key_that_is_older_than_the_question(make_app: MakeApp) -> None:
    app = make_app("runs")
    answers: list[bool | None] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(Agree([ConsentRequest(COMMAND, "touch X")]), answers.append)
        typed_earlier(app, "y")
        await pilot.pause()
        assert answers == []
        await pilot.press("y")
        await until(pilot, lambda: answers == [True], "the answer to what could be read")


async def test_of_duplicates_only_what_was_shown_is_dropped(make_app: MakeApp, chained: Path) -> None:
    app = make_app(data=(chained,))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_duplicates(pilot, app)
        await search(pilot, app)
        assert found_in(app).group is not None
        typed_earlier(app, "d", "a", "x", "X", "F", "L")
        await pilot.pause()
        assert not found_in(app)._decider._waiting
        assert standing(chained) == {}
        assert not read_ledger(chained.parent).apart()
        await pilot.press("d")
        await until(pilot, lambda: len(standing(chained)) == 2, "the drops")


async def test_a_run_is_deleted_only_after_the_question_was_there(make_app: MakeApp, tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path / "runs", "old", "training")
    folder.write_status(state="stopped", message="Stopped as asked.", started=1.0, ended=2.0)
    app = make_app("runs")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = app.screen
        assert isinstance(screen, RunsScreen)
        await until(pilot, lambda: screen._chosen is not None, "the run")
        await pilot.press("D")
        await until(pilot, lambda: screen._asked is not None, "the question")
        typed_earlier(app, "y")
        await pilot.pause()
        assert screen._asked is not None
        assert folder.path.is_dir()
        await pilot.press("y")
        await until(pilot, lambda: not folder.path.exists(), "the run gone")


async def test_a_run_is_stopped_only_after_the_question_was_there(make_app: MakeApp, tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=5)
    app = make_app("train", run=folder.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await read(pilot)
        typed_earlier(app, "p")
        await burst(app, "s", "y")
        await until(pilot, lambda: screen.requests.asking == "stop", "the question")
        assert folder.requested() == ()
        await pilot.press("y")
        await until(pilot, lambda: folder.requested() == ("stop",), "the request")


@pytest.mark.parametrize("key", ["f5", "f6", "f7"])
async def test_no_run_is_started_from_a_form_that_was_not_seen(
    make_app: Callable[..., TunedeckApp], workspace: Path, key: str
) -> None:
    app = make_app("export", recipe=sound(workspace))
    async with app.run_test(size=(80, 24)) as pilot:
        await burst(app, "2", key)
        await until(pilot, lambda: isinstance(app.screen, RecipeScreen), "the form")
        await pilot.pause()
        assert not (workspace / "runs").exists()
        assert app.session.run is None
