"""A part of a screen that has commands of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual.containers import Container

from tui.widgets.command_line import CommandLine

if TYPE_CHECKING:
    from tui.deck import Deck
    from tui.session import Session


class Pane(Container):
    """A part of a screen that has commands of its own, which work wherever in the screen the focus is.

    Subclasses set `NAME` and write `compose`, the methods `action_<name>` and `check_action`. The screen declares the
    commands with `actions.in_pane`; they work while the pane is there and neither it nor what it lies in is disabled.

    What happens in a pane it posts as a message. What is to happen there, whoever composes the pane calls.
    """

    NAME: ClassVar[str] = ""
    """Names the pane among those of its screen; it is the widget's id as well."""

    def __init__(self) -> None:
        """Make the pane."""
        super().__init__(id=self.NAME)

    def watch_disabled(self, disabled: bool) -> None:
        """Other keys work now."""
        super().watch_disabled(disabled)
        if self.is_attached:
            self.screen.refresh_bindings()

    @property
    def deck(self) -> Deck:
        """The app, as far as screens know it."""
        return cast("Deck", self.app)

    @property
    def session(self) -> Session:
        """What the screens share."""
        return self.deck.session

    @property
    def line(self) -> CommandLine:
        """The command line of the screen."""
        return self.screen.query_one(CommandLine)

    def show_message(self, words: str, *, failed: bool = False, about: object = None) -> None:
        """Say on the command line what came of a key; as `CommandLine.tell`."""
        self.line.show_message(words, failed=failed, about=about)

    def ask_line(
        self, title: str, help: str, take: Callable[[str], object], *, text: str = "", digits: bool = False
    ) -> None:
        """Have a line of text typed; as `CommandLine.ask`.

        The action that asks belongs to a command that `opens_line`, or is called from a menu.
        """
        self.line.ask(title, help, take, text=text, digits=digits)
