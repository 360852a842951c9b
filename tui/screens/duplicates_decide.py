"""Decisions on the duplicates screen: written together, shown when they are on the disk, taken back by one key."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from textual import on
from textual.message import Message

from core.clean import clean
from core.dataset.decisions import pair_key
from core.dataset.near.result import Cluster, Keep
from core.errors import TunedeckError
from tui.screens.duplicates_groups import Group, Groups, Reason
from tui.screens.duplicates_panes import Compared
from tui.screens.duplicates_settings import DuplicatesSettings, NearHeard
from tui.screens.duplicates_work import Comparer, Decisions, SecondLook
from tui.screens.near_search import NearFound, NearSearch

if TYPE_CHECKING:
    from core.dataset.audit import Ask
    from core.dataset.scan_reader import ScanReader
    from tui.screens.data_desk import Desk


@dataclass(frozen=True, slots=True)
class _Step:
    """Decisions that were made by one key, and are taken back by one.

    Attributes:
        asked: what was written.
        rows: row to key, of rows that were decided on.
        pairs: pairs of rows that are no duplicates.
        before: the cluster that was looked at again for it, as it was, and its place in the list.
    """

    asked: tuple[Ask, ...]
    rows: Mapping[int, str] = field(default_factory=dict)
    pairs: tuple[tuple[int, int], ...] = ()
    before: tuple[int, Group] | None = None


class StepDone(Message):
    """Decisions are on the disk, or why not; of those that were taken back, `undone`."""

    def __init__(self, step: _Step, error: TunedeckError | None, *, undone: bool) -> None:
        self.step = step
        self.error = error
        self.undone = undone
        super().__init__()


class LookedAgain(Message):
    """A cluster was looked at again."""

    def __init__(self, groups: Groups, group: Group, found: list[Cluster] | TunedeckError) -> None:
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
        self._waiting: deque[Callable[[], None]] = deque()
        self._writing = False
        self._steps: list[_Step] = []

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
            lambda news: self.post_message(NearHeard(news)),
        )
        self._search.look()

    def on_unmount(self) -> None:
        """End what works for this screen alone; a search goes on."""
        for each in (self._search, self._comparer, self._look, self._decisions):
            if each is not None:
                each.close()

    # -- the search -----------------------------------------------------------------------------------------

    def _take(self, found: NearFound) -> None:
        """Show what a search has found."""
        from core.dataset.scan_reader import ScanReader

        if self._look is not None:
            self._look.close()
        self._found, self._options = found, found.options
        self._keys = ScanReader(found.folder)
        self._look = SecondLook(found.folder)
        self._groups = Groups(found, self._rows)
        self._steps.clear()
        self._desk.take_near(found)
        self._show_groups()
        if self._groups.listed:
            self.group_list.focus()
        for group in [each for each in self._groups.listed if each.waiting]:
            self._look_again(group)

    def _look_again(self, group: Group, *, preferred: Sequence[int] = (), keep: Keep | None = None) -> None:
        """Search again among the rows of a cluster that were not dropped."""
        assert self._groups is not None
        assert self._look is not None
        groups = self._groups
        group.waiting = True
        self._look.ask(
            groups.present(group),
            groups.apart_in(group),
            lambda found: self.post_message(LookedAgain(groups, group, found)),
            preferred=preferred,
            keep=keep,
        )

    @on(LookedAgain)
    def _looked_again(self, event: LookedAgain) -> None:
        groups, group = event.groups, event.group
        if groups is not self._groups or group not in groups.listed:
            return
        if isinstance(event.found, TunedeckError):
            self.notify(clean(str(event.found)), severity="error", markup=False)
            return
        here, row = group is self.group, self.row
        group.take(event.found, groups.dropped(group))
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

    def _line_up(self, work: Callable[[], None]) -> None:
        """Do something when its turn comes: each key is meant for what is shown then."""
        self._told = ""
        self._waiting.append(work)
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and not self._writing and (self.group is None or not self.group.waiting):
            self._waiting.popleft()()

    def _write(self, step: _Step, *, undone: bool = False) -> None:
        assert self._decisions is not None
        self._writing = True
        asked = [(key, "undo", {}) for key, _, _ in reversed(step.asked)] if undone else step.asked
        self._decisions.write(asked, lambda error: self.post_message(StepDone(step, error, undone=undone)))

    @on(StepDone)
    def _step_done(self, event: StepDone) -> None:
        """Show what was decided: by now it is on the disk."""
        assert self._decisions is not None
        self._writing = False
        step = event.step
        if event.error is not None:
            self._waiting.clear()
            self.notify(clean(str(event.error)), severity="error", markup=False)
            return
        for row, key in step.rows.items():
            self._desk.stand(row, key, self._decisions.standing(key), undone=event.undone)
        if event.undone:
            self._take_back(step)
        else:
            self._steps.append(step)
            if step.pairs:
                self._set_apart(step)
            elif step.rows:
                self._after_drop(step)
        self._update()
        self._go_on()

    def _after_drop(self, step: _Step) -> None:
        assert self._groups is not None
        cursor = self.group_list.cursor
        group = self.group
        if group is not None and not self._groups.going(group):
            self.group_list.go_to(cursor + 1)
        if (group := self.group) is not None and self._groups.unsupported(group):
            self._look_again(group)

    def _set_apart(self, step: _Step) -> None:
        assert self._groups is not None
        assert step.before is not None
        self._groups.apart.update(step.pairs)
        _, group = step.before
        self._look_again(next(each for each in self._groups.listed if each.number == group.number))

    def _take_back(self, step: _Step) -> None:
        assert self._groups is not None
        self._groups.apart.difference_update(step.pairs)
        if step.before is None:
            return
        at, group = step.before
        listed = [each for each in self._groups.listed if each.number != group.number]
        listed.insert(at, group)
        self._groups.listed = listed
        self._show_groups(at)

    def _drop(self, going: Sequence[tuple[int, Reason]]) -> None:
        """Drop rows, each with its reason and the key of the row that stays."""
        asked: list[Ask] = []
        rows: dict[int, str] = {}
        for row, reason in going:
            key = self._key(row)
            if key is None:
                continue
            rows[row] = key
            payload: dict[str, Any] = {"text": reason.words}
            if reason.because_of is not None:
                payload["because_of"] = self._key(reason.because_of)
            asked.append((key, "drop", payload))
        if asked:
            self._write(_Step(tuple(asked), rows))

    def _key(self, row: int) -> str | None:
        return None if self._keys is None else self._keys.key(row)

    def _hold_apart(self, group: Group, pairs: Sequence[tuple[int, int]]) -> None:
        assert self._groups is not None
        keys = {row: self._key(row) for pair in pairs for row in pair}
        asked: list[Ask] = [(pair_key(str(keys[one]), str(keys[other])), "keep", {}) for one, other in pairs]
        ordered = tuple((min(pair), max(pair)) for pair in pairs)
        before = self._groups.listed.index(group), replace(group)
        self._write(_Step(tuple(asked), {}, ordered, before))
