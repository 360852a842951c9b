"""The duplicates screen: planted pairs are found, each with the row that stays; decisions are remembered."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from core.dataset.audit.store import DecisionStore, read_ledger
from core.dataset.near.result import RESULT_VERSION
from core.dataset.scan.keys import key_text, row_digest
from core.paths import SAMPLE_DATA
from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, counts, line, scanned, text_of
from tests.tui.test_data_audit import choose
from tests.unit.test_near_scan import command_line, texts_file
from tests.unit.test_near_search import with_slips
from tests.unit.test_near_similarity import sentence
from tui.app import TunedeckApp
from tui.duplicates.found import FoundPane
from tui.duplicates.screen import DuplicatesScreen
from tui.duplicates.search import _AT_ONCE, seconds_of_search
from tui.widgets.key_bar import KeyBar


def screen_of(app: TunedeckApp) -> DuplicatesScreen:
    screen = app.screen
    assert isinstance(screen, DuplicatesScreen)
    return screen


def found_in(app: TunedeckApp) -> FoundPane:
    found = screen_of(app).found
    assert found is not None
    return found


def title(app: TunedeckApp, pane: str) -> str:
    """The title of the pane `groups-pane`, `members-pane` or `pair`; "" while there is none."""
    found = app.screen.query(f"#{pane}")
    return str(found.first().border_title) if found else ""


def clusters(app: TunedeckApp) -> list[str]:
    """The lines of the clusters; none before there is a result."""
    found = screen_of(app).found
    return [" ".join(row.split()) for row in text_of(found.group_list).splitlines() if row.strip()] if found else []


def members(app: TunedeckApp) -> list[str]:
    return [" ".join(row.split()) for row in text_of(found_in(app).member_list).splitlines() if row.strip()]


def staying(app: TunedeckApp) -> list[int]:
    """The rows of the cluster that stay, by their number."""
    return [int(row.lstrip("> ").split()[0]) for row in members(app) if " stays" in row]


def standing(path: Path) -> dict[str, str]:
    """The reasons of all drops, by key."""
    return {key: each.why for key, each in read_ledger(path.parent).standings().items() if each.verdict == "drop"}


async def open_duplicates(pilot: Pilot[int], app: TunedeckApp) -> None:
    await until(pilot, scanned(app), "the scan")
    await pilot.press("r")
    await until(pilot, lambda: isinstance(app.screen, DuplicatesScreen), "the screen")


async def search(pilot: Pilot[int], app: TunedeckApp) -> None:
    """Have a search end: the first one of a small file begins by itself."""
    if screen_of(app).found is not None:
        await pilot.press("r")
        await until(pilot, lambda: "searching" in line(app), "the search")
    await until(pilot, lambda: screen_of(app).found is not None and "searching" not in line(app), "its end")
    await pilot.pause()


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as large: a search begins when somebody asks for it."""
    monkeypatch.setattr("tui.duplicates.search._AT_ONCE", 0.0)


def shows(app: TunedeckApp, words: str) -> Callable[[], bool]:
    return lambda: words in title(app, "pair")


async def test_the_planted_near_duplicates_and_leaks_are_listed_with_the_row_that_stays(
    make_app: MakeApp, tmp_path: Path
) -> None:
    for name in ("support_train.jsonl", "support_eval.jsonl"):
        shutil.copy(SAMPLE_DATA / name, tmp_path / name)
    faults = json.loads((SAMPLE_DATA / "FAULTS.json").read_text("utf-8"))["faults"]
    planted = {
        kind: {fault["row"] for fault in faults if fault["kind"] == kind}
        for kind in ("near_duplicate", "exact_duplicate", "leak_near")
    }
    train = tmp_path / "support_train.jsonl"
    app = make_app(data=(train,), eval_data=(tmp_path / "support_eval.jsonl",))
    async with app.run_test(size=(80, 36)) as pilot:
        await open_duplicates(pilot, app)
        await search(pilot, app)
        groups = found_in(app).groups
        found = {kind: {row for g in groups.listed if g.kind == kind for row in g.why} for kind in ("near", "exact")}
        assert found == {"near": planted["near_duplicate"], "exact": planted["exact_duplicate"]}
        assert "■ leak 1 row 86%" in clusters(app)[0]
        assert set(groups.listed[0].why) == planted["leak_near"]
        await until(pilot, shows(app, "is removable: prompt 86% similar to an eval prompt"), "the leak")

        while not clusters(app)[found_in(app).group_list.cursor].startswith("> 2 ▲ near"):
            await pilot.press("right")
            await pilot.pause()
        row, kept = (int(words.split()[1 if words.startswith(">") else 0]) for words in reversed(members(app)))
        await until(pilot, shows(app, f"row {row} is removable: 9"), "the pair")
        diff = found_in(app).pair.diff
        await until(pilot, lambda: f"− row {kept}, stays" in text_of(diff), "the comparison")
        await pilot.press("d")
        await until(pilot, lambda: len(standing(train)) == 1, "the drop")
        (reason,) = standing(train).values()
        assert reason.startswith(f"near-duplicate of row {kept}, 9")
        await until(pilot, lambda: clusters(app)[2].startswith("2 settled"), "the cluster is done")
        assert clusters(app)[3].startswith(">"), "and the next one is shown"

        await pilot.press("escape")
        await until(pilot, lambda: "dropped 1" in counts(app), "the decision on the data screen")
        await pilot.press(":", *str(row), "enter")
        await pilot.pause()
        notes = text_of(app.screen.query_one("#notes"))
        assert "near-duplicate  9" in notes
        assert f"similar to row {kept}, cluster 2 of 2 rows" in notes
        assert f"near-duplicate of row {kept}" in notes, "why it was dropped"
        await choose(pilot, "F", "near-duplicate")
        await until(pilot, lambda: f"near duplicate {len(planted['near_duplicate'])}" in counts(app), "its list")
        await choose(pilot, "A", "by cluster")
        await until(pilot, lambda: "by cluster" in str(app.screen.query_one("#list-pane").border_title), "the queue")
        await pilot.press("u")
        await until(pilot, lambda: standing(train) == {}, "undo here takes back what was dropped there")


async def test_a_near_leak_is_marked_as_none_is_remembered_and_taken_back(make_app: MakeApp, tmp_path: Path) -> None:
    for name in ("support_train.jsonl", "support_eval.jsonl"):
        shutil.copy(SAMPLE_DATA / name, tmp_path / name)
    train = tmp_path / "support_train.jsonl"
    app = make_app(data=(train,), eval_data=(tmp_path / "support_eval.jsonl",))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_duplicates(pilot, app)
        await search(pilot, app)
        assert "leak 1 row" in clusters(app)[0]
        assert "not a duplicate" in text_of(app.screen.query_one(KeyBar))
        await pilot.press("x")
        await until(pilot, lambda: "leak" not in clusters(app)[0], "it is gone from the list")
        assert len(read_ledger(tmp_path).apart()) == 1, "and on the disk"
        assert "marks have changed" in line(app)
        await pilot.press("u")
        await until(pilot, lambda: "leak 1 row" in clusters(app)[0], "it is back")
        assert not read_ledger(tmp_path).apart()
        await pilot.press("X")
        await until(pilot, lambda: "leak" not in clusters(app)[0], "all of them at once")
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, DuplicatesScreen), "the screen again")
        await until(pilot, lambda: bool(clusters(app)), "the result")
        assert "leak" not in clusters(app)[0], "an older result is shown without it"
        await search(pilot, app)
        assert "leak" not in clusters(app)[0], "and so is a new one"


@pytest.mark.usefixtures("by_hand")
async def test_a_mark_on_a_wrong_eval_row_is_dropped_with_a_note_and_old_results_are_not_shown(
    make_app: MakeApp, tmp_path: Path
) -> None:
    rows = [{"prompt": f"how many days until my refund arrives, order {n}", "completion": "5"} for n in (17, 18)]
    held = [{"prompt": "is the shop in the old town open on a sunday", "completion": "no"}, rows[0]]
    for name, some in (("train.jsonl", rows), ("eval.jsonl", held)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in some))
    wrong = key_text(row_digest(rows[1]), 0), key_text(row_digest(held[0]), 0)
    store = DecisionStore(tmp_path)
    store.set_apart(*wrong).result(10)
    store.close()

    async def opened(app: TunedeckApp, pilot: Pilot[int]) -> None:
        await open_duplicates(pilot, app)
        nothing = app.screen.query_one("#nothing")
        await until(pilot, lambda: "Press r to search these 2 rows (about " in text_of(nothing), "no result")
        await pilot.press("r")
        await search(pilot, app)

    app = make_app(data=(tmp_path / "train.jsonl",), eval_data=(tmp_path / "eval.jsonl",))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await until(pilot, lambda: not read_ledger(tmp_path).apart(), "the mark is dropped on the disk")
        await until(pilot, lambda: any('1 "not a duplicate"' in each.message for each in app._notifications), "a note")
        await until(pilot, lambda: "eval.jsonl, line 2" in text_of(found_in(app).pair.diff), "the eval row")
    (job,) = (tmp_path / ".tunedeck" / "jobs").glob("*-near-*")
    reported = json.loads((job / "job.json").read_text())
    assert reported["payload"].pop("near_version") == RESULT_VERSION
    (job / "job.json").write_text(json.dumps(reported))
    again = make_app(data=(tmp_path / "train.jsonl",), eval_data=(tmp_path / "eval.jsonl",))
    async with again.run_test(size=(80, 24)) as pilot:
        await opened(again, pilot)


def test_files_that_take_seconds_are_searched_at_once_and_others_say_how_long() -> None:
    assert seconds_of_search(2_000, 12_000_000) < _AT_ONCE < seconds_of_search(55_000, 20_000_000)
    assert 15 < seconds_of_search(55_000, 20_000_000) < 40, "twenty thousand rows took ten seconds"


async def test_what_the_command_has_found_is_there_without_a_search(make_app: MakeApp, tmp_path: Path) -> None:
    made = random.Random(3)
    text = sentence(made, 40)
    path = texts_file(tmp_path / "a.jsonl", [text, with_slips(text, 1, made), sentence(made, 40)])
    (tmp_path / ".tunedeck").mkdir()
    assert command_line("a.jsonl", "--near", "0.6", cwd=tmp_path).returncode == 0
    app = make_app(data=(path,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "near duplicate 1" in counts(app) or "flagged 1" in counts(app), "its flags")
        await open_duplicates(pilot, app)
        await until(pilot, lambda: bool(clusters(app)), "its clusters")
        assert "2 rows" in clusters(app)[0]
        assert screen_of(app).search.options.threshold == 0.6
    assert len(list((tmp_path / ".tunedeck" / "jobs").glob("*-near-*"))) == 1


@pytest.fixture
def chained(tmp_path: Path) -> Path:
    """Row 1 is like row 2 and row 2 like row 3, but not row 1 like row 3; row 4 equals row 2; row 5 is like none."""
    made = random.Random(2)
    first = sentence(made, 60)
    second = with_slips(first, 5, made)
    texts = [first, second, with_slips(second, 5, made), second, "\x1b]52;c;aGk=\x07[red] " + sentence(made, 30)]
    return texts_file(tmp_path / "a.jsonl", texts)


async def test_no_duplicate_is_remembered_and_another_row_can_be_chosen(make_app: MakeApp, chained: Path) -> None:
    app = make_app(data=(chained,))
    async with app.run_test(size=(60, 20)) as pilot:
        await open_duplicates(pilot, app)
        await search(pilot, app)
        await until(pilot, lambda: "2 removable" in title(app, "members-pane"), "rows 2 and 4; row 3 is not like row 1")
        await until(pilot, lambda: [row.split()[0] for row in members(app)[:2]] == ["1", ">"], "the rows")
        await until(pilot, lambda: members(app)[-1].startswith("3 stays"), "the last row, once it is read")
        await pilot.press("tab", "home", "down", "a")
        await until(pilot, lambda: "3 removable" in title(app, "members-pane"), "the choice")
        assert "■ exact" not in clusters(app)[0]
        assert sum(" stays " in row for row in members(app)) == 1
        await pilot.press("F")
        await until(pilot, lambda: "2 removable" in title(app, "members-pane"), "the first row again")
        await pilot.press("home", "down", "x")
        await until(pilot, lambda: "3 rows" in title(app, "members-pane"), "row 1 is no longer in the cluster")
        assert len(read_ledger(chained.parent).apart()) == 1
        await pilot.press("u")
        await until(pilot, lambda: "4 rows" in title(app, "members-pane"), "taken back")
        await pilot.press("x")
        await until(pilot, lambda: "3 rows" in title(app, "members-pane"), "row 1 is no longer in the cluster")
    again = make_app(data=(chained,))
    async with again.run_test(size=(80, 24)) as pilot:
        await open_duplicates(pilot, again)
        await until(pilot, lambda: "3 rows" in title(again, "members-pane"), "the mark counts for the old result")
        assert "marks have changed since" in line(again)
        await search(pilot, again)
        await until(pilot, lambda: "3 rows" in title(again, "members-pane"), "and for a new search")
        assert "r search" not in text_of(again.screen.query_one(KeyBar)), "which would find the same now"
        await pilot.press("X")
        nothing = again.screen.query_one("#nothing")
        await until(pilot, lambda: "No near-duplicates" in text_of(nothing), "none of them is a duplicate")
        assert len(read_ledger(chained.parent).apart()) == 4


async def test_a_row_that_is_said_to_be_no_duplicate_is_described_so(make_app: MakeApp, tmp_path: Path) -> None:
    made = random.Random(3)
    same, path = sentence(made, 40), tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in (same, same, same, sentence(made, 30))))
    app = make_app(data=(path,))
    async with app.run_test(size=(120, 36)) as pilot:
        await open_duplicates(pilot, app)
        await search(pilot, app)
        await pilot.press("tab", "home", "down", "x")
        await until(pilot, lambda: len(read_ledger(tmp_path).apart()) == 1, "the mark")
        await until(pilot, lambda: "1 removable" in title(app, "members-pane"), "the second look")
        await pilot.press("end")
        await until(pilot, lambda: "marked as not a duplicate of row 1" in title(app, "pair"), "the words")


async def test_the_longest_row_can_stay_and_all_removable_rows_is_dropped_after_a_question(
    make_app: MakeApp, tmp_path: Path
) -> None:
    made = random.Random(4)
    one, two = sentence(made, 60), sentence(made, 60)
    path = texts_file(tmp_path / "a.jsonl", [one, f"{one} and so on", two, f"{two} as well", sentence(made, 30)])
    app = make_app(data=(path,))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_duplicates(pilot, app)
        await search(pilot, app)
        await until(pilot, shows(app, "row 2 is removable: 9"), "the first stays unless said")
        for key, stays in (("L", 2), ("F", 1), ("L", 2)):
            await pilot.press(key)
            await until(pilot, lambda stays=stays: staying(app) == [stays], f"row {stays}")  # type: ignore[misc]
        await choose(pilot, "R", "cancel")
        assert standing(path) == {}
        await choose(pilot, "R", "drop 2 rows")
        await until(pilot, lambda: len(standing(path)) == 2, "the drops")
        reasons = sorted(each.partition(",")[0] for each in standing(path).values())
        assert reasons == ["near-duplicate of row 2", "near-duplicate of row 3"]
        await until(pilot, lambda: "drop all" not in text_of(app.screen.query_one(KeyBar)), "nothing else may go")
        await pilot.press("u")
        await until(pilot, lambda: standing(path) == {}, "one key takes all of it back")


async def test_a_search_is_canceled_as_soon_as_it_is_begun_and_leaves_the_last_result(
    make_app: MakeApp, chained: Path
) -> None:
    app = make_app(data=(chained,))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_duplicates(pilot, app)
        await search(pilot, app)
        found = clusters(app)
        assert found
        await choose(pilot, "t", "50%")
        await pilot.press("r", "c")
        await until(pilot, lambda: "canceled" in line(app), "the end")
        assert clusters(app) == found
        await until(pilot, lambda: "c cancel" not in text_of(app.screen.query_one(KeyBar)), "nothing to cancel")
        await search(pilot, app)
        await until(pilot, lambda: "50%+" in line(app), "a search that is not canceled")


@pytest.mark.usefixtures("by_hand")
async def test_settings_ask_for_a_new_search_and_a_changed_file_for_care(make_app: MakeApp, chained: Path) -> None:
    app = make_app(data=(chained,))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_duplicates(pilot, app)
        await choose(pilot, "t", "95%")
        await choose(pilot, "K", "longest")
        await pilot.press("r")
        await search(pilot, app)
        assert len(clusters(app)) == 1
        assert "95%+" in line(app)
        assert "longest" in line(app)
        await pilot.press("d")
        await until(pilot, lambda: list(standing(chained).values()) == ["duplicate of row 2, same text"], "a drop")
        await pilot.press("u")
        await until(pilot, lambda: standing(chained) == {}, "taken back")
    chained.write_text(chained.read_text() + '{"text": "one more row"}\n')
    again = make_app(data=(chained,))
    async with again.run_test(size=(80, 24)) as pilot:
        await open_duplicates(pilot, again)
        await until(pilot, lambda: "a.jsonl has changed" in line(again), "the warning")
        assert "drop the rest" not in text_of(again.screen.query_one(KeyBar))
        await pilot.press("d")
        await pilot.pause()
        assert standing(chained) == {}


@pytest.mark.slow
async def test_the_known_pairs_of_a_real_file_are_shown(make_app: MakeApp, public_data: Path) -> None:
    """The numbers are those of docs/near-duplicates.md; the publisher's own filter removed 407 of these rows, too."""
    app = make_app(data=(public_data / "gpteacher_toolformer.json",))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_duplicates(pilot, app)
        await search(pilot, app)
        assert title(app, "groups-pane").endswith("· 415 rows removable")
        assert "10 shared prefixes" in line(app)
        for _ in range(3):
            group, row = found_in(app).group, found_in(app).row
            assert group is not None
            assert row is not None
            kept = group.why[row].because_of
            assert kept is not None
            await until(pilot, shows(app, f"row {row + 1:,} is removable: "), "a pair")
            await pilot.press("right")
            await pilot.pause()
