"""Data: would I want a model to learn exactly this?"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from textual import on
from textual.events import Key, Resize
from textual.widget import Widget

from tui.actions import declare, in_pane
from tui.data.keys import DATASET, ROW, ROWS, SCREEN
from tui.data.messages import Mapped, NotOpened, Opened
from tui.data.picker_pane import PickerPane
from tui.screens.base import StepScreen
from tui.widgets.command_line import CommandLine

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from tui.data.dataset_pane import DatasetPane

_CLOSES = ("data.back", "data.open_row", "list.open")
"""Commands that close a choice of one digit, and do nothing else then."""

_FIRST_WAIT = 0.15
"""Seconds that the first paint waits for the dataset: with it the rows are in that paint, without it they follow."""


_BESIDE = 116
_HALVES = 160
"""Columns from which on the row stands beside the list: 66 for the list, 50 for the row."""


class DataScreen(StepScreen):
    """A dataset row by row, with what is wrong with a row and what was decided about it.

    The screen has a dataset opened and shows either the open one or what there is to open. All that is done with the
    open one is done in `DatasetPane`, which exists only while there is one.
    """

    STEP = "data"
    CSS_PATH = "data.tcss"
    BINDINGS = declare("data", *in_pane("row", ROW), *in_pane("rows", ROWS), *in_pane("dataset", DATASET), *SCREEN)

    def __init__(self) -> None:
        """Make the screen; what is opened it asks the session when it is shown."""
        super().__init__()
        self.picker = PickerPane()
        """Opens datasets."""
        self.dataset: DatasetPane | None = None
        """The dataset that is open."""

    def compose_body(self) -> Iterable[Widget]:
        """What there is to open, and the command line; the dataset follows when it is open."""
        self._lay_out(self.app.size.width)  # before there is anything whose style would change
        yield self.picker
        yield CommandLine()

    def on_resize(self, event: Resize) -> None:
        """List and row stand side by side where each has room for its text."""
        self._lay_out(event.size.width)

    def _lay_out(self, width: int) -> None:
        self.set_class(width >= _BESIDE, "-beside")
        self.set_class(width >= _HALVES, "-halves")

    # -- opening --------------------------------------------------------------------------------------------

    async def on_mount(self) -> None:
        """Open what the session names, or ask."""
        if self.session.data:
            dataset = self.picker.open_within(_FIRST_WAIT, self.session.data)
            if dataset is not None:
                await self._show(dataset)
        else:
            self.call_after_refresh(self.action_open)  # header and footer are there first

    @on(Opened)
    async def _opened(self, event: Opened) -> None:
        await self._show(event.dataset)

    @on(NotOpened)
    def _not_opened(self) -> None:
        if self.dataset is None:
            self.session.data = ()
            self.refresh_header()
        else:
            self.dataset.show_facts()
        self._choose_file(True)

    @on(Mapped)
    def _mapped(self, event: Mapped) -> None:
        self.session.format, self.session.columns = event.chosen.format, dict(event.chosen.columns)
        held = event.eval_chosen
        self.session.eval_format, self.session.eval_columns = held.format, dict(held.columns)
        self.picker.open(self.session.data)

    async def _show(self, dataset: Dataset) -> None:
        from tui.data.dataset_pane import DatasetPane
        from tui.data.desk import OpenDataset

        self.session.data = dataset.paths  # the file, where a Hub dataset was opened
        self.session.format, self.session.columns = dataset.chosen.format, dict(dataset.chosen.columns)
        self._take_saved_eval_mapping()
        line = self.query_one(CommandLine)
        line.clear()
        with self.app.batch_update():
            if self.dataset is not None:
                await self.dataset.remove()
            self.dataset = DatasetPane(OpenDataset(dataset, self.session.workspace))
            self._choose_file(False)
            await self.query_one("#body").mount(self.dataset, before=line)
        self.refresh_header()
        if not self.is_current:  # another screen is shown: there is no first picture to wait for
            self.dataset.picture_sent()

    def picture_sent(self) -> None:
        """The dataset may be on the terminal now."""
        if self.dataset is not None:
            self.dataset.picture_sent()

    def _take_saved_eval_mapping(self) -> None:
        """Read the eval files as the user has said in this workspace, unless something else was said."""
        session = self.session
        if not session.eval_data or session.eval_format != "auto" or session.eval_columns:
            return
        from core.dataset.mapping import saved

        kept = saved(session.workspace, session.eval_data)
        session.eval_format, session.eval_columns = kept.format, dict(kept.columns)

    # -- what a key that decides is about --------------------------------------------------------------------

    @property
    def aim(self) -> Hashable:
        """The row under the cursor."""
        return None if self.dataset is None else self.dataset.aim

    def pictured(self) -> Iterable[Hashable]:
        """The rows that are shown."""
        return [] if self.dataset is None or self.picker.asking else self.dataset.pictured()

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        if action == "open":
            return not self.picker.asking
        if action == "back" and self._choosing:
            return True
        if action == "back":
            return self.dataset is not None and (self.picker.asking or self.dataset.can_go_back)
        return super().check_action(action, parameters)

    def action_open(self) -> None:
        """Ask what to open."""
        self.picker.offer()
        self._choose_file(True)

    @property
    def _choosing(self) -> bool:
        """Whether a digit chooses something now."""
        return self.dataset is not None and self.dataset.row_pane.quick is not None

    async def on_key(self, event: Key) -> None:
        """A key that chooses nothing closes the choice, and does what it does."""
        if self.dataset is None or not self._choosing:
            return
        active = self.active_bindings.get(event.key)
        id = active.binding.id or "" if active is not None else ""
        if not id.startswith("data.pick_") and id not in _CLOSES:
            self.dataset.row_pane.close_choice()

    def action_back(self) -> None:
        """Back to what is open; there one step back."""
        if self.dataset is None:
            return
        if self._choosing:
            self.dataset.row_pane.close_choice()
            return
        if self.picker.asking:
            self._choose_file(False)
            self.dataset.rows_pane.focus_list()
        else:
            self.dataset.go_back()

    def _choose_file(self, choosing: bool) -> None:
        """Show what there is to open in the place of the dataset, or the dataset."""
        self.picker.display = choosing
        if self.dataset is not None:
            self.dataset.display = not choosing
            self.dataset.disabled = choosing
        self.refresh_bindings()

    # -- coming and going -----------------------------------------------------------------------------------

    def on_screen_resume(self) -> None:
        """Show the header, and what follows from a recipe that may have changed."""
        super().on_screen_resume()
        if self.dataset is not None and self.dataset.is_mounted:
            self.dataset.look_at_recipe()
