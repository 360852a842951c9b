"""The row under the cursor: its views, and what is decided, copied and written of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content

from core.clean import clean_line
from core.errors import TunedeckError
from core.units import count, rows_words, size
from tui.data import sample
from tui.data.desk import OpenDataset
from tui.data.messages import DecisionLinedUp, HistoryRead, Notice, TemplateAnswered
from tui.data.quick import RATINGS, QuickChoice
from tui.screens.pane import Pane
from tui.settings import MOST_LETTERS, MOST_REASONS
from tui.widgets.sample_view import SampleView
from tui.widgets.text_view import TextLine, TextView

if TYPE_CHECKING:
    from core.dataset.audit.decisions import Action
    from core.dataset.row_tasks import RowTasks
    from tui.data.preview import TemplatePreview

MOST = 74_994
"""Bytes of text that terminals accept by OSC 52; many drop a longer text without a word."""

_NEEDS_SAMPLE = ("decide", "edit", "note", "flag", "synthetic", "fold", "rate", "label", "swap")
"""What is said of samples: of an unknown format there are none before the columns are mapped."""


class RowPane(Pane):
    """Shows one row and lines decisions on it up; posts `DecisionLinedUp`."""

    NAME = "row"

    def __init__(self, desk: OpenDataset, at_cursor: Callable[[], int]) -> None:
        """Make the pane.

        Args:
            desk: the dataset that is open.
            at_cursor: the entry under the cursor, which this pane shows a moment later; keys are meant for it.
        """
        super().__init__()
        self.entry = -1
        """The entry that is shown, -1 before the first."""
        self._listed = False
        self.aside = False
        """Whether something else is shown in its place."""
        self.view = SampleView(("chat", "template", "raw"), id="sample")
        """What shows the row."""
        self._desk = desk
        self._at_cursor = at_cursor
        self._rows = desk.rows
        self._preview: TemplatePreview | None = None
        self._read_huge = False
        self.awaited = False
        """Whether the row is still being read."""
        self._folded = True
        self._thinks = False
        self._sought = ""
        self._go_to_hit = 0
        """Whether the next picture shows the first hit (1) or the last one (-1)."""
        self.quick: QuickChoice | None = None
        """What a digit chooses now."""

    def compose(self) -> ComposeResult:
        """The row, in one of three views."""
        yield self.view

    def on_unmount(self) -> None:
        """End what works for this pane alone."""
        if self._preview is not None:
            self._preview.close()

    @property
    def text(self) -> TextView:
        """The row's text."""
        return self.view.text

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        if action == "undo":
            return self._desk.can_undo
        if action == "pick":
            return self.quick is not None
        recognition = self._desk.rows.dataset.recognition
        if action in _NEEDS_SAMPLE and not recognition.known:
            return False
        if action == "swap":
            files = self._rows.dataset.recognitions.at_open()
            return self._listed and any("preference" in each.kinds for each in files)
        return self._listed and (action != "fold" or self._thinks)

    # -- showing --------------------------------------------------------------------------------------------

    def show(self, entry: int | None) -> None:
        """Show a row; the same one again stays where the reader is.

        Args:
            entry: which one; None where none is listed: the last one stays, but no key is meant for it.
        """
        if self._listed != (entry is not None):
            self._listed = entry is not None
            self.screen.refresh_bindings()
        if entry is not None:
            keep_place = entry == self.entry
            self.entry = entry
            self._show(keep_place=keep_place)

    def mark_hits(self, folded: str) -> None:
        """Mark what was searched for; "" marks nothing. The next row that is shown is shown at its first hit."""
        if folded != self._sought:
            self._sought = folded
            self._go_to_hit = 1 if folded else 0
            self.text.mark_hits(folded)

    def go_to_hit(self, step: int) -> bool:
        """Scroll to the row's next hit (1) or its previous one (-1); False where there is none."""
        return not self.aside and self.text.go_to_hit(step)

    def begin_at_hit(self, step: int) -> None:
        """Show the next row at its first hit (1), at its last one (-1), or as ever (0)."""
        self._go_to_hit = step

    def show_again(self) -> None:
        """Show the row as it is now, in the place of what was shown aside."""
        if self.entry >= 0:
            self._show(keep_place=not self.aside)

    def read(self, reading: bool) -> None:
        """Show a row also if it is so long that reading it holds up the keys, or no longer.

        Args:
            reading: whether somebody wants to read it.
        """
        self._read_huge = reading
        if reading and self.entry >= 0:
            self._show(keep_place=False)

    def show_aside(self, title: Content, lines: Callable[[], Iterable[TextLine]]) -> None:
        """Show something else in the place of the row, until `show_again` or another row."""
        self.aside = True
        self.view.show(title, lines, subtitle="esc back to the row", choice=False)
        self.screen.refresh_bindings()

    def show_notes(self) -> None:
        """Bring what is to be known about the row up to date."""
        if self.entry >= 0 and not self.aside:
            self.view.show_notes(sample.notes(self._rows, self.entry))

    def look_again(self) -> None:
        """Rows that were not at hand have been read."""
        if self.awaited:
            self.show_again()

    def forget_template(self) -> None:
        """The rows or the recipe have changed, so the template view must ask again."""
        if self._preview is not None:
            self._preview.forget()

    @on(TemplateAnswered)
    def show_template_again(self) -> None:
        """Show the template view again, if that is shown: there is an answer, or another recipe."""
        if self.view.view == "template" and not self.aside:
            self.show_again()

    def _show(self, *, keep_place: bool) -> None:
        rows, entry, view = self._rows, self.entry, self.view
        if self.aside:
            self.aside = False
            self.screen.refresh_bindings()
        if self._sought and not keep_place:
            self._go_to_hit = self._go_to_hit or 1
        self.awaited = not rows.at_hand(entry)
        if self.awaited:
            view.show(sample.subject(rows, entry), sample.on_its_way, keep_place=keep_place)
            return
        # A hit may be in the thinking.
        folded = self._folded and not self._sought
        text = sample.RowText(rows, entry, read_huge=self._read_huge, folded=folded)
        could_fold, self._thinks = self._thinks, view.view == "chat" and text.thinks()
        if could_fold != self._thinks:
            self.screen.refresh_bindings()
        lines, subtitle = text.rendering(view.view)
        if view.view == "template" and not text.too_long:
            shown = text.sample(self._row_tasks())
            template = self._template().text(entry, shown, lambda: self.session.recipe, self.session.workspace)
            lines, subtitle = template.lines, template.subtitle or subtitle
        view.show(
            sample.subject(rows, entry),
            lines,
            subtitle=subtitle,
            notes=sample.notes(rows, entry),
            keep_place=keep_place,
        )
        if self._go_to_hit:
            self.text.go_to_hit(self._go_to_hit, restart=True)
            self._go_to_hit = 0

    def _row_tasks(self) -> RowTasks | None:
        """What the recipe gives the rows of each task; None where it names no column, or cannot be read."""
        try:
            return self.session.recipe.data.row_tasks
        except TunedeckError:
            return None

    def _template(self) -> TemplatePreview:
        """The preview service's other end, made at the first look at the template."""
        if self._preview is None:
            from tui.data.preview import TemplatePreview

            self._preview = TemplatePreview(lambda: self.post_message(TemplateAnswered()))
        return self._preview

    # -- looking --------------------------------------------------------------------------------------------

    def action_next_view(self) -> None:
        """Next view of the row."""
        self.view.next_view()
        self._show(keep_place=False)

    @on(SampleView.ViewClicked)
    def _view_clicked(self) -> None:
        self._show(keep_place=False)

    def action_fold(self) -> None:
        """Show thinking in full, or as one line again."""
        self._folded = not self._folded
        self._show(keep_place=True)

    def action_scroll(self, pages: int) -> None:
        """Scroll the row by whole pages."""
        (self.text.action_page_down if pages > 0 else self.text.action_page_up)()

    def action_history(self) -> None:
        """Show what was decided about the row."""
        self._read_history(self.entry)

    @work(thread=True, group="history")
    def _read_history(self, entry: int) -> None:
        try:
            self.post_message(self._desk.history(entry))
        except TunedeckError as fault:
            self.post_message(Notice(str(fault), failed=True))

    @on(HistoryRead)
    def _history_read(self, event: HistoryRead) -> None:
        title = Content(f"history of row {count(event.row + 1)}")
        self.show_aside(title, lambda: sample.history(event.decisions))

    # -- deciding -------------------------------------------------------------------------------------------

    def _line_up(self, action: Action, payload: dict[str, Any] | None = None, entry: int | None = None) -> None:
        """Line a decision up; as `OpenDataset.ask`."""
        self._desk.ask(action, payload, entry=entry, press=self.deck.press())
        self.post_message(DecisionLinedUp())

    def action_decide(self, action: Action) -> None:
        """Keep or drop the row, and go to the next."""
        self._line_up(action)
        if action == "drop":
            self.ask_reason()

    def action_undo(self) -> None:
        """Take this reviewer's last decision back, of whatever sitting."""
        self._line_up("undo")

    # -- what one digit chooses -----------------------------------------------------------------------------

    def ask_reason(self) -> None:
        """Offer the reasons for the drop that is on its way; the next key may be another one."""
        if self.session.settings.drop_reasons:
            self.quick = QuickChoice("reason", self.session.settings.drop_reasons, None)
            self.screen.refresh_bindings()

    def dropped(self, rows: Collection[int]) -> None:
        """The drop that a reason is asked for is on the disk."""
        if self.quick is not None and self.quick.kind == "reason":
            what = f"row {count(min(rows) + 1)}" if len(rows) == 1 else rows_words(len(rows))
            self.quick.title = f"{what} dropped. Why?"
            self.quick.entry = self._at_cursor()
            self._offer()

    def close_choice(self) -> None:
        """Offer nothing any more."""
        if self.quick is not None:
            self.quick = None
            self.line.withdraw()
            self.screen.refresh_bindings()

    def drop_came_to_nothing(self) -> None:
        """Nothing is on its way to the disk: a drop that has not arrived by now was meant for another row."""
        if self.quick is not None and self.quick.entry is None:
            self.close_choice()

    def leave_choice(self) -> None:
        """Offer nothing any more if the cursor has left the row where it was offered."""
        if self.quick is not None and self.quick.entry not in (None, self._at_cursor()):
            self.close_choice()

    def _offer(self, first: str = "") -> None:
        if self.quick is not None:
            self.line.offer(first + self.quick.title, self.quick.offered, self.quick.help)
            self.screen.refresh_bindings()

    def action_rate(self) -> None:
        """Ask for a rating of the row."""
        if (number := self._number_at_cursor("rated")) is not None:
            state = self._rows.marks.get(number)
            chosen = (str(state.rating),) if state is not None and state.rating else ()
            title = f"rate row {count(number + 1)}:"
            self.quick = QuickChoice("rating", RATINGS, self._at_cursor(), title, chosen)
            self._offer()

    def action_label(self) -> None:
        """Offer the user's own labels for the row; where there are none yet, ask for some."""
        if (number := self._number_at_cursor("labeled")) is None:
            return
        known = dict.fromkeys((*self.session.settings.labels, *self._rows.label_counts()))
        if not known:
            self._ask_labels(number)
            return
        title = f"label row {count(number + 1)}:"
        chosen = self._labels_of(number)
        self.quick = QuickChoice("label", tuple(known)[:MOST_REASONS], self._at_cursor(), title, chosen)
        self._offer()

    def _ask_labels(self, row: int) -> None:
        entry = self._at_cursor()

        def take(text: str) -> None:
            words = (clean_line(word.strip(), MOST_LETTERS) for word in text.split(","))
            self._line_up("label", {"labels": [*dict.fromkeys(filter(None, words))]}, entry)

        help = "separated by commas; enter to save, esc to cancel"
        self.ask_line(f"labels on row {count(row + 1)}", help, take, text=", ".join(self._labels_of(row)))

    def _labels_of(self, row: int) -> tuple[str, ...]:
        state = self._rows.marks.get(row)
        return () if state is None else state.labels

    def _number_at_cursor(self, done: str) -> int | None:
        row = self._rows.row_of(self._at_cursor())
        if row is None:
            self.show_message(f"This line is malformed, so it cannot be {done}.", failed=True)
        return row

    def action_pick(self, digit: int) -> None:
        """Take the choice with this number."""
        quick = self.quick
        if quick is None:
            return
        if not quick.takes(digit):  # a slip of the finger; it does not go to another screen
            self._offer(f"{digit} is not listed · ")
            return
        entry = self._at_cursor() if quick.entry is None else quick.entry
        row = self._rows.row_of(entry)
        if quick.kind == "reason":
            self._desk.ask_reason(quick.choices[digit - 1])
            self.close_choice()
        elif quick.kind == "rating":
            self._desk.ask("rate", {"rating": digit}, entry=entry)
            self.close_choice()
        elif digit == 0:
            self.close_choice()
            if row is not None:
                self._ask_labels(row)
            return
        else:
            label = quick.choices[digit - 1]
            has = label in quick.chosen
            quick.chosen = tuple(each for each in quick.chosen if each != label) if has else (*quick.chosen, label)
            self._desk.ask("label", {"labels": list(quick.chosen)}, entry=entry)
            self._offer()
        self.post_message(DecisionLinedUp())

    def action_swap(self) -> None:
        """Swap the chosen and the rejected answer of the row, as an edit of it."""
        from tui.data.edit import swapped

        entry = self._at_cursor()
        self._edited(entry, swapped(self._desk, entry))

    def action_note(self) -> None:
        """Ask for a note on the row."""
        self._ask_words("note", "enter to save, esc to cancel")

    def action_flag(self) -> None:
        """Ask why the row is flagged."""
        self._ask_words("flag", "why? enter to save, esc to cancel")

    def _ask_words(self, action: Action, help: str) -> None:
        entry = self._at_cursor()
        row = self._rows.row_of(entry)
        if row is None:
            self.show_message("This line is malformed, so it cannot have notes or flags.", failed=True)
            return
        before = self._rows.mark(entry)
        text = "" if before is None else before.note if action == "note" else before.flag

        def take(text: str) -> None:
            self._line_up(action, {"text": text.strip()}, entry)

        self.ask_line(f"{action} on row {count(row + 1)}", help, take, text=text)

    def action_synthetic(self) -> None:
        """Mark the row as synthetic, or unmark it: it is never held out. A reason it is flagged for stays."""
        from core.dataset.synthetic import toggled

        entry = self._at_cursor()
        if self._rows.row_of(entry) is None:
            self.show_message("This line is malformed, so it cannot be marked.", failed=True)
            return
        before = self._rows.mark(entry)
        text = toggled("" if before is None else before.flag)
        self._line_up("flag", {"text": text}, entry)

    def action_edit(self) -> None:
        """Edit the row as JSON; JSON that is not a sample is refused, and your text is kept for another try."""
        from tui.data.edit import RowEdit

        edit = RowEdit.of(self._desk, self._at_cursor(), self.session.workspace)
        if isinstance(edit, str):
            self.show_message(edit, failed=True)
        else:
            edit.open(self, self._edited)

    def _edited(self, entry: int, edit: dict[str, object] | str) -> None:
        """Hear what came of an edit: its payload, or why there is none."""
        if isinstance(edit, str):
            self.show_message(edit, failed=True)
        else:
            self._line_up("edit", edit, entry)

    # -- taking a row along ---------------------------------------------------------------------------------

    def _whole_text(self, most: int = sys.maxsize) -> tuple[str, bool]:
        """The row as the present view shows it, but with nothing folded; and whether `most` characters were enough."""
        lines, length = [], 0
        for line in self._whole_lines():
            lines.append("".join(text for text, _ in line.spans))
            length += len(lines[-1]) + 1
            if length > most:
                return "\n".join(lines), False
        return "\n".join(lines), True

    def _whole_lines(self) -> Iterable[TextLine]:
        if self.view.view != "chat" or self.aside:
            return self.view.lines()
        return sample.RowText(self._rows, self.entry, read_huge=True, folded=False).chat()

    def action_copy(self) -> None:
        """Copy the row to the clipboard of the terminal, as far as terminals take it."""
        text, whole = self._whole_text(MOST)
        sent = _cut(text)
        self.app.copy_to_clipboard(sent)
        much = size(len(sent.encode("utf-8", "replace")))
        if whole and sent == text:
            self.show_message(f"Copied the whole row ({much}) to the clipboard. {_caution()}")
        else:
            words = f"Copied only the first {much}, the most terminals accept. Press w to write it all to a file."
            self.show_message(f"{words} {_caution()}")

    def action_write(self) -> None:
        """Ask for the name of a file to write the row to."""
        row = self._rows.row_of(self.entry)
        name = "malformed-line" if row is None else f"sample-{row + 1}"
        suffix = "json" if self.view.view == "raw" else "txt"
        self.ask_line("write to file", "enter to write, esc to cancel", self._write, text=f"{name}.{suffix}")

    @work(thread=True, group="write")
    def _write(self, name: str) -> None:
        path = (self.session.workspace / name.strip()).expanduser()
        shown = clean_line(str(path), 400)
        try:
            with path.open("x", encoding="utf-8", errors="replace") as file:
                file.write(self._whole_text()[0] + "\n")
            said = Notice(f"Wrote {shown} ({size(path.stat().st_size)}).")
        except FileExistsError:
            said = Notice(f"{shown} already exists and was not overwritten. Press w and use another name.", failed=True)
        except OSError as fault:
            said = Notice(f"Cannot write {shown}: {fault.strerror}.", failed=True)
        self.post_message(said)


def _cut(text: str) -> str:
    """The beginning of a text that the clipboard takes, no character in halves."""
    found = text.encode("utf-8", "replace")
    return text if len(found) <= MOST else found[:MOST].decode("utf-8", "ignore")


def _caution() -> str:
    """Why it may not arrive in the clipboard: terminals do not confirm it."""
    if os.environ.get("TMUX"):
        return "In tmux this needs `set -g set-clipboard on`."
    if os.environ.get("STY"):
        return "GNU screen does not pass it on: press w to write a file."
    return "If paste stays empty, your terminal does not support it."
