"""The list of rows: which are listed, in which order, and where the cursor is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.events import Click

from core.clean import clean, clean_line
from core.dataset.audit.pace import AuditPace, seconds_words
from core.errors import TunedeckError
from core.folding import fold
from core.units import count, rows_words
from tui.data import words
from tui.data.desk import OpenDataset
from tui.data.find import ORDERS, Finder, Lengths, Unit
from tui.data.lines import columns, row_line, status_width
from tui.data.listing import FILTERS, FLAG, LABEL, REASON, SOURCE, Listing
from tui.data.messages import (
    Claimed,
    DecideAll,
    ListChanged,
    OverviewAsked,
    QueueOrdered,
    RowShown,
    SearchProgress,
    Sorted,
)
from tui.screens.pane import Pane
from tui.terminal.still import StillText
from tui.widgets.sample_entry import ListEntry
from tui.widgets.sample_list import SampleList
from tui.widgets.titled_pane import TitledPane

if TYPE_CHECKING:
    from core.dataset.audit.queue import Audit, AuditLog, Mode

MenuAction = tuple[str, str, Callable[[], None]]
"""A line of a menu: its name, what it means, what it does."""

_FRAME = 2
"""Cells of the border on both sides of the list."""

_LEAST_BESIDE = 66
"""Cells that the style sheet gives the list beside a row; where numbers are long it needs more."""

_AUDIT_SIZES = (50, 100, 200)
_AGREED = 100
"""Rows that each reviewer reads."""

_RESUMED = 3
"""Earlier audits that the menu offers to resume."""

_HELD = 4
"""Rows of a shared audit that a reviewer holds ahead."""

_ASKED_FOR = 64
"""Rows of which those are taken that nobody else holds."""

_RENEW = 40.0
"""Seconds after which held rows are claimed again."""
_MOST_FILES = 200
_MOST_WORDS = 20
"""Labels in the menu of lists."""

_MOST_COUNTED = 5_000
"""Rows of a list up to which it is counted how many of them others hold: more would hold up the keys."""


class RowsPane(Pane):
    """Lists rows by filter, search, length or audit; posts `RowShown` and `ListChanged`."""

    NAME = "rows"

    def __init__(self, desk: OpenDataset) -> None:
        """Make the pane.

        Args:
            desk: the dataset that is open.
        """
        super().__init__()
        self.listing = Listing(desk.rows)
        self.rows_list = SampleList(self._line, id="list")
        self._counts = StillText(id="counts")
        self._frame = TitledPane(self.rows_list, self._counts, id="list-pane")
        self._desk = desk
        self._rows = desk.rows
        self._finder = Finder(self.listing, self.post_message)
        self._sought = ""
        self._searching = False
        self._pace = AuditPace()

    def compose(self) -> ComposeResult:
        """The list, and how many rows each filter lists."""
        yield self._frame

    def on_unmount(self) -> None:
        """Search no longer."""
        self._finder.end()

    @property
    def shown(self) -> list[int]:
        """The entries that are on the screen with what is known of them."""
        count = self.listing.count
        return [self.listing.entry_at(place) for place in self.rows_list.shown if place < count]

    @property
    def entry(self) -> int | None:
        """The entry under the cursor; None in an empty list."""
        return self.listing.entry_at(self.rows_list.cursor) if self.listing.count else None

    @property
    def last_in_view(self) -> int:
        """The first position below those that are in view."""
        return self.rows_list.scroll_offset.y + self.rows_list.size.height

    @property
    def finding(self) -> bool:
        """Whether it is listed what a search has found."""
        return "found" in self.listing.names

    @property
    def sought(self) -> str:
        """The text that the listed rows were searched for, folded; "" where there was no search for one text."""
        return fold(self.listing.query) if self.finding and not self.listing.matches else ""

    def sought_in(self, entry: int | None) -> str:
        """What is marked in a row, folded: the text that was searched for, or what a pattern matches there first."""
        matches = self.listing.matches
        if not self.finding or not matches:
            return self.sought
        return fold(matches.get(-1 if entry is None else entry, ""))

    @property
    def narrowed(self) -> bool:
        """Whether `widen` lists more rows."""
        return bool(self.listing.also) or self.listing.filter in ("found", "audit")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        if action in ("skip", "narrow") and (self.listing.filter == "audit") != (action == "skip"):
            return False
        if action == "decide_all" and not self._rows.dataset.recognition.known:
            return False
        return self.listing.count > 0 or action in ("next_filter", "lists", "search", "audit", "go_to")

    def focus_list(self) -> None:
        """Give the list the focus."""
        self.rows_list.focus()

    def begin(self) -> None:
        """List all rows that are known by now."""
        self.rows_list.reset(self.listing.count)
        self.focus_list()
        self.set_interval(_RENEW, self._renew)

    # -- showing --------------------------------------------------------------------------------------------

    def _line(self, position: int) -> ListEntry | None:
        """What the list says at a position; reads and parses the row. None while it is not at hand."""
        entry = self.listing.entry_at(position)
        return row_line(self._rows, entry, self.sought_in(entry)) if self._rows.at_hand(entry) else None

    def show_facts(self) -> None:
        """Bring the words around the list up to what is known."""
        seconds = self._pace.seconds
        pace = f"{seconds_words(seconds)} each" if seconds else ""
        self._frame.retitle(words.title(self.listing, pace))
        self._set_columns()
        waits = self._searching if self.finding else self._desk.scanning or not self._desk.scan_words
        self.rows_list.say_if_empty(words.nothing_listed(self.listing, waits=waits))
        self._counts.say(words.counts(self.listing, self._counts.content_size.width or self.screen.size.width - 4))

    def _set_columns(self) -> None:
        """Show the columns that say anything, and give the list the width for them and its text."""
        rows, order = self._rows, self.listing.order
        needed = "tokens" if "tokens" in order else "chars" if order in ("longest", "shortest") else ""
        wanted = status_width(rows.good)
        if wanted != self.rows_list.status_width:
            self.rows_list.status_width = wanted
            self.rows_list.refresh()
        self.rows_list.use_columns(*columns(tokens=rows.tokens.standing != "none", needed=needed))
        self.rows_list.mark_hits(self.sought)
        least = self.rows_list.least_width + _FRAME
        beside = self.screen.has_class("-beside") and least > _LEAST_BESIDE
        if beside or self.styles.min_width is not None:
            self.styles.min_width = least if beside else None

    def on_resize(self) -> None:
        """Use the new width."""
        self._set_columns()

    @on(SampleList.Highlighted)
    def _highlighted(self, event: SampleList.Highlighted) -> None:
        event.stop()
        if self.entry is not None:
            self.post_message(RowShown(self.entry))

    def grow(self) -> None:
        """Take in rows that are known by now."""
        if self.listing.grows:
            self.rows_list.grow(self.listing.count)

    def look_again(self) -> None:
        """Rows that were not at hand have been read."""
        self.rows_list.look_again()

    def update(self, *, flags: bool) -> None:
        """Draw the rows again.

        Args:
            flags: whether other rows may belong to the list now, as flags have changed.
        """
        self.rows_list.update()
        if flags and self.listing.follows_flags:
            self.list_again()

    def decided_elsewhere(self) -> None:
        """Show decisions that were not made in this list."""
        if self.listing.steady:
            self.rows_list.update()
        else:
            self.list_again()

    def list_again(self) -> None:
        """Bring the list up to flags and decisions, with the cursor on the same row where it is among them."""
        entry = self.entry
        self.listing.again()
        self._listed(entry)

    def _list(self, name: str, entry: int | None = None, also: tuple[str, ...] | None = None) -> None:
        """List the rows of a filter, with the cursor on an entry (by default the present one) if it is among them.

        Args:
            name: of the filter.
            entry: for the cursor.
            also: further filters that hold them; None leaves those that there are where the filter is the same.
        """
        entry = self.entry if entry is None else entry
        self.listing.use_filter(name, also)
        self._listed(entry)

    def on_click(self, event: Click) -> None:
        """A click on a filter's name lists its rows."""
        name = event.style.meta.get(words.FILTER)
        if isinstance(name, str) and name != self.listing.filter:
            event.stop()
            self._list(name, also=())

    def _listed(self, entry: int | None) -> None:
        """Other rows are listed; the cursor goes to an entry, or to the first."""
        self.rows_list.reset(self.listing.count, self.listing.position_of(entry or 0))
        self.post_message(ListChanged())

    # -- after a decision -----------------------------------------------------------------------------------

    def take_decision(self, entry: int, *, shown: bool, moves_on: bool) -> None:
        """Show a decision.

        Args:
            entry: what it is about.
            shown: whether that is the row that is shown.
            moves_on: whether it is one of those after which the next row is shown.
        """
        if moves_on:
            self._pace.note(time.monotonic())
        if not self.listing.steady:  # the row may have left this list
            here = self.entry
            self.listing.again()
            self._listed(here)
            return
        self.rows_list.update(self.listing.position_of(entry))
        if shown and moves_on:
            self.rows_list.go_to(self.listing.next_row(self.rows_list.cursor))
            self._claim(self.rows_list.cursor, at_least=2)

    def take_undo(self, entry: int) -> None:
        """Show that decisions were taken back, with the cursor on the first of their rows."""
        if not self.listing.steady:  # the row may have come back to this list
            self.listing.again()
            self._listed(entry)
            return
        self.rows_list.update()
        if self.listing.lists(entry):
            self.rows_list.go_to(self.listing.position_of(entry))

    # -- all listed rows ------------------------------------------------------------------------------------

    def action_decide_all(self) -> None:
        """Decide about all listed rows at once: a menu says how many."""
        listing, rows = self.listing, self._rows
        if not rows.judged:
            self._say_not_scanned("A decision on a whole list")
            return
        entries = [entry for entry in listing.listed() if rows.row_of(entry) is not None]
        of = [rows.decision(entry) for entry in entries]
        undecided = [entry for entry, decision in zip(entries, of, strict=True) if not decision]
        choices: list[MenuAction] = [("cancel", "", lambda: None)]
        for action in ("drop", "keep"):
            rest = [entry for entry, decision in zip(entries, of, strict=True) if decision != action]
            about = "u undoes it"
            choices.append((f"{action} all {rows_words(len(entries))}", about, self._all(action, rest)))
            if 0 < len(undecided) < len(entries):
                decided = len(entries) - len(undecided)
                about = f"{count(decided)} decided row{'s stay' if decided > 1 else ' stays'} unchanged"
                what = f"{action} {count(len(undecided))} undecided"
                choices.append((what, about, self._all(action, undecided)))
        name = clean_line(words.listed(listing), 50)
        what = "all rows" if listing.names == ("all",) else name if listing.filter == "found" else f"list: {name}"
        self._choose(f"{what} ({count(len(entries))})", choices)

    def _all(self, action: str, entries: list[int]) -> Callable[[], None]:
        def decide() -> None:
            if entries:
                self.post_message(DecideAll("drop" if action == "drop" else "keep", {}, entries))
            else:
                self.show_message(f"Nothing to do: every listed row is {'kept' if action == 'keep' else 'dropped'}.")

        return decide

    # -- the cursor -----------------------------------------------------------------------------------------

    def action_step(self, step: int) -> None:
        """Go to a row beside this one."""
        self.step(step)

    def step(self, step: int) -> bool:
        """As `action_step`; False at the end of the list."""
        before = self.rows_list.cursor
        self.rows_list.action_move(step)
        return self.rows_list.cursor != before

    def action_go_to(self) -> None:
        """Ask for a row's number."""
        help = f"1 to {count(self._rows.good)}; enter to go, esc to cancel"
        self.ask_line("go to row", help, self._go_to, digits=True)

    def _go_to(self, digits: str) -> None:
        if not digits:
            return
        rows, number = self._rows, int(digits[:18])
        entry = rows.entry_of(number - 1)
        if not 1 <= number <= rows.good:
            so_far = " so far" if not rows.dataset.reader.complete else ""
            self.show_message(f"No row {count(number)}: the last row is {count(rows.good)}{so_far}.", about=entry)
        elif not self.listing.lists(entry):
            shown = clean_line(words.listed(self.listing), 60)
            self.show_message(
                f"Row {count(number)} is not in this list ({shown}), so all rows are listed now.", about=entry
            )
        if not self.listing.lists(entry):
            self._list("all", entry)
        else:
            self.rows_list.go_to(self.listing.position_of(entry))

    # -- lists and orders -----------------------------------------------------------------------------------

    def action_next_filter(self) -> None:
        """List other rows, with the cursor on the same row where it is among them."""
        name = self.listing.filter
        self._list(FILTERS[(FILTERS.index(name) + 1) % len(FILTERS)] if name in FILTERS else "all", also=())

    def action_lists(self) -> None:
        """Choose a list, or an order, from a menu."""
        choices = self._lists(lambda name: self._list(name, also=()))
        for unit in self._units():
            choices.append((f"by length in {unit}", "a range such as 100-500 or >500", partial(self._ask_length, unit)))
        for order, counted in ORDERS.items():
            if "tokens" not in order or self._rows.tokens.standing == "known":
                choices.append((f"{order} first", f"sort by {counted}", partial(self._finder.sort, order)))
        if self.listing.order:
            choices.append(("file order", "reset the order", self.list_again))
        self._choose("show", choices)

    def _lists(
        self,
        listing: Callable[[str], None],
        without: Collection[str] = (),
        within: Mapping[str, int] | None = None,
    ) -> list[MenuAction]:
        """A choice for each list, with how many rows it has.

        Args:
            listing: called with the name of the chosen one.
            without: names of lists that are not offered.
            within: how many of the rows that count each list has; None counts all rows.
        """
        from core.dataset.checks import TITLES

        rows = self._rows
        counts = self.listing.counts()
        choices = [(name, name, count(counts[name])) for name in FILTERS]
        choices.append(("marked", "marked", f"{count(len(rows.marks))}  edited, noted, rated or flagged by you"))
        if conflicts := len(rows.conflicts):
            choices.append(("conflicts", "conflicts", f"{count(conflicts)}  reviewers disagree"))
        choices += [
            (LABEL + label, f"label {clean_line(label, 40)}", count(number))
            for label, number in rows.label_counts().most_common(_MOST_WORDS)
        ]
        reasons = Counter(rows.reasons.values())  # those of near-duplicates are as many as rows
        choices += [
            (REASON + reason, f"dropped: {clean_line(reason, 40)}", count(reasons[reason]))
            for reason in self.session.settings.drop_reasons
            if reasons[reason]
        ]
        choices += [(FLAG + name, TITLES.get(name, name), count(number)) for name, number in rows.flag_counts().items()]
        sources = rows.sources()
        for number, (path, start, end) in enumerate(sources[:_MOST_FILES] if len(sources) > 1 else ()):
            choices.append((f"{SOURCE}{number}", f"file {clean_line(path.name, 40)}", count(end - start)))
        if within is not None:
            choices = [(name, title, count(within[name])) for name, title, _ in choices if within.get(name)]
        return [(title, about, partial(listing, name)) for name, title, about in choices if name not in without]

    def _units(self) -> tuple[Unit, ...]:
        return ("characters", "tokens") if self._rows.tokens.standing == "known" else ("characters",)

    def action_narrow(self) -> None:
        """List only those of the listed rows that another list holds as well, or all that only one of these holds."""
        listing = self.listing
        names = tuple(name for name in listing.names if name != "all")
        others = tuple(name for name in names if name != "found")  # there is one search at a time
        choices: list[MenuAction] = []
        for name in reversed(names):
            rest = tuple(each for each in names if each != name) or ("all",)
            leave = partial(self._list, rest[0], also=rest[1:])
            choices.append((f"remove filter: {words.condition(listing, name)}", "", leave))

        def narrow(name: str) -> None:
            self._list(name, also=tuple(each for each in names if each != name))

        few = listing.count <= _MOST_COUNTED
        within = listing.counts_within(listing.listed()) if few else None
        choices += self._lists(narrow, ("all", *names), within)
        for unit in self._units():
            choices.append(
                (f"by length in {unit}", "a range such as 100-500 or >500", partial(self._ask_length, unit, others))
            )
        choices.append(("containing", "text that you type", partial(self._ask_text, others)))
        whose = "" if few else " (counts are for all rows)"
        self._choose(f"narrow the list to{whose}", choices, len(names))

    def widen(self) -> None:
        """List more rows again: without the last condition, at last all."""
        listing = self.listing
        audited = listing.filter == "audit"
        if listing.filter == "found":
            self._finder.end()
            self.line.forget()
        if listing.also:
            self._list(listing.also[0], also=listing.also[1:])
        elif self.narrowed:
            self._list("all")
            if audited:
                self.show_message("Showing all rows. Press A to resume the audit.")

    def _choose(self, title: str, choices: list[MenuAction], at: int = 0) -> None:
        from tui.widgets.choice_menu import ChoiceMenu

        def chosen(number: int | None) -> None:
            if number is not None:
                choices[number][2]()

        self.app.push_screen(ChoiceMenu(title, [choice[:2] for choice in choices], chosen=at), chosen)

    @on(Sorted)
    def _sorted(self, event: Sorted) -> None:
        event.stop()
        if event.names == self.listing.names:
            self.listing.use_order(event.order, event.entries)
            self.rows_list.reset(self.listing.count)
            self.post_message(ListChanged())

    # -- search and lengths ---------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Ask for the text to look for."""
        self._ask_text()

    def _ask_text(self, also: tuple[str, ...] = ()) -> None:
        help = "enter to search; /re/ or /re/i for a regular expression"
        self.ask_line("search", help, partial(self._search, also=also))

    def _search(self, query: str, also: tuple[str, ...]) -> None:
        if not query.strip():
            return
        from core.dataset.pattern import Pattern

        pattern = Pattern.read(query)
        if pattern is None:
            self._seek(query, f"containing “{clean_line(query, 60)}”", query, also)
            self._finder.search(query)
        else:
            self._seek(query, f"matching {clean_line(query.strip(), 60)}", query, also)
            self._finder.match(pattern, query)

    def _ask_length(self, unit: Unit, also: tuple[str, ...] = ()) -> None:
        help = "such as 100-500, >500, <20"
        self.ask_line(f"rows with how many {unit}", help, partial(self._by_length, unit, also=also))

    def _by_length(self, unit: Unit, text: str, also: tuple[str, ...]) -> None:
        wanted = Lengths.read(text, unit)
        if wanted is None:
            self.show_message(f"“{clean_line(text, 40)}” is not a length. Type 100-500, >500 or <20.")
            return
        self._seek(wanted.words, wanted.words, "", also)
        self._finder.by_length(wanted)

    def _seek(self, key: str, sought: str, query: str, also: tuple[str, ...]) -> None:
        entry = self.entry
        self._sought = key
        self._searching = True
        self.listing.seek(query, sought, also)
        self._listed(entry)

    @on(SearchProgress)
    def _found(self, event: SearchProgress) -> None:
        event.stop()
        listing = self.listing
        if event.sought != self._sought or not self.finding:
            return
        self._searching = not event.complete
        if event.stopped:
            listing.sought += " (stopped early)"
        first = not listing.count
        listing.matches.update(event.matches)
        listing.find_more(event.entries)
        if first and listing.count:
            self.rows_list.reset(listing.count)
        elif not listing.order:
            self.rows_list.grow(listing.count)
        found = f"{count(listing.count)} row{'s' * (listing.count != 1)} {listing.sought}"
        esc = "n next match · esc clears the search" if listing.query and listing.count else "esc clears the search"
        self.show_message(
            f"{found} · {esc if event.complete else f'searching, {rows_words(event.looked_at)} so far …'}"
        )
        self.post_message(ListChanged())

    # -- the audit ------------------------------------------------------------------------------------------

    def _log(self) -> AuditLog:
        from core.dataset.audit.queue import AuditLog

        return AuditLog(self.session.workspace, self._rows.dataset.paths, self._desk.reviewer)

    def action_audit(self) -> None:
        """Resume the audit that was left, or choose one; in an audit: another one, or none."""
        rows = self._rows
        present = self._log().present()
        if present is not None and self.listing.filter != "audit":
            self._audit(present)
            return
        flagged = (
            "available when the scan is done" if self._desk.scanning else rows_words(self.listing.counts()["flagged"])
        )
        choices: list[MenuAction] = []
        if present is not None:
            choices.append(("leave the audit", "keep the decisions and show all rows", self._leave_audit))
        here = self.listing.audit if self.listing.filter == "audit" else None
        earlier = [(each, by) for each, by in self._log().begun() if here is None or each.name != here.name]
        for audit, by in earlier[:_RESUMED]:
            take = partial(self._resume_audit, audit)
            choices.append((f"resume {words.audit_name(audit)}", words.begun(audit, by), take))
        for number in _AUDIT_SIZES:
            about = "each row goes to one reviewer"
            choices.append((f"random {number}", about, partial(self.begin_audit, "random", number)))
        choices.append(("random", "you choose how many rows", self._ask_audit_size))
        about = "everyone reviews the same rows, blind"
        choices.append((f"agreement {_AGREED}", about, partial(self.begin_audit, "random", _AGREED, overlap=True)))
        choices.append(("agreement", "you choose how many rows", partial(self._ask_audit_size, overlap=True)))
        choices.append(("worst first", f"{flagged}, errors before warnings", partial(self.begin_audit, "worst")))
        repeats = rows.flags.repeats
        about = f"{rows_words(repeats)}, largest cluster first" if repeats else "press r to find duplicates first"
        choices.append(("by cluster", about, partial(self.begin_audit, "cluster")))
        choices.append(("by flag", f"{flagged}, one flag at a time", partial(self.begin_audit, "flag")))
        for name, number in rows.flag_counts().items():
            choices.append((f"flag {name}", rows_words(number), partial(self.begin_audit, "flag", flag=name)))
        rare = "rare kinds of input; opens Overview"
        choices.append(("rare kinds first", rare, self._ask_overview))
        choices.append(
            ("everything", f"{rows_words(rows.good)} in file order", partial(self.begin_audit, "everything"))
        )
        self._choose("audit", choices)

    def _ask_overview(self) -> None:
        self.post_message(OverviewAsked())

    def _ask_audit_size(self, *, overlap: bool = False) -> None:
        def take(digits: str) -> None:
            if number := int(digits[:9] or 0):
                self.begin_audit("random", number, overlap=overlap)

        self.ask_line("audit how many rows", "enter to start", take, digits=True)

    def begin_audit(
        self, mode: Mode, size: int = 0, flag: str = "", keys: tuple[str, ...] = (), *, overlap: bool = False
    ) -> None:
        """Begin an audit; its rows are then listed.

        Args:
            mode: as in `Audit`; so are the others.
            size: see there.
            flag: see there.
            keys: see there.
            overlap: see there.
        """
        dataset = self._rows.dataset
        if not dataset.reader.complete or (mode != "everything" and not self._rows.judged):
            self._say_not_scanned("An audit")
            return
        from core.dataset.audit.queue import Audit

        log = self._log()
        seed = log.next_seed() if mode == "random" else 0
        audit = Audit(mode, seed, size, dataset.count, flag, time.time(), (), True, keys, overlap)
        try:
            log.begin(audit)
        except TunedeckError as fault:
            self.show_message(clean(str(fault)), failed=True)
            return
        self._audit(audit)

    def _resume_audit(self, audit: Audit) -> None:
        try:
            self._log().resume(audit)
        except TunedeckError as fault:
            self.show_message(clean(str(fault)), failed=True)
            return
        self._audit(audit)

    def _audit(self, audit: Audit) -> None:
        if audit.needs_keys and not self._rows.judged:
            self._say_not_scanned("An audit")
            return
        if audit.needs_keys:
            self._draw_sample(audit, {entry for entry, _ in self._rows.bad})
        else:
            self.post_message(QueueOrdered(audit, self.listing.order_of(audit)))

    def _say_not_scanned(self, what: str) -> None:
        why = (
            "was stopped: press C to resume it" if self._desk.stopped else "is still running: try again when it is done"
        )
        self.show_message(f"{what} needs a complete scan, which {why}.", failed=True)

    @work(thread=True, group="audit", exclusive=True)
    def _draw_sample(self, audit: Audit, bad: set[int]) -> None:
        """Find the rows that an audit names by their keys: to draw them from a million takes a second."""
        entries = audit.order({}, bad, self._desk.packed_keys())
        self.post_message(QueueOrdered(audit, entries))

    @on(QueueOrdered)
    def _ordered(self, event: QueueOrdered) -> None:
        event.stop()
        self.listing.use_audit(event.audit, event.entries)
        self.rows_list.reset(self.listing.count, self.listing.next_undecided(-1))
        self._claim(self.rows_list.cursor)
        self.post_message(ListChanged())

    # -- a queue that several reviewers share ---------------------------------------------------------------

    def _claim(self, position: int, *, at_least: int = _HELD) -> None:
        """Claim the next rows of a shared audit from a position on, unless enough of them are held."""
        listing = self.listing
        if listing.filter != "audit" or listing.audit is None or listing.audit.overlap:
            return
        if sum(not self._rows.decision(entry) for entry in listing.mine) < at_least:
            self._desk.claim(listing.audit.name, listing.undecided_from(position, _ASKED_FOR), _HELD)

    def _renew(self) -> None:
        """Hold the rows that are read now for longer."""
        self._claim(self.rows_list.cursor, at_least=_HELD + 1)

    def take_claims(self, event: Claimed) -> None:
        """Take in which rows nobody else reads; go to the first of these if somebody else reads the present one."""
        listing = self.listing
        if listing.audit is None or event.audit != listing.audit.name:
            return
        listing.mine, listing.taken = event.mine, event.others
        entry = self.entry
        if entry is not None and entry in listing.taken and not self._rows.decision(entry):
            if event.mine:
                self.rows_list.go_to(listing.next_undecided(self.rows_list.cursor))
            else:
                name = clean_line(listing.taken[entry], 60)
                self.show_message(f"{name} is reviewing the last undecided rows of this audit.", about=entry)

    def _leave_audit(self) -> None:
        self._desk.release()
        try:
            self._log().end()
        except TunedeckError as fault:
            self.show_message(clean(str(fault)), failed=True)
        self._list("all")

    def action_skip(self) -> None:
        """Leave the row for later and go to the next that is undecided."""
        self.rows_list.go_to(self.listing.next_undecided(self.rows_list.cursor))
        self._claim(self.rows_list.cursor, at_least=_HELD + 1)
