"""Which column is what: the form that corrects what a file was taken for, or says it where nothing fits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.clean import clean, clean_line
from core.dataset.dataset import Dataset
from core.dataset.files.readers import Reader
from core.dataset.files.shards import ShardReader
from core.dataset.formats import Recognition
from core.dataset.mapping import Chosen, turns_of
from core.errors import BadInput
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


@dataclass(frozen=True, slots=True)
class FileToMap:
    """A file whose columns the form shows.

    Attributes:
        name: its name; clean.
        rows: its first rows, at least one.
        recognition: what they were taken for.
        chosen: what the user has said of them before.
    """

    name: str
    rows: Sequence[Mapping[str, Any]]
    recognition: Recognition
    chosen: Chosen


def file_to_map(dataset: Dataset, source: int) -> FileToMap | str:
    """A file of a dataset with its first rows, or why there are none. Reads the disk.

    Args:
        dataset: what is open.
        source: the number of the file.
    """
    file = dataset.reader.files[source]
    name = clean_line(file.name, 60)
    try:
        reader = dataset.reader.ahead(source) if isinstance(dataset.reader, ShardReader) else dataset.reader
    except BadInput as fault:
        return clean_line(f"{name}: {fault.what}", 400)
    rows = first_rows(reader)
    if not rows:
        return f"{name}: no rows to map; every line is malformed."
    return FileToMap(name, rows, dataset.recognitions.of(source).found, dataset.chosen.said_of(file))


def first_rows(reader: Reader) -> list[dict[str, Any]]:
    """The first good rows of a file, passing over long ones; a long one where there is no other."""
    rows: list[dict[str, Any]] = []
    long: dict[str, Any] | None = None
    for entry in range(min(reader.count, 20 * _MOST_ROWS)):
        is_long = reader.size(entry) > _MOST_BYTES
        if is_long and (long is not None or rows):
            continue
        value = reader.row(entry).value
        if value is not None and is_long:
            long = value
        elif value is not None:
            rows.append(value)
        if len(rows) == _MOST_ROWS:
            break
    return rows or ([long] if long is not None else [])


class MappingScreen(ModalScreen[Mapping[int, Chosen] | None]):
    """The columns of a file, what each is, and a row as a sample while that is chosen; one file after the other.

    The result is what the user has said of each file that was shown, by its number, or None if nothing is to change.
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
        Command("mapping.next_file", "f6", "next_file", "next file", "Map the next file; the eval file comes last.", 3),
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

    def __init__(
        self,
        file: FileToMap,
        at: int = 0,
        of: int = 1,
        load: Callable[[int], FileToMap | str] | None = None,
        field: str = "",
    ) -> None:
        """Make the form.

        Args:
            file: the file that is shown first.
            at: its number.
            of: how many files there are.
            load: gives another one by its number, or says why it cannot; called in a thread.
            field: where the cursor is at first; by default on the format.
        """
        super().__init__()
        self._field = field
        self._drafts = {at: MappingDraft(file.rows, file.recognition, file.chosen)}
        self._files = {at: file}
        self._at, self._of, self._load = at, of, load
        self._row = 0
        self._raw = False

    @property
    def _draft(self) -> MappingDraft:
        return self._drafts[self._at]

    def _title(self) -> str:
        name = self._files[self._at].name
        return f"mapping of {name}" if self._of == 1 else f"{name}  {self._at + 1} of {self._of}"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would work now."""
        return self._of > 1 if action == "next_file" else super().check_action(action, parameters)

    def compose(self) -> ComposeResult:
        """What was seen, the form beside the columns, a row as a sample."""
        form = Form(self._draft.sections(), id="form")
        form.border_title = Content(self._title())
        columns = TextView(id="columns")
        columns.border_title = "columns, with examples"
        yield Static("", id="why", markup=False)
        with Container(id="upper"):
            yield form
            yield columns
        yield TextView(id="preview")
        yield KeyBar()

    def on_mount(self) -> None:
        """Fill the form in; the cursor is on the format, or on the field that the form was opened for."""
        form = self.query_one(Form)
        form.focus()
        self._show()
        if self._field:
            form.go_to(self._field)

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

    async def action_next_file(self) -> None:
        """Show the next file; what was chosen for this one stays."""
        at = (self._at + 1) % self._of
        if at not in self._drafts and self._load is not None:
            file = await asyncio.to_thread(self._load, at)
            if not self.is_attached:
                return
            if isinstance(file, str):
                self.query_one("#why", Static).update(f"▲ {file}")
                return
            self._files[at] = file
            self._drafts[at] = MappingDraft(file.rows, file.recognition, file.chosen)
        self._go_to(at)

    def _go_to(self, at: int) -> None:
        self._at, self._row = at, 0
        self.query_one(Form).border_title = Content(self._title())
        self._show()

    def action_take(self) -> None:
        """Close with what was said, if rows become samples that way."""
        changed = {at: draft for at, draft in self._drafts.items() if at == self._at or draft.changed}
        for at, draft in changed.items():
            words, sound = draft.words()
            if not sound:
                if at != self._at:
                    self._go_to(at)
                self.query_one("#why", Static).update(f"▲ Cannot apply: {words}")
                return
        self.dismiss({at: draft.chosen for at, draft in changed.items()})

    def action_leave(self) -> None:
        """Close; nothing changes."""
        self.dismiss(None)
