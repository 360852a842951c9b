"""How a data set comes onto the data screen: picked, opened in a thread, mapped by the user where nothing fits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on

from core.clean import clean, clean_line
from core.errors import TunedeckError
from tui.data.messages import DataOpened, DeskNews, Fetching
from tui.data.overview_keys import OverviewKeys

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from core.dataset.mapping import Chosen
    from tui.widgets.file_picker import FilePicker

_FIRST_WAIT = 0.15
"""Seconds that the first paint waits for the data set: with it the rows are in that paint, without it they follow."""

_MOST_ROWS = 32
_MOST_BYTES = 2**18
"""Rows that the mapping form looks at, and bytes beyond which a row is passed over: each key formats all of them."""


class DataOpening(OverviewKeys):
    """Opening a data set, and saying which of its columns is what."""

    async def on_mount(self) -> None:
        """Open what the session names, or ask."""
        if self.session.data:
            await self.open_data(self.session.data, wait=_FIRST_WAIT)
        else:
            self.add_class("-opening")
            self.call_after_refresh(self.action_open)  # header and footer are there first

    async def open_data(self, paths: tuple[Path, ...], *, wait: float = 0.0) -> None:
        """Open files or folders, as the user has said they are to be read.

        Args:
            paths: the data set.
            wait: seconds to wait for it here; what takes longer is shown when it is there.
        """
        from tui.data.open_dataset import open_dataset

        session = self.session
        said = (session.format, session.columns) if paths == session.data else ("auto", {})
        future = open_dataset(paths, *said, session.workspace, lambda words: self.post_message(Fetching(words)))
        try:
            future.exception(timeout=wait)
        except TimeoutError:  # it goes on in its thread
            self._say(f"opening {clean_line(str(paths[0]), 200)} …")
            future.add_done_callback(lambda done: self.post_message(DataOpened(paths, done)))
        else:
            await self._opened(DataOpened(paths, future))

    @on(Fetching)
    def _fetching(self, event: Fetching) -> None:
        self._say(clean_line(event.words, 300))

    @on(DataOpened)
    async def _opened(self, event: DataOpened) -> None:
        error = event.future.exception()
        if isinstance(error, TunedeckError):
            if self._desk is None:
                self.session.data = ()
                self.refresh_header()
                self._say("")
            else:
                self._show_facts()
            self.action_open()
            self._picker().say(clean(str(error)))
        elif error is not None:
            raise error
        else:
            await self._show(event.future.result())

    async def _show(self, dataset: Dataset) -> None:
        from tui.data.desk import Desk

        if self._desk is not None:
            self._desk.close()
        if not self.query("#panes"):
            await self.query_one("#body").mount(self._panes(), before="#line")
        self._forget_template()
        self.session.data = dataset.paths  # the file, where a name of the hub was opened
        self.session.format, self.session.columns = dataset.chosen.format, dict(dataset.chosen.columns)
        self._entry = -1
        self._typed = None
        self._pace_words = ""
        self._desk = Desk(dataset, lambda desk, news: self.post_message(DeskNews(desk, news)))
        self.remove_class("-opening")
        self.rows_list.reset(dataset.count)
        self.rows_list.focus()
        self._show_facts()
        self.refresh_header()
        # Rows of no known format are asked about before they are scanned.
        self.call_after_refresh(self.start_scan if dataset.recognition.known else self.action_mapping)

    def start_scan(self) -> None:
        """Find or start the scan of what is open."""
        from tui.data.scan import scan_payload

        if self._desk is not None:
            session, dataset = self.session, self._desk.rows.dataset
            payload = scan_payload(dataset, session.format, session.columns, session.eval_data)
            self._desk.start_scan(session.workspace, payload)
            self.look_at_near(payload)

    def action_scan(self) -> None:
        """Stop the scan where it is, or go on with it."""
        assert self._desk is not None
        if self._desk.stopped:
            self.start_scan()
        else:
            self._desk.stop_scan()
        self._show_facts()

    # -- which column is what -------------------------------------------------------------------------------

    async def action_mapping(self) -> None:
        """Say which column is what, and see what comes of it."""
        from tui.data.mapping import MappingScreen

        assert self._desk is not None
        desk, paths = self._desk, self.session.data
        dataset = desk.rows.dataset
        rows = await asyncio.to_thread(looked_at, dataset)
        if not rows:
            self._say("There is no row to look at.")
            return

        async def take(chosen: Chosen | None) -> None:
            from core.dataset.mapping import save

            if self._desk is not desk:
                return
            if chosen is None or chosen == dataset.chosen:
                if not dataset.recognition.known:
                    self.start_scan()
                return
            self.session.format, self.session.columns = chosen.format, dict(chosen.columns)
            try:
                await asyncio.to_thread(save, self.session.workspace, paths, chosen)
            except TunedeckError as fault:
                self.notify(clean(str(fault)), severity="error", markup=False)
            await self.open_data(paths)

        name = clean_line(paths[0].name, 60)
        self.app.push_screen(MappingScreen(name, rows, dataset.recognition, dataset.chosen), take)

    # -- what to open ---------------------------------------------------------------------------------------

    def action_open(self) -> None:
        """Ask what to open."""
        picker = self._picker()
        if picker.is_mounted and not self.has_class("-opening"):
            picker.look_again()
        self.add_class("-opening")
        self.refresh_bindings()

    def _picker(self) -> FilePicker:
        """The file picker, made at first use: with a file on the command line it is not needed."""
        from tui.data.files import data_picker
        from tui.widgets.file_picker import FilePicker

        for picker in self.query(FilePicker):
            return picker
        picker = data_picker(self.session.workspace)
        self.query_one("#body").mount(picker, before=0)
        return picker

    async def on_file_picker_picked(self, event: FilePicker.Picked) -> None:
        """Open what was chosen."""
        await self.open_data((event.path,))


def looked_at(dataset: Dataset) -> list[dict[str, Any]]:
    """The first good rows of a data set, passing over long ones; a long one where there is no other."""
    rows: list[dict[str, Any]] = []
    long: dict[str, Any] | None = None
    for entry in range(min(dataset.count, 20 * _MOST_ROWS)):
        is_long = dataset.reader.size(entry) > _MOST_BYTES
        if is_long and (long is not None or rows):
            continue
        value = dataset.row(entry).value
        if value is not None and is_long:
            long = value
        elif value is not None:
            rows.append(value)
        if len(rows) == _MOST_ROWS:
            break
    return rows or ([long] if long is not None else [])
