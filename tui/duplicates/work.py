"""What the duplicates screen has done in threads and in a child process: comparisons, decisions, second looks."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.clean import clean_line
from core.dataset.files.records import Unreadable
from core.dataset.near.result import Cluster, Keep, wrong_pairs_words
from core.errors import BadInput, TunedeckError
from core.units import size
from tui.data.lines import HUGE
from tui.widgets.chat_lines import chat_lines
from tui.widgets.text_view import Line, plain
from tui.widgets.word_diff import Comparison, compare

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Standing
    from core.dataset.audit.store import Ask, DecisionStore
    from core.dataset.dataset import Dataset
    from core.dataset.scan.reader import ScanReader
    from core.jobs.service import Service
    from tui.duplicates.groups import Group, Reason

_LAST_WORD = 1.0
"""Seconds that leaving waits for a decision that is on its way to a slow disk."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Two rows to be compared, or one that is shown alone.

    Attributes:
        first: the entry on the left, None where there is none.
        second: the entry under the cursor.
        names: of both, a few clean words each.
        of_eval: whether the first is an entry of the eval files.
    """

    first: int | None
    second: int
    names: tuple[str, str]
    of_eval: bool = False


class Comparer:
    """Reads and compares two rows in a thread of its own; of several that are asked for, the last.

    Args:
        dataset: the rows.
        eval_data: the eval files, opened when one of their rows is to be shown.
        tell: hears what was asked and what came of it: a comparison, or the lines of the one row.
    """

    def __init__(
        self,
        dataset: Dataset,
        eval_data: Sequence[Path],
        tell: Callable[[Shown, Comparison | list[Line]], object],
    ) -> None:
        self._dataset = dataset
        self._eval_data = list(eval_data)
        self._eval: Dataset | None = None
        self._tell = tell
        self._asked: queue.SimpleQueue[Shown | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="comparer", daemon=True).start()

    def ask(self, shown: Shown) -> None:
        """Compare these next."""
        self._asked.put(shown)

    def close(self) -> None:
        """End the thread."""
        self._asked.put(None)

    def _work(self) -> None:
        while (shown := self._asked.get()) is not None:
            if self._asked.empty():
                self._tell(shown, self._made(shown))

    def _made(self, shown: Shown) -> Comparison | list[Line]:
        second = self._lines(self._dataset, shown.second)
        if shown.first is None:
            return list(second)
        try:
            dataset = self._eval_dataset() if shown.of_eval else self._dataset
        except TunedeckError as fault:
            return [plain(f"The eval file cannot be read: {clean_line(str(fault), 400)}", "warning")]
        return compare(self._lines(dataset, shown.first), second)

    def _lines(self, dataset: Dataset, entry: int) -> Iterable[Line]:
        length = dataset.reader.size(entry)
        if length > HUGE:
            return [plain(f"This row has {size(length)}: it is too long to be compared here.", "warning")]
        try:
            return chat_lines(dataset.sample(entry))
        except (Unreadable, OSError) as fault:
            return [plain(f"no sample: {clean_line(str(fault), 2_000)}", "warning")]

    def _eval_dataset(self) -> Dataset:
        if self._eval is None:
            self._eval = self._dataset.open_beside(self._eval_data)
            self._eval.reader.extend()
        return self._eval


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
        note: what the user is told when it is on the disk.
    """

    asked: tuple[Ask, ...]
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
    asked: list[Ask] = []
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
    asked: list[Ask] = [(pair_key(keys[one], keys[other]), "keep", {}) for one, other in pairs]
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
        what = "this search was made before near leaks could be marked, so nothing was written"
        raise BadInput(what, do="Search again")
    keys = _keys(reader, leaks)
    asked: list[Ask] = [(pair_key(keys[row], reason.key), "keep", {}) for row, reason in leaks.items()]
    return Step(tuple(asked), cleared=tuple(leaks), before=before)


def _keys(reader: ScanReader, rows: Collection[int]) -> dict[int, str]:
    """The keys of rows.

    Raises:
        BadInput: not all of them are there.
    """
    keys = reader.keys(rows)
    if len(keys) < len(rows):
        raise BadInput("the result of this search is gone or damaged, so nothing was written", do="Search again")
    return keys


Stood = Mapping[int, "tuple[str, Standing]"]
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

    def write(self, make: Callable[[], Step], tell: Callable[[Step, TunedeckError | None, Stood], object]) -> None:
        """Write decisions, all or none.

        Args:
            make: makes them, in a thread: there may be thousands.
            tell: hears in another thread that they are on the disk, or why not, and where their rows stand now.
        """
        store = self._store
        assert store is not None, "what can be decided here comes from a search, which has opened the store"

        def work() -> None:
            try:
                step = make()
            except TunedeckError as fault:
                tell(Step(()), fault, {})
                return

            def done(future: Future[Any]) -> None:
                error = future.exception()
                if error is not None and not isinstance(error, TunedeckError):
                    raise error
                tell(step, error, {row: (key, store.standing(key)) for row, key in step.rows.items()})

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
        tell: Callable[[list[Cluster] | TunedeckError], object],
        *,
        preferred: Sequence[int] = (),
        keep: Keep | None = None,
    ) -> None:
        """Search again among some rows; `tell` hears in another thread which clusters they make."""
        if self._service is None:
            from core.jobs.service import Service

            self._service = Service([sys.executable, "-m", "core.dataset.near.regroup", str(self._folder)])
        future = self._service.submit(
            "regroup", rows=list(rows), preferred=list(preferred), keep=keep, apart=[list(pair) for pair in apart]
        )

        def done(answer: Future[Any]) -> None:
            error = answer.exception()
            if isinstance(error, TunedeckError):
                tell(error)
            elif error is not None:
                raise error
            else:
                tell([Cluster.from_json(value) for value in answer.result()])

        future.add_done_callback(done)

    def close(self) -> None:
        """End the child."""
        if self._service is not None:
            self._service.close()
