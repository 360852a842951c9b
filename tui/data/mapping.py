"""Which column is what: the form that corrects what a file was taken for, or says it where nothing fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.clean import clean, clean_line
from core.dataset.dataset import Dataset
from core.dataset.formats import Recognition
from core.dataset.mapping import Chosen, turns_of
from tui.actions import Command, by_id, declare
from tui.data.mapping_draft import MappingDraft
from tui.widgets.chat_lines import chat_lines
from tui.widgets.form import Form
from tui.widgets.json_lines import json_lines
from tui.widgets.key_bar import KeyBar
from tui.widgets.text_view import TextLine, TextView, plain

_EXAMPLE = 160

_MOST_ROWS = 32
_MOST_BYTES = 2**18
"""Rows that the form looks at, and bytes beyond which a row is passed over: each key formats all of them."""


def first_rows(dataset: Dataset) -> list[dict[str, Any]]:
    """The first good rows of a dataset, passing over long ones; a long one where there is no other."""
    rows: list[dict[str, Any]] = []
    long: dict[str, Any] | None = None
    for entry in range(min(dataset.count, 20 * _MOST_ROWS)):
        is_long = dataset.reader.size(entry) > _MOST_BYTES
        if is_long and (long is not None or rows):
            continue
        value = dataset.row(entry).value
        if value is not None and is_long:
            long = value
        elif value is not None:
            rows.append(value)
        if len(rows) == _MOST_ROWS:
            break
    return rows or ([long] if long is not None else [])


class MappingScreen(ModalScreen[Chosen | None]):
    """The columns of a file, what each is, and a row as a sample while that is chosen.

    The result is what the user has said, or None if nothing is to change.
    """

    CSS_PATH = "mapping.tcss"
    BINDINGS = declare(
        "mapping",
        Command(
            "mapping.apply",
            "ctrl+s,f2",
            "take",
            "apply",
            "Read the file this way, now and from now on.",
            2,
            decides=True,
        ),
        Command("mapping.cancel", "escape", "leave", "cancel", "Close without changes.", 3, "esc", shared="back"),
        Command("mapping.next_row", "f3", "next_row", "next row", "Preview the next row.", 4),
        Command("mapping.toggle_raw", "f4", "raw", "raw", "Switch between sample and raw JSON.", 5),
        Command(
            "mapping.show_help",
            "f1,question_mark",
            "app.help",
            "help",
            "Show the keys of this form.",
            90,
            "?",
            shared="help",
        ),
    )

    def __init__(self, name: str, rows: Sequence[Mapping[str, Any]], recognition: Recognition, chosen: Chosen) -> None:
        """Make the form.

        Args:
            name: the file's name; clean.
            rows: its first rows, at least one.
            recognition: what they were taken for.
            chosen: what the user has said of them before.
        """
        super().__init__()
        self._file_name = name
        self._draft = MappingDraft(rows, recognition, chosen)
        self._row = 0
        self._raw = False

    def compose(self) -> ComposeResult:
        """What was seen, the form beside the columns, a row as a sample."""
        form = Form(self._draft.sections(), id="form")
        form.border_title = Content(f"mapping of {self._file_name}")
        columns = TextView(id="columns")
        columns.border_title = "columns, with examples"
        yield Static("", id="why", markup=False)
        with Container(id="upper"):
            yield form
            yield columns
        yield TextView(id="preview")
        yield KeyBar()

    def on_mount(self) -> None:
        """Fill the form in; the cursor stands on the format."""
        self.query_one(Form).focus()
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Beside each other where there is room."""
        self.set_class(event.size.width >= 110, "-wide")
        self.set_class(event.size.height >= 36, "-tall")

    @on(Form.Changed)
    def _changed(self, event: Form.Changed) -> None:
        self._draft.take(event.key, event.text)
        self._show()

    def _show(self) -> None:
        draft = self._draft
        form = self.query_one(Form)
        form.lay_out(draft.sections())
        form.fill(draft.states())
        words, _ = draft.words()
        self.query_one("#why", Static).update(words)
        self.query_one("#columns", TextView).show(self._column_lines, keep_place=True)
        self._show_row(keep_place=True)

    def _show_row(self, *, keep_place: bool = False) -> None:
        preview = self.query_one("#preview", TextView)
        view = "raw JSON" if self._raw else "preview"
        preview.border_title = Content(f"{view} of row {self._row + 1} of {len(self._draft.rows)}")
        preview.show(self._row_lines, keep_place=keep_place)

    def _column_lines(self) -> Iterator[TextLine]:
        """Each column: what holds it, how often it is filled, an example or two."""
        parts: dict[str, list[str]] = {}
        for field, name in self._draft.said.items():
            parts.setdefault(name, []).append(field)
        total = len(self._draft.rows)
        for column in self._draft.columns:
            spans = [(clean_line(column.name, 80) or "(empty name)", "key"), (f"  {column.kind}", "muted")]
            if column.filled < total:
                spans.append((f", in {column.filled} of {total} rows", "muted"))
            if column.name in parts:
                spans.append((f"  = {', '.join(parts[column.name])}", "strong"))
            yield TextLine(tuple(spans))
            if column.kind == "turns":
                found = turns_of(self._draft.rows, column.name, self._draft.said.get("turn.role", ""))
                yield plain(clean_line(f"keys: {', '.join(found.keys)}", _EXAMPLE), "muted", indent=2)
                if found.speakers:
                    yield plain(clean_line(f"roles: {', '.join(found.speakers)}", _EXAMPLE), "muted", indent=2)
                continue
            for example in column.examples[:2]:
                text = example if isinstance(example, str) else str(example)[: _EXAMPLE * 4]
                yield plain(clean_line(" ".join(text[: _EXAMPLE * 4].split()), _EXAMPLE), "text", indent=2)

    def _row_lines(self) -> Iterable[TextLine]:
        if self._raw:
            return json_lines(self._draft.rows[self._row])
        sample = self._draft.sample(self._row)
        if isinstance(sample, str):
            return [TextLine((("unreadable: ", "warning"), (clean(sample).replace("\n", " "), "text")))]
        return chat_lines(sample)

    # -- keys -----------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """Quit by the app's own key, whose bindings do not reach into a modal screen; a letter belongs to the form."""
        if not event.is_printable and event.key in by_id()["app.quit"].keys:
            event.stop()
            self.app.call_later(self.app.run_action, "app.quit_app")

    def action_next_row(self) -> None:
        """Show another row."""
        self._row = (self._row + 1) % len(self._draft.rows)
        self._show_row()

    def action_raw(self) -> None:
        """Show the row as a sample, or as JSON from the file."""
        self._raw = not self._raw
        self._show_row()

    def action_take(self) -> None:
        """Close with what was said, if rows become samples that way."""
        words, sound = self._draft.words()
        if sound:
            self.dismiss(self._draft.chosen)
        else:
            self.query_one("#why", Static).update(f"▲ Cannot apply: {words}")

    def action_leave(self) -> None:
        """Close; nothing changes."""
        self.dismiss(None)
