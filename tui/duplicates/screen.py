"""Duplicates: which rows repeat others, and what of them can go?"""

from __future__ import annotations

from itertools import combinations

from textual import on

from core.dataset.near.result import Keep
from core.units import count
from tui.actions import declare
from tui.duplicates.decide import DuplicatesDecisions
from tui.duplicates.groups import Reason
from tui.duplicates.keys import COMMANDS
from tui.seen import NO_KEY
from tui.widgets.sample_list import SampleList

_MOST_APART = 60
"""Rows of which one key says that no two are duplicates: each pair is a decision."""


class DuplicatesScreen(DuplicatesDecisions):
    """The clusters of a data set; a row may go only because of a row that stays, and that row is named."""

    CSS_PATH = "duplicates.tcss"
    BINDINGS = declare("duplicates", *COMMANDS)

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        group, groups = self.group, self._groups
        if action == "cancel":
            return bool(self._doing)
        if action == "search":
            return not self._doing and self._would_differ
        if action in ("threshold", "fields", "rule"):
            return not self._doing
        if action == "undo":
            return bool(self._steps)
        if action in ("drop_rest", "drop_all", "keep_this", "keep", "not_duplicate", "none_duplicate"):
            if group is None or groups is None or self._found is None or self._found.changed:
                return False
            if action == "drop_all":
                return len(groups.listed) > 1 and groups.open_rows > 0
            if action == "drop_rest":
                return group.waiting or bool(groups.going(group))
            if group.kind == "leak":
                return action in ("not_duplicate", "none_duplicate")
            return action != "keep" or group.kind != "exact"
        if action in ("switch", "view", "read", "step", "scroll_text"):
            return group is not None
        return True

    def action_drop_rest(self) -> None:
        """Drop what may go of this cluster."""

        def work() -> None:
            group = self.group
            if group is not None and self._groups is not None:
                self._drop(self._groups.going(group))

        self._line_up(work)

    def action_drop_all(self) -> None:
        """Drop what may go of every cluster."""
        assert self._groups is not None
        groups = self._groups
        going = [each for group in groups.listed if group.kind != "leak" for each in groups.going(group)]
        words = f"drop {count(len(going))} rows"

        def chosen(number: int) -> None:
            if number == 1:
                self._line_up(lambda: self._drop(going), NO_KEY)

        self._ask(
            "drop what may go of every cluster?",
            [("change nothing", ""), (words, "each because of a row that stays; u takes it back")],
            0,
            chosen,
        )

    def action_keep_this(self) -> None:
        """Keep the row under the cursor rather than those like it."""

        def work() -> None:
            if self.group is not None and self.row is not None:
                self._look_again(self.group, preferred=[self.row])

        self._line_up(work)

    def action_keep(self, keep: Keep) -> None:
        """Of this cluster the first or the longest row stays."""

        def work() -> None:
            if self.group is not None:
                self._look_again(self.group, keep=keep)

        self._line_up(work)

    def action_not_duplicate(self) -> None:
        """Remember that the two rows that are shown are no duplicates, whether the other is an eval row or not."""

        def work() -> None:
            group, row, groups = self.group, self.row, self._groups
            if group is None or row is None or groups is None:
                return
            other = groups.other(group, row)
            if isinstance(other, Reason):
                self._no_leaks(group, [row])
            elif other is not None and groups.similarity(group, row, other) is not None:
                self._hold_apart(group, [(row, other)])
            else:
                self.notify("These two rows are not said to be duplicates.", severity="warning", markup=False)

        self._line_up(work)

    def action_none_duplicate(self) -> None:
        """Remember that no two rows of this cluster are duplicates, or that none of the leaks is one."""

        def work() -> None:
            group = self.group
            if group is None:
                return
            if len(group.rows) > _MOST_APART:
                words = f"That is said of up to {_MOST_APART} rows at once; x says it of two."
                self.notify(words, severity="warning", markup=False)
            elif group.kind == "leak":
                self._no_leaks(group, group.rows)
            else:
                self._hold_apart(group, list(combinations(group.rows, 2)))

        self._line_up(work)

    def action_undo(self) -> None:
        """Take back the last decision that was made here."""

        def work() -> None:
            if self._steps:
                step = self._steps.pop()
                self._write(lambda _: step.taken_back)

        self._line_up(work, NO_KEY)

    # -- going about ----------------------------------------------------------------------------------------

    def action_switch(self) -> None:
        """From the clusters to the rows of one, and back."""
        self.remove_class("-reading")
        (self.group_list if self.member_list.has_focus else self.member_list).focus()

    def action_step(self, step: int) -> None:
        """To a cluster beside this one."""
        self.group_list.action_move(step)

    def action_scroll_text(self, pages: int) -> None:
        """Scroll the comparison while a list has the focus."""
        (self.diff.action_page_down if pages > 0 else self.diff.action_page_up)()

    def action_view(self) -> None:
        """Show all lines, or only those around words that differ."""
        self.diff.toggle_whole()

    @on(SampleList.Chosen)
    def _chosen(self, event: SampleList.Chosen) -> None:
        if event.listing is self.group_list:
            self.member_list.focus()
        else:
            self.action_read()

    def action_read(self) -> None:
        """Give the comparison the whole screen."""
        self.add_class("-reading")
        self.diff.focus()
        self.refresh_bindings()

    def action_back(self) -> None:
        """From the comparison to the rows, from there to the clusters, from there to the data."""
        if self.has_class("-reading"):
            self.remove_class("-reading")
            self.member_list.focus()
        elif self.member_list.has_focus:
            self.group_list.focus()
        else:
            self.dismiss()
