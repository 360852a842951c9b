"""A list of small records, one section of fields an entry: rewards, mixed-in files, tasks. Typed as text as well."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static
from textual.worker import get_current_worker

from core.clean import clean_line
from core.recipe.declare import Knob, Problem
from core.recipe.values import Value
from tui.actions import Command, declare
from tui.recipe.field_form import form_field
from tui.recipe.messages import Completed
from tui.widgets.form import Form
from tui.widgets.form_field import Fault, FieldState, FormField, Section
from tui.widgets.key_bar import KeyBar

AS_TEXT = "text"
"""The row that holds all entries as one line."""


class RecordEntries:
    """The entries of a `records` field as the texts of their fields, wrong ones included.

    Args:
        knob: the field.
        text: its text in the form.
    """

    def __init__(self, knob: Knob, text: str) -> None:
        self._knob = knob
        self.entries: list[dict[str, str]] = []
        self.line = text
        self.take_line(text)

    def take_line(self, text: str) -> None:
        """Take all entries as one line; while it is no value, the entries stay as they were."""
        self.line = text
        value = self._knob.parse(text)
        if not isinstance(value, Problem):
            assert isinstance(value, tuple)
            self.entries = [
                {column.name: column.format(getattr(record, column.name)) for column in self._knob.columns}
                for record in value
            ]

    def take(self, number: int, name: str, text: str) -> None:
        """Take the text of a field of an entry."""
        self.entries[number][name] = text
        self._write_line()

    def add(self) -> int:
        """Add an entry with the defaults; returns its number."""
        self.entries.append({column.name: column.format(column.default) for column in self._knob.columns})
        self._write_line()
        return len(self.entries) - 1

    def remove(self, number: int) -> None:
        """Remove an entry."""
        del self.entries[number]
        self._write_line()

    def shown(self, number: int) -> tuple[Knob, ...]:
        """The fields of an entry that apply: those that its other fields ask for, and those that were set."""
        entry = self.entries[number]
        return tuple(
            column
            for column in self._knob.columns
            if entry[column.name] != column.format(column.default) or not column.when.why_not(entry.__getitem__)
        )

    def problem(self, number: int, column: Knob) -> Problem | None:
        """What is wrong with the text of a field of an entry; the first field names the entry and may not be empty."""
        text = self.entries[number][column.name]
        if column is self._knob.columns[0] and not text.strip():
            return Problem(column.path, f"{column.title} is missing.")
        parsed = column.parse(text)
        return parsed if isinstance(parsed, Problem) else None

    @property
    def value(self) -> Value | Problem:
        """The field's value, or the first thing that is wrong."""
        parsed: list[dict[str, object]] = []
        for number, entry in enumerate(self.entries):
            for column in self._knob.columns:
                if found := self.problem(number, column):
                    return Problem(self._knob.path, f"Entry {number + 1}: {found.sentence}")
            parsed.append({column.name: column.parse(entry[column.name]) for column in self._knob.columns})
        return self._knob.coerce(parsed)

    def _write_line(self) -> None:
        value = self.value
        if not isinstance(value, Problem):
            self.line = self._knob.format(value)


class RecordsEditor(ModalScreen[str | None]):
    """Add, remove and change entries. The result is the field's text; None to leave it as it was."""

    DEFAULT_CSS = """
    RecordsEditor { align: center middle; }
    RecordsEditor > Vertical {
        width: 96; max-width: 100%; height: 80%; background: $surface;
        border: round $accent; border-title-color: $accent; border-subtitle-color: $text-muted;
    }
    RecordsEditor Form { height: 1fr; background: $surface; }
    RecordsEditor #about { height: auto; max-height: 6; padding: 0 1; color: $text-muted; }
    """

    BINDINGS = declare(
        "records",
        Command("records.add", "plus,ctrl+n", "add", "add", "Add an entry.", 1, "+"),
        Command("records.remove", "minus,delete", "remove", "remove", "Remove this entry.", 2, "-"),
        Command(
            "records.apply",
            "escape,ctrl+s",
            "apply",
            "apply",
            "Use these entries and go back.",
            3,
            "esc",
            shared="back",
        ),
        Command("records.discard", "ctrl+r", "dismiss(None)", "discard", "Close without a change.", 4),
    )

    def __init__(self, knob: Knob, text: str, workspace: Path) -> None:
        """Make the editor.

        Args:
            knob: the field, of the kind `records`.
            text: its text in the form.
            workspace: where relative paths begin.
        """
        super().__init__()
        self._knob, self._before, self._workspace = knob, text, workspace
        self._records = RecordEntries(knob, text)
        self._warned = False

    def compose(self) -> ComposeResult:
        """The form and a few words."""
        with Vertical() as box:
            box.border_title = Content(f"{self._knob.title} ({self._knob.path})")
            yield Form(self._sections())
            yield Static("", id="about", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin at the first entry, or with a new one if there are none."""
        if not self._records.entries and not self._before.strip():
            self._records.add()
        self._show()
        first = next((key for key in self.form.keys if key != AS_TEXT), AS_TEXT)
        self.form.focus()
        self.form.go_to(first)

    @property
    def form(self) -> Form:
        """The form."""
        return self.query_one(Form)

    # --- what is shown

    def _sections(self) -> tuple[Section, ...]:
        found = [
            Section(
                f"entry {number + 1} of {len(self._records.entries)}",
                tuple(form_field(f"{number}.{column.name}", column) for column in self._records.shown(number)),
            )
            for number in range(len(self._records.entries))
        ]
        return (*found, Section("all entries", (FormField(AS_TEXT, "As text", "long"),)))

    def _states(self) -> Iterable[tuple[str, FieldState]]:
        for number, entry in enumerate(self._records.entries):
            for column in self._records.shown(number):
                text = entry[column.name]
                problem = self._records.problem(number, column)
                fault = Fault("error", clean_line(problem.sentence, 400)) if problem else None
                changed = text != column.format(column.default)
                yield f"{number}.{column.name}", FieldState(text, changed, column.choices.get(text, ""), fault)
        parsed = self._knob.parse(self._records.line)
        fault = Fault("error", clean_line(parsed.sentence, 400)) if isinstance(parsed, Problem) else None
        yield AS_TEXT, FieldState(self._records.line, False, "", fault)

    def _show(self) -> None:
        self.form.lay_out(self._sections())
        self.form.fill(dict(self._states()))
        self._describe()

    def _describe(self) -> None:
        number, name = self._place
        column = next((each for each in self._knob.columns if number is not None and each.name == name), None)
        words = column.help if column is not None else self._knob.help
        if column is not None and (problem := self._records.problem(number or 0, column)):
            words = f"✗ {problem.sentence} {words}"
        self.query_one("#about", Static).update(clean_line(words, 600))

    @property
    def _place(self) -> tuple[int | None, str]:
        """The entry and the field that the cursor is on; None for the line of all entries."""
        number, _, name = self.form.current.key.partition(".")
        return (int(number), name) if number.isdigit() else (None, number)

    @on(Form.Changed)
    def _changed(self, event: Form.Changed) -> None:
        event.stop()
        number, _, name = event.key.partition(".")
        if event.key == AS_TEXT:
            self._records.take_line(event.text)
        elif int(number) < len(self._records.entries):
            self._records.take(int(number), name, event.text)
        self._warned = False
        self._show()

    @on(Form.Moved)
    def _moved(self, event: Form.Moved) -> None:
        event.stop()
        self._describe()

    @on(Form.Completing)
    def _completing(self, event: Form.Completing) -> None:
        event.stop()
        self._complete(event.key, event.text)

    @work(thread=True, exclusive=True, group="completion")
    def _complete(self, key: str, text: str) -> None:
        """Look a file name up in a thread: a folder may lie on a slow disk."""
        from tui.widgets.path_input import completion

        found = completion(text, self._workspace) if text else None
        if found and not get_current_worker().is_cancelled:
            self.post_message(Completed(key, text, found[len(text) :]))

    @on(Completed)
    def _completed(self, event: Completed) -> None:
        event.stop()
        self.form.suggest(event.key, event.text, event.rest)

    # --- commands

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """An entry can be removed where the cursor is on one."""
        if action == "remove":
            return self.is_mounted and self._place[0] is not None
        return True

    def action_add(self) -> None:
        """Add an entry, and begin to type its first field."""
        self.form.put_down()
        number = self._records.add()
        self._show()
        first = self._knob.columns[0]
        self.form.go_to(f"{number}.{first.name}", edit=not first.choices)

    def action_remove(self) -> None:
        """Remove the entry that the cursor is on."""
        number, _ = self._place
        if number is None:
            return
        self.form.put_down()
        self._records.remove(number)
        self._show()
        self.refresh_bindings()

    def action_apply(self) -> None:
        """Take the entries over; a second time where one is wrong, drop the change."""
        wrong = self._records.value
        line = self._knob.parse(self._records.line)
        problem = next((each for each in (wrong, line) if isinstance(each, Problem)), None)
        untouched = not self._before.strip() and self._records.entries == [
            {column.name: column.format(column.default) for column in self._knob.columns}
        ]
        if (problem is not None and self._warned) or (untouched and problem is not None):
            self.dismiss(None)
        elif problem is not None:
            self._warned = True
            words = f"✗ {problem.sentence} Correct it, or press esc again to discard the changes."
            self.query_one("#about", Static).update(clean_line(words, 600))
        else:
            self.dismiss(self._records.line)
