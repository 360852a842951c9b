"""What the data screen opens, offers and refuses, and what happens to files that change while they are open."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from textual.widgets import Input, OptionList, Static

from core.dataset.mapping import ENCODING
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
from tui.data.mapping import MappingScreen
from tui.widgets.form import Form
from tui.widgets.key_bar import KeyBar


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
        ("bad.jsonl", b"{nothing here\n{is json\n", "none of the first 2 entries could be read"),
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
        await until(pilot, lambda: rows_list(app).count == 150, "all shards")
        await pilot.press("end")
        await pilot.pause()
        shutil.rmtree(folder)
        dataset(app).desk.rows.dataset.reader.release()
        await pilot.press("home", "down")
        await until(pilot, lambda: "can no longer be read" in sample_text(app), "the text")


async def test_a_file_that_grows_is_cut_short_or_goes_while_it_is_open_is_reported(
    make_app: MakeApp, tickets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.data.desk._LOOK_EVERY", 0.02)
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        before = tickets.read_text()
        tickets.write_text(before + chat("one more") + "\n")
        await until(pilot, lambda: "tickets.jsonl has grown" in line(app), "more")
        await pilot.press("a")
        await until(pilot, lambda: "kept 1" in counts(app), "decisions are taken meanwhile")
        tickets.write_text(before[:40])
        await until(pilot, lambda: "tickets.jsonl got shorter" in line(app), "less")
        await pilot.press("end")
        await until(pilot, lambda: "fifth" in list_text(app) or "the file ends" in sample_text(app), "the text")
        tickets.unlink()
        await until(pilot, lambda: "tickets.jsonl was moved or deleted" in line(app), "nothing")
        await pilot.press("home", "down")
        await pilot.pause()
        assert list_text(app).strip()


async def test_rows_of_one_file_are_listed(make_app: MakeApp, tickets: Path) -> None:
    other = tickets.with_name("other.jsonl")
    other.write_text(chat("sixth") + "\n" + chat("seventh") + "\n")
    app = make_app(data=(tickets, other))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await choose(pilot, "F", "file other.jsonl")
        assert [row.split()[-1] for row in list_text(app).splitlines() if row.strip()] == ["sixth", "seventh"]
        assert "FILE other.jsonl 2" in text_of(app.screen.query_one("#counts"))


async def test_bad_lines_show_the_way_back(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        await pilot.press("b")
        await pilot.pause()
        assert "esc back" in str(sample_view(app).border_subtitle)
        assert "back" in text_of(app.screen.query_one(KeyBar))
        await pilot.press("escape")
        await until(pilot, lambda: "An answer." in sample_text(app), "the text")


async def test_lines_in_a_windows_encoding_name_the_key_that_reads_them(make_app: MakeApp, tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_bytes("prompt,completion\ncaf\u00e9,na\u00efve\nhi,ok\n".encode("cp1252"))
    app = make_app(data=(path,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "cp1252" in line(app) and "press M" in line(app), "the way on")
        await pilot.press("b", "M")
        await until(pilot, lambda: isinstance(app.screen, MappingScreen), "the mapping")
        await until(pilot, lambda: app.screen.query_one(Form).current.key == ENCODING, "the field")
