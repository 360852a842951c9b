"""The search of the duplicates screen: its settings, its start and end, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Static

from core import timestamps
from core.clean import clean, clean_line
from core.dataset.near.result import FIELDS, KEEPS, NearOptions
from core.units import count, percent
from tui.actions import Command
from tui.data.near_search import NearFound, NearProgress, NearSearch, NearUpdate
from tui.duplicates.groups import Groups
from tui.screens.pane import Pane
from tui.widgets.choice_menu import ChoiceMenu

if TYPE_CHECKING:
    from tui.data.rows import DataRows
    from tui.duplicates.decide import Decisions

_THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)

_FIELD_WORDS = {"all": "all turns", "prompt": "prompts", "answer": "answers", "whole": "whole texts"}
_KEEP_WORDS = {"first": "the first row stays", "longest": "the longest row stays"}


class SearchPane(Pane):
    """Says what was searched for, in a line, or on the whole screen where nothing is listed; posts `Found`."""

    NAME = "search"
    COMMANDS = (
        Command("duplicates.cancel_search", "c", "cancel", "cancel", "End the search that runs.", 5),
        Command("duplicates.search", "r", "search", "search", "Search with the settings that are shown.", 6),
        Command(
            "duplicates.set_threshold", "t", "threshold", "threshold", "How alike rows must be; then r searches.", 14
        ),
        Command(
            "duplicates.choose_fields", "w", "fields", "what", "What of a sample is compared; then r searches.", 15
        ),
        Command(
            "duplicates.choose_rule",
            "K",
            "rule",
            "which stays",
            "Which row of each cluster stays; then r searches.",
            16,
        ),
    )

    class Updated(Message):
        """A search has something to tell."""

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
            payload: what its scan was told.
            decisions: they know which rows are no duplicates.
        """
        super().__init__()
        self.options = NearOptions()
        """What is searched for next."""
        self._rows = rows
        self._search = NearSearch(workspace, rows.dataset, payload, decisions.apart, self._post_update)
        self._found: NearFound | None = None
        self._doing = ""
        """What the search that runs does; "" while none does."""
        self._notice = ""
        """A sentence that stays there until something else happens."""
        self._nothing, self._line = Static("", id="nothing", markup=False), Static("", id="line", markup=False)

    def compose(self) -> ComposeResult:
        """What is said where nothing is listed; a line of facts."""
        yield self._nothing
        yield self._line

    def on_mount(self) -> None:
        """Look for a search that runs or has ended."""
        self._search.look()

    def on_unmount(self) -> None:
        """Follow no longer; a search goes on."""
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
        else:
            self._show()

    # -- what is said ---------------------------------------------------------------------------------------

    def show(self, found: NearFound, *, listed: bool) -> None:
        """Say what was found.

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
            return f"searching: {self._doing} · c cancels · it goes on if you leave"
        if self._notice:
            return self._notice
        found = self._found
        if found is None:
            return ""
        parts = [_words(found.options)]
        if found.changed:
            parts.insert(0, f"{found.changed}: nothing can be decided here until r has searched again")
        elif self.options != found.options:
            parts = [f"r searches with {_words(self.options)}"]
        elif found.marked:
            parts.insert(0, "“no duplicate” marks have changed since; r searches again")
        parts.append(f"searched {timestamps.text(found.when, '%Y-%m-%d %H:%M')}")
        parts += [f"not compared: {said}" for said in found.excluded]
        return " · ".join(parts)

    def _instead(self) -> str:
        """What is said in the place of the lists."""
        if self._doing:
            return f"Searching for near-duplicates: {self._doing}.\n\nIt goes on if you leave; c cancels it."
        settings = f"r searches: {_words(self.options)}. t, w and K change that."
        if self._found is not None:
            alike = percent(self._found.options.threshold)
            return f"No two rows are {alike} alike ({_FIELD_WORDS[self._found.options.fields]}).\n\n{settings}"
        rows = f"{count(self._rows.good)} rows"
        return (
            f"Near-duplicates among these {rows} have not been searched for yet.\n\n{settings}\n\n"
            "The search runs by itself: you can leave this screen, and the program."
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
        """Search with the settings that are shown."""
        self._doing, self._notice = "starting", ""
        self._show()
        self._search.start(self.options)

    def action_cancel(self) -> None:
        """End the search that runs."""
        self._search.cancel()

    def action_threshold(self) -> None:
        """Choose how alike rows must be."""
        now = self.options.threshold
        self._choose(
            "how alike",
            [(percent(each), "of the 5-grams of characters in either are in both") for each in _THRESHOLDS],
            min(range(len(_THRESHOLDS)), key=lambda at: abs(_THRESHOLDS[at] - now)),
            lambda number: replace(self.options, threshold=_THRESHOLDS[number]),
        )

    def action_fields(self) -> None:
        """Choose what of a sample is compared."""
        scopes = {"whole": "with all that rows share, such as one system prompt"}
        self._choose(
            "what is compared",
            [(_FIELD_WORDS[name], scopes.get(name, "without what the rows share")) for name in FIELDS],
            FIELDS.index(self.options.fields),
            lambda number: replace(self.options, fields=FIELDS[number]),
        )

    def action_rule(self) -> None:
        """Choose which row of each cluster stays."""
        self._choose(
            "which stays",
            [(_KEEP_WORDS[name], "and others that are not like it") for name in KEEPS],
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


def _words(options: NearOptions) -> str:
    return f"{percent(options.threshold)} of {_FIELD_WORDS[options.fields]}, {_KEEP_WORDS[options.keep]}"
