"""The memory panel of the recipe screen: estimate, exact and measured figures, and the menu of changes."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from core.recipe.recipe import Recipe, put
from core.runs.exact_memory import ExactMemory, MeasuredPeak, keep_exact, keep_measured
from tests.kit.app_waiting import until
from tests.kit.recipe_screen import MakeApp, line, looked, screen, sound, workspace
from tui.app import TunedeckApp
from tui.widgets.filter_menu import FilterMenu
from tui.widgets.memory_bar import MemoryBar

__all__ = ["workspace"]

_TIB = 2**40


def _title(app: TunedeckApp) -> str:
    return str(screen(app).query_one("#memory").border_title)


def _words(app: TunedeckApp) -> str:
    rendered = screen(app).query_one(MemoryBar).render()
    return getattr(rendered, "plain", str(rendered))


def _entries(app: TunedeckApp) -> str:
    assert isinstance(app.screen, FilterMenu)
    options = app.screen.query_one(OptionList)
    shown = [str(options.get_option_at_index(place).prompt) for place in range(options.option_count)]
    return "\n".join(shown) + "\n" + str(app.screen.query_one("#note", Static).render())


async def _open(app: TunedeckApp, pilot: Pilot[int], recipe: Recipe) -> None:
    app.session.recipe = recipe
    await pilot.press("1", "2")
    await looked(app, pilot)


async def test_what_does_not_fit_offers_changes_with_their_figures_and_applies_one(
    make_app: MakeApp, workspace: Path
) -> None:
    app = make_app("recipe", workspace=workspace)
    async with app.run_test(size=(120, 40)) as pilot:
        await _open(app, pilot, put(sound(workspace), "training.batch_size", 2**26))
        assert "DOES NOT FIT" in _title(app)
        assert "too much" in _words(app)
        await pilot.press("m")
        entries = _entries(app)
        assert "Batch size" in entries
        assert "GiB" in entries
        assert "Does not fit" in entries
        assert "activations" in entries, "part by part"
        await pilot.press("enter")
        now = app.session.recipe.training
        assert now.batch_size < 2**26
        assert now.batch_size * now.gradient_accumulation == 4 * 2**26
        assert "Batch size" in line(app)
        await pilot.press("u")
        assert app.session.recipe.training.batch_size == 2**26


async def test_a_figure_says_whether_it_is_estimated_exact_or_measured(make_app: MakeApp, workspace: Path) -> None:
    app = make_app("recipe", workspace=workspace)
    async with app.run_test(size=(120, 40)) as pilot:
        await _open(app, pilot, sound(workspace))
        assert "~" in _title(app)
        assert "Estimated" in _words(app)
        known = screen(app)._facts.known
        assert known is not None
        keep_exact(workspace, known.key, ExactMemory(2 * _TIB, _TIB))
        screen(app)._look()
        await until(pilot, lambda: "DOES NOT FIT" in _title(app), "the exact figure")
        assert "~" not in _title(app)
        assert "Exact" in _words(app)
        peak = MeasuredPeak("the-night", 1.25 * 2**30, known.fast.total, 64)
        keep_measured(workspace, sound(workspace), "cpu", "CPU", peak)
        screen(app)._look()
        await until(pilot, lambda: "1.25" in _title(app), "the measured figure")
        assert "the-night" in _words(app)


async def test_the_figure_follows_what_is_typed_before_anything_is_looked_up(
    make_app: MakeApp, workspace: Path
) -> None:
    app = make_app("recipe", workspace=workspace)
    async with app.run_test(size=(120, 40)) as pilot:
        await _open(app, pilot, sound(workspace))
        facts = screen(app)._facts
        larger = facts.while_typing(put(sound(workspace), "training.batch_size", 4096))
        assert larger.need > facts.need
        assert larger.known is None
        assert facts.while_typing(sound(workspace)) is facts


async def test_an_exact_figure_that_cannot_be_had_says_why(make_app: MakeApp, workspace: Path) -> None:
    """The worker of these tests ends at once."""
    app = make_app("recipe", workspace=workspace)
    async with app.run_test(size=(120, 40)) as pilot:
        await _open(app, pilot, sound(workspace))
        await pilot.press("m")
        assert "exact figure" in _entries(app)
        await pilot.press("enter")
        await until(pilot, lambda: "service ended" in _words(app), "the reason")
