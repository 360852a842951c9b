"""The terminal driver: Textual's, but its reader sleeps until there is something to read, and pastes hold no keys.

Textual's wakes up ten times a second to see whether an escape sequence was cut off or the program is ending: a fifth of
the cost of a live screen that changes once a second. Pasted text never reaches its parser.
"""

from __future__ import annotations

import os
import re
import select
from codecs import getincrementaldecoder
from collections.abc import Callable
from threading import Event

from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from tui.terminal.codeset import UTF_8, LookalikeTable, shown_as, terminal_codeset
from tui.terminal.paste import SILENCE, PasteCutter

_READ = 4_096
_LAST = 100
"""Milliseconds the terminal has to answer when the program ends, as with Textual's own driver."""


_ALT_DIGIT = re.compile("\x1b([0-9])")


def alt_digits(text: str) -> str:
    """What was read, with alt and a digit written so that Textual reads them as that: it takes them for `¡` or `™`."""
    return _ALT_DIGIT.sub(lambda found: f"\x1b[{ord(found[1])};3u", text)


class _Bell(Event):
    """An event that wakes up a thread in `poll`."""

    def __init__(self) -> None:
        super().__init__()
        self.reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def set(self) -> None:
        """Set it, and wake up the thread."""
        super().set()
        os.write(self._writer, b".")

    def clear(self) -> None:
        """Clear it; `poll` sleeps again."""
        super().clear()
        os.read(self.reader, _READ)


class SleepingDriver(LinuxDriver):
    """A driver whose input thread runs only when there is input."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        """Make it; arguments as for Textual's."""
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._tells = debug
        self._bell = _Bell()
        self.exit_event = self._bell
        self._codec = terminal_codeset()
        self._shown = LookalikeTable(self._codec) if self._codec != UTF_8 else None

    def write(self, data: str) -> None:
        """Write to the terminal; look-alikes stand in for what it cannot show."""
        super().write(shown_as(data, self._shown) if self._shown is not None else data)

    def run_input_thread(self) -> None:
        """Read and pass on keys and other events, until the program ends or the terminal is gone."""
        parser = XTermParser(self._tells)
        decode = getincrementaldecoder(self._codec)("replace").decode
        pastes = PasteCutter(self._codec)
        poller = select.poll()
        poller.register(self.fileno, select.POLLIN)
        poller.register(self._bell.reader, select.POLLIN)
        broken_off = int(1_100 * constants.ESCAPE_DELAY)  # milliseconds after which a lone escape is the key
        patience: int | None = None
        try:
            while not self.exit_event.is_set():
                ready = dict(poller.poll(patience))
                if self.fileno in ready:
                    if not self._take(parser, decode, pastes):
                        return
                    patience = int(1_000 * SILENCE) if pastes.pasting else broken_off
                elif not ready:
                    patience = None
                    if pastes.pasting:
                        self.process_message(events.Paste(pastes.give_up()))
                    pastes.pause()
                for event in parser.tick():
                    self.process_message(event)
            poller.unregister(self._bell.reader)
            if poller.poll(_LAST):
                self._take(parser, decode, pastes)
        finally:
            for _ in parser.feed(""):
                pass

    def _take(self, parser: XTermParser, decode: Callable[[bytes], str], pastes: PasteCutter) -> bool:
        """Read once; False if nothing will ever arrive again."""
        try:
            data = os.read(self.fileno, _READ)
        except OSError:  # the terminal is gone; the hang-up watch ends the program
            return False
        for piece in pastes.feed(data):
            if isinstance(piece, str):
                self.process_message(events.Paste(piece))
                continue
            text = alt_digits(decode(piece))
            for event in parser.feed(text) if text else ():  # without text, half of a character, it would end
                if not isinstance(event, events.Paste):  # what the parser sees of a paste is empty
                    self.process_message(event)
        return bool(data)
