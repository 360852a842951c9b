"""The keys of the screen underneath, from the registry, with a filter."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.actions import Command, declare, sign
from tui.widgets.key_bar import KeyBar
from tui.widgets.wrap import wrap

_KEYS = 12
"""Cells of the column of keys."""

_BINDINGS = declare(
    "help",
    Command("help.close", "escape,f1", "close", "close", "Clear the filter; close the help.", 1, shared="back,help"),
    Command("help.scroll_up", "up", "scroll(-1)", "scroll", "Scroll up.", 2, "↑↓", priority=True),
    Command("help.scroll_down", "down", "scroll(1)", "scroll", "Scroll down.", priority=True),
    Command("help.page_up", "pageup", "page(-1)", "page up", "Scroll up one page.", priority=True),
    Command("help.page_down", "pagedown", "page(1)", "page down", "Scroll down one page.", priority=True),
)


def keys_of(command: Command) -> str:
    """The keys of a command as the help lists them: the footer's first, then another if there is room."""
    shown = command.shown_key
    other = next((sign(key) for key in command.keys if sign(key) not in shown), "")
    pair = command.shows and command.shows not in map(sign, command.keys)  # such as ←→
    both = f"{shown} {other}" if other and not pair else shown
    return both if len(both) <= _KEYS else shown


class HelpScreen(ModalScreen[None]):
    """A list of keys with a sentence each; type to narrow it, esc or F1 closes it."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > Vertical {
        width: 84; max-width: 100%; height: auto; max-height: 90%;
        border: round $border; border-title-color: $foreground; background: $surface;
    }
    HelpScreen Input { padding: 0 1; background: $panel; }
    HelpScreen VerticalScroll { height: auto; max-height: 100%; padding: 0 1; scrollbar-size-vertical: 1; }
    """

    BINDINGS = _BINDINGS

    def __init__(self, title: str, groups: Sequence[tuple[str, Sequence[Command]]]) -> None:
        """Make the help.

        Args:
            title: the screen's title.
            groups: headings, each with its commands.
        """
        super().__init__()
        self._title = title
        self._groups = groups

    def compose(self) -> ComposeResult:
        """The filter and one entry a key."""
        with Vertical() as box:
            box.border_title = f"keys: {self._title}"
            yield Input(placeholder="type to filter", compact=True)
            body = VerticalScroll(Static(""))
            body.can_focus = False
            yield body
        yield KeyBar()

    def on_mount(self) -> None:
        """What is typed narrows the list."""
        self.set_focus(self.query_one(Input))  # at once, for what is typed behind the key

    def on_resize(self) -> None:
        """Sentences wrap beside their keys."""
        self.call_after_refresh(self._fill)

    @on(Input.Changed)
    def _fill(self) -> None:
        words = self.query_one(Input).value.lower().split()
        width = max(20, self.query_one(VerticalScroll).content_size.width - _KEYS - 4)
        parts: list[tuple[str, str]] = []
        for heading, commands in self._groups:
            entries = [each for each in commands if not each.aside and _has(each, heading, words)]
            if entries:
                parts.append((("\n" if parts else "") + f"{heading}\n", "bold"))
            for command in entries:
                keys = keys_of(command)
                parts.append((f"  {keys}{' ' * (_KEYS - cell_len(keys))} ", "bold $accent"))
                for number, (start, end) in enumerate(wrap(command.help, width)):
                    parts.append((f"{' ' * (_KEYS + 3) if number else ''}{command.help[start:end].rstrip()}\n", ""))
        if not parts:
            parts = [("No matches.", "$text-muted")]
        self.query_one(Static).update(Content.assemble(*parts))

    def action_scroll(self, lines: int) -> None:
        """Scroll by some lines."""
        body = self.query_one(VerticalScroll)
        body.scroll_to(y=body.scroll_offset.y + lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by a page, less a line for the eye to hold on to."""
        self.action_scroll(pages * max(1, self.query_one(VerticalScroll).size.height - 1))

    def action_close(self) -> None:
        """Clear the filter; without one, close."""
        field = self.query_one(Input)
        if field.value:
            field.value = ""
        else:
            self.dismiss()


def _has(command: Command, heading: str, words: Sequence[str]) -> bool:
    text = f"{heading} {keys_of(command)} {command.label} {command.help}".lower()
    return all(word in text for word in words)
