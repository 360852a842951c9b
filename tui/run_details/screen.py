"""Recipe and data of a run, read-only."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

from textual import work
from textual.widget import Widget

from core.clean import clean_line
from core.folding import fold
from core.runs.details import RecipeEntry, RunDetails, read_details
from core.units import count
from tui.actions import Command, declare
from tui.screens.base import StepScreen
from tui.widgets.command_line import CommandLine
from tui.widgets.text_view import TextLine, TextView

_LABEL = 18
"""Cells of the labels of the data."""

_PATH = 34
"""Cells of the paths of fields."""

_INDENT = 2

_VALUE = 22
"""Cells of a value before what is said of it."""


class RunDetailsScreen(StepScreen):
    """The question: what exactly was this run trained with, and on what?

    Args:
        run: the run's folder.
        step: the step that it was opened from, `train` or `runs`: the header shows it.
    """

    SCOPE = "details"
    BINDINGS = declare(
        "details",
        Command("details.search", "slash", "search", "search", "Search.", 2, "/", opens_line=True, shared="search"),
        Command("details.next_hit", "n", "hit(1)", "next", "Go to the next match.", 3, shared="next hit"),
        Command("details.previous_hit", "N", "hit(-1)", "", "Go to the previous match.", shared="previous hit"),
        Command("details.back", "escape,i", "back", "back", "Go back to the run.", 1, "esc", shared="back"),
    )

    DEFAULT_CSS = """
    RunDetailsScreen #details {
        height: 1fr; border: round $border-blurred; border-title-color: $foreground; padding: 0 1;
    }
    RunDetailsScreen #details:focus { border: round $border; }
    RunDetailsScreen CommandLine { display: none; }
    RunDetailsScreen CommandLine.-typing, RunDetailsScreen CommandLine.-said { display: block; }
    """

    def __init__(self, run: Path, step: str = "train") -> None:
        super().__init__()
        self._run = run
        self._step = step
        self._sought = ""

    @property
    def step(self) -> str:
        """The step that it was opened from."""
        return self._step

    def compose_body(self) -> Iterable[Widget]:
        """One text, and the line of a search."""
        yield TextView(id="details")
        yield CommandLine()

    def on_mount(self) -> None:
        """Read it."""
        view = self.query_one(TextView)
        view.border_title = f"recipe and data of {clean_line(self._run.name, 60)}"
        view.focus()
        self._read()

    @work(thread=True, exclusive=True, group="details")
    def _read(self) -> None:
        self.from_thread(self._show, read_details(self._run))

    def _show(self, details: RunDetails) -> None:
        view = self.query_one(TextView)
        view.show(lambda: details_lines(details, view.scrollable_content_region.width))

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hits need a search."""
        return bool(self._sought) if action == "hit" else super().check_action(action, parameters)

    def action_search(self) -> None:
        """Ask what to search for."""
        self._say("")
        self.query_one(CommandLine).ask("search", "enter to search, esc to cancel", self._search)

    def _search(self, text: str) -> None:
        view, self._sought = self.query_one(TextView), fold(text.strip())
        view.mark_hits(self._sought)
        self._say("" if not self._sought or view.go_to_hit(1, restart=True) else "No match.")
        self.refresh_bindings()

    def action_hit(self, step: int) -> None:
        """Go to the next hit of the search (1) or the previous one (-1)."""
        found = self.query_one(TextView).go_to_hit(step)
        self._say("" if found else "This is the last match." if step > 0 else "This is the first match.")

    def _say(self, words: str) -> None:
        line = self.query_one(CommandLine)
        line.rest(words)
        line.set_class(bool(words), "-said")

    def action_back(self) -> None:
        """End a search; else go back to where it was opened from."""
        if self._sought:
            self._search("")
        else:
            self.dismiss()


def details_lines(details: RunDetails, width: int = 80) -> Iterable[TextLine]:
    """Recipe and data of a run as lines of text: what differs from the defaults first.

    Args:
        details: of the run.
        width: cells of a line; values wrap below themselves.
    """
    if details.problem:
        yield _line((details.problem, "warning"))
        yield _line()
    if details.fields:
        changed = details.changed
        many = "1 field" if len(changed) == 1 else f"{count(len(changed))} fields"
        yield _line(("changed from the defaults", "heading"), (f"  {many}", "muted"))
        for entry in changed:
            yield from _field(entry, f"default {entry.default}" if entry.default else "", width)
        yield _line()
    if details.data:
        yield _line(("data", "heading"))
        for label, value in details.data:
            yield from _labeled(label, _LABEL, value, "text", "", width)
        yield _line()
    if details.fields:
        yield _line(("all fields", "heading"), (f"  {count(len(details.fields))} that apply to this run", "muted"))
        for entry in details.fields:
            yield from _field(entry, entry.title, width)


def _field(entry: RecipeEntry, words: str, width: int) -> Iterable[TextLine]:
    style = "strong" if entry.changed else "text"
    return _labeled(entry.path, _PATH, entry.value or "-", style, words, width)


def _labeled(label: str, column: int, value: str, style: str, words: str, width: int) -> Iterable[TextLine]:
    """A label, its value, and what is said of it where there is room for that in the first line."""
    room = max(20, width - column - _INDENT)
    if len(value) > room and " " not in value:  # a path, which is never broken where it fits into a line
        yield TextLine(((label, "key"),), _INDENT)
        yield TextLine(((value, style),), 2 * _INDENT)
        return
    first, *more = textwrap.wrap(value, room, break_on_hyphens=False) or [""]
    said = f"  {words}" if words and not more and max(len(first), _VALUE) + 2 + len(words) <= room else ""
    shown = f"{first:<{_VALUE}}" if said else first
    yield TextLine(((f"{label:<{column}}", "key"), (shown, style), (said, "muted")), _INDENT)
    for row in more:
        yield TextLine(((row, style),), column + _INDENT)


def _line(*spans: tuple[str, str]) -> TextLine:
    return TextLine(spans)
