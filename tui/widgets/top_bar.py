"""The header line: where you are in the walk and whether something runs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from textual.events import Click
from textual.message import Message
from textual.reactive import reactive

from core.clean import clean_line
from tui.charts.cells import Cells
from tui.widgets.painted import Painted

_NAME = " tunedeck "


class TopBar(Painted):
    """One line: the program, what is open, the steps of the walk, the state of the run. A click on a step opens it."""

    class StepClicked(Message):
        """A step was clicked.

        Attributes:
            title: of the step.
        """

        def __init__(self, title: str) -> None:
            super().__init__()
            self.title = title

    PREFIX = "top-bar"

    COMPONENT_CLASSES = {
        "top-bar--text",
        "top-bar--name",
        "top-bar--subject",
        "top-bar--current",
        "top-bar--status",
    }
    """
    | Class | Description |
    | :- | :- |
    | `top-bar--name`, `top-bar--subject` | The program; what is open. |
    | `top-bar--current` | The step that is on the screen. |
    | `top-bar--status` | The state of the run. |
    """

    DEFAULT_CSS = """
    TopBar {
        dock: top; height: 1; background: $panel; color: $foreground;
        & > .top-bar--text { color: $foreground; }
        & > .top-bar--name { color: $accent; text-style: bold; }
        & > .top-bar--subject { color: $text-muted; }
        & > .top-bar--current { color: $foreground; text-style: bold reverse; }
        & > .top-bar--status { color: $foreground; text-style: bold; }
    }
    """

    subject: reactive[str] = reactive("", repaint=False)
    """What is open: a file, a run, a folder."""
    status: reactive[str] = reactive("", repaint=False)
    """The state of the run in a few words, at the right edge."""

    def __init__(
        self,
        steps: Sequence[tuple[str, str]],
        current: str,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Make the bar.

        Args:
            steps: key and title of each step, in order.
            current: the title of the step that is on the screen, shown in capitals.
            name: the widget's name.
            id: the widget's id.
            classes: CSS classes.
        """
        super().__init__(name=name, id=id, classes=classes)
        self._steps = list(steps)
        self._current = current
        self._laid: tuple[tuple[int, str, tuple[int, int, int]], Cells, int] | None = None
        self._ends: list[int] = []
        """The first column of the first step, and that after each."""

    def watch_subject(self) -> None:
        """Show what is open now."""
        self.repaint()

    def watch_status(self) -> None:
        """Show the new state of the run."""
        self.repaint()

    def on_click(self, event: Click) -> None:
        """Say which step was clicked, if any."""
        event.stop()
        number = bisect_right(self._ends, event.x) - 1
        if 0 <= number < len(self._steps):
            self.post_message(self.StepClicked(self._steps[number][1]))

    def paint(self, cells: Cells) -> None:
        """The line for the present width.

        The names of the steps stay as long as they can: first the subject goes, then the program's name, then the
        run's steps, then all of its state but the first word; only after that are the other steps their digits alone.
        """
        whole = f" {self.status} " if self.status else ""
        short = f" {self.status.split()[0]} " if self.status else ""
        clock = self.status.split("  ")[1:]
        timed = f"{short} {clock[0]} " if len(clock) == 1 else short
        lengths = len(whole), len(timed), len(short)
        if self._laid is None or self._laid[0] != (cells.width, self.subject, lengths):
            ground, chosen = self._lay(cells.width, (whole, timed, short))
            self._laid = ((cells.width, self.subject, lengths), ground, chosen)
        cells.share(self._laid[1])
        status = (whole, timed, short, "")[self._laid[2]]
        cells.put(cells.width - len(status), 0, status, "status")

    def _lay(self, width: int, states: tuple[str, str, str]) -> tuple[Cells, int]:
        """All but the state, and which of its forms there is room for, if any: a clock moves nothing as it ticks."""
        whole, timed, short = states
        subject = clean_line(self.subject, 200)
        cells = Cells(width, 1)
        named, digits = self._parts(brief=False), self._parts(brief=True)
        ways = (
            (_NAME, named, whole),
            *(("", named, words) for words in (whole, timed, short)),
            (_NAME, digits, whole),
        )
        name, steps, status = next((way for way in ways if _width(*way) <= width), ("", digits, short))
        x = cells.put(0, 0, name, "name")
        room = width - _width(name, steps, status) - 2
        if name and room >= 8:
            shown = subject if len(subject) <= room else subject[: room - 1] + "…"
            x = max(cells.put(x, 0, f" {shown} ", "subject", end=x + room + 2), x + min(room, 22) + 2)
        self._ends = [x]
        for text, style in steps:
            x = cells.put(x, 0, text, style)
            self._ends.append(x)
        return cells, states.index(status) if x + len(status) <= width else len(states)

    def _parts(self, *, brief: bool) -> list[tuple[str, str]]:
        """The steps, the present one in capitals; the others as digits alone where that is asked for."""
        return [
            (f" {key} {title.upper()} ", "current")
            if title == self._current
            else (f" {key} " if brief else f" {key} {title} ", "text")
            for key, title in self._steps
        ]


def _width(name: str, steps: Sequence[tuple[str, str]], status: str) -> int:
    return len(name) + sum(len(text) for text, _ in steps) + len(status)
