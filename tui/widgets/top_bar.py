"""The header line: where you are in the walk and whether something runs."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive

from core.clean import clean_line
from tui.widgets.prompt_refresh import PromptRefresh


class TopBar(PromptRefresh):
    """One line: the program, what is open, the steps of the walk, the state of the run."""

    DEFAULT_CSS = """
    TopBar { dock: top; height: 1; background: $panel; color: $foreground; }
    """

    subject: reactive[str] = reactive("")
    """What is open: a file, a run, a folder."""
    status: reactive[str] = reactive("")
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

    def render(self) -> Content:
        """The line for the present width; what does not fit goes, the run's state last of all."""
        width = self.size.width
        full = [f"{key} {title}" for key, title in self._steps]
        status = f" {self.status} " if self.status else ""
        subject = clean_line(self.subject, 200)
        steps_alone = sum(3 for _ in self._steps) + len(self._current) + 1
        if 10 + steps_alone + len(status) > width:
            status = f" {self.status.split()[0]} " if self.status else ""  # the state alone: "running"
        brief = sum(map(len, full)) + 2 * len(full) + len(status) + 14 > width
        parts: list[str | Content | tuple[str, str]] = [(" tunedeck ", "bold $accent")]
        used = 10
        steps: list[tuple[str, str]] = []
        for (key, title), text in zip(self._steps, full, strict=True):
            if title == self._current:
                steps.append((f" {key} {title.upper()} ", "bold reverse"))
            else:
                steps.append((f" {key} " if brief else f" {text} ", ""))
        steps_width = sum(len(text) for text, _ in steps)
        room = width - used - steps_width - len(status) - 2
        if room >= 8:
            shown = subject if len(subject) <= room else subject[: room - 1] + "…"
            parts.append((f" {shown} ".ljust(min(room, 22) + 2), "$text-muted"))
            used += max(len(shown) + 2, min(room, 22) + 2)
        parts.extend(steps)
        used += steps_width
        gap = width - used - len(status)
        if status and gap >= 0:
            parts.extend([" " * gap, (status, "bold")])
        return Content.assemble(*parts)
