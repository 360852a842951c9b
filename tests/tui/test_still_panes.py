"""A title or a line that changes while rows are counted draws no more of the screen anew than itself."""

from __future__ import annotations

from typing import Any

from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.strip import Strip
from textual.widgets import Static

from tui.terminal.still import StillText
from tui.widgets.titled_pane import TitledPane


class Drawn(Static):
    """Counts how often it is drawn."""

    times = 0

    def render_line(self, y: int) -> Strip:
        """Note it."""
        self.times += 1
        return super().render_line(y)


class Panes(App[None]):
    """A pane around a text that does not change."""

    CSS = (
        "TitledPane { border: round red; height: 5; width: 30; } StillText { height: auto; max-height: 3; width: 20; }"
    )

    def compose(self) -> ComposeResult:
        """The pane, and a line below it."""
        with Vertical():
            yield TitledPane(Drawn("what is listed"), id="pane")
            yield StillText(id="line")
            yield Static("below", id="below")

    def rows(self) -> list[str]:
        """What is on the screen."""
        return ["".join(segment.text for segment in strip) for strip in self.screen._compositor.render_strips()]


async def test_a_new_title_is_shown_without_drawing_what_the_pane_holds() -> None:
    app = Panes()
    async with app.run_test(size=(40, 12)) as pilot:
        pane, drawn = app.query_one(TitledPane), app.query_one(Drawn)
        pane.retitle(Content("40 samples"))
        await pilot.pause()
        assert " 40 samples " in app.rows()[0]
        before = drawn.times
        pane.retitle(Content("9,001 [samples]"))
        await pilot.pause()
        assert " 9,001 [samples] " in app.rows()[0], "nothing in a title is markup"
        assert drawn.times == before
        pane.resubtitle(Content("412 tokens"))
        await pilot.pause()
        assert " 412 tokens " in app.rows()[4]
        assert drawn.times == before
        pane.refresh()
        await pilot.pause()
        assert app.rows()[1].startswith("│what is listed"), "any other change draws all of it"


async def test_a_line_of_another_height_moves_what_is_below_and_no_other_lays_the_screen_out() -> None:
    app = Panes()
    async with app.run_test(size=(40, 12)) as pilot:
        line = app.query_one(StillText)
        layouts: list[bool] = []
        refresh = line.refresh

        def noted(*regions: Any, **options: Any) -> Any:
            layouts.append(bool(options.get("layout")))
            return refresh(*regions, **options)

        line.say("scanned 10")
        await pilot.pause()
        line.refresh = noted  # type: ignore[method-assign]
        line.say("scanned 20")
        await pilot.pause()
        assert layouts == [False]
        assert [row.strip() for row in app.rows()[5:7]] == ["scanned 20", "below"]
        line.say("scanned 30, and there are two bad lines")
        await pilot.pause()
        assert layouts[1]
        assert [row.strip() for row in app.rows()[5:8]] == ["scanned 30, and", "there are two bad", "lines"]
        assert app.rows()[8].strip() == "below"
        del layouts[:]
        line.say("scanned 30, and there are two bad lines")
        assert not layouts, "it says that already"
