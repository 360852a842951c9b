"""Duplicates: which rows repeat others, and which of them can be dropped?"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from textual import on
from textual.events import Resize
from textual.widget import Widget

from core.clean import clean
from core.dataset.mapping import Chosen
from tui.actions import Command, declare, in_pane
from tui.duplicates.decide import Decisions, LookedAgain, StepDone
from tui.duplicates.found import FoundPane
from tui.duplicates.pair import PairPane
from tui.duplicates.search import SearchPane
from tui.screens.base import StepScreen

if TYPE_CHECKING:
    from tui.data.desk import OpenDataset


_LISTS_BESIDE = 150
"""Columns from which on the two lists stand side by side."""


class DuplicatesScreen(StepScreen):
    """The clusters of a dataset; a row is removable only because of a row that stays, and that row is named.

    `SearchPane` searches. What it has found is shown, and decided about, in a `FoundPane`, which exists only once
    there is a result.
    """

    STEP = "data"
    SCOPE = "duplicates"
    CSS_PATH = "duplicates.tcss"
    BINDINGS = declare(
        "duplicates",
        *in_pane("found", FoundPane.COMMANDS),
        *in_pane("search", SearchPane.COMMANDS),
        *in_pane("pair", PairPane.COMMANDS),
        Command(
            "duplicates.back",
            "escape",
            "back",
            "back",
            "Go back to the lists; from there to Data.",
            7,
            "esc",
            shared="back",
        ),
    )

    def __init__(self, desk: OpenDataset, payload: Mapping[str, Any]) -> None:
        """Make the screen.

        Args:
            desk: the open dataset, which takes decisions and flags.
            payload: of the dataset's scan.
        """
        super().__init__()
        self.found: FoundPane | None = None
        """What the last search has found."""
        self._desk = desk
        self._payload = payload

    def compose_body(self) -> Iterable[Widget]:
        """The search; what it has found comes before it."""
        self._decisions = Decisions(self.session.workspace)
        self.search = SearchPane(self.session.workspace, self._desk.rows, self._payload, self._decisions)
        yield self.search

    def on_resize(self, event: Resize) -> None:
        """Clusters and rows stand side by side where each has room for its text."""
        self.set_class(event.size.width >= _LISTS_BESIDE, "-lists-beside")

    def on_unmount(self) -> None:
        """Write what is on its way."""
        self._decisions.close()

    # -- what is found and decided --------------------------------------------------------------------------

    @on(SearchPane.Found)
    async def _found(self, event: SearchPane.Found) -> None:
        """Show another result in the place of the one before."""
        self._desk.take_near(event.groups.found)
        with self.app.batch_update():
            if self.found is not None:
                await self.found.remove()
            session = self.session
            said = Chosen(session.eval_format, session.eval_columns)
            pair = PairPane(event.groups, self._desk.rows.dataset, session.eval_data, said)
            self.found = FoundPane(event.groups, self._desk, self._decisions, pair, self.post_message)
            await self.query_one("#body").mount(self.found, before=self.search)

    @on(FoundPane.Changed)
    def _changed(self) -> None:
        if self.found is not None:
            listed = bool(self.found.groups.listed)
            self.found.display = listed
            self.search.show(self.found.groups.found, listed=listed)

    @on(StepDone)
    def _step_done(self, event: StepDone) -> None:
        """Show what was decided: by now it is on the disk."""
        if event.error is not None:
            self.notify(clean(str(event.error)), severity="error", markup=False)
        else:
            self._desk.stand(event.stood)
            if event.step.note:
                self.notify(event.step.note, severity="warning", timeout=20, markup=False)
        if self.found is None:
            return
        if self.found.groups is event.groups:
            self.found.step_done(event)
        else:  # another search has ended meanwhile
            self.found.update()

    @on(LookedAgain)
    def _looked_again(self, event: LookedAgain) -> None:
        if self.found is not None and self.found.groups is event.groups:
            self.found.looked_again(event)

    # -- keys -----------------------------------------------------------------------------------------------

    @property
    def aim(self) -> Hashable:
        """The row of the cluster."""
        return None if self.found is None else self.found.aim

    def pictured(self) -> Iterable[Hashable]:
        """The rows of the cluster."""
        return () if self.found is None else self.found.pictured()

    def action_back(self) -> None:
        """From the comparison to the rows, from there to the clusters, from there to the data."""
        if self.found is None or not self.found.go_back():
            self.dismiss()
