"""The line at the foot of a screen: how things stand, what came of a key, and a line of text while it is typed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from textual.binding import ActiveBinding
from textual.content import Content
from textual.events import Key

from tui.actions import Command, declare
from tui.terminal.own_keys import obey, own_bindings
from tui.terminal.still import StillText
from tui.widgets.line_editor import LineEditor

MOST = 2_000
"""Characters that a line takes."""

_HOLD = 10.0
"""Seconds for which it is said what came of a key."""


@dataclass(frozen=True, slots=True)
class _Question:
    title: str
    help: str
    take: Callable[[str], object]
    digits: bool
    live: bool


class CommandLine(StillText):
    """One line of words, in which a line of text can be typed.

    It never has the focus: while a line is typed, the screen hands it every key. A field that is given the focus gets
    the keys typed behind the one that opened it too late, when they have gone to where the focus was.
    """

    DEFAULT_CSS = """
    CommandLine { height: auto; min-height: 1; max-height: 3; padding: 0 1; color: $text-muted; }
    """

    BINDINGS = declare(
        "line",
        Command("line.apply", "enter", "apply", "apply", "Apply what is typed.", 1),
        Command("line.cancel", "escape", "cancel", "cancel", "Cancel; nothing changes.", 2, "esc"),
    )

    def __init__(self, *, id: str = "line") -> None:
        super().__init__(id=id)
        self._words: str = ""
        self._wrapped = False
        self._message_text = ""
        self._message_until = 0.0
        self._about: object = None
        self._offer: tuple[str, tuple[tuple[str, str, bool], ...], str] | None = None
        self._question: _Question | None = None
        self._editor = LineEditor()

    # -- words ----------------------------------------------------------------------------------------------

    def rest(self, words: str, *, wrapped: bool = False) -> None:
        """Set what the line says while there is nothing else to say.

        Args:
            words: clean.
            wrapped: use up to three lines, as warnings do; else what is too long for one is cut.
        """
        self._words, self._wrapped = words, wrapped or "▲" in words
        self._draw()

    def show_message(self, words: str, *, failed: bool = False, about: object = None) -> None:
        """Say what came of a key, for some seconds or until `forget`.

        A toast would cover the text that somebody reads.

        Args:
            words: clean.
            failed: whether it was not done.
            about: what it is said of, such as a row.
        """
        self._about = about
        self._message_text = f"▲ {words}" if failed else words
        self._message_until = time.monotonic() + _HOLD
        self.set_timer(_HOLD + 0.1, self._let_go)
        self._draw()

    def forget(self, *, unless: object = None) -> None:
        """Say no longer what came of a key, unless it was said of something."""
        if self._message_text and (unless is None or self._about != unless):
            self._message_text = ""
            self._draw()

    def offer(self, title: str, choices: Sequence[tuple[str, str, bool]], help: str = "") -> None:
        """Offer choices by a key each, until `withdraw`; the screen has the keys.

        Args:
            title: what is chosen; clean.
            choices: the key, what it means, and whether that is chosen already; clean.
            help: a few words, shown where there is room.
        """
        self._offer = (title, tuple(choices), help)
        self._draw()

    def withdraw(self) -> None:
        """Offer nothing any more."""
        if self._offer is not None:
            self._offer = None
            self._draw()

    def clear(self) -> None:
        """Say nothing and have nothing typed: what the words were about is gone."""
        self._words = ""
        self._offer = None
        self.forget()
        if self.typing:
            self._end(None)

    def _let_go(self) -> None:
        if time.monotonic() >= self._message_until:
            self.forget()

    # -- typing ---------------------------------------------------------------------------------------------

    @property
    def typing(self) -> bool:
        """Whether a line is being typed."""
        return self._question is not None

    def ask(
        self,
        title: str,
        help: str,
        take: Callable[[str], object],
        *,
        text: str = "",
        digits: bool = False,
        live: bool = False,
    ) -> None:
        """Have a line typed.

        Args:
            title: what is typed, such as `search`.
            help: what enter does, in a few words.
            take: called with the text when it is applied, before the keys that were typed behind it.
            text: what stands there at first.
            digits: take digits alone; other characters are ignored, and do nothing else meanwhile.
            live: call `take` at every change as well, and with "" where the line is canceled.
        """
        self._question = _Question(title, help, take, digits, live)
        self._editor.begin(text, select=False)
        self._changed()

    def action_apply(self) -> None:
        """End the line and hand its text on."""
        self._end(self._editor.text)

    def action_cancel(self) -> None:
        """End the line; its text is lost."""
        self._end(None)

    def _end(self, text: str | None) -> None:
        question, self._question = self._question, None
        self._changed()
        if question is not None and (text is not None or question.live):
            question.take(text or "")

    async def press(self, event: Key) -> bool:
        """Do what a key does in the line; False where it does nothing there."""
        if self._question is None:
            return False
        if await obey(self, event.key):
            return True
        if event.is_printable and event.character is not None:
            self.add(event.character)
            return True
        if not self._editor.key(event.key, None):
            return False
        self._edited()
        return True

    def add(self, text: str) -> None:
        """Put text that was typed or pasted at the cursor: its first line."""
        if self._question is None:
            return
        first = next(iter(text.splitlines()), "")
        if self._question.digits:
            first = "".join(letter for letter in first if letter in "0123456789")
        self._editor.insert(first[: MOST - len(self._editor.text)])
        self._edited()

    def _edited(self) -> None:
        self._draw()
        if self._question is not None and self._question.live:
            self._question.take(self._editor.text)

    def _changed(self) -> None:
        """Other keys work now."""
        self.set_class(self.typing, "-typing")
        self._draw()
        self.screen.refresh_bindings()

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys that end the line, as `Screen.active_bindings`."""
        return {key: ActiveBinding(self, binding, True, binding.tooltip) for key, binding in own_bindings(self)}

    # -- drawing --------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Use the new width."""
        self._draw()

    def _draw(self) -> None:
        width = self.content_size.width or self.screen.size.width - 2
        if self._question is not None:
            self.say(self._typed(self._question, width))
        elif self._offer is not None:
            self.say(_offered(*self._offer, width))
        elif self._message_text:
            self.say(self._message_text)
        elif self._wrapped or cell_len(self._words) <= width:
            self.say(self._words)
        else:
            self.say(set_cell_size(self._words, max(0, width - 1)).rstrip() + "…")

    def _typed(self, question: _Question, width: int) -> Content:
        title, help = f"{question.title}: ", f"  ({question.help})"
        window = self._editor.window(max(8, width - cell_len(title)))
        line = Content.assemble((title, "bold"), window.before, (window.at or " ", "reverse"), window.after)
        return line + help if line.cell_length + cell_len(help) <= width else line


def _offered(title: str, choices: Sequence[tuple[str, str, bool]], help: str, width: int) -> Content:
    """The choices, the chosen ones in reverse, in lines that break between them; the help where it still fits."""
    parts: list[tuple[str, str]] = [(title, "bold")]
    used = cell_len(title)
    for key, words, chosen in choices:
        cells = 2 + cell_len(key) + (cell_len(words) + 1 if words else 0)
        if used + cells > width:
            parts.append(("\n ", ""))
            used = 1
        parts += [("  ", ""), (key, "bold $accent"), (f" {words}" if words else "", "reverse" if chosen else "")]
        if chosen and not words:
            parts[-2] = (key, "bold reverse $accent")
        used += cells
    if used + cell_len(help) + 3 <= width:
        parts.append((f" · {help}", ""))
    return Content.assemble(*parts)
