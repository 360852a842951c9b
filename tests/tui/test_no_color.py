"""NO_COLOR: nothing is sent in a colour, and what matters is still to be seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.widgets import OptionList

from tui.app import TunedeckApp
from tui.widgets.choice_menu import ChoiceMenu
from tui.widgets.key_bar import KeyBar


async def test_no_color_is_sent_and_text_is_never_drawn_in_its_own_background(
    make_app: Callable[..., TunedeckApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Textual's grey filter once turned the terminal's default colours into black on black."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app("recipe")
    async with app.run_test() as pilot:
        await pilot.pause()
        segments = [Segment("text", Style.parse("red on blue bold"))]
        for each in app.get_line_filters():
            segments = each.apply(segments, app.screen.background_colors[1])
        style = segments[0].style
        assert style is not None
        assert style.bold
        assert style.color is None or style.color.is_default
        assert style.bgcolor is None or style.bgcolor.is_default


async def test_the_footer_names_the_key_that_works_while_a_field_has_the_focus(
    make_app: Callable[..., TunedeckApp],
) -> None:
    app = make_app("recipe")
    async with app.run_test(size=(160, 24)) as pilot:
        footer = app.screen.query_one(KeyBar)
        assert " q quit" in footer.render().plain
        await pilot.press("g", "enter")  # into the first field, a text
        assert " q quit" not in footer.render().plain
        assert "ctrl+q quit" in footer.render().plain


async def test_without_colors_the_cursor_of_a_menu_is_seen(
    make_app: Callable[..., TunedeckApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was drawn in reverse by the style sheet, which Textual does not apply to the lines of a list."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app("recipe")
    async with app.run_test() as pilot:
        await app.push_screen(ChoiceMenu("which", [("one", "first"), ("two", "second")]))
        await pilot.pause()
        menu = app.screen.query_one(OptionList)
        cursor, other = ([segment.style for segment in menu.render_line(y) if segment.text.strip()] for y in (0, 1))
        assert all(style is not None and style.underline for style in cursor)
        assert not any(style is not None and style.underline for style in other)
