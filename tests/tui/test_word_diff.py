"""Two texts beside each other: what differs is marked, not by colour alone, and lines that belong together stay so."""

from __future__ import annotations

from textual.app import App, ComposeResult

from tests.kit.data_screen import text_of
from tui.widgets.text_view import TextLine, plain
from tui.widgets.word_diff import WordDiff, compare


class OneDiff(App[None]):
    """The widget alone."""

    def compose(self) -> ComposeResult:
        yield WordDiff()

    @property
    def diff(self) -> WordDiff:
        return self.query_one(WordDiff)


def lines(*texts: str) -> list[TextLine]:
    return [plain(text) for text in texts]


FIRST = lines("user", "What  does the plan cost?", "assistant", *(f"Line {n}." for n in range(20)), "Bye")
SECOND = lines("user", "What does this plan cost?", "assistant", "Hello!", *(f"Line {n}." for n in range(20)), "Bye")


def test_white_space_is_not_compared_and_chinese_is_by_character() -> None:
    assert compare(lines("a  b", "c"), lines("a b c")).words == 0
    assert compare(lines("我喜欢红茶"), lines("我喜欢绿茶")).words == 1
    assert compare(lines("don't stop"), lines("dont stop")).words == 3
    assert compare([], lines("")).words == 0


async def test_two_columns_keep_lines_beside_each_other_that_belong_together() -> None:
    app = OneDiff()
    async with app.run_test(size=(100, 12)) as pilot:
        app.diff.show_pair(compare(FIRST, SECOND), ("row 3, stays", "row 17, may go"))
        await pilot.pause()
        shown = [" ".join(row.split()) for row in text_of(app.diff).splitlines()]
        assert shown[0] == "row 3, stays row 17, may go"
        assert shown[2] == "What does the plan cost? ≠ What does this plan cost?"
        assert "≠ Hello!" in shown
        assert "Line 0. │ Line 0." in shown
        assert any("identical lines" in row for row in shown)
        marked = [segment for segment in app.diff.render_line(2) if segment.style and segment.style.underline]
        assert [segment.text for segment in marked] == ["the", "this"], "underlined: it shows without colours"
        app.diff.toggle_whole()
        await pilot.pause()
        assert not any("identical lines" in row for row in text_of(app.diff).splitlines())


async def test_in_a_narrow_column_they_stand_below_each_other() -> None:
    app = OneDiff()
    async with app.run_test(size=(60, 12)) as pilot:
        app.diff.show_pair(compare(FIRST, SECOND), ("row 3, stays", "row 17, may go"))
        await pilot.pause()
        shown = [" ".join(row.split()) for row in text_of(app.diff).splitlines()]
        assert shown[0] == "− row 3, stays + row 17, may go"
        at = shown.index("− What does the plan cost?")
        assert shown[at + 1] == "+ What does this plan cost?"
        assert shown.index("assistant") > at
        assert shown.count("assistant") == 1
