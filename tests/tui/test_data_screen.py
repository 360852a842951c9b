"""The data screen: rows at once, flags as the scan finds them, decisions shown only when they are on the disk."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static

from core.dataset.audit import FILE, read_ledger
from core.dataset.dataset import Dataset
from core.dataset.decisions import Ledger
from core.paths import SAMPLE_DATA, hidden_dir
from tui.app import TunedeckApp
from tui.screens.data import DataScreen
from tui.screens.data_find import Lengths
from tui.screens.data_lines import row_line
from tui.screens.data_rows import DataRows
from tui.widgets.key_bar import KeyBar
from tui.widgets.top_bar import TopBar

MakeApp = Callable[..., TunedeckApp]


def chat(question: str, answer: str = "An answer.") -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns})


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """Five rows and a bad line: rows 1, 2 and 3 are fine, 4 repeats 1, 5 has no answer."""
    path = tmp_path / "tickets.jsonl"
    rows = [chat("first"), chat("second"), "{broken", chat("third"), chat("first"), chat("fifth", "")]
    path.write_text("\n".join(rows) + "\n")
    return path


def text_of(widget: Widget) -> str:
    """What a widget draws."""
    return "\n".join(strip.text.rstrip() for strip in widget.render_lines(Region(0, 0, *widget.outer_size)))


def data_screen(app: TunedeckApp) -> DataScreen:
    screen = app.screen
    assert isinstance(screen, DataScreen)
    return screen


def counts(app: TunedeckApp) -> str:
    return text_of(app.screen.query_one("#counts", Static)).strip().lower()


def sample_text(app: TunedeckApp) -> str:
    return text_of(data_screen(app).sample_view.text)


def list_text(app: TunedeckApp) -> str:
    return text_of(data_screen(app).rows_list)


def line(app: TunedeckApp) -> str:
    return text_of(app.screen.query_one("#line", Static))


async def until(pilot: Pilot[int], holds: Callable[[], bool], what: str) -> None:
    """Let the app work until a condition holds."""
    for _ in range(2_000):
        if holds():
            return
        await pilot.pause(0.01)
    raise AssertionError(f"waited in vain: {what}")


def scanned(app: TunedeckApp) -> Callable[[], bool]:
    return lambda: line(app).strip().startswith("scanned")


async def test_the_first_paint_has_the_rows_and_the_first_sample(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "first" in list_text(app)
        assert "An answer." in sample_text(app)
        assert "messages" in str(app.screen.query_one("#list-pane").border_title)


async def test_flags_arrive_with_reasons_and_bad_lines_take_no_number(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        lines = [" ".join(row.split()) for row in list_text(app).splitlines()]
        assert lines[0].startswith("> 1 ok")
        assert lines[2].startswith("■ bad line 3")
        assert lines[3].startswith("3 ok")
        assert lines[4].startswith("4 ■ dup 1")
        assert lines[5].startswith("5 ■ empty")
        assert "flagged 2" in counts(app)
        await pilot.press("g", "4", "enter")
        await pilot.pause()
        assert "exact duplicate  the same sample as row 1" in text_of(app.screen.query_one("#notes"))
        await pilot.press("b")
        await pilot.pause()
        assert "tickets.jsonl, line 3: not valid JSON" in sample_text(app)


async def test_a_decision_is_on_the_disk_when_it_shows_and_outlives_the_app(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("d")
        await until(pilot, lambda: "dropped 1" in counts(app), "the drop")
        verdicts = [standing.verdict for standing in read_ledger(tickets.parent).standings().values()]
        assert verdicts == ["drop"]
        assert data_screen(app).rows_list.cursor == 1, "a decision moves on to the next row"
        await pilot.press("k")
        await until(pilot, lambda: "kept 1" in counts(app), "the keep")
    again = make_app(data=(tickets,))
    async with again.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "kept 1  dropped 1" in counts(again), "the decisions of the earlier sitting")
        assert "✗" in list_text(again).splitlines()[0]
        jobs = list((hidden_dir(tickets.parent) / "jobs").iterdir())
        assert len(jobs) == 1, "a finished scan of unchanged files is not made again"


async def test_nothing_is_shown_as_decided_before_it_is_committed(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("k")
        await until(pilot, lambda: "kept 1" in counts(app), "the first decision, which makes the table")
        with sqlite3.connect(hidden_dir(tickets.parent) / FILE, isolation_level=None) as other:
            other.execute("BEGIN EXCLUSIVE")
            await pilot.press("d", "d")
            await pilot.pause(0.3)
            assert "dropped 0" in counts(app)
            assert "✗" not in list_text(app)
            assert data_screen(app).rows_list.cursor == 1
            other.execute("ROLLBACK")
        await until(pilot, lambda: "dropped 2" in counts(app), "both drops, each for the row that was shown")
        dropped = [row.split()[-1] for row in list_text(app).splitlines() if "✗" in row]
        assert dropped == ["second", "third"]


def test_a_row_is_ok_only_once_the_scan_is_done(tickets: Path) -> None:
    """Unusual lengths and the like are known when all rows have been seen."""
    rows = DataRows(Dataset.open([tickets]))
    assert row_line(rows, 0).status == "-"
    rows.learn({}, [], 1)
    assert row_line(rows, 0).status == "ok so far"
    rows.judged = True
    assert row_line(rows, 0).status == "ok"


async def test_undo_goes_back_to_the_row_and_opens_it_again(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        assert "undo" not in str(app.screen.query_one(KeyBar).render())
        await pilot.press("d")
        await until(pilot, lambda: "dropped 1" in counts(app), "the drop")
        await pilot.press("u")
        await until(pilot, lambda: "dropped 0" in counts(app), "the undo")
        assert data_screen(app).rows_list.cursor == 0
        assert all(standing.verdict == "" for standing in ledger(tickets).standings().values())
        assert "taken back: the drop of row 1, which is undecided now" in line(app)
        await pilot.press("k")
        await until(pilot, lambda: "kept 1" in counts(app), "a keep")
        await pilot.press("n", *"odd", "enter")
        await until(pilot, lambda: data_screen(app)._desk.rows.mark(1) is not None, "a note")  # type: ignore[union-attr]
        await pilot.press("up", "c", "u")
        await until(pilot, lambda: "taken back: the note on row 2, which is undecided now" in line(app), "its words")
        await pilot.press("u")
        await until(pilot, lambda: "taken back: the keep of row 1" in line(app), "the words of the next")


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
            shown[name] = [row.split()[-1] for row in list_text(app).splitlines() if row.strip()]
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
        await pilot.press("g", "2", "1", "6", "enter")
        await pilot.pause()
        assert app.current_mode == "data"
        assert "question 216" in sample_text(app)
        await pilot.press("g", "9", "9", "9", "9", "enter")
        await pilot.pause()
        assert "question 300" in sample_text(app)
        await pilot.press("g", "1", "escape")
        await pilot.pause()
        assert "question 300" in sample_text(app)


async def test_the_views_go_round_and_raw_shows_the_files_own_json(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("v")
        await pilot.pause()
        assert "No model is chosen yet" in sample_text(app)
        await pilot.press("v")
        await pilot.pause()
        assert '"messages": [' in sample_text(app)
        assert '"role": "user",' in sample_text(app)
        await pilot.press("v")
        await pilot.pause()
        assert "user\n  first" in sample_text(app)


async def test_the_template_view_says_what_the_light_install_lacks(
    make_app: MakeApp, tickets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNEDECK_PYTHON", raising=False)
    monkeypatch.setitem(__import__("sys").modules, "trl", None)
    app = make_app(data=(tickets,), recipe_path=SAMPLE_DATA / "recipe.yaml")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("v")
        await pilot.pause()
        assert "pip install 'tunedeck[train]'" in sample_text(app)


@pytest.mark.usefixtures("warm")
async def test_the_template_view_shows_the_mask_of_the_training(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,), recipe_path=SAMPLE_DATA / "recipe.yaml")
    async with app.run_test(size=(80, 30)) as pilot:
        await pilot.press("v")
        await pilot.pause()
        waiting = sample_text(app)  # the service may be there before the first look
        assert "in the background" in waiting or "Asking the tokenizer" in waiting
        await until(pilot, lambda: "template: " in sample_text(app), "the answer of the preview service")
        rows = sample_text(app).splitlines()
        assert any(row.startswith("▌ An answer.") for row in rows)
        assert any(row.startswith("  first") for row in rows), "the question is read, not learned"
        drawn = [span for shown in data_screen(app).sample_view.lines() for span in shown.spans]
        styles = {style for _, style in drawn}
        assert {"trained", "trained-next", "masked", "masked-next"} <= styles, "each token is told from the next"
        assert "tokens trained" in str(data_screen(app).sample_view.border_subtitle)


async def test_without_data_the_screen_offers_what_lies_here(make_app: MakeApp, tickets: Path) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count > 1, "the list of files")
        choices = text_of(app.screen.query_one(OptionList))
        assert "tickets.jsonl" in choices
        assert "sample data: support_train.jsonl" in choices
        await pilot.press("enter")
        await until(pilot, lambda: "first" in list_text(app), "the rows")
        assert app.session.data == (tickets,)


async def test_a_path_is_completed_and_a_wrong_one_is_a_sentence(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o")
        await until(pilot, lambda: app.screen.query_one(OptionList).has_focus, "the list of files")
        field = app.screen.query_one(Input)
        await pilot.press(*"./nowhere.jsonl", "enter")
        fault = app.screen.query_one("#fault", Static)
        await until(pilot, lambda: "no such file" in text_of(fault), "the sentence")
        assert field.has_focus
        field.value = ""
        await pilot.press(*"tick")
        await until(pilot, lambda: "ets.jsonl" in text_of(field), "the completion")
        await pilot.press("tab")
        assert field.value == "tickets.jsonl"
        await pilot.press("escape")
        await pilot.pause()
        assert "first" in list_text(app), "escape leads back to what is open"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.jsonl", b"", "the file is empty"),
        ("pointer.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "Git LFS pointer"),
        ("bad.jsonl", b"{nothing here\n{is json\n", "none of the first 2 entries can be read"),
    ],
)
async def test_a_file_that_cannot_be_opened_gets_a_sentence(
    make_app: MakeApp, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    app = make_app(data=(path,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: words in " ".join(text_of(app.screen.query_one("#fault")).split()), "the sentence")
        assert app.session.data == ()


async def test_a_file_that_vanishes_while_it_is_open_breaks_nothing(make_app: MakeApp, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    for part in range(3):
        rows = "\n".join(chat(f"part {part} row {n}") for n in range(50))
        (folder / f"{part}.jsonl").write_text(rows + "\n")
    app = make_app(data=(folder,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: data_screen(app).rows_list.count == 150, "all shards")
        await pilot.press("end")
        await pilot.pause()
        shutil.rmtree(folder)
        screen = data_screen(app)
        assert screen._desk is not None
        screen._desk.rows.dataset.reader.release()
        await pilot.press("home", "down")
        await pilot.pause()
        assert "cannot be read any more" in sample_text(app)


async def test_a_file_that_grows_is_cut_short_or_goes_while_it_is_open_is_told(
    make_app: MakeApp, tickets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.data_desk._LOOK_EVERY", 0.02)
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        before = tickets.read_text()
        tickets.write_text(before + chat("one more") + "\n")
        await until(pilot, lambda: "tickets.jsonl has grown since it was opened: o opens it anew" in line(app), "more")
        await pilot.press("k")
        await until(pilot, lambda: "kept 1" in counts(app), "decisions are taken meanwhile")
        tickets.write_text(before[:40])
        await until(pilot, lambda: "tickets.jsonl is shorter since it was opened" in line(app), "less")
        await pilot.press("end")
        await pilot.pause()
        assert "fifth" in list_text(app) or "the file ends" in sample_text(app)
        tickets.unlink()
        await until(pilot, lambda: "tickets.jsonl is gone from its place" in line(app), "nothing")
        await pilot.press("home", "down")
        await pilot.pause()
        assert list_text(app).strip()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (110, 30), (160, 45)])
async def test_list_and_sample_fit_every_size(make_app: MakeApp, tickets: Path, size: tuple[int, int]) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        screen = data_screen(app)
        assert screen.rows_list.size.height >= 5
        assert screen.sample_view.text.size.height >= 4
        assert "first" in list_text(app)
        beside = screen.sample_view.region.x > screen.rows_list.region.x
        assert beside == (size[0] >= 110)
        await pilot.press("enter")
        await pilot.pause()
        assert screen.sample_view.text.has_focus
        assert screen.sample_view.size.width >= size[0] - 4
        await pilot.press("escape")
        await pilot.pause()
        assert screen.rows_list.has_focus


async def test_thinking_is_folded_until_its_key_which_the_footer_shows_only_where_it_works(
    make_app: MakeApp, tmp_path: Path
) -> None:
    path = tmp_path / "think.jsonl"
    path.write_text(
        chat("first", "<think>carry the one</think>\n```python\nreturn 7\n```") + "\n" + chat("second") + "\n"
    )
    app = make_app(data=(path,))
    async with app.run_test(size=(160, 45)) as pilot:
        await until(pilot, scanned(app), "the scan")
        assert "▸ thinking, 13 characters  carry the one…" in sample_text(app)
        assert "│   return 7" in sample_text(app)
        await pilot.press("z")
        await pilot.pause()
        assert "▾ thinking, 13 characters\n" in sample_text(app)
        assert "thinking" in text_of(app.screen.query_one(KeyBar))
        await pilot.press("down")
        await pilot.pause()
        assert "thinking" not in text_of(app.screen.query_one(KeyBar))


async def test_a_number_beyond_the_end_says_so_and_a_row_outside_the_list_is_found_in_all(
    make_app: MakeApp, tickets: Path
) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("g", "9", "9", "9", "enter")
        await until(pilot, lambda: "There is no row 999: the last one is 5." in line(app), "the sentence")
        await pilot.press("f", "g", "1", "enter")
        await until(pilot, lambda: "Row 1 is not in this list (flagged)" in line(app), "the sentence")
        assert "ALL 5" in text_of(app.screen.query_one("#counts"))
        assert "first" in sample_text(app)


async def test_rows_are_chosen_by_length_and_sorted_by_flags(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        assert Lengths.read(">=1,000", "tokens") == Lengths(1_000, None, "tokens")
        assert Lengths.read("<20", "characters") == Lengths(0, 19, "characters")
        assert Lengths.read("5 to 7", "characters") == Lengths(5, 7, "characters")
        assert Lengths.read("long", "characters") is None
        screen = data_screen(app)
        screen._by_length("characters", "1-10")
        await until(pilot, lambda: "1 row of 1 to 10 characters · esc lists all rows" in line(app), "the short row")
        assert "fifth" in list_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert screen._desk is not None
        screen._desk.finder.sort("most flags")
        await until(pilot, lambda: "most flags first" in counts(app), "the order")
        assert [row.split()[0] for row in list_text(app).splitlines()[1:3]] == ["5", "1"]


async def test_rows_of_one_file_are_listed(make_app: MakeApp, tickets: Path) -> None:
    other = tickets.with_name("other.jsonl")
    other.write_text(chat("sixth") + "\n" + chat("seventh") + "\n")
    app = make_app(data=(tickets, other))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        data_screen(app)._list_again("file: 1")
        await pilot.pause()
        assert [row.split()[-1] for row in list_text(app).splitlines() if row.strip()] == ["sixth", "seventh"]
        assert "FILE other.jsonl 2" in text_of(app.screen.query_one("#counts"))


async def test_bad_lines_show_the_way_back(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("b")
        await pilot.pause()
        assert "esc goes back" in str(data_screen(app).sample_view.border_subtitle)
        assert "back" in text_of(app.screen.query_one(KeyBar))
        await pilot.press("escape")
        await pilot.pause()
        assert "An answer." in sample_text(app)


async def test_a_long_row_is_copied_as_far_as_terminals_take_it_and_says_how_much(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUX", "/tmp/tmux,1,0")
    path = tmp_path / "long.jsonl"
    path.write_text(chat("first", "<think>hidden</think>" + "重" * 60_000) + "\n")
    app = make_app(data=(path,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("c")
        await pilot.pause()
        assert "Only the first 73.2 KiB sent to the clipboard" in line(app)
        assert "set-clipboard on" in line(app)
        assert "hidden" in app.clipboard, "what is folded is copied in full"
        assert 74_990 < len(app.clipboard.encode()) <= 74_994
        assert "�" not in app.clipboard


@pytest.mark.parametrize("status", ["running 41%  0:41:07", "running 41%  2 h 41 min  ends in 58 min"])
async def test_the_names_of_the_steps_stay_beside_a_long_state(make_app: MakeApp, tickets: Path, status: str) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        bar = app.screen.query_one(TopBar)
        bar.status = status
        await pilot.pause()
        assert "1 DATA  2 Recipe  3 Train  4 Evaluate  5 Export  6 Runs" in text_of(bar)
        assert text_of(bar).rstrip().endswith(status if len(status) < 22 else "running")
