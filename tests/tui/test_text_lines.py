"""Facts and lines: wrapped or cut, in place while values change."""

from __future__ import annotations

from tests.kit.one_widget import OneWidget, Sent, text_of
from tui.widgets.facts import Fact, FactLines
from tui.widgets.text_lines import TextLines


async def test_long_lines_wrap_at_spaces_and_take_the_rows_they_need() -> None:
    lines = TextLines()
    async with OneWidget(lines).run_test(size=(20, 10)) as pilot:
        lines.show([[("failed ", "error"), ("the loss was not finite", "text")], [("next", "muted")]])
        await pilot.pause()
        assert [row.rstrip() for row in text_of(lines)] == ["failed the loss was", "not finite", "next"]


async def test_lines_that_do_not_wrap_say_that_they_are_cut() -> None:
    lines = TextLines(wrap=False)
    async with OneWidget(lines).run_test(size=(10, 10)) as pilot:
        lines.show([[("0123456789", "text")], [("0123456789a", "text")]])
        await pilot.pause()
        assert text_of(lines) == ["0123456789", "012345678…"]


async def test_a_value_that_changes_moves_nothing_beside_it() -> None:
    facts = FactLines()
    async with OneWidget(facts).run_test(size=(80, 4)) as pilot:
        facts.show([Fact("eta", "ends in", "1 min 05 s"), Fact("elapsed", "elapsed", "0:00:41")])
        await pilot.pause()
        place = text_of(facts)[0].index("elapsed")
        sent = Sent(facts)
        facts.show([Fact("eta", "ends in", "59 s"), Fact("elapsed", "elapsed", "0:00:42")])
        assert text_of(facts)[0].index("elapsed") == place
        assert sent.cells <= 16


async def test_facts_flow_into_more_rows_where_it_is_narrow() -> None:
    facts = FactLines()
    async with OneWidget(facts).run_test(size=(30, 6)) as pilot:
        facts.show([Fact(str(n), "label", "12345678") for n in range(3)])
        await pilot.pause()
        assert len(text_of(facts)) == 3
        assert all("12345678" in row for row in text_of(facts))


async def test_lines_that_come_back_after_there_were_none_are_drawn() -> None:
    """The verdict of another run once stayed blank: the empty row of the moment before came back with its size."""
    lines = TextLines()
    async with OneWidget(lines).run_test(size=(20, 10)) as pilot:
        lines.show([[("first", "text")]])
        await pilot.pause()
        lines.show([])
        await pilot.pause()
        assert lines.size.height == 0
        lines.show([[("second", "text")]])
        await pilot.pause()
        assert [row.rstrip() for row in text_of(lines)] == ["second"]
