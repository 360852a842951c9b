"""What is decided about clusters, without a screen: written together, taken back by one key, looked at again."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.message import Message

from core.dataset.near.result import Cluster, Keep, wrong_pairs_words
from core.errors import BadInput, TunedeckError
from tui.duplicates.groups import Group, Groups, Reason
from tui.seen import NO_KEY, Press

if TYPE_CHECKING:
    from core.dataset.audit.decisions import DecisionState
    from core.dataset.audit.store import DecisionRequest, DecisionStore
    from core.dataset.scan.reader import ScanReader
    from core.jobs.service import Service

_LAST_WORD = 1.0
"""Seconds that leaving waits for a decision that is on its way to a slow disk."""


@dataclass(frozen=True, slots=True)
class Step:
    """Decisions that were made by one key, and are taken back by one.

    Attributes:
        asked: what is written.
        rows: row to key, of rows that are decided on.
        pairs: pairs of rows that are no duplicates.
        cleared: rows that are no near leaks of the eval rows beside which they are shown.
        before: the cluster that is looked at again for it, as it was then, and its place in the list.
        undo: whether `asked` takes an earlier step back.
        note: a sentence for the user once it is on the disk.
    """

    asked: tuple[DecisionRequest, ...]
    rows: Mapping[int, str] = field(default_factory=dict)
    pairs: tuple[tuple[int, int], ...] = ()
    cleared: tuple[int, ...] = ()
    before: tuple[int, Group, Group] | None = None
    undo: bool = False
    note: str = ""

    @property
    def taken_back(self) -> Step:
        """The step that takes this one back."""
        return replace(self, asked=tuple((key, "undo", {}) for key, _, _ in reversed(self.asked)), undo=True)


def drops(reader: ScanReader, going: Sequence[tuple[int, Reason]]) -> Step:
    """The step that drops rows, each with its reason and the key of the row that stays."""
    wanted = {row for row, reason in going} | {reason.because_of for _, reason in going}
    keys = _keys(reader, [row for row in wanted if row is not None])
    asked: list[DecisionRequest] = []
    for row, reason in going:
        payload = {"text": reason.words}
        if reason.because_of is not None:
            payload["because_of"] = keys[reason.because_of]
        asked.append((keys[row], "drop", payload))
    return Step(tuple(asked), {row: keys[row] for row, _ in going})


def held_apart(reader: ScanReader, pairs: Sequence[tuple[int, int]], before: tuple[int, Group, Group]) -> Step:
    """The step that says of pairs of rows that they are no duplicates."""
    from core.dataset.audit.decisions import pair_key

    keys = _keys(reader, {row for pair in pairs for row in pair})
    asked: list[DecisionRequest] = [(pair_key(keys[one], keys[other]), "keep", {}) for one, other in pairs]
    return Step(tuple(asked), {}, tuple((min(pair), max(pair)) for pair in pairs), before=before)


def dropped_marks(pairs: Sequence[tuple[str, str]]) -> Step:
    """The step that takes "not a duplicate" back for pairs of keys that were never similar, and says so."""
    from core.dataset.audit.decisions import pair_key

    return Step(
        tuple((pair_key(*pair), "undo", {}) for pair in pairs),
        undo=True,
        note=f"{wrong_pairs_words(len(pairs), 'dropped')}.",
    )


def cleared(reader: ScanReader, leaks: Mapping[int, Reason], before: tuple[int, Group, Group]) -> Step:
    """The step that says of rows that they are no duplicates of the eval rows that they are like.

    Args:
        reader: of the search.
        leaks: row to what it is like.
        before: as `Step.before`.
    """
    from core.dataset.audit.decisions import pair_key

    if not all(reason.key for reason in leaks.values()):
        what = "this search is too old for its near leaks to be marked, so nothing was saved"
        raise BadInput(what, do="Search again")
    keys = _keys(reader, leaks)
    asked: list[DecisionRequest] = [(pair_key(keys[row], reason.key), "keep", {}) for row, reason in leaks.items()]
    return Step(tuple(asked), cleared=tuple(leaks), before=before)


def _keys(reader: ScanReader, rows: Collection[int]) -> dict[int, str]:
    """The keys of rows.

    Raises:
        BadInput: not all of them are there.
    """
    keys = reader.keys(rows)
    if len(keys) < len(rows):
        raise BadInput("the result of this search is missing or damaged, so nothing was saved", do="Search again")
    return keys


Stood = Mapping[int, "tuple[str, DecisionState]"]
"""Row to its key and where it stands."""


class Decisions:
    """The workspace's decisions: opened in a thread, several written as one.

    Args:
        workspace: the folder that holds `.tunedeck`.
    """

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._store: DecisionStore | None = None

    def apart(self) -> frozenset[tuple[str, str]]:
        """The pairs of keys that are no duplicates, as the disk has them now; blocks, so it is for threads."""
        with self._lock:
            if self._store is None:
                from core.dataset.audit.store import DecisionStore

                self._store = DecisionStore(self._workspace)
        self._store.refresh().result()
        return self._store.apart()

    def write(self, make: Callable[[], Step], on_done: Callable[[Step, TunedeckError | None, Stood], object]) -> None:
        """Write decisions, all or none.

        Args:
            make: makes them, in a thread: there may be thousands.
            on_done: called in another thread once they are on the disk, or with the error, and with the decisions on
                their rows.
        """
        store = self._store
        assert store is not None, "what can be decided here comes from a search, which has opened the store"

        def work() -> None:
            try:
                step = make()
            except TunedeckError as fault:
                on_done(Step(()), fault, {})
                return

            def done(future: Future[Any]) -> None:
                error = future.exception()
                if error is not None and not isinstance(error, TunedeckError):
                    raise error
                on_done(step, error, {row: (key, store.standing(key)) for row, key in step.rows.items()})

            store.decide_together(step.asked).add_done_callback(done)

        threading.Thread(target=work, name="decide", daemon=True).start()

    def close(self) -> None:
        """Write what is on its way, and end."""
        if self._store is not None:
            writing = threading.Thread(target=self._store.close, name="close decisions", daemon=True)
            writing.start()
            writing.join(_LAST_WORD)


class SecondLook:
    """Looks at clusters again in a child process, which is started at first use.

    Args:
        folder: of the search's job.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._service: Service | None = None

    def ask(
        self,
        rows: Sequence[int],
        apart: Iterable[tuple[int, int]],
        on_done: Callable[[list[Cluster] | TunedeckError], object],
        *,
        preferred: Sequence[int] = (),
        keep: Keep | None = None,
    ) -> None:
        """Search again among some rows; `on_done` gets their clusters, in another thread."""
        if self._service is None:
            from core.jobs.service import Service

            self._service = Service([sys.executable, "-m", "core.dataset.scan.regroup", str(self._folder)])
        future = self._service.submit(
            "regroup", rows=list(rows), preferred=list(preferred), keep=keep, apart=[list(pair) for pair in apart]
        )

        def done(answer: Future[Any]) -> None:
            error = answer.exception()
            if isinstance(error, TunedeckError):
                on_done(error)
            elif error is not None:
                raise error
            else:
                on_done([Cluster.from_json(value) for value in answer.result()])

        future.add_done_callback(done)

    def close(self) -> None:
        """End the child."""
        if self._service is not None:
            self._service.close()


class StepDone(Message):
    """Decisions are on the disk, or why not; and where their rows stand now."""

    def __init__(self, groups: Groups, step: Step, error: TunedeckError | None, stood: Stood) -> None:
        self.groups = groups
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


class Decider:
    """Decides about the clusters of a search, one key after another: each is meant for what is shown when it is done.

    Args:
        groups: the clusters.
        decisions: the workspace's.
        ready: whether the cluster that is shown can be decided about now.
        meant: whether a key that had to wait was meant for what is shown now.
        post: takes `StepDone` and `LookedAgain`; called in threads.
    """

    def __init__(
        self,
        groups: Groups,
        decisions: Decisions,
        *,
        ready: Callable[[], bool],
        meant: Callable[[Press], bool],
        post: Callable[[Message], object],
    ) -> None:
        from core.dataset.scan.reader import ScanReader

        self._groups = groups
        self._decisions = decisions
        self._ready = ready
        self._meant = meant
        self._post = post
        self._keys = ScanReader(groups.found.folder)
        self._look = SecondLook(groups.found.folder)
        self._waiting: deque[tuple[Press, Callable[[], None]]] = deque()
        self._writing = False
        self._steps: list[Step] = []

    def close(self) -> None:
        """Look at no cluster any more."""
        self._look.close()

    # -- one key after another ------------------------------------------------------------------------------

    def line_up(self, press: Press, work: Callable[[], None]) -> None:
        """Do something when its turn comes, if its key is meant for what is shown then.

        Args:
            press: the key that it came by.
            work: what to do.
        """
        self._waiting.append((press, work))
        self.do_next()

    def do_next(self) -> None:
        """Do what has waited for something that has been shown now."""
        while self._waiting and not self._writing and self._ready():
            press, work = self._waiting.popleft()
            if self._meant(press):
                work()

    def done(self, event: StepDone) -> None:
        """Take in that a step is on the disk, or could not be written: then nothing that waits is done."""
        self._writing = False
        if event.error is not None:
            self._waiting.clear()
        elif not event.step.undo:
            self._steps.append(event.step)

    # -- what can be decided --------------------------------------------------------------------------------

    def drop(self, going: Sequence[tuple[int, Reason]]) -> None:
        """Drop rows, each with its reason."""
        if going:
            self._write(lambda: drops(self._keys, going))

    def hold_apart(self, group: Group, pairs: Sequence[tuple[int, int]]) -> None:
        """Remember of pairs of rows that they are no duplicates."""
        before = self._before(group)
        self._write(lambda: held_apart(self._keys, pairs, before))

    def clear_leaks(self, group: Group, rows: Sequence[int]) -> None:
        """Remember of rows that they are no duplicates of the eval rows that they are like."""
        before = self._before(group)
        leaks = {row: group.why[row] for row in rows}
        self._write(lambda: cleared(self._keys, leaks, before))

    def drop_wrong_marks(self) -> None:
        """Take back what was said of pairs that were never similar."""
        pairs = self._groups.found.wrong_pairs
        if pairs:
            self.line_up(NO_KEY, lambda: self._write(lambda: dropped_marks(pairs)))

    @property
    def can_undo(self) -> bool:
        """Whether anything was decided here that was not taken back."""
        return bool(self._steps)

    def undo(self) -> None:
        """Take back the last step."""
        if self._steps:
            step = self._steps.pop()
            self._write(lambda: step.taken_back)

    def _before(self, group: Group) -> tuple[int, Group, Group]:
        return self._groups.listed.index(group), group, replace(group)

    def _write(self, make: Callable[[], Step]) -> None:
        groups = self._groups
        self._writing = True
        self._decisions.write(make, lambda step, error, stood: self._post(StepDone(groups, step, error, stood)))

    def look_again(self, group: Group, *, preferred: Sequence[int] = (), keep: Keep | None = None) -> None:
        """Search again among the rows of a cluster that were not dropped."""
        groups, gone = self._groups, list(self._groups.dropped(group))
        group.waiting = True

        def on_done(found: list[Cluster] | TunedeckError) -> None:
            made = Group.of(group.number, group.kind, found, gone) if isinstance(found, list) else found
            self._post(LookedAgain(groups, group, made))

        self._look.ask(groups.present(group), groups.apart_in(group), on_done, preferred=preferred, keep=keep)
