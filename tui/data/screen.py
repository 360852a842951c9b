"""Data: would I want a model to learn exactly this?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from core.clean import clean
from core.errors import TunedeckError
from tui.actions import declare
from tui.data.keys import COMMANDS, NEED_DATA
from tui.data.messages import DeskNews
from tui.data.opening import DataOpening

if TYPE_CHECKING:
    from tui.data.news import Decided
    from tui.data.scan import ScanNews


class DataScreen(DataOpening):
    """The data set row by row, with what is wrong with a row and what was decided about it.

    Here is what is heard of it; panes, keys and how a data set is opened are in the classes below.
    """

    CSS_PATH = "data.tcss"
    BINDINGS = declare("data", *COMMANDS)

    # -- news -----------------------------------------------------------------------------------------------

    @on(DeskNews)
    def _heard(self, event: DeskNews) -> None:
        from tui.data.near_search import NearFound
        from tui.data.news import Arrived, Decided, Found, Grown, History, Said, Sorted
        from tui.data.scan import ScanNews
        from tui.data.tokens import TokenNews

        if self._desk is None or event.desk is not self._desk:
            return
        match event.news:
            case Grown():
                if self._desk.rows.grows:
                    self.rows_list.grow(self._desk.rows.count)
                self._show_facts()
                if self._desk.rows.dataset.reader.complete:
                    self.look_at_tokens()
            case TokenNews():
                self._take_tokens(event.news)
            case NearFound():
                self._take_near(event.news)
            case Arrived():
                self._take_rows()
            case Decided():
                self._settle(event.news)
            case ScanNews():
                self._learn(event.news)
            case Found():
                self._take_hits(event.news)
            case Sorted():
                self._take_order(event.news)
            case History():
                self._show_history(event.news)
            case Said():
                self.tell(clean(event.news.words), failed=event.news.failed)

    def _learn(self, news: ScanNews) -> None:
        from tui.data import sample as data_sample

        assert self._desk is not None
        rows, listing = self._desk.rows, self.rows_list
        found = bool(news.flags or news.bad or news.decided)
        in_view = rows.scanned <= listing.scroll_offset.y + listing.size.height
        if (self._desk.learn(news) and (found or in_view)) or news.complete:
            listing.update()
            if found and rows.follows_flags:
                rows.use_filter(rows.filter)
                listing.reset(rows.count, rows.position_of(max(0, self._entry)))
            if news.elsewhere and rows.row_of(self._entry) in news.decided:
                self._forget_template()
                self._show_sample(keep_place=True)
            elif self._entry >= 0:
                self.sample_view.show_notes(data_sample.notes(rows, self._entry))
        self._show_facts()
        self._write_next()

    def _settle(self, decided: Decided) -> None:
        """Show a decision: by now it is on the disk."""
        assert self._desk is not None
        rows, listing = self._desk.rows, self.rows_list
        before = rows.standing(decided.row)
        try:
            self._desk.settle(decided)
        except TunedeckError as error:
            self.tell(clean(str(error)), failed=True)
            return
        entry = rows.entry_of(decided.row)
        undone = decided.action == "undo"
        if decided.action == "edit" or undone:
            self._forget_template()
        if decided.action in ("keep", "drop"):
            self._count_pace()
        if rows.steady:
            listing.update(rows.position_of(entry))
            if undone and rows.lists(entry):
                listing.go_to(rows.position_of(entry))
            elif entry == self._entry and decided.action in ("keep", "drop"):
                listing.go_to(rows.next_row(listing.cursor))
        else:  # the row may have left this list, or come back to it
            rows.use_filter(rows.filter)
            listing.reset(rows.count, rows.position_of(entry if undone else self._entry))
        if entry == self._entry:
            self._show_sample(keep_place=True)
        if undone:
            from tui.data.words import taken_back

            shown = rows.entry_at(listing.cursor) if rows.count else entry
            self.tell(taken_back(decided.row, before, rows.standing(decided.row)), entry=shown)
        self._show_facts()
        self._write_next()

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        desk = self._desk
        opening = self.has_class("-opening")
        if action == "back":
            if opening or desk is None:
                return desk is not None
            listed = bool(desk.rows.also) or desk.rows.filter in ("found", "audit")
            return listed or self.has_class("-reading") or self._aside
        if action not in NEED_DATA:
            return action != "open" or not opening
        if opening or desk is None:
            return False
        if action == "undo":
            return desk.can_undo
        if action == "scan":
            return desk.scanning or desk.stopped
        if action == "bad_lines":
            return bool(desk.rows.bad or desk.faults)
        if action == "fold":
            return self._thinks
        if action in ("skip", "narrow"):
            return (desk.rows.filter == "audit") == (action == "skip")
        return desk.rows.count > 0 or action in ("next_filter", "lists", "search", "audit", "report")

    def action_back(self) -> None:
        """Back to the list; from the hits of a search, and from an audit, to all rows."""
        if self._aside and not self.has_class("-opening"):
            self._show_sample(read_huge=self.has_class("-reading"))
            return
        if not self.has_class("-reading") and not self.has_class("-opening"):
            self._widen()
        self.remove_class("-reading", "-opening")
        self.rows_list.focus()
        self.refresh_bindings()
