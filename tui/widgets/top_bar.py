"""The header line: where you are in the walk and whether something runs."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive

from core.clean import clean_line
from tui.widgets.prompt_refresh import PromptRefresh

_NAME = " tunedeck "


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
        """The line for the present width.

        The names of the steps stay as long as they can: first the subject goes, then the program's name, then the
        run's steps, then all of its state but the first word; only after that are the other steps their digits alone.
        """
        width = self.size.width
        subject = clean_line(self.subject, 200)
        whole = f" {self.status} " if self.status else ""
        short = f" {self.status.split()[0]} " if self.status else ""
        clock = self.status.split("  ")[1:]
        timed = f"{short} {clock[0]} " if len(clock) == 1 else short
        named, digits = self._parts(brief=False), self._parts(brief=True)
        ways = (
            (_NAME, named, whole),
            *(("", named, words) for words in (whole, timed, short)),
            (_NAME, digits, whole),
        )
        name, steps, status = next((way for way in ways if _width(*way) <= width), ("", digits, short))
        parts: list[str | Content | tuple[str, str]] = [(name, "bold $accent")] if name else []
        used = len(name)
        room = width - _width(name, steps, status) - 2
        if name and room >= 8:
            shown = subject if len(subject) <= room else subject[: room - 1] + "…"
            parts.append((f" {shown} ".ljust(min(room, 22) + 2), "$text-muted"))
            used += max(len(shown) + 2, min(room, 22) + 2)
        parts.extend(steps)
        gap = width - used - sum(len(text) for text, _ in steps) - len(status)
        if status and gap >= 0:
            parts.extend([" " * gap, (status, "bold")])
        return Content.assemble(*parts)

    def _parts(self, *, brief: bool) -> list[tuple[str, str]]:
        """The steps, the present one in capitals; the others as digits alone where that is asked for."""
        return [
            (f" {key} {title.upper()} ", "bold reverse")
            if title == self._current
            else (f" {key} " if brief else f" {key} {title} ", "")
            for key, title in self._steps
        ]


def _width(name: str, steps: Sequence[tuple[str, str]], status: str) -> int:
    return len(name) + sum(len(text) for text, _ in steps) + len(status)
