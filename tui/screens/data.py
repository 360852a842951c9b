"""Data: would I want a model to learn exactly this?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, on
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from core.clean import clean, clean_line
from core.errors import TunedeckError
from tui.actions import declare
from tui.screens.base import StepScreen
from tui.screens.data_keys import COMMANDS, NEED_DATA, RowNumber
from tui.screens.data_messages import DataOpened, DeskNews, TemplateAnswered
from tui.widgets.sample_list import Entry, SampleList
from tui.widgets.sample_view import SampleView

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from core.dataset.decisions import Action
    from tui.screens.data_desk import Decided, Desk
    from tui.screens.data_preview import TemplatePreview
    from tui.screens.data_scan import ScanNews
    from tui.widgets.file_picker import FilePicker

_FIRST_WAIT = 0.15
"""Seconds that the first paint waits for the data set: with it the rows are in that paint, without it they follow."""


class DataScreen(StepScreen):
    """The data set row by row, with what is wrong with a row and what was decided about it."""

    STEP = "data"
    CSS_PATH = "data.tcss"
    BINDINGS = declare("data", *COMMANDS)

    def __init__(self) -> None:
        super().__init__()
        self._preview: TemplatePreview | None = None
        self._desk: Desk | None = None
        self._entry = -1
        self._number: RowNumber | None = None

    # -- composition ----------------------------------------------------------------------------------------

    def compose_body(self) -> Iterable[Widget]:
        """The list, the sample, a line of facts; without data the line alone, which is there sooner."""
        if self.session.data:
            yield self._panes()
        yield Static("", id="line", markup=False)

    def _panes(self) -> Widget:
        return Container(
            Vertical(SampleList(self._line, id="list"), Static("", id="counts", markup=False), id="list-pane"),
            SampleView(("chat", "template", "raw"), id="sample"),
            id="panes",
        )

    async def on_mount(self) -> None:
        """Open what the session names, or ask."""
        if self.session.data:
            await self._open(self.session.data, wait=_FIRST_WAIT)
        else:
            self.add_class("-opening")
            self.call_after_refresh(self.action_open)  # header and footer are there first

    @property
    def rows_list(self) -> SampleList:
        """The rows."""
        return self.query_one("#list", SampleList)

    @property
    def sample_view(self) -> SampleView:
        """The row under the cursor."""
        return self.query_one("#sample", SampleView)

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
        if self._preview is not None:
            self._preview.forget()
        self.session.data = paths
        self._entry = -1
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
        from tui.screens.data_desk import Decided, Grown

        if self._desk is None or event.desk is not self._desk:
            return
        if isinstance(event.news, Grown):
            if self._desk.rows.filter in ("all", "undecided"):
                self.rows_list.grow(self._desk.rows.count)
            self._show_facts()
        elif isinstance(event.news, Decided):
            self._settle(event.news)
        else:
            self._learn(event.news)

    def _learn(self, news: ScanNews) -> None:
        from tui.screens import data_sample

        assert self._desk is not None
        rows, listing = self._desk.rows, self.rows_list
        found = bool(news.flags or news.bad or news.decided)
        in_view = rows.scanned <= listing.scroll_offset.y + listing.size.height
        if self._desk.learn(news) and (found or in_view):
            listing.update()
            if rows.filter != "all" and found:
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
        if rows.filter in ("all", "flagged"):
            listing.update(rows.position_of(entry))
            if undone:
                listing.go_to(rows.position_of(entry))
            elif entry == self._entry:
                listing.go_to(rows.next_row(listing.cursor))
        else:  # the row may have left this list, or come back to it
            rows.use_filter(rows.filter)
            listing.reset(rows.count, rows.position_of(entry if undone else self._entry))
        if entry == self._entry:
            self._show_sample(keep_place=True)
        self._show_facts()
        self._write_next()

    def _write_next(self) -> None:
        assert self._desk is not None
        if words := self._desk.write_next(self._entry):
            self._say(words)

    # -- showing --------------------------------------------------------------------------------------------

    def _line(self, position: int) -> Entry:
        assert self._desk is not None
        return self._desk.rows.line(position)

    def _show_facts(self) -> None:
        """Bring the words around the list up to what is known."""
        from tui.screens import data_words

        assert self._desk is not None
        title = data_words.title(self._desk.rows)
        pane = self.query_one("#list-pane")
        if title.markup != pane.border_title:  # setting it repaints the whole list
            pane.border_title = title
        self.query_one("#counts", Static).update(data_words.counts(self._desk.rows))
        typed = None if self._number is None else self._number.digits
        self._say(data_words.facts(self._desk) if typed is None else data_words.asked(self._desk, typed))
        self.refresh_bindings()

    def _say(self, text: str) -> None:
        """Put a clean sentence on the line of facts."""
        self.query_one("#line", Static).update(text)

    @on(SampleList.Highlighted)
    def _highlighted(self, event: SampleList.Highlighted) -> None:
        if self._desk is not None and event.position < self._desk.rows.count:
            self._show_sample(keep_place=self._desk.rows.entry_at(event.position) == self._entry)

    def _show_sample(self, *, keep_place: bool = False, read_huge: bool = False) -> None:
        from tui.screens import data_sample

        assert self._desk is not None
        rows = self._desk.rows
        self._entry = rows.entry_at(self.rows_list.cursor)
        text = data_sample.RowText(rows, self._entry, read_huge=read_huge)
        view = self.sample_view
        lines, subtitle = text.rendering(view.view)
        if view.view == "template" and not text.too_long:
            template = self._template().text(
                self._entry, text.sample(), lambda: self.session.recipe, self.session.workspace
            )
            lines, subtitle = template.lines, template.subtitle or subtitle
        view.show(
            data_sample.subject(rows, self._entry),
            lines,
            subtitle=subtitle,
            notes=data_sample.notes(rows, self._entry),
            keep_place=keep_place,
        )

    def _template(self) -> TemplatePreview:
        """The preview service's other end, made at the first look at the template."""
        if self._preview is None:
            from tui.screens.data_preview import TemplatePreview

            self._preview = TemplatePreview(lambda: self.post_message(TemplateAnswered()))
        return self._preview

    @on(TemplateAnswered)
    def _template_answered(self) -> None:
        if self._desk is not None and self.sample_view.view == "template" and self._entry >= 0:
            self._show_sample(keep_place=True, read_huge=self.has_class("-reading"))

    def on_screen_resume(self) -> None:
        """Show the header, and the template of a recipe that may have changed."""
        super().on_screen_resume()
        self._template_answered()

    def on_unmount(self) -> None:
        """End what works for this screen alone; scans and what is on the disk stay."""
        if self._preview is not None:
            self._preview.close()
        if self._desk is not None:
            self._desk.close()

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        desk = self._desk
        opening = self.has_class("-opening")
        if action == "back":
            return self.has_class("-reading") or (opening and desk is not None)
        if action not in NEED_DATA:
            return action != "open" or not opening
        if opening or desk is None:
            return False
        if action == "undo":
            return desk.can_undo
        if action == "bad_lines":
            return bool(desk.rows.bad or desk.faults)
        return desk.rows.count > 0 or action == "next_filter"

    def action_decide(self, action: Action) -> None:
        """Keep or drop the row, and go to the next."""
        assert self._desk is not None
        self._desk.ask(action)
        self._write_next()

    def action_undo(self) -> None:
        """Take the last decision of this sitting back."""
        assert self._desk is not None
        self._desk.ask("undo")
        self._write_next()

    @on(SampleList.Chosen)
    def action_read(self) -> None:
        """Give the row the whole screen, and read it if it was too long to read in passing."""
        self.add_class("-reading")
        self.sample_view.text.focus()
        self._show_sample(read_huge=True)
        self.refresh_bindings()

    def action_back(self) -> None:
        """Back to the list."""
        self.remove_class("-reading", "-opening")
        self.rows_list.focus()
        self.refresh_bindings()

    def action_next_view(self) -> None:
        """Next view of the row."""
        self.sample_view.next_view()
        self._show_sample(read_huge=self.has_class("-reading"))

    def action_next_filter(self) -> None:
        """List other rows, with the cursor on the same row where it is among them."""
        from tui.screens.data_rows import FILTERS

        assert self._desk is not None
        rows = self._desk.rows
        rows.use_filter(FILTERS[(FILTERS.index(rows.filter) + 1) % len(FILTERS)])
        self.rows_list.reset(rows.count, rows.position_of(max(0, self._entry)))
        self._show_facts()

    def action_bad_lines(self) -> None:
        """List what could not be read."""
        from tui.screens import data_sample

        assert self._desk is not None
        desk = self._desk
        lines = [line for _, line in desk.rows.bad] + list(desk.faults)
        self.sample_view.show(Content("bad lines"), lambda: data_sample.bad_lines(lines, desk.scanning), choice=False)

    def action_scroll_sample(self, pages: int) -> None:
        """Scroll the row while the list has the focus."""
        text = self.sample_view.text
        (text.action_page_down if pages > 0 else text.action_page_up)()

    def action_step_row(self, step: int) -> None:
        """Go to a row beside this one."""
        self.rows_list.action_move(step)

    def action_go_to(self) -> None:
        """Take a row's number from the keys that follow, up to enter."""
        self._number = RowNumber()
        self._show_facts()

    def on_key(self, event: events.Key) -> None:
        """The keys of a row's number; here, because keys typed fast arrive here in their order."""
        if self._number is None:
            if event.key == "g" and self.check_action("go_to", ()):
                event.stop()
                self.action_go_to()
            return
        event.stop()
        number = self._number.press(event.key, event.character)
        if number is not None:
            self._number = None
        if number and self._desk is not None:
            rows = self._desk.rows
            self.rows_list.go_to(rows.position_of(rows.entry_of(number - 1)))
        self._show_facts()

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
