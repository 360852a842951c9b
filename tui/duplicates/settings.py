"""The search that the duplicates screen shows: its settings, its start, its end, and what is heard of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import on
from textual.message import Message

from core.clean import clean
from core.dataset.near.result import FIELDS, KEEPS, NearOptions, percent
from tui.data.near_search import NearFound, NearNews, NearProgress, NearSearch
from tui.duplicates.panes import FIELD_WORDS, KEEP_WORDS, DuplicatesPanes

if TYPE_CHECKING:
    from tui.data.rows import DataRows
    from tui.duplicates.groups import Groups

_THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)


class NearHeard(Message):
    """A search has something to tell."""

    def __init__(self, news: NearNews, groups: Groups | None) -> None:
        self.news = news
        self.groups = groups
        super().__init__()


class DuplicatesSettings(DuplicatesPanes):
    """What is searched for, and how far that is."""

    def __init__(self, rows: DataRows) -> None:
        super().__init__(rows)
        self._search: NearSearch | None = None

    # -- the search -----------------------------------------------------------------------------------------

    @on(NearHeard)
    def _heard(self, event: NearHeard) -> None:
        news = event.news
        if isinstance(news, NearFound) and event.groups is not None:
            self._doing = self._told = ""
            self._take(news, event.groups)
        elif isinstance(news, NearProgress):
            self._doing = news.words if news.running else ""
            self._told = "" if news.running else clean(news.words)
            if self._groups is None:
                self.add_class("-nothing")
            self._show_facts()
        else:
            self._doing = ""
            self._show_groups()

    def _take(self, found: NearFound, groups: Groups) -> None:
        """Show what a search has found."""
        raise NotImplementedError

    @property
    def _would_differ(self) -> bool:
        """Whether a search could find anything else than the last one did."""
        found = self._found
        return found is None or found.options != self._options or bool(found.changed) or found.marked

    def action_search(self) -> None:
        """Search with the settings that are shown."""
        assert self._search is not None
        self._doing = "starting"
        self._told = ""
        self._show_facts()
        self._search.start(self._options)

    def action_cancel(self) -> None:
        """End the search that runs."""
        assert self._search is not None
        self._search.cancel()

    # -- settings -------------------------------------------------------------------------------------------

    def _ask(self, title: str, choices: list[tuple[str, str]], chosen: int, take: Callable[[int], None]) -> None:
        from tui.widgets.choice_menu import ChoiceMenu

        def answered(number: int | None) -> None:
            if number is not None:
                take(number)

        self.app.push_screen(ChoiceMenu(title, choices, chosen=chosen), answered)

    def _set(self, options: NearOptions) -> None:
        self._options = options
        self._told = ""
        self._show_facts()

    def action_threshold(self) -> None:
        """Choose how alike rows must be."""
        choices = [(percent(each), "of the 5-grams of characters in either are in both") for each in _THRESHOLDS]
        now = self._options.threshold
        nearest = min(range(len(_THRESHOLDS)), key=lambda at: abs(_THRESHOLDS[at] - now))
        self._ask(
            "how alike",
            choices,
            nearest,
            lambda number: self._set(replace(self._options, threshold=_THRESHOLDS[number])),
        )

    def action_fields(self) -> None:
        """Choose what of a sample is compared."""
        told = {"whole": "with all that rows share, such as one system prompt"}
        choices = [(FIELD_WORDS[name], told.get(name, "without what the rows share")) for name in FIELDS]
        self._ask(
            "what is compared",
            choices,
            FIELDS.index(self._options.fields),
            lambda number: self._set(replace(self._options, fields=FIELDS[number])),
        )

    def action_rule(self) -> None:
        """Choose which row of each cluster stays."""
        choices = [(KEEP_WORDS[name], "and others that are not like it") for name in KEEPS]
        self._ask(
            "which stays",
            choices,
            KEEPS.index(self._options.keep),
            lambda number: self._set(replace(self._options, keep=KEEPS[number])),
        )
