"""What to open: a path to type, or one of the files that lie here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Key, Paste
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.actions import Command, declare
from tui.terminal.own_keys import obey
from tui.widgets.path_input import PathInput


@dataclass(frozen=True, slots=True)
class FileChoice:
    """A file to choose.

    Attributes:
        path: what is opened.
        name: how it is written in the list; clean.
        about: its size, or what it is; clean.
        sample: whether it comes with the program.
    """

    path: Path
    name: str
    about: str
    sample: bool = False


FIRST_STEPS = (
    "Next: review the rows, fill in a recipe (2), train and watch (3), compare answers before and after (4), "
    "get the adapter (5). Training continues when you quit; 6 lists your runs."
)
"""What to do, for users who have no data here yet."""

_BINDINGS = declare(
    "picker",
    Command("picker.open_path", "enter", "submit", "open", "Open the path you typed.", 1),
    Command("picker.to_list", "down", "to_list", "file list", "Go to the list of files."),
    Command("picker.open", "enter", "select", "open", "Open this file.", 1),
)


class _Field(PathInput):
    """The path that is typed."""

    BINDINGS = _BINDINGS[:2]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There must be a list to go to."""
        assert isinstance(self.parent, FilePicker)
        return self.parent.has_choices if action == "to_list" else super().check_action(action, parameters)

    def action_to_list(self) -> None:
        """Give the keys that follow to the list."""
        assert isinstance(self.parent, FilePicker)
        self.parent.turn_to_list()

    async def on_key(self, event: Key) -> None:
        """The picker knows what the key is meant for."""
        assert isinstance(self.parent, FilePicker)
        await self.parent.take(self, event)


class _Choices(OptionList):
    """The files to choose from; a mark as well as a color shows the one that enter opens."""

    BINDINGS = _BINDINGS[2:]

    _rows: Sequence[str] = ()
    _marked: int | None = None

    def show(self, lines: Sequence[str]) -> None:
        """Show other files, with the cursor on the first."""
        self._rows, self._marked = lines, None
        self.clear_options()
        self.add_options(Option(Content(f"  {line}")) for line in lines)
        self.highlighted = 0 if lines else None

    async def on_key(self, event: Key) -> None:
        """The picker knows what the key is meant for."""
        assert isinstance(self.parent, FilePicker)
        await self.parent.take(self, event)

    def on_paste(self, event: Paste) -> None:
        """The picker uses it as the beginning of a path."""
        assert isinstance(self.parent, FilePicker)
        event.stop()
        self.parent.take_paste(self, event.text)

    def watch_has_focus(self, value: bool) -> None:
        """Without the focus enter opens none of them."""
        super().watch_has_focus(value)
        self._mark()

    def watch_highlighted(self, highlighted: int | None) -> None:
        """Move the mark along."""
        super().watch_highlighted(highlighted)
        self._mark()

    def _mark(self) -> None:
        now = self.highlighted if self.has_focus else None
        for at, mark in ((self._marked, " "), (now, ">")):
            if at is not None and at < self.option_count:
                self.replace_option_prompt_at_index(at, Content(f"{mark} {self._rows[at]}"))
        self._marked = now


class FilePicker(Vertical):
    """A field for a path above a list of files; errors stand between them as sentences."""

    DEFAULT_CSS = """
    FilePicker { padding: 1 2; border: round $border-blurred; border-title-color: $foreground; }
    FilePicker > #intro { height: auto; margin-bottom: 1; }
    FilePicker > PathInput { height: 3; border: round $border-blurred; background: $background; padding: 0 1; }
    FilePicker > PathInput:focus { border: round $primary; }
    FilePicker > #fault { height: auto; color: $text-error; }
    FilePicker > #heading { height: auto; margin-top: 1; color: $text-muted; }
    FilePicker > #next { height: auto; color: $text-muted; }
    FilePicker > OptionList {
        height: 1fr; min-height: 3; border: none; padding: 0; background: $background;
        background-tint: transparent;
    }
    FilePicker > OptionList:focus { border: none; background-tint: transparent; }
    """

    class Picked(Message):
        """The user wants to open this path."""

        def __init__(self, path: Path) -> None:
            self.path = path
            super().__init__()

    def __init__(
        self, base: Path, find: Callable[[], list[FileChoice]], *, title: str, intro: str, id: str | None = None
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
        self._choices: list[FileChoice] = []
        self._fault = ""
        self._turn: Widget | None = None
        self._source: Widget = self
        """What has the focus, and so gets the keys, whichever of the two they are meant for."""
        self.border_title = Content(title)

    def compose(self) -> ComposeResult:
        """Sentence, field, fault, list."""
        yield Static(self._intro, id="intro", markup=False)
        yield _Field(self._base, placeholder="path of a file or folder; tab completes", select=False, id="path")
        yield Static(self._fault, id="fault", markup=False)
        yield Static("", id="heading", markup=False)
        yield _Choices(id="choices")
        yield Static("", id="next", markup=False)

    def on_mount(self) -> None:
        """Look for files; what is typed meanwhile begins a path."""
        self.query_one(_Choices).focus()
        self.look_again()

    @work(thread=True, exclusive=True)
    def look_again(self) -> None:
        """Look for files, then focus the list where there are any, else the field."""
        choices = self._find()
        self.app.call_from_thread(self._offer, choices)

    def _offer(self, choices: list[FileChoice]) -> None:
        self._choices = choices
        new_here = all(choice.sample for choice in choices)
        self.query_one("#heading", Static).update(_heading(choices))
        self.query_one("#next", Static).update(FIRST_STEPS if new_here else "")
        width = min(max((len(choice.name) for choice in choices), default=0), 48)
        options = self.query_one(_Choices)
        options.show([f"{choice.name.ljust(width)}  {choice.about}" for choice in choices])
        field = self.query_one(PathInput)
        if not (field.value and (field.has_focus or self._turn is field)):  # somebody has begun to type
            (options if choices else field).focus()

    def say(self, fault: str) -> None:
        """Show why something could not be opened; "" clears it. The text must be clean."""
        self._fault = fault
        if self.is_mounted:
            self.query_one("#fault", Static).update(fault)

    # -- keys -----------------------------------------------------------------------------------------------

    async def take(self, source: Widget, event: Key) -> None:
        """Give a key to the list or the field, and say which of them has those that follow.

        Keys of a burst arrive where the focus was when they were typed, and they are all taken there: the focus only
        moves once none waits, so that none is lost and none overtakes another.

        Args:
            source: the list or the field, whichever the key has reached.
            event: the key.
        """
        field, choices = self.query_one(PathInput), self.query_one(_Choices)
        self._source = source
        if (self._turn or source) is field:
            if not await field.press(event):
                return
        elif event.is_printable and event.key != "space" and event.key not in self.screen.active_bindings:  # text
            field.value = ""
            await field.press(event)
            self._turn_to(field)
        elif not await obey(choices, event.key):
            return
        event.stop()
        event.prevent_default()

    @property
    def has_choices(self) -> bool:
        """Whether there is a file to choose."""
        return bool(self._choices)

    def turn_to_list(self) -> None:
        """Give the keys that follow to the list."""
        self._turn_to(self.query_one(_Choices))

    def _turn_to(self, target: Widget) -> None:
        pending, self._turn = self._turn, target
        if pending is None:
            self._source.call_later(self._hand_over, self._source)

    def _hand_over(self, source: Widget) -> None:
        if source.message_queue_size:  # keys of the same burst wait there
            source.call_later(self._hand_over, source)
            return
        if self._turn is not None and self.is_attached:
            self.screen.set_focus(self._turn)
        self._turn = None

    def take_paste(self, source: Widget, text: str) -> None:
        """Text that is pasted at the list begins a path as typed text does."""
        line = text.splitlines()[0] if text.strip() else ""
        if line:
            field = self.query_one(PathInput)
            if self._turn is not field:
                field.value = ""
            field.insert_text_at_cursor(line)
            self._source = source
            self._turn_to(field)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.post_message(self.Picked(self._base / Path(event.value.strip()).expanduser()))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Picked(self._choices[event.option_index].path))


def _heading(choices: Sequence[FileChoice]) -> str:
    """What stands above the files."""
    if not choices:
        return "No data files in this folder."
    if all(choice.sample for choice in choices):
        return "No data files in this folder. Type a path above, or press enter to try the sample data:"
    return "Or choose a file with the arrow keys and enter:"
