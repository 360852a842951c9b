"""Data: would I want a model to learn exactly this?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from textual import on

from core.clean import clean, clean_line
from core.errors import TunedeckError
from tui.actions import declare
from tui.screens.data_keys import COMMANDS, NEED_DATA
from tui.screens.data_list_keys import ListKeys
from tui.screens.data_messages import DataOpened, DeskNews

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from tui.screens.data_desk import Decided
    from tui.screens.data_scan import ScanNews
    from tui.widgets.file_picker import FilePicker

_FIRST_WAIT = 0.15
"""Seconds that the first paint waits for the data set: with it the rows are in that paint, without it they follow."""


class DataScreen(ListKeys):
    """The data set row by row, with what is wrong with a row and what was decided about it.

    Here is how a data set is opened and what is heard of it; panes and keys are in the classes below.
    """

    CSS_PATH = "data.tcss"
    BINDINGS = declare("data", *COMMANDS)

    async def on_mount(self) -> None:
        """Open what the session names, or ask."""
        if self.session.data:
            await self._open(self.session.data, wait=_FIRST_WAIT)
        else:
            self.add_class("-opening")
            self.call_after_refresh(self.action_open)  # header and footer are there first

    # -- opening --------------------------------------------------------------------------------------------

    async def _open(self, paths: tuple[Path, ...], *, wait: float = 0.0) -> None:
        from tui.screens.data_desk import open_dataset

        future = open_dataset(paths, self.session.format, self.session.columns)
        try:
            future.exception(timeout=wait)
        except TimeoutError:  # it goes on in its thread
            self._say(f"opening {clean_line(str(paths[0]), 200)} …")
            future.add_done_callback(lambda done: self.post_message(DataOpened(paths, done)))
        else:
            await self._opened(DataOpened(paths, future))

    @on(DataOpened)
    async def _opened(self, event: DataOpened) -> None:
        error = event.future.exception()
        if isinstance(error, TunedeckError):
            if self._desk is None:
                self.session.data = ()
                self.refresh_header()
            self.action_open()
            self._picker().say(clean(str(error)))
        elif error is not None:
            raise error
        else:
            await self._show(event.paths, event.future.result())

    async def _show(self, paths: tuple[Path, ...], dataset: Dataset) -> None:
        from tui.screens.data_desk import Desk

        if self._desk is not None:
            self._desk.close()
        if not self.query("#panes"):
            await self.query_one("#body").mount(self._panes(), before="#line")
        self._forget_template()
        self.session.data = paths
        self._entry = -1
        self._typed = None
        self._pace_words = ""
        self._desk = Desk(dataset, lambda desk, news: self.post_message(DeskNews(desk, news)))
        self.remove_class("-opening")
        self.rows_list.reset(dataset.count)
        self.rows_list.focus()
        self._show_facts()
        self.refresh_header()
        self.call_after_refresh(self._start_scan)

    def _start_scan(self) -> None:
        from tui.screens.data_scan import scan_payload

        if self._desk is not None:
            session, dataset = self.session, self._desk.rows.dataset
            payload = scan_payload(dataset, session.format, session.columns, session.eval_data)
            self._desk.start_scan(session.workspace, payload)

    # -- news -----------------------------------------------------------------------------------------------

    @on(DeskNews)
    def _heard(self, event: DeskNews) -> None:
        from tui.screens.data_desk import Decided, Found, Grown, History, Said, Sorted
        from tui.screens.data_scan import ScanNews

        if self._desk is None or event.desk is not self._desk:
            return
        match event.news:
            case Grown():
                if self._desk.rows.grows:
                    self.rows_list.grow(self._desk.rows.count)
                self._show_facts()
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
                severity: Literal["error", "information"] = "error" if event.news.failed else "information"
                self.notify(clean(event.news.words), severity=severity, markup=False)

    def _learn(self, news: ScanNews) -> None:
        from tui.screens import data_sample

        assert self._desk is not None
        rows, listing = self._desk.rows, self.rows_list
        found = bool(news.flags or news.bad or news.decided)
        in_view = rows.scanned <= listing.scroll_offset.y + listing.size.height
        if self._desk.learn(news) and (found or in_view):
            listing.update()
            if found and rows.filter not in ("all", "audit", "found") and not rows.order:
                rows.use_filter(rows.filter)
                listing.reset(rows.count, rows.position_of(max(0, self._entry)))
            if self._entry >= 0:
                self.sample_view.show_notes(data_sample.notes(rows, self._entry))
        self._show_facts()
        self._write_next()

    def _settle(self, decided: Decided) -> None:
        """Show a decision: by now it is on the disk."""
        assert self._desk is not None
        rows, listing = self._desk.rows, self.rows_list
        try:
            self._desk.settle(decided)
        except TunedeckError as error:
            self.notify(clean(str(error)), severity="error", markup=False)
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
            return self.has_class("-reading") or desk.rows.filter == "found"
        if action not in NEED_DATA:
            return action != "open" or not opening
        if opening or desk is None:
            return False
        if action == "undo":
            return desk.can_undo
        if action == "bad_lines":
            return bool(desk.rows.bad or desk.faults)
        if action == "skip":
            return desk.rows.filter == "audit"
        return desk.rows.count > 0 or action in ("next_filter", "lists", "search", "audit", "report")

    def action_back(self) -> None:
        """Back to the list; from the hits of a search to all rows."""
        if not self.has_class("-reading") and not self.has_class("-opening"):
            self._leave_search()
        self.remove_class("-reading", "-opening")
        self.rows_list.focus()
        self.refresh_bindings()

    def action_open(self) -> None:
        """Ask what to open."""
        picker = self._picker()
        if picker.is_mounted and not self.has_class("-opening"):
            picker.look_again()
        self.add_class("-opening")
        self.refresh_bindings()

    def _picker(self) -> FilePicker:
        """The file picker, made at first use: with a file on the command line it is not needed."""
        from tui.screens.data_files import data_picker
        from tui.widgets.file_picker import FilePicker

        for picker in self.query(FilePicker):
            return picker
        picker = data_picker(self.session.workspace)
        self.query_one("#body").mount(picker, before=0)
        return picker

    async def on_file_picker_picked(self, event: FilePicker.Picked) -> None:
        """Open what was chosen."""
        await self._open((event.path,))
