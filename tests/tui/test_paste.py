"""Pasted text in the app: cleaned before a field gets it, and nothing where there is no field."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Key, Paste

from core.dataset.audit.store import read_ledger
from tests.kit.app_waiting import until
from tests.kit.data_screen import MakeApp, line, rows_list, scanned
from tui.widgets.path_input import PathInput

PASTED = "col\x1b[0mour\x9b\u202e dq\r\nsecond line"
CLEANED = "col[0mour dq"


async def test_outside_fields_a_paste_does_nothing(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        before = line(app)
        app.post_message(Paste(PASTED))
        await pilot.pause()
        assert line(app) == before
        assert rows_list(app).cursor == 0
        assert read_ledger(tickets.parent).standings() == {}


async def test_a_typed_line_takes_cleaned_text(make_app: MakeApp, tickets: Path) -> None:
    app = make_app(data=(tickets,))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, scanned(app), "the scan")
        for event in (Key("c", "c"), Paste(PASTED), Key("enter", "\r")):
            app.post_message(event)
        await until(pilot, lambda: bool(read_ledger(tickets.parent).standings()), "the note")
        assert [each.note for each in read_ledger(tickets.parent).standings().values()] == [CLEANED]


@pytest.mark.parametrize("focused", [False, True], ids=["the list of files", "the field"])
async def test_the_file_picker_takes_cleaned_text(make_app: MakeApp, tickets: Path, focused: bool) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: bool(app.screen.query(PathInput)), "the picker")
        field = app.screen.query_one(PathInput)
        if focused:
            field.focus()
            await pilot.pause()
        app.post_message(Paste(PASTED))
        await until(pilot, lambda: field.value == CLEANED, "the path")


async def test_a_field_of_the_recipe_takes_cleaned_text(make_app: MakeApp) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: bool(app.screen.query("Form")), "the form")
        await pilot.pause()
        app.post_message(Paste(PASTED))
        await until(pilot, lambda: CLEANED in "\n".join(s.text for s in app.screen._compositor.render_strips()), "it")
