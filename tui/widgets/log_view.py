"""The end of a log, followed or paused, bounded in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable

from rich.cells import cell_len

from core.clean import clean_line
from core.units import count
from tui.actions import Command, declare
from tui.charts.cells import Cells
from tui.charts.frame import draw_frame
from tui.widgets.painted import Painted

LINES = 5_000
"""Lines that are kept; the file has them all."""

WIDEST = 1_000
"""Characters that are kept of a line."""


class LogView(Painted, can_focus=True):
    """Lines as they come, cleaned. It follows the end until the user scrolls up, and again from the end on."""

    PREFIX = "log"

    COMPONENT_CLASSES = {"log--text", "log--frame", "log--title", "log--value", "log--empty", "log--match"}
    """
    | Class | Description |
    | :- | :- |
    | `log--text`, `log--empty` | The lines; the sentence where there are none. |
    | `log--match` | Lines that hold what is searched for; the one that was gone to has a mark before it. |
    | `log--frame`, `log--title`, `log--value` | The frame, its title, and what it says about following. |
    """

    DEFAULT_CSS = """
    LogView {
        height: 1fr;
        min-height: 4;
        & > .log--text { color: $foreground; }
        & > .log--empty { color: $text-muted; }
        & > .log--match { color: $foreground; text-style: bold; }
        & > .log--frame { color: $border; }
        & > .log--title { color: $foreground; text-style: bold; }
        & > .log--value { color: $text-muted; }
        &:focus > .log--frame { color: $accent; }
    }
    """

    BINDINGS = declare(
        "log",
        Command("log.scroll_up", "up,k", "scroll(-1)", "up", "Scroll up one line and stop following.", shared="up"),
        Command("log.scroll_down", "down,j", "scroll(1)", "down", "Scroll down one line.", shared="down"),
        Command("log.page_up", "pageup,backspace", "page(-1)", "page up", "Scroll up one page."),
        Command("log.page_down", "pagedown,space", "page(1)", "page down", "Scroll down one page."),
        Command(
            "log.scroll_left",
            "less_than_sign",
            "aside(-1)",
            "scroll left",
            "Scroll left in long lines.",
            0,
            "<",
        ),
        Command(
            "log.scroll_right",
            "greater_than_sign",
            "aside(1)",
            "scroll right",
            "Scroll right in long lines.",
            0,
            ">",
        ),
        Command(
            "log.first_line",
            "home,g",
            "scroll(-1000000)",
            "oldest",
            "Go to the oldest line.",
            shared="first",
        ),
        Command(
            "log.last_line",
            "end,G",
            "scroll(1000000)",
            "end",
            "Go to the newest line and follow the log.",
            shared="last",
        ),
        Command(
            "log.previous_match",
            "N",
            "match(-1)",
            "previous hit",
            "Go to the previous hit.",
            shared="previous hit",
        ),
        Command(
            "log.next_match",
            "n",
            "match(1)",
            "next hit",
            "Go to the next hit.",
            shared="next hit",
        ),
    )

    def __init__(
        self,
        *,
        title: str = "log",
        empty: str = "nothing has been written yet",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        """Make an empty log.

        Args:
            title: what the lines are.
            empty: the words shown while there is no line.
            name: the widget's name.
            id: the widget's id.
            classes: CSS classes.
            disabled: whether the widget is disabled.
        """
        super().__init__(name=name, id=id, classes=classes, disabled=disabled)
        self._title, self._empty = title, empty
        self._going = True
        self._lines: deque[str] = deque(maxlen=LINES)
        self._above = 0
        self._top: int | None = None
        self._wanted = ""
        self._match: int | None = None
        self._hit = ""
        self._left = 0

    @property
    def following(self) -> bool:
        """Whether the newest line is shown as it comes."""
        return self._top is None

    @property
    def lines(self) -> list[str]:
        """The lines that are kept, cleaned."""
        return list(self._lines)

    def set_going(self, going: bool) -> None:
        """Say whether more lines may come; there is nothing to follow otherwise."""
        if going != self._going:
            self._going = going
            self.repaint()

    def clear(self) -> None:
        """Forget everything: another log follows."""
        self._lines.clear()
        self._above, self._top, self._match, self._left = 0, None, None, 0
        self.repaint()

    def extend(self, lines: Iterable[str]) -> None:
        """Add lines as they were read; they are cleaned and cut here."""
        added = [clean_line(line, WIDEST) for line in lines]
        if added:
            self._above += max(0, len(self._lines) + len(added) - LINES)
            self._lines.extend(added)
            self.repaint()

    def search(self, wanted: str) -> int:
        """Search, whatever the letters' case, and go to the newest line that holds it.

        Args:
            wanted: what to search for; "" ends the search.

        Returns:
            How many of the lines that are kept hold it.
        """
        self._wanted, self._match, self._hit = wanted.lower(), None, ""
        found = sum(map(self._holds, self._lines)) if wanted else 0
        if found:
            self.action_match(-1)
        else:
            self.repaint()
        return found

    def action_match(self, direction: int) -> None:
        """Go to the next line, up or down, that holds what is searched for; after the last one, to the first."""
        lines = list(self._lines)
        hits = [at for at, line in enumerate(lines) if self._holds(line)]
        if not hits:
            return
        here = len(lines) if self._match is None else self._match - self._above
        if direction > 0:
            number = bisect_right(hits, here) % len(hits)
        else:
            number = (bisect_left(hits, here) or len(hits)) - 1
        page = max(1, self.size.height - 2)
        self._match = hits[number] + self._above
        self._hit = f" {number + 1} of {count(len(hits))}"
        self._top = min(max(hits[number] - page // 2, 0), max(0, len(lines) - page)) + self._above
        self.repaint()

    def _holds(self, line: str) -> bool:
        return bool(self._wanted) and self._wanted in line.lower()

    def action_scroll(self, lines: int) -> None:
        """Scroll; at the end the log is followed again."""
        page = max(1, self.size.height - 2)
        last = max(0, len(self._lines) - page)
        top = last if self._top is None else max(0, self._top - self._above)
        top = min(max(top + lines, 0), last)
        self._top = None if top >= last else top + self._above
        self.repaint()

    def action_page(self, pages: int) -> None:
        """Scroll by pages, less a line for the eye to hold on to."""
        self.action_scroll(pages * max(1, self.size.height - 3))

    def action_aside(self, direction: int) -> None:
        """Move half a width aside, as far as a visible line continues."""
        width = max(2, self.size.width - 4)
        top, page = self._first, max(1, self.size.height - 2)
        longest = max((cell_len(line) for line in list(self._lines)[top : top + page]), default=0)
        if direction < 0 or longest - self._left > width:
            self._left = max(0, self._left + direction * (width // 2))
            self.repaint()

    @property
    def _first(self) -> int:
        """The place of the first visible line among those that are kept."""
        last = max(0, len(self._lines) - max(0, self.size.height - 2))
        return last if self._top is None else min(max(0, self._top - self._above), last)

    def paint(self, cells: Cells) -> None:
        """The visible lines within a frame."""
        page = max(0, cells.height - 2)
        total = len(self._lines)
        top = self._first
        state = "following" if self._going else "complete"
        if not self.following:
            below = f"{count(max(0, total - page) - top)} more below"
            state = f"paused, {below} (end: follow)" if self._going else f"{below} (end)"
        visible = [self._lines[at] for at in range(top, min(top + page, total))]
        if any(cell_len(line) - self._left > cells.width - 4 for line in visible):
            state = f"(>: scroll right)  {state}"
        if self._left:
            state = f"from column {count(self._left + 1)} (<: scroll left)  {state}"
        title = f"{self._title}: {self._wanted}{self._hit}" if self._wanted else self._title
        draw_frame(cells, self.glyphs, title=clean_line(title, 40), values=[(state, "value")])
        if not total:
            cells.put(2, 1, self._empty, "empty", end=cells.width - 1)
            return
        for row in range(min(page, total - top)):
            line = self._lines[top + row]
            style = "match" if self._holds(line) else "text"
            # A line that begins before the first column shows its rest; a longer one says so.
            cells.put(2 - self._left, 1 + row, line, style, end=cells.width - 2)
            cells.put(0, 1 + row, self.glyphs.frame[5] + " ", "frame")
            if cell_len(line) - self._left > cells.width - 4:
                cells.put(cells.width - 2, 1 + row, self.glyphs.cut, "value")
            if self._match is not None and top + row == self._match - self._above:
                cells.put(1, 1 + row, ">", "match")
