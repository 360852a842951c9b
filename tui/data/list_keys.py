"""Keys for the audit and its report, and for the lines that could not be read."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from textual.content import Content

from core.clean import clean
from core.errors import TunedeckError
from core.units import count
from tui.data.find_keys import Choice, FindKeys
from tui.data.typed import TypedLine

if TYPE_CHECKING:
    from core.dataset.audit.queue import Audit, AuditLog, Mode

_SAMPLES = (100, 50, 200)


class ListKeys(FindKeys):
    """What the keys do in an audit."""

    def action_bad_lines(self) -> None:
        """List what could not be read."""
        from tui.data import sample as data_sample

        assert self._desk is not None
        desk = self._desk
        lines = [line for _, line in desk.rows.bad] + list(desk.faults)
        self._show_aside(Content("bad lines"), lambda: data_sample.bad_lines(lines, desk.scanning))

    # -- the audit ------------------------------------------------------------------------------------------

    def _log(self) -> AuditLog:
        from core.dataset.audit.queue import AuditLog

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
        choices: list[Choice] = []
        if present is not None:
            choices.append(("leave the audit", "decisions stay; all rows are listed", self._leave_audit))
        for number in _SAMPLES:
            words = "by a seed, so that anybody can read the same"
            choices.append((f"random {number}", words, partial(self._begin, "random", number)))
        choices.append(("random", "as many rows as you type", self._ask_how_many))
        choices.append(("worst first", f"{flagged}, errors before warnings", lambda: self._begin("worst")))
        repeats = rows.flags.repeats
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

    def _ask_how_many(self) -> None:
        def take(digits: str) -> None:
            if number := int(digits[:9] or 0):
                self._begin("random", number)

        self._type(TypedLine("audit how many rows", "enter begins with them, esc does not", take, digits=True))

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
            self.tell("Not all rows are known yet; try again in a moment.", failed=True)
            return
        log = self._log()
        seed = log.next_seed() if mode == "random" else 0
        from core.dataset.audit.queue import Audit

        audit = Audit(mode, seed, size, dataset.count, flag, time.time(), listed)
        try:
            log.begin(audit)
        except TunedeckError as fault:
            self.tell(clean(str(fault)), failed=True)
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
            self.tell(clean(str(fault)), failed=True)
        self._list_again("all")

    def action_skip(self) -> None:
        """Leave the row for later and go to the next that is undecided."""
        assert self._desk is not None
        self.rows_list.go_to(self._desk.rows.next_undecided(self.rows_list.cursor))

    def action_report(self) -> None:
        """Write what was read, found and dropped to a file in the workspace."""
        from tui.data.news import Said

        assert self._desk is not None
        folder, workspace, paths = self._desk.scan_folder, self.session.workspace, self.session.data
        tokens, near = self._desk.rows.tokens, self._desk.near_folder
        flags = dict(tokens.flags) if tokens.standing == "known" else None
        if folder is None or self._desk.scanning:
            self.tell("The report is written when the scan is done.", failed=True)
            return

        def work() -> Said:
            from core.dataset.audit.report import write_report

            path = write_report(workspace, paths, folder, token_flags=flags, near=near)
            return Said(f"The audit's report is written to {path.name}.")

        self._desk.run("report", work)
