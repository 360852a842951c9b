"""Near-duplicates on the data screen: the flags of the last search, and the way to the duplicates screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tui.data.list_keys import ListKeys

if TYPE_CHECKING:
    from tui.data.near_search import NearFound


class NearKeys(ListKeys):
    """What is known of near-duplicates."""

    def look_at_near(self, payload: Mapping[str, Any]) -> None:
        """Take over what the last search of these files found, or the one that runs will find.

        Args:
            payload: as the scan has it.
        """
        if self._desk is not None:
            self._desk.look_at_near(self.session.workspace, payload)

    def _take_near(self, found: NearFound) -> None:
        """Show the flags of a search in the place of those of the one before."""
        from tui.data import sample as data_sample

        assert self._desk is not None
        rows = self._desk.rows
        self._desk.take_near(found)
        if rows.follows_flags:
            self._list_again(rows.filter)
        self.rows_list.update()
        if self._entry >= 0:
            self.sample_view.show_notes(data_sample.notes(rows, self._entry))
        self._show_facts()

    def action_duplicates(self) -> None:
        """Go to the duplicates screen; what is decided there is shown here."""
        from tui.data.scan import scan_payload
        from tui.duplicates.screen import DuplicatesScreen

        assert self._desk is not None
        session, desk = self.session, self._desk
        payload = scan_payload(desk.rows.dataset, session.format, session.columns, session.eval_data)
        self.app.push_screen(DuplicatesScreen(desk, payload), self._after_duplicates)

    def _after_duplicates(self, _: None) -> None:
        if self._desk is None:
            return
        rows = self._desk.rows
        if rows.steady:
            self.rows_list.update()
        else:
            self._list_again(rows.filter)
        if self._entry >= 0 and rows.count:
            self._show_sample(keep_place=True)
        self._show_facts()
