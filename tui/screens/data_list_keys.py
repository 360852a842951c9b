"""Keys for the list: which rows it has, in which order; search, audit and its report."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual.content import Content

from core.clean import clean, clean_line
from core.dataset.audit_queue import Audit, AuditLog, Mode
from core.errors import TunedeckError
from core.units import count
from tui.screens.data_rows import FILTERS, FLAG
from tui.screens.data_token_keys import TokenKeys
from tui.screens.data_typed import TypedLine

if TYPE_CHECKING:
    from tui.screens.data_news import Found, Sorted

_SAMPLES = (100, 50, 200)
_Choice = tuple[str, str, Callable[[], None]]


class ListKeys(TokenKeys):
    """What the keys do with the list."""

    # -- which rows -----------------------------------------------------------------------------------------

    def action_next_filter(self) -> None:
        """List other rows, with the cursor on the same row where it is among them."""
        assert self._desk is not None
        name = self._desk.rows.filter
        self._list_again(FILTERS[(FILTERS.index(name) + 1) % len(FILTERS)] if name in FILTERS else "all")

    def action_lists(self) -> None:
        """Choose a list, or an order, from a menu."""
        from core.dataset.checks import TITLES

        assert self._desk is not None
        desk = self._desk
        rows = desk.rows
        counts = rows.counts()
        choices: list[_Choice] = [(name, count(counts[name]), partial(self._list_again, name)) for name in FILTERS]
        choices.append(
            (
                "marked",
                f"{count(len(rows.marks))}  edited, noted or flagged by hand",
                lambda: self._list_again("marked"),
            )
        )
        for name, number in rows.flag_counts().items():
            choices.append((TITLES.get(name, name), count(number), partial(self._list_again, FLAG + name)))
        choices.append(("longest first", f"sorts {rows.filter}", lambda: desk.sort("longest")))
        choices.append(("shortest first", f"sorts {rows.filter}", lambda: desk.sort("shortest")))
        self._choose("list", choices)

    def _choose(self, title: str, choices: list[_Choice]) -> None:
        from tui.widgets.choice_menu import ChoiceMenu

        def chosen(number: int | None) -> None:
            if number is not None:
                choices[number][2]()

        self.app.push_screen(ChoiceMenu(title, [choice[:2] for choice in choices]), chosen)

    def _take_order(self, news: Sorted) -> None:
        assert self._desk is not None
        rows = self._desk.rows
        if news.filter == rows.filter:
            rows.use_order(news.order, news.entries)
            self.rows_list.reset(rows.count)
            self._show_facts()

    def action_bad_lines(self) -> None:
        """List what could not be read."""
        from tui.screens import data_sample

        assert self._desk is not None
        desk = self._desk
        lines = [line for _, line in desk.rows.bad] + list(desk.faults)
        self.sample_view.show(Content("bad lines"), lambda: data_sample.bad_lines(lines, desk.scanning), choice=False)

    def _typing_keys(self) -> dict[str, Callable[[], None]]:
        return {**super()._typing_keys(), "g": self.action_go_to, "slash": self.action_search}

    def action_go_to(self) -> None:
        """Take a row's number from the keys that follow, up to enter."""
        assert self._desk is not None
        help = f"1 to {count(self._desk.rows.good)}; enter goes there, esc does not"
        self._type(TypedLine("go to row", help, self._go_to, digits=True))

    def _go_to(self, digits: str) -> None:
        if self._desk is not None and digits and int(digits[:18]):
            rows = self._desk.rows
            self.rows_list.go_to(rows.position_of(rows.entry_of(int(digits[:18]) - 1)))

    # -- search ---------------------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Take the text to look for from the keys that follow."""
        self._type(TypedLine("search", "enter lists the rows that hold it, esc does not", self._search))

    def _search(self, query: str) -> None:
        assert self._desk is not None
        if query.strip():
            rows = self._desk.rows
            rows.hits, rows.query = [], query
            self._list_again("found")
            self._desk.search(query)

    def _take_hits(self, news: Found) -> None:
        assert self._desk is not None
        rows = self._desk.rows
        if news.query != rows.query or rows.filter != "found":
            return
        first = not rows.hits
        rows.hits.extend(news.entries)
        if first and rows.hits:
            self.rows_list.reset(rows.count)
        elif not rows.order:
            self.rows_list.grow(rows.count)
        self._show_facts()
        if self._typed is None:
            found = f"{count(len(rows.hits))} row{'s' * (len(rows.hits) != 1)}"
            words = f"{found} with “{clean_line(rows.query, 60)}”"
            so_far = "esc lists all rows" if news.complete else f"searching, {count(news.done)} rows read …"
            self._say(f"{words} · {so_far}")

    def _leave_search(self) -> None:
        """All rows again, from those that a search has found."""
        if self._desk is not None and self._desk.rows.filter == "found":
            self._desk.end_search()
            self._list_again("all")

    # -- the audit ------------------------------------------------------------------------------------------

    def _log(self) -> AuditLog:
        return AuditLog(self.session.workspace, self.session.data)

    def action_audit(self) -> None:
        """Go on with the audit that was left, or choose one; in an audit: another one, or none."""
        assert self._desk is not None
        rows = self._desk.rows
        present = self._log().present()
        if present is not None and rows.filter != "audit":
            self._audit_rows(present)
            return
        flagged = f"{count(rows.counts()['flagged'])} rows" if not self._desk.scanning else "when the scan is done"
        choices: list[_Choice] = []
        if present is not None:
            choices.append(("leave the audit", "decisions stay; all rows are listed", self._leave_audit))
        for number in _SAMPLES:
            words = "by a seed, so that anybody can read the same"
            choices.append((f"random {number}", words, partial(self._begin, "random", number)))
        choices.append(("worst first", f"{flagged}, errors before warnings", lambda: self._begin("worst")))
        repeats = sum(any(flag.of is not None for flag in found) for found in rows.flags.values())
        words = f"{count(repeats)} rows repeat others" if repeats else "D finds rows that repeat others"
        choices.append(("by cluster", f"{words}; the largest cluster first", lambda: self._begin("cluster")))
        choices.append(("by flag", f"{flagged}, one flag after the other", lambda: self._begin("flag")))
        for name, number in rows.flag_counts().items():
            choices.append((f"flag {name}", f"{count(number)} rows", partial(self._begin, "flag", flag=name)))
        choices.append(
            ("thin kinds first", "B finds what is asked seldom; there a begins with it", self.action_overview)
        )
        choices.append(("everything", f"{count(rows.good)} rows in their order", lambda: self._begin("everything")))
        self._choose("audit", choices)

    def action_overview(self) -> None:
        """Go to the overview of what would be trained on."""
        raise NotImplementedError

    def _begin(self, mode: Mode, size: int = 0, flag: str = "") -> None:
        self.begin_audit(mode, size, flag)

    def begin_audit(self, mode: Mode, size: int = 0, flag: str = "", listed: tuple[int, ...] = ()) -> None:
        """Begin an audit; its rows are then listed.

        Args:
            mode: as in `Audit`; so are the others.
            size: see there.
            flag: see there.
            listed: see there.
        """
        assert self._desk is not None
        dataset = self._desk.rows.dataset
        if not dataset.reader.complete or (mode in ("worst", "flag", "cluster") and self._desk.scanning):
            self.notify("Not all rows are known yet; try again in a moment.", severity="warning", markup=False)
            return
        log = self._log()
        seed = log.next_seed() if mode == "random" else 0
        audit = Audit(mode, seed, size, dataset.count, flag, time.time(), listed)
        try:
            log.begin(audit)
        except TunedeckError as fault:
            self.notify(clean(str(fault)), severity="error", markup=False)
            return
        self._audit_rows(audit)

    def _audit_rows(self, audit: Audit) -> None:
        assert self._desk is not None
        rows = self._desk.rows
        known = rows.dataset.count
        order = audit.order(rows.flags_by_entry(), {entry for entry, _ in rows.bad})
        rows.queue = [entry for entry in order if entry < known]
        if audit.mode == "everything":
            rows.queue = range(min(audit.entries, known))
        rows.audit = audit
        rows.use_filter("audit")
        self.rows_list.reset(rows.count, rows.next_undecided(-1))
        self._show_facts()

    def _leave_audit(self) -> None:
        try:
            self._log().end()
        except TunedeckError as fault:
            self.notify(clean(str(fault)), severity="error", markup=False)
        self._list_again("all")

    def action_skip(self) -> None:
        """Leave the row for later and go to the next that is undecided."""
        assert self._desk is not None
        self.rows_list.go_to(self._desk.rows.next_undecided(self.rows_list.cursor))

    def action_report(self) -> None:
        """Write what was read, found and dropped to a file in the workspace."""
        from tui.screens.data_news import Said

        assert self._desk is not None
        folder, workspace, paths = self._desk.scan_folder, self.session.workspace, self.session.data
        tokens, near = self._desk.rows.tokens, self._desk.near_folder
        flags = dict(tokens.flags) if tokens.standing == "known" else None
        if folder is None or self._desk.scanning:
            self.notify("The report is written when the scan is done.", severity="warning", markup=False)
            return

        def work() -> Said:
            from core.dataset.report import write_report

            path = write_report(workspace, paths, folder, token_flags=flags, near=near)
            return Said(f"The audit's report is written to {path.name}.")

        self._desk.run("report", work)
