"""Recipe and data of the run that is shown, by one key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.unit.test_run_details import made_run
from tui.app import TunedeckApp
from tui.run_details.screen import RunDetailsScreen
from tui.widgets.text_view import TextView


async def test_i_shows_recipe_and_data_of_the_run_and_esc_goes_back(
    make_app: Callable[..., TunedeckApp], tmp_path: Path
) -> None:
    app = make_app("train", run=made_run(tmp_path).path)
    async with app.run_test(size=(80, 24)) as pilot:
        train = app.screen
        await pilot.press("i")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert isinstance(app.screen, RunDetailsScreen)
        view = app.screen.query_one(TextView)
        assert "training.learning_rate" in "\n".join(view.render_line(y).text for y in range(10))
        top = view.scroll_offset.y
        await pilot.press("slash", *"weight_decay", "enter")
        await pilot.pause()
        assert view.scroll_offset.y > top
        assert any("weight_decay" in view.render_line(y).text for y in range(view.size.height))
        await pilot.press("escape")
        assert app.screen is not train, "esc ends the search first"
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is train
