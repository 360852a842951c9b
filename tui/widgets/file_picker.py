"""What to open: a path to type, or one of the files that lie here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.widgets.path_input import PathInput


@dataclass(frozen=True, slots=True)
class Choice:
    """A file to choose.

    Attributes:
        path: what is opened.
        name: how it is written in the list; clean.
        about: its size, or what it is; clean.
    """

    path: Path
    name: str
    about: str


class FilePicker(Vertical):
    """A field for a path above a list of files; errors stand between them as sentences."""

    DEFAULT_CSS = """
    FilePicker { padding: 1 2; border: round $border-blurred; border-title-color: $foreground; }
    FilePicker > #intro { height: auto; margin-bottom: 1; }
    FilePicker > PathInput { height: 3; border: round $border-blurred; background: $background; padding: 0 1; }
    FilePicker > PathInput:focus { border: round $primary; }
    FilePicker > #fault { height: auto; color: $text-error; }
    FilePicker > #heading { height: auto; margin-top: 1; color: $text-muted; }
    FilePicker > OptionList {
        height: 1fr; border: none; padding: 0; background: $background; background-tint: transparent;
    }
    FilePicker > OptionList:focus { border: none; background-tint: transparent; }
    """

    class Picked(Message):
        """The user wants to open this path."""

        def __init__(self, path: Path) -> None:
            self.path = path
            super().__init__()

    def __init__(
        self, base: Path, find: Callable[[], list[Choice]], *, title: str, intro: str, id: str | None = None
    ) -> None:
        """Make the picker.

        Args:
            base: the folder that relative paths begin at.
            find: finds the files to offer; called in a thread.
            title: for the border.
            intro: a sentence or two above the field.
            id: the widget's id.
        """
        super().__init__(id=id)
        self._base = base
        self._find = find
        self._intro = intro
        self._choices: list[Choice] = []
        self._fault = ""
        self.border_title = Content(title)

    def compose(self) -> ComposeResult:
        """Sentence, field, fault, list."""
        yield Static(self._intro, id="intro", markup=False)
        yield PathInput(self._base, placeholder="path of a file or folder; tab completes", id="path")
        yield Static(self._fault, id="fault", markup=False)
        yield Static("", id="heading", markup=False)
        yield OptionList(id="choices")

    def on_mount(self) -> None:
        """Look for files."""
        self.look_again()

    @work(thread=True, exclusive=True)
    def look_again(self) -> None:
        """Look for files, then focus the list where there are any, else the field."""
        choices = self._find()
        self.app.call_from_thread(self._offer, choices)

    def _offer(self, choices: list[Choice]) -> None:
        self._choices = choices
        heading = "or choose one with the arrow keys and enter" if choices else "There is no data file in this folder."
        self.query_one("#heading", Static).update(heading)
        width = min(max((len(choice.name) for choice in choices), default=0), 48)
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(Content(f"{choice.name.ljust(width)}  {choice.about}")) for choice in choices)
        if choices:
            options.highlighted = 0
        (options if choices else self.query_one(PathInput)).focus()

    def say(self, fault: str) -> None:
        """Show why something could not be opened; "" clears it. The text must be clean."""
        self._fault = fault
        if self.is_mounted:
            self.query_one("#fault", Static).update(fault)

    def on_key(self, event: Key) -> None:
        """A character that begins a path goes to the field from wherever the focus is."""
        field = self.query_one(PathInput)
        if event.character in ("/", "~", ".") and not field.has_focus:
            event.stop()
            field.focus()
            field.insert_text_at_cursor(event.character)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.post_message(self.Picked(self._base / Path(event.value.strip()).expanduser()))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Picked(self._choices[event.option_index].path))
