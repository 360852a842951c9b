"""What all screens of the walk share: header, footer, and too small a terminal said in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from tui.actions import SHARED, STEPS, Command, by_id, character
from tui.screens.pane import Pane
from tui.terminal.layer import lean_screen
from tui.terminal.own_keys import own_bindings
from tui.widgets.command_line import CommandLine
from tui.widgets.key_bar import KeyBar
from tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from tui.deck import Deck
    from tui.session import Session

SMALLEST = (60, 20)
"""Columns and rows below which only a sentence is shown."""


class StepScreen(Screen[None]):
    """A screen of the walk. Subclasses set `STEP` and write `compose_body`.

    A screen that does more than one thing is composed of panes (`Pane`): it declares their commands with its own, and
    hands them on. It may have a `CommandLine`.
    """

    STEP: ClassVar[str] = ""
    """The screen's name in `tui.actions.STEPS`."""

    SCOPE: ClassVar[str] = ""
    """Whose keys the screen has, where it is one beside a step's own; "" for the step's."""

    DEFAULT_CSS = """
    StepScreen { layout: vertical; }
    StepScreen > #too-small { display: none; height: 1fr; content-align: center middle; text-align: center; }
    StepScreen.-too-small > #too-small { display: block; }
    StepScreen.-too-small > #body, StepScreen.-too-small > KeyBar, StepScreen.-too-small > TopBar { display: none; }
    StepScreen > #body { height: 1fr; }
    """

    @property
    def scope(self) -> str:
        """The name of the screen's table of keys."""
        return self.SCOPE or self.step

    @property
    def step(self) -> str:
        """The step of the walk that the header shows."""
        return self.STEP

    def __init__(self) -> None:
        """Make the screen."""
        super().__init__()
        lean_screen(self)
        self._bar: TopBar | None = None
        self._number_refused = False
        """Whether a number is being typed for which there are no rows: its digits lead to no other screen."""

    @property
    def deck(self) -> Deck:
        """The app, as far as screens know it."""
        return cast("Deck", self.app)

    @property
    def session(self) -> Session:
        """What the screens share."""
        return self.deck.session

    @property
    def aim(self) -> Hashable:
        """What a key that decides is about now."""
        return self

    def pictured(self) -> Iterable[Hashable]:
        """What such a key may be about, as far as the terminal shows it; asked whenever a picture was sent."""
        return [self.aim]

    def picture_sent(self) -> None:
        """Called whenever a picture was sent to the terminal, of this screen or of one above it."""

    @property
    def asking(self) -> bool:
        """Whether a question is open on the screen: until it is answered, only its own keys work."""
        return False

    def offers(self, command: Command) -> bool:
        """Whether footer and palette list a command that works: of some, the key only says why it is not possible."""
        return True

    def from_thread(self, callback: Callable[..., object], *arguments: object, **options: object) -> None:
        """Call something in the app's own thread, and wait for it; nothing once the app is being left.

        A thread that has read something for a screen whose widgets are gone would end the program with a traceback.
        """

        def call() -> None:
            if self.is_attached and self.app.is_running:
                callback(*arguments, **options)

        self.app.call_from_thread(call)

    def compose(self) -> ComposeResult:
        """Header, body, footer."""
        from textual.containers import Container

        title = next(title for _, name, title in STEPS if name == self.step)
        self._bar = TopBar([(key, title) for key, _, title in STEPS], title)
        yield self._bar
        with Container(id="body"):
            yield from self.compose_body()
        yield Static("", id="too-small", markup=False)
        yield KeyBar()

    def compose_body(self) -> Iterable[Widget]:
        """The widgets between header and footer."""
        raise NotImplementedError

    # -- commands of panes ----------------------------------------------------------------------------------

    def pane(self, name: str) -> Pane | None:
        """The pane of a name, if it is there."""
        return self.query_one_optional(f"#{name}", Pane)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A pane says itself which of its commands work now."""
        if action != "pane":
            return super().check_action(action, parameters)
        name, inner, *arguments = parameters
        pane = self.pane(str(name))
        return pane is not None and not pane.is_disabled and pane.check_action(str(inner), tuple(arguments))

    async def action_pane(self, name: str, action: str, *arguments: object) -> None:
        """Have a pane do one of its commands."""
        pane = self.pane(name)
        if pane is not None:
            await self.app.run_action(("", action, arguments), pane)

    # -- the command line -----------------------------------------------------------------------------------

    @property
    def command_line(self) -> CommandLine | None:
        """The screen's command line, if it has one."""
        return self.query_one_optional(CommandLine)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """As Textual has it; while a line is typed, the line's keys and those of the app that are no text.

        While a question is open: its answers, and what the app does by ctrl and a letter.
        """
        found, line = super().active_bindings, self.command_line
        if self.asking:
            return {key: active for key, active in found.items() if self._is_answer(key, active)}
        if line is None or not line.typing:
            return found
        others = {key: active for key, active in found.items() if active.node is self.app and not character(key)}
        return {**others, **line.active_bindings}

    def _is_answer(self, key: str, active: ActiveBinding) -> bool:
        command = by_id().get(active.binding.id or "")
        if active.node is self.app:
            return key.startswith("ctrl+") and command is not None and command.id != "app.open_palette"
        return command is not None and command.answers

    async def on_key(self, event: events.Key) -> None:
        """Keys of a line of text, and the keys that open one: here they arrive in the order they were typed in.

        An action is done only when its key has come up to the app; by then the next key is on its way already.
        """
        line = self.command_line
        if line is not None and line.typing:
            if await line.press(event) or event.key not in self.active_bindings:
                event.stop()
            return
        if self._number_refused and event.character and event.character in "0123456789":
            event.stop()
            return
        self._number_refused = event.key in SHARED["go to row"] and event.key not in self.active_bindings
        if line is None or event.key not in own_bindings(self).key_to_bindings:
            return  # most keys, such as those of a list
        active = self.active_bindings.get(event.key)
        command = by_id().get(active.binding.id or "") if active is not None else None
        if active is not None and command is not None and command.opens_line:
            event.stop()
            await self.app.run_action(active.binding.action, active.node)

    def on_paste(self, event: events.Paste) -> None:
        """Text that is pasted into the line."""
        line = self.command_line
        if line is not None and line.typing:
            event.stop()
            line.add(event.text)

    async def on_top_bar_step_clicked(self, event: TopBar.StepClicked) -> None:
        """A click on a step in the header goes there, as its key does."""
        event.stop()
        name = next(name for _, name, title in STEPS if title == event.title)
        await self.app.run_action(("app", "step", (name,)))

    # -- size and header ------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Below the smallest size one sentence takes the place of everything."""
        columns, rows = event.size
        small = columns < SMALLEST[0] or rows < SMALLEST[1]
        self.set_class(small, "-too-small")
        if small:
            self.query_one("#too-small", Static).update(
                f"The terminal is {columns}x{rows}; tunedeck needs {SMALLEST[0]}x{SMALLEST[1]}. "
                "Make it larger; nothing is lost."
            )
        self.set_class(columns >= 110, "-wide")
        self.set_class(rows >= 36, "-tall")

    def on_screen_resume(self) -> None:
        """Show in the header what is open now."""
        self.refresh_header()

    def refresh_header(self) -> None:
        """Bring the header up to what the session says."""
        if self._bar is not None:  # None while the screen is being made
            self._bar.subject = self.session.title
            self._bar.status = self.deck.run_words
