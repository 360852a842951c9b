"""The search of the duplicates screen: its settings, its start and end, and its status in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Static

from core import timestamps
from core.clean import clean, clean_line
from core.dataset.near.result import FIELDS, KEEPS, NearOptions
from core.units import duration, percent, rows_words
from tui.actions import Command
from tui.data.near_search import NearFound, NearProgress, NearSearch, NearUpdate
from tui.duplicates.groups import Groups
from tui.screens.pane import Pane
from tui.widgets.choice_menu import ChoiceMenu

if TYPE_CHECKING:
    from tui.data.rows import DataRows
    from tui.duplicates.decide import Decisions

_THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)

_AT_ONCE = 6.0
"""Seconds of a search up to which nobody is asked."""

_START, _ROWS, _BYTES = 2.0, 3_000, 15e6
"""Seconds until a search begins, then rows and bytes a second: measured with 2,000 and 20,000 rows of 0.4 to 6 kB."""

_FIELD_WORDS = {"all": "all turns", "prompt": "prompts", "answer": "answers", "whole": "whole texts"}
_KEEP_WORDS = {"first": "first row", "longest": "longest row"}


class SearchPane(Pane):
    """Shows the settings and the status of the search, on one line or, where nothing is listed, on the whole screen.

    Posts `Found`. A file that takes a few seconds is searched as soon as the screen opens.
    """

    NAME = "search"
    COMMANDS = (
        Command("duplicates.cancel_search", "c", "cancel", "cancel", "Cancel the running search.", 5),
        Command("duplicates.search", "r", "search", "search", "Search with the settings shown.", 6),
        Command("duplicates.set_threshold", "t", "threshold", "threshold", "Set how similar rows must be.", 14),
        Command("duplicates.choose_fields", "w", "fields", "fields", "Choose which part of a sample is compared.", 15),
        Command(
            "duplicates.choose_rule",
            "K",
            "rule",
            "keep rule",
            "Choose which row of each cluster stays.",
            16,
        ),
    )

    class Updated(Message):
        """News of a search."""

        def __init__(self, update: NearUpdate, groups: Groups | None) -> None:
            self.update = update
            self.groups = groups
            super().__init__()

    class Found(Message):
        """A search has ended."""

        def __init__(self, groups: Groups) -> None:
            self.groups = groups
            super().__init__()

    def __init__(self, workspace: Path, rows: DataRows, payload: Mapping[str, Any], decisions: Decisions) -> None:
        """Make the pane.

        Args:
            workspace: the folder that holds `.tunedeck`.
            rows: of the open dataset.
            payload: of its scan.
            decisions: they know which rows are no duplicates.
        """
        super().__init__()
        self.options = NearOptions()
        """The settings of the next search."""
        self._rows = rows
        self._search = NearSearch(workspace, rows.dataset, payload, decisions.apart, self._post_update)
        self._found: NearFound | None = None
        self._doing = ""
        """What the running search does; "" while none runs."""
        self._began = False
        """Whether it was decided to search at once or not."""
        self._notice = ""
        """A sentence that stays until something else happens."""
        self._nothing, self._line = Static("", id="nothing", markup=False), Static("", id="line", markup=False)

    def compose(self) -> ComposeResult:
        """What fills the screen where nothing is listed; a line of facts."""
        yield self._nothing
        yield self._line

    def on_mount(self) -> None:
        """Look for a search that runs or has ended."""
        self._search.look()

    def on_unmount(self) -> None:
        """Stop following; a search continues."""
        self._search.close()

    def _post_update(self, update: NearUpdate) -> None:
        """Make the clusters of a search in its thread, since they may be many."""
        self.post_message(self.Updated(update, Groups(update, self._rows) if isinstance(update, NearFound) else None))

    @on(Updated)
    def _show_update(self, event: Updated) -> None:
        update = event.update
        if isinstance(update, NearProgress):
            self._doing = update.words if update.running else ""
            self._notice = "" if update.running else clean(update.words)
        else:
            self._doing = self._notice = ""
        if isinstance(update, NearFound):
            self.options = update.options
        if event.groups is not None:
            self.post_message(self.Found(event.groups))
        stale = isinstance(update, NearFound) and bool(update.changed)
        if not self._began and (update is None or stale) and self._seconds <= _AT_ONCE:
            self.action_search()
        elif event.groups is None:
            self._show()
        self._began = True  # a search that was canceled is not begun again

    @property
    def _seconds(self) -> float:
        """About how long a search takes; infinite while not all rows are known."""
        reader = self._rows.dataset.reader
        if not reader.complete:
            return inf
        return seconds_of_search(reader.count, sum(map(_bytes_of, reader.files)))

    @property
    def _estimate(self) -> str:
        seconds = self._seconds
        return duration(seconds) if seconds < inf else "a few seconds per 10,000 rows"

    @property
    def _rows_words(self) -> str:
        return rows_words(self._rows.good)

    # -- what is said ---------------------------------------------------------------------------------------

    def show(self, found: NearFound, *, listed: bool) -> None:
        """Show what was found.

        Args:
            found: a search's result, with the marks that were set since.
            listed: whether any of it is listed.
        """
        self._found = found
        self._notice = ""
        self.set_class(listed, "-line")
        self._show()

    def _show(self) -> None:
        self._line.update(clean_line(self._facts(), 500))
        self._nothing.update(self._instead())
        self.screen.refresh_bindings()

    def _facts(self) -> str:
        if self._doing:
            return f"searching: {self._doing} · c cancels · continues if you leave"
        if self._notice:
            return self._notice
        found = self._found
        if found is None:
            return ""
        parts = [_words(found.options)]
        if found.changed:
            parts.insert(0, f"{found.changed}. Press r to search again before you decide")
        elif self.options != found.options:
            parts = [f"press r to search with {_words(self.options)}"]
        elif found.marked:
            parts.insert(0, "“not a duplicate” marks have changed since; press r to search again")
        parts.append(f"searched {timestamps.text(found.when, '%Y-%m-%d %H:%M')}")
        parts += [f"not compared: {said}" for said in found.excluded]
        return " · ".join(parts)

    def _instead(self) -> str:
        """What is shown in place of the lists."""
        if self._doing:
            leave = "The search continues if you leave. Press c to cancel it."
            return f"Searching for near-duplicates: {self._doing}.\n\n{leave}"
        settings = f"Settings: {_words(self.options)}. Change them with t, w and K."
        if self._found is not None:
            found = self._found.options
            least = percent(found.threshold)
            none = f"No near-duplicates: no two of these {self._rows_words} are {least} similar"
            return f"{none} ({_FIELD_WORDS[found.fields]}).\n\n{settings} Press r to search again."
        return (
            f"No near-duplicate search yet. Press r to search these {self._rows_words} (about {self._estimate}).\n\n"
            f"{settings}\n\nThe search runs in the background: you can leave this screen, or quit."
        )

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        if action == "cancel":
            return bool(self._doing)
        return not self._doing and (action != "search" or self._would_differ)

    @property
    def _would_differ(self) -> bool:
        """Whether a search could find anything else than the last one did."""
        found = self._found
        return found is None or found.options != self.options or bool(found.changed) or found.marked

    def action_search(self) -> None:
        """Search with the settings shown."""
        self._doing, self._notice = "starting", ""
        self._show()
        self._search.start(self.options)

    def action_cancel(self) -> None:
        """Cancel the running search."""
        self._search.cancel()

    def action_threshold(self) -> None:
        """Choose how similar rows must be."""
        now = self.options.threshold
        self._choose(
            "How similar must rows be?",
            [(percent(each), "of their character 5-grams in common") for each in _THRESHOLDS],
            min(range(len(_THRESHOLDS)), key=lambda at: abs(_THRESHOLDS[at] - now)),
            lambda number: replace(self.options, threshold=_THRESHOLDS[number]),
        )

    def action_fields(self) -> None:
        """Choose which part of a sample is compared."""
        scopes = {"whole": "including text that all rows share, such as a system prompt"}
        self._choose(
            "Which part of a sample is compared?",
            [(_FIELD_WORDS[name], scopes.get(name, "without text that all rows share")) for name in FIELDS],
            FIELDS.index(self.options.fields),
            lambda number: replace(self.options, fields=FIELDS[number]),
        )

    def action_rule(self) -> None:
        """Choose which row of each cluster stays."""
        self._choose(
            "Which row of each cluster stays?",
            [(f"keep the {_KEEP_WORDS[name]}", "and every row that is not similar to it") for name in KEEPS],
            KEEPS.index(self.options.keep),
            lambda number: replace(self.options, keep=KEEPS[number]),
        )

    def _choose(
        self, title: str, choices: list[tuple[str, str]], chosen: int, made: Callable[[int], NearOptions]
    ) -> None:
        def answered(number: int | None) -> None:
            if number is not None:
                self.options, self._notice = made(number), ""
                self._show()

        self.app.push_screen(ChoiceMenu(title, choices, chosen=chosen), answered)


def seconds_of_search(rows: int, size: int) -> float:
    """About how long a search takes on two processors.

    Args:
        rows: of the dataset.
        size: bytes of its files.
    """
    return _START + rows / _ROWS + size / _BYTES


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # the search says what is wrong with it


def _words(options: NearOptions) -> str:
    return (
        f"threshold: {percent(options.threshold)}+, fields: {_FIELD_WORDS[options.fields]}, "
        f"keep: {_KEEP_WORDS[options.keep]}"
    )
