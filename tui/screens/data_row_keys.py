"""Keys for one row: decide, note, flag, edit, copy, write, its history and its views."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from textual import events, on
from textual.content import Content

from core.clean import clean_line
from core.dataset.pace import Pace
from core.units import count, size
from tui.screens.data_panes import DataPanes
from tui.screens.data_typed import TypedLine
from tui.widgets.sample_list import SampleList

if TYPE_CHECKING:
    from core.dataset.decisions import Action
    from tui.screens.data_news import History
    from tui.widgets.text_view import Line


class RowKeys(DataPanes):
    """What the keys do with the row under the cursor."""

    def __init__(self) -> None:
        super().__init__()
        self._pace = Pace()

    # -- decisions ------------------------------------------------------------------------------------------

    def action_decide(self, action: Action) -> None:
        """Keep or drop the row, and go to the next."""
        assert self._desk is not None
        self._desk.ask(action, press=self.deck.press())
        self._write_next()

    def action_undo(self) -> None:
        """Take the last decision of this sitting back."""
        self.action_decide("undo")

    def _count_pace(self) -> None:
        self._pace.note(time.monotonic())
        self._pace_words = f"{self._pace.per_minute:.0f} a minute" if self._pace.per_minute else ""

    def action_note(self) -> None:
        """Type a note on the row."""
        self._type_on_row("note", "enter writes it, esc does not")

    def action_flag(self) -> None:
        """Type why the row is flagged."""
        self._type_on_row("flag", "why? enter writes it, esc does not")

    def _type_on_row(self, action: Action, help: str) -> None:
        assert self._desk is not None
        entry = self._at_cursor
        row = self._desk.rows.row_of(entry)
        if row is None:
            self._say("This line could not be read, so nothing can be noted on it.")
            return
        before = self._desk.rows.mark(entry)
        text = "" if before is None else before.note if action == "note" else before.flag

        def take(text: str) -> None:
            assert self._desk is not None
            self._desk.ask(action, {"text": text.strip()}, entry=entry)
            self._write_next()

        self._type(TypedLine(f"{action} on {count(row + 1)}", help, take, text=text))

    # -- typing ---------------------------------------------------------------------------------------------

    def _type(self, line: TypedLine) -> None:
        """Take a line of text from the keys that follow, up to enter."""
        self._typed = line
        self._show_facts()

    def _typing_keys(self) -> dict[str, Callable[[], None]]:
        """The keys that begin a line of text: what is typed behind them fast is text already."""
        return {"n": self.action_note, "exclamation_mark": self.action_flag, "w": self.action_write}

    def on_key(self, event: events.Key) -> None:
        """The keys of a line of text; here, because keys typed fast arrive here in their order."""
        line = self._typed
        if line is None:
            begin = self._typing_keys().get(event.key)
            if begin is not None and self.check_action(begin.__name__.removeprefix("action_"), ()):
                event.stop()
                begin()
            return
        event.stop()
        state = line.press(event.key, event.character)
        if state != "typing":
            self._typed = None
        self._show_facts()
        if state == "taken":
            line.take(line.text)

    def on_paste(self, event: events.Paste) -> None:
        """Text that is pasted into the line."""
        if self._typed is not None:
            event.stop()
            self._typed.add(event.text)
            self._show_facts()

    # -- editing --------------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """Edit the row as JSON; what is no sample is refused, and the text is kept for another try."""
        from tui.screens.data_edit import RowEdit

        assert self._desk is not None
        edit = RowEdit.of(self._desk, self._at_cursor, self.session.workspace)
        if isinstance(edit, str):
            self.tell(edit, failed=True)
        else:
            edit.open(self.deck, self._edited)

    def _edited(self, entry: int, edit: dict[str, object] | str) -> None:
        """Hear what came of an edit: its payload, or why there is none."""
        assert self._desk is not None
        if isinstance(edit, str):
            self.tell(edit, failed=True)
            return
        self._desk.ask("edit", edit, entry=entry)
        self._write_next()

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

    def _whole_lines(self) -> Iterable[Line]:
        from tui.screens.data_sample import RowText

        assert self._desk is not None
        if self.sample_view.view != "chat" or self._aside:
            return self.sample_view.lines()
        return RowText(self._desk.rows, self._entry, read_huge=True, folded=False).chat()

    def action_copy(self) -> None:
        """Copy the row to the clipboard of the terminal, as far as terminals take it."""
        from tui.screens.data_clipboard import MOST, caution, cut

        text, whole = self._whole_text(MOST)
        sent = cut(text)
        self.app.copy_to_clipboard(sent)
        much = size(len(sent.encode("utf-8", "replace")))
        if whole and sent == text:
            self.tell(f"{much} sent to the terminal's clipboard, the whole row. {caution()}")
        else:
            self.tell(f"Only the first {much} sent to the clipboard, terminals take no more; w writes all. {caution()}")

    def action_write(self) -> None:
        """Write the row to a file; asks for its name."""
        assert self._desk is not None
        row = self._desk.rows.row_of(self._entry)
        name = "bad-line" if row is None else f"sample-{row + 1}"
        suffix = "json" if self.sample_view.view == "raw" else "txt"
        self._type(TypedLine("write to", "enter writes it, esc does not", self._write_to, text=f"{name}.{suffix}"))

    def _write_to(self, name: str) -> None:
        from tui.screens.data_news import Said

        assert self._desk is not None
        path = (self.session.workspace / name.strip()).expanduser()
        shown = clean_line(str(path), 400)

        def work() -> Said:
            try:
                with path.open("x", encoding="utf-8", errors="replace") as file:
                    file.write(self._whole_text()[0] + "\n")
                return Said(f"written to {shown}, {size(path.stat().st_size)}")
            except FileExistsError:
                return Said(f"{shown} is there already; w takes another name.", failed=True)
            except OSError as fault:
                return Said(f"{shown} cannot be written: {fault.strerror}.", failed=True)

        self._desk.run("write", work)

    # -- looking --------------------------------------------------------------------------------------------

    @on(SampleList.Chosen)
    def action_read(self) -> None:
        """Give the row the whole screen, and read it if it was too long to read in passing."""
        self.add_class("-reading")
        self.sample_view.text.focus()
        self._show_sample(read_huge=True)
        self.refresh_bindings()

    def action_next_view(self) -> None:
        """Next view of the row."""
        self.sample_view.next_view()
        self._show_sample(read_huge=self.has_class("-reading"))

    def action_fold(self) -> None:
        """Show thinking in full, or as one line again."""
        self._folded = not self._folded
        self._show_sample(keep_place=True, read_huge=self.has_class("-reading"))

    def action_history(self) -> None:
        """Show what was decided about the row."""
        assert self._desk is not None
        self._desk.history(self._entry)

    def _show_history(self, history: History) -> None:
        from tui.screens import data_sample

        title = Content(f"history of sample {count(history.row + 1)}")
        self._show_aside(title, lambda: data_sample.history(history.decisions))

    def action_scroll_sample(self, pages: int) -> None:
        """Scroll the row while the list has the focus."""
        text = self.sample_view.text
        (text.action_page_down if pages > 0 else text.action_page_up)()

    def action_step_row(self, step: int) -> None:
        """Go to a row beside this one."""
        self.rows_list.action_move(step)
