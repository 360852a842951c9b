"""The page before the form: shown once, answered by keys, skipped by esc."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from core.runs.advice.kept import read_kept
from core.runs.advice.questions import Answers
from tests.kit.app_waiting import until
from tui.app import TunedeckApp
from tui.recipe.advice import AdvicePage
from tui.recipe.screen import RecipeScreen

MakeApp = Callable[..., TunedeckApp]


def _data(folder: Path) -> Path:
    path = folder / "tickets.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": f"q{n} {n * n}"}, {"role": "assistant", "content": f"answer {n}"}]}
        for n in range(30)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _outcome(app: TunedeckApp) -> str:
    return app.screen.query_one("#outcome Static", Static).render().plain  # type: ignore[union-attr]


async def _counted(app: TunedeckApp, pilot: Pilot[int]) -> None:
    await until(pilot, lambda: isinstance(app.screen, AdvicePage) and "held out" in _outcome(app), "the dataset")


async def test_the_questions_come_once_before_an_empty_form_and_their_answers_are_kept(
    make_app: MakeApp, tmp_path: Path
) -> None:
    app = make_app("recipe", data=(_data(tmp_path),))
    async with app.run_test(size=(80, 24)) as pilot:
        await _counted(app, pilot)
        await pilot.press("enter", "down", "enter", "enter")  # behavior; style and not style
        await pilot.press("tab", "tab", "down", "enter")  # not good enough
        assert "Not yet" in _outcome(app)
        assert "70 more" in _outcome(app)
        options = app.screen.query_one(OptionList)
        assert options.get_option_at_index(options.highlighted or 0).id == "limits:cost", "the next question"
        await pilot.press("tab", "tab", "tab", "shift+tab", "shift+tab")
        assert options.get_option_at_index(options.highlighted or 0).id is not None
        await pilot.press("escape")
        assert isinstance(app.screen, RecipeScreen)
        assert read_kept(tmp_path) == Answers(goals=("behavior",), prompt="not_enough")
    again = make_app("recipe", data=(tmp_path / "tickets.jsonl",))
    async with again.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert isinstance(again.screen, RecipeScreen)
        await pilot.press("ctrl+g")
        await _counted(again, pilot)
        assert "not good enough" in _outcome(again)


async def test_a_recipe_that_was_begun_is_not_interrupted(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app("recipe")
    async with app.run_test() as pilot:
        await pilot.pause()
        assert isinstance(app.screen, RecipeScreen)
        await pilot.press("ctrl+g")
        assert "No dataset" in _outcome(app)
        await pilot.press("escape")
        assert isinstance(app.screen, RecipeScreen)
