"""The comparison of the duplicates screen: a row beside the one it is similar to, word by word."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message

from core.clean import clean_line
from core.dataset.records import Unreadable
from core.errors import TunedeckError
from core.units import count, percent, size
from tui.actions import Command
from tui.data.lines import HUGE
from tui.duplicates.groups import Fate, Group, Groups, Reason
from tui.screens.pane import Pane
from tui.widgets.chat_lines import chat_lines
from tui.widgets.text_view import TextLine, plain
from tui.widgets.word_diff import ComparedTexts, WordDiff, compare

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
from core.dataset.mapping import Chosen

_VERBS: dict[Fate, str] = {
    "stays": "stays",
    "removable": "is removable",
    "kept": "was kept",
    "dropped": "was dropped",
}


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
        eval_chosen: what the user has said of their format and columns.
        on_done: called with the request and its result: a comparison, or the lines of the one row.
    """

    def __init__(
        self,
        dataset: Dataset,
        eval_data: Sequence[Path],
        eval_chosen: Chosen,
        on_done: Callable[[Shown, ComparedTexts | list[TextLine]], object],
    ) -> None:
        self._dataset = dataset
        self._eval_data = list(eval_data)
        self._eval_chosen = eval_chosen
        self._eval: Dataset | None = None
        self._on_done = on_done
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
                self._on_done(shown, self._made(shown))

    def _made(self, shown: Shown) -> ComparedTexts | list[TextLine]:
        second = self._lines(self._dataset, shown.second)
        if shown.first is None:
            return list(second)
        try:
            dataset = self._eval_dataset() if shown.of_eval else self._dataset
        except TunedeckError as fault:
            return [plain(f"Cannot read the eval file: {clean_line(str(fault), 400)}", "warning")]
        return compare(self._lines(dataset, shown.first), second)

    def _lines(self, dataset: Dataset, entry: int) -> Iterable[TextLine]:
        length = dataset.reader.size(entry)
        if length > HUGE:
            return [plain(f"This row is {size(length)}, too long to compare here.", "warning")]
        try:
            return chat_lines(dataset.sample(entry))
        except (Unreadable, OSError) as fault:
            return [plain(f"unreadable: {clean_line(str(fault), 2_000)}", "warning")]

    def _eval_dataset(self) -> Dataset:
        if self._eval is None:
            self._eval = self._dataset.open_eval(self._eval_data, self._eval_chosen)
            self._eval.reader.extend()
        return self._eval


class PairPane(Pane):
    """Shows a row beside the one it is similar to; the title says whether the row is removable."""

    NAME = "pair"
    COMMANDS = (
        Command(
            "duplicates.toggle_same_lines",
            "v",
            "view",
            "same lines",
            "Show or hide the lines that are the same.",
            17,
        ),
        Command("duplicates.scroll_down", "space", "scroll_text(1)", "more", "Scroll the comparison down one page."),
        Command("duplicates.scroll_up", "backspace", "scroll_text(-1)", "less", "Scroll the comparison up one page."),
    )

    class Compared(Message):
        """Two rows have been compared."""

        def __init__(self, shown: Shown, result: ComparedTexts | list[TextLine]) -> None:
            self.shown = shown
            self.result = result
            super().__init__()

    def __init__(self, groups: Groups, dataset: Dataset, eval_data: Sequence[Path], eval_chosen: Chosen) -> None:
        """Make the pane.

        Args:
            groups: what a search has found.
            dataset: the rows.
            eval_data: the eval files.
            eval_chosen: what the user has said of their format and columns.
        """
        super().__init__()
        self.diff = WordDiff(id="diff")
        self._groups = groups
        self._shown: Shown | None = None
        self._comparer = Comparer(
            dataset, eval_data, eval_chosen, lambda shown, result: self.post_message(self.Compared(shown, result))
        )

    def compose(self) -> ComposeResult:
        """The comparison."""
        yield self.diff

    def on_unmount(self) -> None:
        """Compare no more."""
        self._comparer.close()

    def show(self, group: Group, row: int) -> None:
        """Have a row of a cluster compared with the one it is similar to."""
        shown = self._pair(group, row)
        if shown != self._shown:
            self._shown = shown
            self._comparer.ask(shown)

    def _pair(self, group: Group, row: int) -> Shown:
        """What is to be shown, with what is to be said about it; sets the pane's title."""
        groups = self._groups
        other = groups.other(group, row)
        fate = groups.fate(group, row)
        name = f"row {count(row + 1)}, {fate}"
        this = f"row {count(row + 1)} {_VERBS[fate]}"
        if isinstance(other, Reason):
            self.border_title = Content(f"{this}: prompt {percent(other.similarity)} similar to an eval prompt")
            return Shown(other.entry, groups.entry_of(row), (f"{other.other}, held out", name), of_eval=True)
        if other is None:
            self.border_title = Content(this)
            return Shown(None, groups.entry_of(row), ("", name))
        similarity = groups.similarity(group, row, other)
        that = f"row {count(other + 1)}"
        other_name = f"{that}, {groups.fate(group, other)}"
        title = f"{this} · less than {percent(groups.found.options.threshold)} similar to every row that stays"
        if groups.said_apart(row, other):
            title = f"{this} · marked as not a duplicate of {that}"
        if similarity is not None:
            how = "same text as" if similarity >= 1 else f"{percent(similarity)} similar to"
            title = f"{this}: {how} {that}, which {_VERBS[groups.fate(group, other)]}"
        self.border_title = Content(title)
        stays_left = row in group.why
        first, second = (other, row) if stays_left else (row, other)
        names = (other_name, name) if stays_left else (name, other_name)
        return Shown(groups.entry_of(first), groups.entry_of(second), names)

    @on(Compared)
    def _compared(self, event: Compared) -> None:
        if event.shown != self._shown:
            return
        if isinstance(event.result, ComparedTexts):
            self.diff.show_pair(event.result, event.shown.names)
            words = event.result.words
            subtitle = f"{count(words)} word{'s' * (words != 1)} differ{'s' * (words == 1)}" if words else "same words"
        else:
            lines = event.result
            self.diff.show_text(lambda: lines)
            subtitle = ""
        self.border_subtitle = Content(subtitle)

    # -- keys -----------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        return bool(self._groups.listed)

    def action_view(self) -> None:
        """Show all lines, or only those around words that differ."""
        self.diff.toggle_whole()

    def action_scroll_text(self, pages: int) -> None:
        """Scroll the comparison while a list has the focus."""
        (self.diff.action_page_down if pages > 0 else self.diff.action_page_up)()
