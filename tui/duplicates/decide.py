"""Decisions on the duplicates screen: written together, shown when they are on the disk, taken back by one key."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual import on
from textual.message import Message

from core.clean import clean
from core.dataset.near.result import Cluster, Keep
from core.errors import TunedeckError
from tui.data.near_search import NearFound, NearNews, NearSearch
from tui.duplicates.groups import Group, Groups, Reason
from tui.duplicates.panes import Compared
from tui.duplicates.settings import DuplicatesSettings, NearHeard
from tui.duplicates.work import (
    Comparer,
    Decisions,
    SecondLook,
    Step,
    Stood,
    cleared,
    dropped_marks,
    drops,
    held_apart,
)
from tui.seen import Press

if TYPE_CHECKING:
    from core.dataset.scan.reader import ScanReader
    from tui.data.desk import Desk


class StepDone(Message):
    """Decisions are on the disk, or why not; and where their rows stand now."""

    def __init__(self, step: Step, error: TunedeckError | None, stood: Stood) -> None:
        self.step = step
        self.error = error
        self.stood = stood
        super().__init__()


class LookedAgain(Message):
    """A cluster was looked at again."""

    def __init__(self, groups: Groups, group: Group, found: Group | TunedeckError) -> None:
        self.groups = groups
        self.group = group
        self.found = found
        super().__init__()


class DuplicatesDecisions(DuplicatesSettings):
    """What is decided about clusters, and what is looked at again because of it."""

    def __init__(self, desk: Desk, payload: Mapping[str, Any]) -> None:
        """Make the screen.

        Args:
            desk: the open data set; it is told of decisions and flags.
            payload: what the data set's scan was told.
        """
        super().__init__(desk.rows)
        self._desk = desk
        self._payload = payload
        self._decisions: Decisions | None = None
        self._look: SecondLook | None = None
        self._keys: ScanReader | None = None
        self._waiting: deque[tuple[Press, Callable[[], None]]] = deque()
        self._writing = False
        self._steps: list[Step] = []

    def on_mount(self) -> None:
        """Look for a search that runs or has ended."""
        session = self.session
        dataset = self._rows.dataset
        self._decisions = Decisions(session.workspace)
        self._comparer = Comparer(
            dataset, session.eval_data, lambda shown, result: self.post_message(Compared(shown, result))
        )
        self._search = NearSearch(
            session.workspace,
            dataset,
            self._payload,
            self._decisions.apart,
            lambda news: self.post_message(NearHeard(news, self._made(news))),
        )
        self._search.look()

    def on_unmount(self) -> None:
        """End what works for this screen alone; a search goes on."""
        for each in (self._search, self._comparer, self._look, self._decisions):
            if each is not None:
                each.close()

    # -- the search -----------------------------------------------------------------------------------------

    def _made(self, news: NearNews) -> Groups | None:
        """The clusters of a search; in the search's thread, since they may be many."""
        return Groups(news, self._rows) if isinstance(news, NearFound) else None

    def _take(self, found: NearFound, groups: Groups) -> None:
        """Show what a search has found."""
        from core.dataset.scan.reader import ScanReader

        if self._look is not None:
            self._look.close()
        self._found, self._options = found, found.options
        self._keys = ScanReader(found.folder)
        self._look = SecondLook(found.folder)
        self._groups = groups
        self._steps.clear()
        self._desk.take_near(found)
        self._show_groups()
        if groups.listed:
            self.group_list.focus()
        for group in [each for each in groups.listed if each.waiting]:
            self._look_again(group)
        if found.wrong_pairs:
            self._line_up(lambda: self._write(lambda _: dropped_marks(found.wrong_pairs)))

    def _look_again(self, group: Group, *, preferred: Sequence[int] = (), keep: Keep | None = None) -> None:
        """Search again among the rows of a cluster that were not dropped."""
        assert self._groups is not None
        assert self._look is not None
        groups, gone = self._groups, list(self._groups.dropped(group))
        group.waiting = True

        def tell(found: list[Cluster] | TunedeckError) -> None:
            made = Group.of(group.number, group.kind, found, gone) if isinstance(found, list) else found
            self.post_message(LookedAgain(groups, group, made))

        self._look.ask(
            groups.present(group),
            groups.apart_in(group),
            tell,
            preferred=preferred,
            keep=keep,
        )

    @on(LookedAgain)
    def _looked_again(self, event: LookedAgain) -> None:
        groups, group = event.groups, event.group
        if groups is not self._groups or group not in groups.listed:
            return
        groups.changed()
        if isinstance(event.found, TunedeckError):
            group.waiting = False
            self.notify(clean(str(event.found)), severity="error", markup=False)
            return
        here, row = group is self.group, self.row
        group.take(event.found)
        cursor = self.group_list.cursor
        if not group.rows:
            at = groups.listed.index(group)
            groups.listed.remove(group)
            self._show_groups(cursor - (at < cursor))
        elif here:
            self.group_list.update()
            self._show_members(row)
        else:
            self.group_list.update()
        self._go_on()

    # -- decisions ------------------------------------------------------------------------------------------

    def _line_up(self, work: Callable[[], None], press: Press | None = None) -> None:
        """Do something when its turn comes: each key is meant for what is shown then, if that was in view before.

        Args:
            work: what to do.
            press: the key that it came by; by default the one whose action is being done.
        """
        self._told = ""
        self._waiting.append((press or self.deck.press(), work))
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and not self._writing and (self.group is None or not self.group.waiting):
            press, work = self._waiting.popleft()
            if self.deck.seen.meant(press, self.aim):
                work()

    def _write(self, make: Callable[[ScanReader], Step]) -> None:
        assert self._decisions is not None
        assert self._keys is not None
        keys = self._keys
        self._writing = True
        self._decisions.write(
            lambda: make(keys), lambda step, error, stood: self.post_message(StepDone(step, error, stood))
        )

    @on(StepDone)
    def _step_done(self, event: StepDone) -> None:
        """Show what was decided: by now it is on the disk."""
        self._writing = False
        step, groups = event.step, self._groups
        if event.error is not None:
            self._waiting.clear()
            self.notify(clean(str(event.error)), severity="error", markup=False)
            return
        self._desk.stand(event.stood, undone=step.undo)
        if step.note:
            self.notify(step.note, severity="warning", timeout=20, markup=False)
        if groups is None:
            return
        groups.decided(event.stood)
        if step.undo:
            self._take_back(step)
        else:
            self._steps.append(step)
            if step.before is not None:
                self._set_apart(step)
            else:
                self._after_drop()
        self._update()
        self._go_on()

    def _after_drop(self) -> None:
        assert self._groups is not None
        group = self.group
        if group is not None and not self._groups.going(group):
            self.group_list.go_to(self.group_list.cursor + 1)

    def _entered(self, group: Group) -> None:
        """Look again at a cluster of which a row was to go because of one that was dropped elsewhere."""
        if self._groups is not None and not group.waiting and self._groups.unsupported(group):
            self._look_again(group)

    def _set_apart(self, step: Step) -> None:
        assert self._groups is not None
        assert step.before is not None
        if step.cleared:
            self._clear(step.before[1], step.cleared)
        else:
            self._groups.apart.update(step.pairs)
            self._look_again(step.before[1])

    def _clear(self, leaks: Group, rows: Sequence[int]) -> None:
        """Show no longer as near leaks what is said to be none; another eval row that is like them takes a search."""
        assert self._groups is not None
        leaks.take(leaks.without(rows))
        if not leaks.rows:
            self._groups.listed.remove(leaks)
        self._tell_leaks(leaks)
        self._show_groups()

    def _tell_leaks(self, leaks: Group) -> None:
        """Tell the data screen which rows are near leaks now."""
        assert self._found is not None
        self._found = replace(self._found, marked=True)
        left = set(leaks.rows)
        self._desk.take_near(
            self._found.without_leaks([leak.row for leak in self._found.leaks if leak.row not in left])
        )

    def _take_back(self, step: Step) -> None:
        assert self._groups is not None
        self._groups.apart.difference_update(step.pairs)
        if step.before is None:
            return
        at, group, was = step.before
        group.take(was)
        if step.cleared:
            self._tell_leaks(group)
        if group not in self._groups.listed:
            self._groups.listed.insert(at, group)
        self._groups.changed()
        self._show_groups(self._groups.listed.index(group))

    def _drop(self, going: Sequence[tuple[int, Reason]]) -> None:
        """Drop rows, each with its reason."""
        if going:
            self._write(lambda keys: drops(keys, going))

    def _hold_apart(self, group: Group, pairs: Sequence[tuple[int, int]]) -> None:
        """Remember of pairs of rows that they are no duplicates."""
        assert self._groups is not None
        before = self._groups.listed.index(group), group, replace(group)
        self._write(lambda keys: held_apart(keys, pairs, before))

    def _no_leaks(self, group: Group, rows: Sequence[int]) -> None:
        """Remember of rows that they are no duplicates of the eval rows that they are like."""
        assert self._groups is not None
        before = self._groups.listed.index(group), group, replace(group)
        leaks = {row: group.why[row] for row in rows}
        self._write(lambda keys: cleared(keys, leaks, before))
