"""The way from the data screen to the overview, an audit of what is asked seldom, and the mark for synthetic rows."""

from __future__ import annotations

from collections.abc import Sequence

from tui.screens.data_near_keys import NearKeys


class OverviewKeys(NearKeys):
    """What belongs to the curated set as a whole."""

    def action_overview(self) -> None:
        """Go to the overview of what would be trained on."""
        from tui.screens.overview import OverviewScreen

        self.app.push_screen(OverviewScreen(self._begin_thin))

    def action_export(self) -> None:
        """Go to the overview of what would be written, which then asks in which form."""
        from tui.screens.overview import OverviewScreen

        self.app.push_screen(OverviewScreen(self._begin_thin, export=True))

    def _begin_thin(self, rows: Sequence[int]) -> None:
        """Begin an audit of rows, in their order."""
        assert self._desk is not None
        self.begin_audit("thin", listed=tuple(map(self._desk.rows.entry_of, rows)))

    def action_synthetic(self) -> None:
        """Mark the row as synthetic, or unmark it: it is never held out. A reason it is flagged for stays."""
        assert self._desk is not None
        entry = self._at_cursor
        if self._desk.rows.row_of(entry) is None:
            self._say("This line could not be read, so it cannot be marked.")
            return
        before = self._desk.rows.mark(entry)
        from core.dataset.synthetic import toggled

        self._desk.ask("flag", {"text": toggled("" if before is None else before.flag)}, entry=entry)
        self._write_next()
