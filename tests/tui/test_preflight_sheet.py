"""The preflight sheet: every line, stops first, and a key that goes to the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.recipe.recipe import put
from core.runs.preflight.table import LINES
from tests.kit.app_waiting import until
from tests.kit.recipe_screen import MakeApp, form, looked, screen, sound, workspace
from tui.recipe.sheet import PreflightSheet, SheetLines
from tui.widgets.check_list import ChecklistItem

__all__ = ["workspace"]


def _text(sheet: PreflightSheet) -> list[str]:
    menu = sheet.query_one(SheetLines)
    return [str(menu.get_option_at_index(place).prompt) for place in range(menu.option_count)]


@pytest.mark.parametrize("size", [(120, 40), (60, 20)])
async def test_the_sheet_has_every_line_and_enter_goes_to_the_field(
    make_app: MakeApp, workspace: Path, size: tuple[int, int]
) -> None:
    app = make_app("recipe", recipe=put(sound(workspace), "training.devices", "3"))
    async with app.run_test(size=size) as pilot:
        await looked(app, pilot)
        checks = screen(app)._checks
        await pilot.press("p")
        sheet = app.screen
        assert isinstance(sheet, PreflightSheet)
        lines = _text(sheet)
        assert lines[0] == "must be fixed"
        assert lines[1].split()[:2] == ["STOP", "device"]
        shown = "".join("".join(lines).split())  # a long path breaks anywhere
        assert all("".join(check.sentence.split()) in shown for check in checks)
        assert "1 stop" in str(sheet.query_one(SheetLines).border_title)
        assert not sheet.check_action("start", ()), "a run with a stop cannot be started from here"
        await pilot.press("enter")
        assert form(app).current.key == "training.devices"
        await pilot.press("p", "escape")
        assert app.screen is screen(app)


async def test_what_is_found_meanwhile_is_shown_and_the_cursor_stays(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", recipe=sound(workspace))
    async with app.run_test(size=(120, 40)) as pilot:
        await looked(app, pilot)
        await pilot.press("p", "j")
        sheet = app.screen
        assert isinstance(sheet, PreflightSheet)
        menu = sheet.query_one(SheetLines)
        at = sheet._rows[menu.highlighted or 0]
        found = ChecklistItem("stop", "org/x is gated.", "Model", "model.path", "hub", "model")
        sheet.show((*screen_checks(app), found))
        assert sheet._rows[menu.highlighted or 0] == at
        assert not sheet.check_action("start", ())
        sheet.show(screen_checks(app))
        assert sheet.check_action("start", ())
        await pilot.press("f5")
        await until(pilot, lambda: app.session.run is not None or not isinstance(app.screen, PreflightSheet), "a start")


def screen_checks(app: object) -> tuple[ChecklistItem, ...]:
    """Those of the recipe screen, under the sheet."""
    below = app.screen_stack[0]  # type: ignore[attr-defined]
    return below._checks  # type: ignore[no-any-return]


def test_every_line_has_a_heading_of_the_sheet_and_says_what_it_checks() -> None:
    assert len({line.name for line in LINES}) == len(LINES)
    for line in LINES:
        assert line.group in ("recipe", "data", "model", "run", "machine")
        assert line.meaning.endswith(".")
