"""The panes of the duplicates screen: clusters, the rows of one, two of them beside each other."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Container, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from core import timestamps
from core.clean import clean_line
from core.dataset.near.result import NearOptions, percent
from core.units import count
from tui.duplicates.groups import Group, Groups, Reason
from tui.duplicates.work import Comparer, Shown
from tui.screens.base import StepScreen
from tui.widgets.sample_entry import Entry
from tui.widgets.sample_list import SampleList
from tui.widgets.text_view import Line
from tui.widgets.word_diff import Comparison, WordDiff

if TYPE_CHECKING:
    from tui.data.near_search import NearFound
    from tui.data.rows import DataRows

FIELD_WORDS = {
    "all": "all turns",
    "prompt": "prompts",
    "answer": "answers",
    "whole": "whole texts",
}
"""What is compared, for the line of facts."""

KEEP_WORDS = {"first": "the first row stays", "longest": "the longest row stays"}


class Compared(Message):
    """Two rows have been compared."""

    def __init__(self, shown: Shown, result: Comparison | list[Line]) -> None:
        self.shown = shown
        self.result = result
        super().__init__()


class DuplicatesPanes(StepScreen):
    """Lists and comparison; the keys are in the class that builds on this one."""

    STEP = "data"
    SCOPE = "duplicates"

    def __init__(self, rows: DataRows) -> None:
        super().__init__()
        self._rows = rows
        self._groups: Groups | None = None
        self._found: NearFound | None = None
        self._options = NearOptions()
        self._doing = ""
        """What the search that runs does; "" while none does."""
        self._told = ""
        """A sentence that stays on the line of facts until something else happens."""
        self._listed: tuple[Group, Sequence[int]] = (Group(0, "near", 0.0), ())
        """The cluster whose rows are listed, and these rows."""
        self._shown: Shown | None = None
        self._comparer: Comparer | None = None

    # -- composition ----------------------------------------------------------------------------------------

    def compose_body(self) -> Iterable[Widget]:
        """The lists, the comparison, a line of facts; a sentence in their place while there is nothing to list."""
        with Container(id="panes"):
            with Vertical(id="lists"):
                with Vertical(id="groups-pane"):
                    yield SampleList(self._group_line, id="groups")
                with Vertical(id="members-pane"):
                    yield SampleList(self._member_line, id="members")
            with Vertical(id="diff-pane"):
                yield WordDiff(id="diff")
        yield Static("", id="nothing", markup=False)
        yield Static("", id="line", markup=False)

    @property
    def group_list(self) -> SampleList:
        """The clusters."""
        return self.query_one("#groups", SampleList)

    @property
    def member_list(self) -> SampleList:
        """The rows of the cluster under the cursor."""
        return self.query_one("#members", SampleList)

    @property
    def diff(self) -> WordDiff:
        """The comparison."""
        return self.query_one("#diff", WordDiff)

    @property
    def group(self) -> Group | None:
        """The cluster under the cursor."""
        if self._groups is None or not self._groups.listed:
            return None
        return self._groups.listed[min(self.group_list.cursor, len(self._groups.listed) - 1)]

    @property
    def row(self) -> int | None:
        """The row under the cursor."""
        _, rows = self._listed
        return rows[min(max(0, self.member_list.cursor), len(rows) - 1)] if rows else None

    @property
    def aim(self) -> Hashable:
        """The row of the cluster."""
        return self._in_cluster(self.row)

    def _in_cluster(self, row: int | None) -> Hashable:
        group = self.group
        return id(self._groups), None if group is None else group.number, row

    def pictured(self) -> Iterable[Hashable]:
        """The rows of the cluster; where a comparison has the whole screen, the row that is compared."""
        if self.has_class("-reading"):
            return [self.aim]
        _, rows = self._listed
        return [self._in_cluster(rows[place]) for place in self.member_list.shown if place < len(rows)]

    def _group_line(self, position: int) -> Entry:
        assert self._groups is not None
        return self._groups.line(position)

    def _member_line(self, position: int) -> Entry:
        assert self._groups is not None
        group, rows = self._listed
        return self._groups.member(group, rows[position])

    # -- showing --------------------------------------------------------------------------------------------

    @on(SampleList.Highlighted, "#groups")
    def _on_group(self) -> None:
        self._show_members()

    @on(SampleList.Highlighted, "#members")
    def _on_member(self) -> None:
        self._show_pair()

    def _show_groups(self, cursor: int = 0) -> None:
        """List the clusters anew, with the cursor on one of them."""
        number = 0 if self._groups is None else len(self._groups.listed)
        self.set_class(number == 0, "-nothing")
        self.group_list.reset(number, cursor)
        if number:
            self._show_members()
        elif self.focused is not None:
            self.set_focus(None)
        self._show_facts()

    def _show_members(self, row: int | None = None) -> None:
        """List the rows of the cluster; the cursor goes to a row, by default the first that may go."""
        group = self.group
        if group is None or self._groups is None:
            return
        wanted = row if row in group.rows else next(iter(group.why), None)
        position = group.rows.index(wanted) if wanted in group.rows else 0
        if row is None:
            first = (at for at, each in enumerate(group.rows) if each in group.why)
            position = next(first, 0)
        self._listed = group, group.rows
        self.member_list.digits = max(4, len(count(max(group.rows, default=0) + 1)))
        self.member_list.reset(len(group.rows), position)
        self._entered(group)
        self._show_facts()
        self._show_pair()

    def _entered(self, group: Group) -> None:
        """A cluster is listed."""

    def _update(self) -> None:
        """Draw what is listed again, after a decision."""
        self.group_list.update()
        self.member_list.update()
        self._show_facts()
        self._show_pair()

    def _show_pair(self) -> None:
        """Have the row under the cursor compared with the one that it is like."""
        group, row = self.group, self.row
        if group is None or row is None or self._groups is None or self._comparer is None:
            return
        shown = self._pair(self._groups, group, row)
        if shown != self._shown:
            self._shown = shown
            self._comparer.ask(shown)

    def _pair(self, groups: Groups, group: Group, row: int) -> Shown:
        """What is to be shown, with what is to be said about it; sets the pane's title."""
        other = groups.other(group, row)
        fate = groups.fate(group, row)
        name = f"row {count(row + 1)}, {fate}"
        pane = self.query_one("#diff-pane")
        if isinstance(other, Reason):
            may_go = f"row {count(row + 1)} may go" if fate == "may go" else name
            pane.border_title = Content(f"{may_go}: {percent(other.similarity)} the prompt in {other.other}")
            return Shown(other.entry, groups.entry_of(row), (f"{other.other}, held out", name), of_eval=True)
        if other is None:
            pane.border_title = Content(name)
            return Shown(None, groups.entry_of(row), ("", name))
        similarity = groups.similarity(group, row, other)
        other_name = f"row {count(other + 1)}, {groups.fate(group, other)}"
        title = f"{name} · less than {percent(self._threshold)} like any row that stays"
        if groups.said_apart(row, other):
            title = f"{name} · you said it is no duplicate of row {count(other + 1)}"
        if similarity is not None:
            alike = "the same text" if similarity >= 1 else f"{percent(similarity)} alike"
            title = f"{name} · {alike} · {other_name}"
            if fate == "may go":
                title = f"row {count(row + 1)} may go because of row {count(other + 1)}, which stays · {alike}"
        pane.border_title = Content(title)
        stays_left = row in group.why
        first, second = (other, row) if stays_left else (row, other)
        names = (other_name, name) if stays_left else (name, other_name)
        return Shown(groups.entry_of(first), groups.entry_of(second), names)

    @property
    def _threshold(self) -> float:
        return self._found.options.threshold if self._found is not None else self._options.threshold

    @on(Compared)
    def _compared(self, event: Compared) -> None:
        if event.shown != self._shown:
            return
        if isinstance(event.result, Comparison):
            self.diff.show_pair(event.result, event.shown.names)
            words = event.result.words
            subtitle = f"{count(words)} word{'s' * (words != 1)} differ{'s' * (words == 1)}" if words else "same words"
        else:
            lines = event.result
            self.diff.show_text(lambda: lines)
            subtitle = ""
        self.query_one("#diff-pane").border_subtitle = Content(subtitle)

    # -- words ----------------------------------------------------------------------------------------------

    def _show_facts(self) -> None:
        """Bring titles and the line of facts up to what is known."""
        groups, group = self._groups, self.group
        if groups is not None:
            self.query_one("#groups-pane").border_title = Content(_groups_title(groups))
        if groups is not None and group is not None:
            going, gone = len(groups.going(group)), len(groups.dropped(group))
            name = "near leaks" if group.kind == "leak" else f"cluster {count(group.number)}"
            rows = f"{count(len(group.rows))} row{'s' * (len(group.rows) != 1)}"
            words = f"{name}: {rows} · {count(going)} may go · {count(gone)} dropped"
            if gone == len(group.rows):
                words += " · nothing of it stays"
            self.query_one("#members-pane").border_title = Content(words)
        self.query_one("#line", Static).update(clean_line(self._facts(), 500))
        self.query_one("#nothing", Static).update(self._nothing())
        self.refresh_bindings()

    def _facts(self) -> str:
        if self._doing:
            return f"searching: {self._doing} · c cancels · it goes on if you leave"
        if self._told:
            return self._told
        found = self._found
        if found is None:
            return ""
        parts = [self._asked(found.options)]
        if found.changed:
            parts.insert(0, f"{found.changed}: nothing can be decided here until r has searched again")
        elif self._options != found.options:
            parts = [f"r searches with {self._asked(self._options)}"]
        elif found.marked:
            parts.insert(0, "“no duplicate” marks have changed since; r searches again")
        parts.append(f"searched {timestamps.text(found.when, '%Y-%m-%d %H:%M')}")
        parts += [f"not compared: {said}" for said in found.left_out]
        return " · ".join(parts)

    @staticmethod
    def _asked(options: NearOptions) -> str:
        return f"{percent(options.threshold)} of {FIELD_WORDS[options.fields]}, {KEEP_WORDS[options.keep]}"

    def _nothing(self) -> str:
        """What is said in the place of the lists."""
        if self._doing:
            return f"Searching for near-duplicates: {self._doing}.\n\nIt goes on if you leave; c cancels it."
        settings = f"r searches: {self._asked(self._options)}. t, w and K change that."
        if self._found is not None:
            alike = percent(self._found.options.threshold)
            return f"No two rows are {alike} alike ({FIELD_WORDS[self._found.options.fields]}).\n\n{settings}"
        rows = f"{count(self._rows.good)} rows"
        return (
            f"Near-duplicates among these {rows} have not been searched for yet.\n\n{settings}\n\n"
            "The search runs by itself: you can leave this screen, and the program."
        )


def _groups_title(groups: Groups) -> str:
    number = sum(group.kind != "leak" for group in groups.listed)
    return f"{count(number)} cluster{'s' * (number != 1)} · {count(groups.open_rows)} rows may go"
