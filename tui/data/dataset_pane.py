"""The dataset that is open: its rows, the row under the cursor, and all that is done with the dataset as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.css.query import NoMatches

from core.clean import clean, clean_line
from core.errors import TunedeckError
from core.units import rows_words
from tui.data import sample, words
from tui.data.desk import OpenDataset
from tui.data.messages import (
    Arrived,
    Claimed,
    Counted,
    DecideAll,
    Decided,
    DecisionLinedUp,
    Grown,
    ListChanged,
    Mapped,
    NearSearched,
    Notice,
    OverviewAsked,
    RowShown,
    Scanned,
    TakenBack,
)
from tui.data.row_pane import RowPane
from tui.data.rows_pane import RowsPane
from tui.screens.pane import Pane
from tui.widgets.sample_list import SampleList

if TYPE_CHECKING:
    from core.dataset.checks import Flag
    from core.dataset.mapping import Chosen
    from core.recipe.recipe import Recipe


_SEEN_TO_WAIT = 5_000
"""Rows from which on saving a decision on them takes so long that it is said."""

_NEEDS_FORMAT = ("duplicates", "overview", "export", "tokens")
"""What is done with samples: of an unknown format there are none before the columns are mapped."""


class DatasetPane(Pane):
    """The list and the row under its cursor; exists only while a dataset is open. Posts `Mapped`.

    It handles the messages of the threads behind the dataset, and queues decisions.
    """

    NAME = "dataset"

    def __init__(self, desk: OpenDataset) -> None:
        """Make the pane.

        Args:
            desk: the dataset; it begins to work when the pane is shown, and ends with it.
        """
        super().__init__()
        self.desk = desk
        self.rows_pane = RowsPane(desk)
        self.row_pane = RowPane(desk, self._at_cursor)
        self._begun = self._painted = False

    def compose(self) -> ComposeResult:
        """The list above the row, or beside it."""
        yield self.rows_pane
        yield self.row_pane

    def on_mount(self) -> None:
        """Show the first row in the first paint; what takes longer begins after it, see `picture_sent`."""
        try:
            self.desk.rows.look_at_first()
            self.rows_pane.begin()
            self._show_row()
            self.show_facts()
        except NoMatches:
            return  # the program is being left: what a pane is composed of is not mounted any more
        self.desk.begin(self.post_message)
        self._begun = True

    def picture_sent(self) -> None:
        """Begin what takes longer once the terminal shows the first rows: the modules for it would hold them up."""
        if self._begun and not self._painted:
            self._painted = True
            # Rows of no known format are asked about before they are scanned.
            known = self.desk.rows.dataset.recognition.known
            self.call_next(self._start_scan if known else self.action_mapping)
            self.call_next(self._look_at_tokens)

    def on_unmount(self) -> None:
        """End what works for this pane alone; scans and what is on the disk stay."""
        self.desk.close()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        desk = self.desk
        if action == "scan":
            return desk.scanning or desk.stopped
        if action == "bad_lines":
            return bool(desk.rows.bad or desk.faults)
        if action in _NEEDS_FORMAT and not desk.rows.dataset.recognition.known:
            return False
        if action == "hit":
            return bool(self.rows_pane.sought_in(self.rows_pane.entry))
        return action == "report" or self.rows_pane.entry is not None

    # -- what a key that decides is about --------------------------------------------------------------------

    @property
    def aim(self) -> Hashable:
        """The row under the cursor, in the list that it stands in."""
        return self._in_this_list(self._at_cursor())

    def _at_cursor(self) -> int:
        """The entry under the cursor, -1 in an empty list; the row pane follows the cursor a moment later."""
        entry = self.rows_pane.entry
        return -1 if entry is None else entry

    def pictured(self) -> Iterable[Hashable]:
        """The rows in the list; where one has the whole screen, that one."""
        if self.reading:
            return [] if self.row_pane.awaited else [self._in_this_list(self.row_pane.entry)]
        return [self._in_this_list(entry) for entry in self.rows_pane.shown]

    def _in_this_list(self, entry: int) -> Hashable:
        listing = self.rows_pane.listing
        audit = listing.audit and listing.audit.started
        return self.desk, listing.names, listing.order, listing.sought, audit, entry

    # -- showing --------------------------------------------------------------------------------------------

    def show_facts(self) -> None:
        """Bring the words around the rows up to what is known."""
        self.rows_pane.show_facts()
        ended_early = bool(self.desk.scan_words) and not self.desk.scanning  # a sentence that says what to do
        asks = not self.desk.rows.dataset.recognition.known  # as well
        audit = words.audit_facts(self.rows_pane.listing)
        self.line.rest(words.facts(self.desk, audit), wrapped=ended_early or asks or bool(self.desk.changed or audit))
        self.screen.refresh_bindings()

    def _show_row(self) -> None:
        """Show the row under the cursor."""
        entry = self.rows_pane.entry
        if entry != self.row_pane.entry and not self.rows_pane.finding:
            self.line.forget(unless=entry)
        self.row_pane.mark_hits(self.rows_pane.sought_in(entry))
        self.row_pane.show(entry)

    @on(RowShown)
    def _row_shown(self) -> None:
        self.row_pane.leave_choice()
        self._show_row()

    @on(ListChanged)
    def _list_changed(self) -> None:
        if self.rows_pane.entry is None:
            self._show_row()
        elif not self.rows_pane.finding:
            self.row_pane.mark_hits("")
        self.show_facts()

    @property
    def reading(self) -> bool:
        """Whether one row has the whole screen."""
        return self.has_class("-reading")

    def _read(self, reading: bool) -> None:
        self.set_class(reading, "-reading")
        if reading:
            self.row_pane.text.focus()
        else:
            self.rows_pane.focus_list()
        self.row_pane.read(reading)
        self.screen.refresh_bindings()

    @on(SampleList.Chosen)
    def action_read(self) -> None:
        """Give the row the whole screen, and read it if it was too long to read in passing."""
        if self.row_pane.quick is not None:  # enter: no reason
            self.row_pane.close_choice()
            return
        self._read(True)

    @property
    def can_go_back(self) -> bool:
        """Whether `go_back` does anything."""
        return self.row_pane.aside or self.reading or self.rows_pane.narrowed

    def go_back(self) -> None:
        """Back to the row, then to the list; from the hits of a search, and from an audit, to more rows."""
        if self.row_pane.aside:
            self.row_pane.show_again()
        elif self.reading:
            self._read(False)
        else:
            self.rows_pane.widen()
            self.rows_pane.focus_list()

    def action_hit(self, step: int) -> None:
        """Go to the next hit of the search (1) or the previous one (-1): in this row, then in the rows around it."""
        if self.row_pane.go_to_hit(step):
            return
        self.row_pane.begin_at_hit(step)
        if not self.rows_pane.step(step):
            self.row_pane.begin_at_hit(0)
            self.show_message("This is the last match." if step > 0 else "This is the first match.")

    def action_bad_lines(self) -> None:
        """List what could not be read."""
        desk = self.desk
        lines = [line for _, line in desk.rows.bad] + list(desk.faults)
        self.row_pane.show_aside(Content("malformed lines"), lambda: sample.bad_lines(lines, desk.scanning))

    @on(Notice)
    def _said(self, event: Notice) -> None:
        self.show_message(clean(event.words), failed=event.failed)

    # -- rows, as they are found ----------------------------------------------------------------------------

    @on(Grown)
    def _grown(self) -> None:
        self.rows_pane.grow()
        self.show_facts()
        self._look_at_tokens()

    @on(Arrived)
    def _arrived(self) -> None:
        self.rows_pane.look_again()
        self.row_pane.look_again()

    # -- decisions ------------------------------------------------------------------------------------------

    @on(DecisionLinedUp)
    def _write_next(self) -> None:
        if sentence := self.desk.write_next(self._at_cursor(), lambda press: self.deck.seen.meant(press, self.aim)):
            self.line.rest(sentence, wrapped=True)
        if not self.desk.busy:  # what waits for the scan still gets its reason
            self.row_pane.drop_came_to_nothing()

    @on(DecideAll)
    def _decide_all(self, event: DecideAll) -> None:
        """Queue one decision on a whole list."""
        if len(event.entries) > _SEEN_TO_WAIT:
            self.show_message(f"Saving the decision on {rows_words(len(event.entries))} …")
        self.desk.ask_for_all(event.action, event.payload, event.entries)
        if event.action == "drop":
            self.row_pane.ask_reason()
        self._write_next()

    @on(Decided)
    def _decided(self, event: Decided) -> None:
        """Show decisions: by now they are on the disk."""
        rows = self.desk.rows
        try:
            self.desk.settle(event)
        except TunedeckError as error:
            self.row_pane.close_choice()
            self.show_message(clean(str(error)), failed=True)
            return
        if len(event.rows) != 1 or event.reason:
            self._decided_on_many(event)
            return
        (row,) = event.rows
        entry = rows.entry_of(row)
        shown = entry == self.row_pane.entry
        if event.action == "edit":
            self.row_pane.forget_template()
        self.rows_pane.take_decision(entry, shown=shown, moves_on=event.action in ("keep", "drop"))
        if event.action == "drop":
            self.row_pane.dropped(event.rows)
        # At once, as the next decision that waits is meant for the row that is shown now.
        if shown or self.rows_pane.entry != self.row_pane.entry:
            self._show_row()
        if said := words.remark(row, event.action, rows.standing(row)):
            self.show_message(said, about=self.rows_pane.entry)
        self.show_facts()
        self._write_next()

    def _decided_on_many(self, event: Decided) -> None:
        """Show a decision on a whole list, or the reason that drops were given."""
        what = f"row {min(event.rows) + 1:,}" if len(event.rows) == 1 else rows_words(len(event.rows))
        self.rows_pane.decided_elsewhere()
        self._show_row()
        if event.reason:
            why = clean_line(self.desk.rows.reasons.get(next(iter(event.rows)), ""), 60)
            self.show_message(f"{what} dropped: {why} · u undoes both", about=self.rows_pane.entry)
        else:
            if event.action == "drop":
                self.row_pane.dropped(event.rows)
            done = {"keep": "kept", "drop": "dropped"}[event.action]
            self.show_message(f"{what} {done}. Press u to undo.", about=self.rows_pane.entry)
        self.show_facts()
        self._write_next()

    @on(TakenBack)
    def _taken_back(self, event: TakenBack) -> None:
        """Show an undo: by now it is on the disk."""
        rows = self.desk.rows
        before = {row: rows.standing(row) for row in event.rows.values()}
        try:
            gone = self.desk.settle_undo(event)
        except TunedeckError as error:
            self.show_message(clean(str(error)), failed=True)
            return
        if gone:
            undone = {event.rows[each.key] for each in gone}
            first = min(undone)
            self.row_pane.forget_template()
            self.rows_pane.take_undo(rows.entry_of(first))
            self._show_row()
            if len(undone) == 1:
                said = words.taken_back(first, before[first], rows.standing(first))
            else:
                said = f"undone: the decision on {rows_words(len(undone))}"
            self.show_message(said + words.when(gone[0].time), about=self.rows_pane.entry)
        elif self.desk.rows.judged:
            self.show_message(f"Nothing to undo: {self.desk.reviewer} has no decisions in this dataset.")
        else:
            self.show_message("Nothing undone: the scan has not reached your last decision. Try again in a moment.")
        self.show_facts()
        self._write_next()

    @on(Claimed)
    def _claimed(self, event: Claimed) -> None:
        self.rows_pane.take_claims(event)
        self.show_facts()

    # -- the scan -------------------------------------------------------------------------------------------

    def _payload(self) -> dict[str, Any]:
        from core.dataset.scan.derive import scan_payload

        session = self.session
        dataset, held = self.desk.rows.dataset, session.eval_data
        return scan_payload(dataset, session.format, session.columns, held, session.eval_format, session.eval_columns)

    def _start_scan(self) -> None:
        """Find or start the scan, and look for what is known of near-duplicates."""
        payload = self._payload()
        self.desk.start_scan(payload)
        self.desk.look_at_near(payload)

    def action_scan(self) -> None:
        """Stop the scan, or resume it."""
        if self.desk.stopped:
            self._start_scan()
        else:
            self.desk.stop_scan()
        self.show_facts()

    @on(Scanned)
    def _scanned(self, event: Scanned) -> None:
        update, rows = event.update, self.desk.rows
        found = bool(update.flags or update.bad or update.decided)
        in_view = rows.scanned <= self.rows_pane.last_in_view
        if (self.desk.learn(update) and (found or in_view)) or update.complete:
            self.rows_pane.update(flags=found)
            if update.elsewhere and rows.row_of(self.row_pane.entry) in update.decided:
                self.row_pane.forget_template()
                self.row_pane.show_again()
            else:
                self.row_pane.show_notes()
        self.show_facts()
        self._write_next()

    def action_report(self) -> None:
        """Write what was read, found and dropped to a file in the workspace."""
        folder, tokens = self.desk.scan_folder, self.desk.rows.tokens
        if folder is None or self.desk.scanning:
            self.show_message("The report needs a finished scan. Try again when the scan is done.", failed=True)
        else:
            self._write_report(folder, dict(tokens.flags) if tokens.standing == "known" else None)

    @work(thread=True, group="report")
    def _write_report(self, folder: Path, token_flags: Mapping[int, tuple[Flag, ...]] | None) -> None:
        from core.dataset.view.report import write_report

        workspace, paths, near = self.session.workspace, self.desk.rows.dataset.paths, self.desk.near_folder
        try:
            path = write_report(workspace, paths, folder, token_flags=token_flags, near=near)
        except TunedeckError as fault:
            self.post_message(Notice(str(fault), failed=True))
        else:
            self.post_message(Notice(f"Wrote the audit report to {path.name}."))

    # -- near-duplicates ------------------------------------------------------------------------------------

    @on(NearSearched)
    def _near_searched(self, event: NearSearched) -> None:
        """Show the flags of a search in the place of those of the one before."""
        self.desk.take_near(event.found)
        self.rows_pane.update(flags=True)
        self.row_pane.show_notes()
        self.show_facts()

    def action_duplicates(self) -> None:
        """Go to the duplicates screen; what is decided there is shown here."""

        def decided() -> None:
            self.rows_pane.decided_elsewhere()
            self.row_pane.show_again()
            self.show_facts()

        self.deck.open_duplicates(self.desk, self._payload(), decided)

    # -- tokens and the recipe ------------------------------------------------------------------------------

    def look_at_recipe(self) -> None:
        """The recipe may have changed."""
        self.row_pane.show_template_again()
        self._look_at_tokens()

    def _look_at_tokens(self) -> None:
        """Look up what is known of tokens under the recipe as it is now."""
        if not (self._painted and self.desk.rows.dataset.reader.complete):
            return
        recipe = self._recipe()
        if recipe is not None and recipe.model.path:
            self.desk.tokens.look(recipe)

    def _recipe(self) -> Recipe | None:
        try:
            return self.session.recipe
        except TunedeckError as fault:
            self.show_message(f"Cannot read the recipe. {clean(str(fault))}", failed=True)
            return None

    def action_tokens(self) -> None:
        """Count the tokens of every row under the recipe; while they are counted, stop."""
        from tui.data.preview import NEEDS_TRAIN, missing_package

        if self.desk.rows.tokens.counting:
            self.desk.tokens.stop_counting()
            return
        recipe = self._recipe()
        if recipe is None:
            return
        if not recipe.model.path:
            self.show_message(
                "No model selected, and the tokenizer comes with the model: press 2, fill in Model, then press t here."
            )
        elif self.desk.rows.tokens_known:
            self.show_message("Tokens are already counted for this recipe.")
        elif missing_package():
            self.show_message(f"Counting tokens {NEEDS_TRAIN}", failed=True)
        else:
            loading = "counting tokens: loading the tokenizer, about ten seconds. Press t again to stop."
            self.line.rest(loading, wrapped=True)
            self.desk.tokens.count(recipe)

    @on(Counted)
    def _counted(self, event: Counted) -> None:
        update, tokens = event.update, self.desk.rows.tokens
        flags_before = bool(tokens.flags)
        tokens.learn(update)
        self.rows_pane.update(flags=flags_before or bool(update.flags))
        self.row_pane.show_notes()
        self.show_facts()
        if update.failed:
            self.show_message(update.words, failed=True)

    # -- the dataset as a whole -----------------------------------------------------------------------------

    @on(OverviewAsked)
    def action_overview(self) -> None:
        """Go to the overview of what would be trained on."""
        self._show_overview()

    def action_export(self) -> None:
        """Go to the overview of what would be written, which then asks in which form."""
        self._show_overview(export=True)

    def _show_overview(self, *, export: bool = False) -> None:
        from tui.overview.screen import OverviewScreen

        self.app.push_screen(OverviewScreen(self._begin_thin, export=export))

    def _begin_thin(self, rows: Sequence[int]) -> None:
        """Begin an audit of rows, in their order."""
        self.rows_pane.begin_audit("thin", keys=self.desk.keys_of(rows))

    async def action_mapping(self) -> None:
        """Say which column is what, file by file, and see what comes of it; the eval files come last."""
        from core.dataset.mapping import ENCODING
        from core.dataset.records import encoding_offer
        from tui.data.mapping import FileToMap, MappingScreen, file_to_map

        dataset, held = self.desk.rows.dataset, self._eval_files()
        files = dataset.reader.files
        at = self._file_to_map()

        def load(number: int) -> FileToMap | str:
            if number < len(files):
                return file_to_map(dataset, number)
            try:
                evals = dataset.open_eval(self.session.eval_data, self._eval_chosen)
            except TunedeckError as fault:
                return clean_line(f"The eval file cannot be read: {fault}", 400)
            file = file_to_map(evals, 0)
            if isinstance(file, FileToMap):
                return replace(file, name=f"eval file {file.name}", chosen=self._eval_chosen)
            return file

        file = await asyncio.to_thread(load, at)
        if not self.is_attached:
            return
        if isinstance(file, str):
            self.show_message(file, failed=True)
            return

        async def take(said: Mapping[int, Chosen] | None) -> None:
            chosen, eval_chosen = dataset.chosen, self._eval_chosen
            for number, each in (said or {}).items():
                if number == len(files):
                    eval_chosen = each
                elif each != dataset.chosen.said_of(files[number]):
                    chosen = chosen.with_file(files[number], files, each)
            changed = chosen != dataset.chosen, eval_chosen != self._eval_chosen
            if changed[0]:
                await self._remember(dataset.paths, chosen)
            if changed[1]:
                await self._remember(self.session.eval_data, eval_chosen)
            if any(changed):
                self.post_message(Mapped(chosen, eval_chosen))
            elif not dataset.recognition.known:
                self._start_scan()

        bad = [line for _, line in self.desk.rows.bad if at < len(files) and line.file == files[at]]
        field = ENCODING if encoding_offer(bad) else ""
        self.app.push_screen(MappingScreen(file, at, len(files) + held, load, field), take)

    def _file_to_map(self) -> int:
        """The number of the first file whose format is not known, else of the file that the cursor is in."""
        dataset, entry = self.desk.rows.dataset, self.rows_pane.entry
        found = dataset.recognitions.at_open()
        unknown = next((number for number, each in enumerate(found) if not each.found.known), None)
        if unknown is not None or entry is None:
            return unknown or 0
        return dataset.row(entry).source

    def _eval_files(self) -> int:
        """How many mappings the eval files have: one, where there are any."""
        return 1 if self.session.eval_data else 0

    @property
    def _eval_chosen(self) -> Chosen:
        from core.dataset.mapping import Chosen

        return Chosen(self.session.eval_format, dict(self.session.eval_columns))

    async def _remember(self, paths: tuple[Path, ...], chosen: Chosen) -> None:
        from core.dataset.mapping import save

        try:
            await asyncio.to_thread(save, self.session.workspace, paths, chosen)
        except TunedeckError as fault:
            self.notify(clean(str(fault)), severity="error", markup=False)
