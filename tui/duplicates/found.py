"""The result of a near-duplicate search: clusters, the rows of one, and the decisions on them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from core.clean import clean
from core.dataset.near.result import Keep
from core.errors import TunedeckError
from core.units import count, rows_words
from tui.actions import Command
from tui.duplicates.decide import Decider, Decisions, LookedAgain, Step, StepDone
from tui.duplicates.groups import Group, Groups, Reason
from tui.duplicates.pair import PairPane
from tui.screens.pane import Pane
from tui.seen import NO_KEY
from tui.widgets.choice_menu import ChoiceMenu
from tui.widgets.sample_entry import ListEntry
from tui.widgets.sample_list import SampleList

if TYPE_CHECKING:
    from tui.data.desk import OpenDataset

_MOST_APART = 60
"""Rows of a cluster up to which one key marks them all as not duplicates: each pair is a decision."""

_DECIDING = ("drop_rest", "drop_all", "keep_this", "keep", "not_duplicate", "none_duplicate")


class FoundPane(Pane):
    """Lists the clusters of a search and has them decided about; posts `Changed`.

    The pane belongs to one search: another result has a pane of its own.
    """

    NAME = "found"
    COMMANDS = (
        Command(
            "duplicates.drop_rest",
            "d",
            "drop_rest",
            "drop the rest",
            "Drop the removable rows of this cluster and go to the next.",
            1,
            decides=True,
            shared="drop",
        ),
        Command(
            "duplicates.keep_row",
            "a",
            "keep_this",
            "keep this",
            "Keep the row under the cursor instead of the rows similar to it.",
            2,
            decides=True,
            shared="keep",
        ),
        Command(
            "duplicates.mark_not_duplicate",
            "x",
            "not_duplicate",
            "not a duplicate",
            "Mark these two rows as not duplicates, in later searches too.",
            3,
            decides=True,
        ),
        Command(
            "duplicates.undo",
            "u,ctrl+underscore",
            "undo",
            "undo",
            "Undo the last decision made on this screen.",
            4,
            shared="undo",
        ),
        Command(
            "duplicates.switch_list", "tab", "switch", "rows", "Switch between the clusters and the rows of one.", 10
        ),
        Command(
            "duplicates.keep_first",
            "F",
            "keep('first')",
            "keep first",
            "Keep the first row of this cluster.",
            8,
            decides=True,
        ),
        Command(
            "duplicates.keep_longest",
            "L",
            "keep('longest')",
            "keep longest",
            "Keep the longest row of this cluster.",
            9,
            decides=True,
        ),
        Command(
            "duplicates.drop_all",
            "R",
            "drop_all",
            "drop all",
            "Drop all removable rows of every cluster (asks first).",
            12,
        ),
        Command(
            "duplicates.mark_none_duplicate",
            "X",
            "none_duplicate",
            "not duplicates",
            "Mark all rows of this cluster as not duplicates of each other.",
            13,
            decides=True,
        ),
        Command("duplicates.open_pair", "enter", "read", "read", "Show the comparison full screen.", 11, shared="open"),
        Command("duplicates.next_cluster", "right", "step(1)", "next", "Go to the next cluster."),
        Command("duplicates.previous_cluster", "left", "step(-1)", "previous", "Go to the previous cluster."),
    )

    class Changed(Message):
        """Other clusters are listed, or other marks are set."""

    def __init__(
        self,
        groups: Groups,
        desk: OpenDataset,
        decisions: Decisions,
        pair: PairPane,
        post: Callable[[Message], object],
    ) -> None:
        """Make the pane.

        Args:
            groups: what the search has found.
            desk: the open dataset, which takes near leaks.
            decisions: the workspace's.
            pair: compares a row with the one it is similar to.
            post: takes `StepDone` and `LookedAgain`, also when the pane is gone.
        """
        super().__init__()
        self.groups = groups
        self.group_list = SampleList(groups.line, id="groups")
        """The clusters."""
        self.group_list.status_width = len("settled")
        self.member_list = SampleList(self._member, id="members")
        """The rows of the cluster under the cursor."""
        self.member_list.status_width = len("removable")
        self.pair = pair
        self._desk = desk
        self._decider = Decider(
            groups,
            decisions,
            ready=lambda: self.group is None or not self.group.waiting,
            meant=lambda press: self.deck.seen.meant(press, self.aim),
            post=post,
        )
        self._listed: tuple[Group, Sequence[int]] = (Group(0, "near", 0.0), ())
        """The cluster whose rows are listed, and these rows."""

    def compose(self) -> ComposeResult:
        """The lists and the comparison."""
        with Vertical(id="lists"):
            with Vertical(id="groups-pane"):
                yield self.group_list
            with Vertical(id="members-pane"):
                yield self.member_list
        yield self.pair

    def on_mount(self) -> None:
        """List the clusters."""
        self._list()
        if self.groups.listed:
            self.group_list.focus()
        for group in [each for each in self.groups.listed if each.waiting]:
            self._decider.look_again(group)
        self._decider.drop_wrong_marks()

    def on_unmount(self) -> None:
        """End what works for these clusters."""
        self._decider.close()

    # -- what is shown --------------------------------------------------------------------------------------

    @property
    def group(self) -> Group | None:
        """The cluster under the cursor."""
        listed = self.groups.listed
        return listed[min(self.group_list.cursor, len(listed) - 1)] if listed else None

    @property
    def row(self) -> int | None:
        """The row under the cursor."""
        _, rows = self._listed
        return rows[min(max(0, self.member_list.cursor), len(rows) - 1)] if rows else None

    @property
    def aim(self) -> Hashable:
        """The row of the cluster."""
        return self._in_cluster(self.row)

    def pictured(self) -> Iterable[Hashable]:
        """The rows of the cluster; where a comparison has the whole screen, the row that is compared."""
        if self.has_class("-reading"):
            return [self.aim]
        _, rows = self._listed
        return [self._in_cluster(rows[place]) for place in self.member_list.shown if place < len(rows)]

    def _in_cluster(self, row: int | None) -> Hashable:
        group = self.group
        return id(self.groups), None if group is None else group.number, row

    def _member(self, position: int) -> ListEntry:
        group, rows = self._listed
        return self.groups.member(group, rows[position])

    @on(SampleList.Highlighted, "#groups")
    def _on_group(self) -> None:
        self._list_members()

    @on(SampleList.Highlighted, "#members")
    def _on_member(self) -> None:
        self._compare()

    def _list(self, cursor: int = 0) -> None:
        """List the clusters again, with the cursor on one of them."""
        self.group_list.use_columns(*self.groups.columns)
        self.group_list.reset(len(self.groups.listed), cursor)
        if self.groups.listed:
            self._list_members()
        else:
            self.screen.set_focus(None)
        self._changed()

    def _list_members(self, row: int | None = None) -> None:
        """List the rows of the cluster; the cursor goes to a row, by default the first removable one."""
        group = self.group
        if group is None:
            return
        wanted = row if row in group.rows else next(iter(group.why), None)
        position = group.rows.index(wanted) if wanted in group.rows else 0
        if row is None:
            position = next((at for at, each in enumerate(group.rows) if each in group.why), 0)
        self._listed = group, group.rows
        self.member_list.digits = max(3, len(count(max(group.rows, default=0) + 1)))
        self.member_list.use_columns(*self.groups.member_columns(group))
        self.member_list.reset(len(group.rows), position)
        if not group.waiting and self.groups.unsupported(group):
            self._decider.look_again(group)
        self._retitle()
        self._compare()

    def update(self) -> None:
        """Draw what is listed again, after a decision."""
        self.group_list.update()
        self.member_list.update()
        self._compare()
        self._changed()

    def _changed(self) -> None:
        self._retitle()
        self.post_message(self.Changed())

    def _compare(self) -> None:
        group, row = self.group, self.row
        if group is not None and row is not None:
            self.pair.show(group, row)

    def _retitle(self) -> None:
        """Bring the titles up to what is known."""
        groups, group = self.groups, self.group
        number = sum(each.kind != "leak" for each in groups.listed)
        words = f"{count(number)} cluster{'s' * (number != 1)} · {rows_words(groups.open_rows)} removable"
        self.query_one("#groups-pane").border_title = Content(words)
        if group is not None:
            going, gone = len(groups.going(group)), len(groups.dropped(group))
            name = "near leaks" if group.kind == "leak" else f"cluster {count(group.number)}"
            words = f"{name}: {rows_words(len(group.rows))} · {count(going)} removable · {count(gone)} dropped"
            if gone == len(group.rows):
                words += " · no row left"
            self.query_one("#members-pane").border_title = Content(words)
        self.screen.refresh_bindings()

    # -- what was decided -----------------------------------------------------------------------------------

    def looked_again(self, event: LookedAgain) -> None:
        """Show what a second look at a cluster has found."""
        group = event.group
        if group not in self.groups.listed:
            return
        if isinstance(event.found, TunedeckError):
            group.waiting = False
            self.notify(clean(str(event.found)), severity="error", markup=False)
            return
        here, row = group is self.group, self.row
        cursor, at = self.group_list.cursor, self.groups.listed.index(group)
        self.groups.take(group, event.found)
        if not group.rows:
            self._list(cursor - (at < cursor))
        else:
            self.group_list.update()
            if here:
                self._list_members(row)
            self._changed()
        self._decider.do_next()

    def step_done(self, event: StepDone) -> None:
        """Show what was decided: by now it is on the disk."""
        self._decider.done(event)
        if event.error is not None:
            return
        step = event.step
        self.groups.decided(event.stood)
        if step.undo:
            self._take_back(step)
        elif step.before is None:
            self._after_drop()
        elif step.cleared:
            self._desk.take_near(self.groups.clear(step.before[1], step.cleared))
            self._list()
        else:
            self.groups.apart.update(step.pairs)
            self._decider.look_again(step.before[1])
        self.update()
        self._decider.do_next()

    def _after_drop(self) -> None:
        if self.group is not None and not self.groups.going(self.group):
            self.group_list.go_to(self.group_list.cursor + 1)

    def _take_back(self, step: Step) -> None:
        self.groups.apart.difference_update(step.pairs)
        if step.before is not None:
            found = self.groups.restore(*step.before)
            if step.cleared:
                self._desk.take_near(found)
            self._list(self.groups.listed.index(step.before[1]))

    # -- deciding -------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        group = self.group
        if action == "undo":
            return self._decider.can_undo
        if group is None or (action in _DECIDING and self.groups.found.changed):
            return False
        if action == "drop_all":
            return len(self.groups.listed) > 1 and self.groups.open_rows > 0
        if action == "drop_rest":
            return group.waiting or bool(self.groups.going(group))
        if group.kind == "leak" and action in _DECIDING:
            return action in ("not_duplicate", "none_duplicate")
        return action != "keep" or group.kind != "exact"

    def _line_up(self, work: Callable[[Group], None]) -> None:
        """Do something with the cluster that is shown when its turn comes."""

        def done() -> None:
            if self.group is not None:
                work(self.group)

        self._decider.line_up(self.deck.press(), done)

    def action_drop_rest(self) -> None:
        """Drop the removable rows of this cluster."""
        self._line_up(lambda group: self._decider.drop(self.groups.going(group)))

    def action_drop_all(self) -> None:
        """Drop the removable rows of every cluster."""
        groups = self.groups
        going = [each for group in groups.listed if group.kind != "leak" for each in groups.going(group)]
        words = f"drop {rows_words(len(going))}"
        choices = [("cancel", ""), (words, "a similar row stays for each; u undoes it")]

        def chosen(number: int | None) -> None:
            if number == 1:
                self._decider.line_up(NO_KEY, lambda: self._decider.drop(going))

        self.app.push_screen(ChoiceMenu("Drop the removable rows of every cluster?", choices, chosen=0), chosen)

    def action_keep_this(self) -> None:
        """Keep the row under the cursor instead of the rows similar to it."""

        def work(group: Group) -> None:
            if self.row is not None:
                self._decider.look_again(group, preferred=[self.row])

        self._line_up(work)

    def action_keep(self, keep: Keep) -> None:
        """Keep the first or the longest row of this cluster."""
        self._line_up(lambda group: self._decider.look_again(group, keep=keep))

    def action_not_duplicate(self) -> None:
        """Mark the two rows that are shown as not duplicates, whether the other is an eval row or not."""

        def work(group: Group) -> None:
            row = self.row
            if row is None:
                return
            other = self.groups.other(group, row)
            if isinstance(other, Reason):
                self._decider.clear_leaks(group, [row])
            elif other is not None and self.groups.similarity(group, row, other) is not None:
                self._decider.hold_apart(group, [(row, other)])
            else:
                self.notify("These two rows are not listed as duplicates.", severity="warning", markup=False)

        self._line_up(work)

    def action_none_duplicate(self) -> None:
        """Mark all rows of this cluster, or all leaks, as not duplicates."""

        def work(group: Group) -> None:
            if len(group.rows) > _MOST_APART:
                words = f"This cluster has more than {_MOST_APART} rows. Mark two rows at a time with x."
                self.notify(words, severity="warning", markup=False)
            elif group.kind == "leak":
                self._decider.clear_leaks(group, group.rows)
            else:
                self._decider.hold_apart(group, list(combinations(group.rows, 2)))

        self._line_up(work)

    def action_undo(self) -> None:
        """Undo the last decision made on this screen."""
        self._decider.line_up(NO_KEY, self._decider.undo)

    # -- going about ----------------------------------------------------------------------------------------

    def action_switch(self) -> None:
        """Switch between the clusters and the rows of one."""
        self.remove_class("-reading")
        (self.group_list if self.member_list.has_focus else self.member_list).focus()

    def action_step(self, step: int) -> None:
        """To a cluster beside this one."""
        self.group_list.action_move(step)

    @on(SampleList.Chosen)
    def _chosen(self, event: SampleList.Chosen) -> None:
        if event.listing is self.group_list:
            self.member_list.focus()
        else:
            self.action_read()

    def action_read(self) -> None:
        """Show the comparison full screen."""
        self.add_class("-reading")
        self.pair.diff.focus()
        self.screen.refresh_bindings()

    def go_back(self) -> bool:
        """From the comparison to the rows, from there to the clusters; False where it does not go back from here."""
        if self.has_class("-reading"):
            self.remove_class("-reading")
            self.member_list.focus()
        elif self.member_list.has_focus:
            self.group_list.focus()
        else:
            return False
        return True
