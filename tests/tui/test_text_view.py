"""Long texts: shown at once, wrapped lazily, whole in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from tests.kit.app_waiting import until
from tui.widgets.text_view import TextLine, TextView, plain


class Harness(App[None]):
    CSS = "TextView { width: 100%; height: 100%; }"

    def compose(self) -> ComposeResult:
        yield TextView()

    @property
    def view(self) -> TextView:
        return self.query_one(TextView)

    def shown(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.view.render_lines(Region(0, 0, *self.view.size))]


async def test_lines_are_wrapped_at_the_width_with_their_indent() -> None:
    app = Harness()
    async with app.run_test(size=(13, 5)) as pilot:
        app.view.show(lambda: [plain("user", "heading"), plain("aa bb cc dd ee", indent=2)])
        await pilot.pause()
        assert app.shown()[:3] == ["user", "  aa bb cc", "  dd ee"]


async def test_a_new_width_wraps_again_with_the_same_line_on_top() -> None:
    app = Harness()
    async with app.run_test(size=(40, 10)) as pilot:
        app.view.show(lambda: [plain(f"line {n} " + "word " * 20) for n in range(50)])
        await pilot.pause()
        while not app.shown()[0].startswith("line 7 "):
            await pilot.press("down")
        await pilot.resize_terminal(60, 10)
        await pilot.pause()
        assert app.shown()[0].startswith("line 7 ")


async def test_a_megabyte_on_one_line_is_readable_to_its_end() -> None:
    app = Harness()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.show(lambda: [plain("你好 hello " * 100_000 + "THE END")])
        assert not app.view.complete
        assert app.shown()[0].startswith("你好 hello")
        await pilot.press("end")
        await until(pilot, lambda: app.view.complete, "the whole text")
        assert app.shown()[-1].endswith("THE END")


async def test_lines_are_taken_from_their_source_only_as_far_as_needed() -> None:
    taken = 0

    def lines() -> Iterator[TextLine]:
        nonlocal taken
        for n in range(10_000_000):
            taken += 1
            yield plain(f"line {n}")

    app = Harness()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.show(lines)
        assert taken < 2_000_000
        app.view.show(lambda: [plain("short")])
        await pilot.pause()
        assert app.shown()[0] == "short"
        assert app.view.complete


async def test_a_bar_stands_beside_every_line_that_its_line_wraps_into() -> None:
    app = Harness()
    async with app.run_test(size=(20, 5)) as pilot:
        app.view.show(lambda: [TextLine((("one two three four five", "trained"),), indent=2, bar="▌")])
        await pilot.pause()
        assert app.shown()[:2] == ["▌ one two three", "▌ four five"]


async def test_a_wish_for_the_end_outlives_a_change_of_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter gives the row the whole screen, end is pressed at once: the resize came after and lost the wish."""
    monkeypatch.setattr("tui.widgets.text_view._FIRST_SLICE", 0.0)  # the end is not reached before the resize
    monkeypatch.setattr("tui.widgets.text_view._SLICE", 0.008)
    app = Harness()
    async with app.run_test(size=(80, 24)) as pilot:
        app.view.show(lambda: [plain("word " * 200_000 + "THE END")])
        app.view.action_to_end()
        await pilot.resize_terminal(60, 24)
        await until(pilot, lambda: app.view.complete, "the whole text")
        assert app.shown()[-1].endswith("THE END")


async def test_a_new_width_keeps_the_place_within_one_long_line() -> None:
    app = Harness()
    async with app.run_test(size=(40, 10)) as pilot:
        app.view.show(lambda: [plain(" ".join(f"w{n}" for n in range(20_000)))])
        await pilot.pause()
        app.view.scroll_to(y=1_000, animate=False)
        await pilot.pause()
        first = app.shown()[0].split()[0]
        await pilot.resize_terminal(70, 10)
        await pilot.pause()
        assert first in app.shown()[0].split()


async def test_a_busy_machine_does_not_keep_the_rest_of_a_text_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has to wait between two lines of code misses times of a few milliseconds."""
    now = count(step=0.01)
    app = Harness()
    async with app.run_test(size=(80, 24)) as pilot:
        monkeypatch.setattr("textual.timer._time.get_time", lambda: next(now))
        app.view.show(lambda: [plain("你好 hello " * 20_000 + "THE END")])
        await pilot.press("end")
        async with asyncio.timeout(20):
            while not app.view.complete:
                await asyncio.sleep(0)
        monkeypatch.undo()
        await pilot.pause()
        assert app.shown()[-1].endswith("THE END")


def hits(app: Harness) -> list[str]:
    """The marked pieces in view."""
    strips = app.view.render_lines(Region(0, 0, *app.view.size))
    return [part.text for strip in strips for part in strip if part.style is not None and part.style.reverse]


async def test_hits_are_marked_across_a_wrap_and_gone_to_in_both_directions() -> None:
    lines = [plain(f"line {n} " + ("a needle here" if n % 30 == 29 else "straw " * 3)) for n in range(100)]
    app = Harness()
    async with app.run_test(size=(20, 10)) as pilot:
        app.view.mark_hits("needle")
        app.view.show(lambda: [plain("what a long nee" + "dle in it", indent=1), *lines])
        await pilot.pause()
        assert "".join(hits(app)) == "needle"
        assert app.view.go_to_hit(1, restart=True)
        assert app.view.scroll_offset.y == 0, "it is in view"
        assert app.view.go_to_hit(1)
        await pilot.pause()
        assert any("line 29" in row for row in app.shown())
        assert "needle" in hits(app)
        assert app.view.go_to_hit(1)
        assert app.view.go_to_hit(1)
        await pilot.pause()
        assert any("line 89" in row for row in app.shown())
        assert not app.view.go_to_hit(1), "there is no further one"
        assert app.view.go_to_hit(-1)
        await pilot.pause()
        assert any("line 59" in row for row in app.shown())
        app.view.show(lambda: lines)
        assert app.view.go_to_hit(-1, restart=True)
        await pilot.pause()
        assert any("line 89" in row for row in app.shown()), "the last one"
        app.view.mark_hits("")
        assert hits(app) == []
        assert not app.view.go_to_hit(1)
