"""Textual's driver, through public names alone; its parser sees no escape characters from pastes."""

from __future__ import annotations

import os
import select
from threading import Event, Thread

from textual import constants, events
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from tui.terminal.codeset import UTF_8, LookalikeTable, shown_as, terminal_codeset
from tui.terminal.paste import END, SILENCE, START, PasteCutter

_READ = 4_096
_WAKE = 0.1
"""Seconds after which the end of the program is noticed, as in Textual's own thread."""

_SHOWN = LookalikeTable(terminal_codeset()) if terminal_codeset() != UTF_8 else None


class PlainDriver(LinuxDriver):
    """Textual's driver, reading from a pipe what the terminal sent."""

    def write(self, data: str) -> None:
        """Write to the terminal; look-alikes stand in for what it cannot show."""
        super().write(data if _SHOWN is None else shown_as(data, _SHOWN))

    def run_input_thread(self) -> None:
        """Read as Textual does, after a thread that removes escape characters from pastes."""
        terminal = self.fileno
        reader, writer = os.pipe2(os.O_CLOEXEC)
        ended = Event()
        cutting = Thread(target=_cut_pastes, args=(terminal, writer, ended), name="pastes", daemon=True)
        self.fileno = reader
        cutting.start()
        try:
            super().run_input_thread()
        finally:
            self.fileno = terminal
            ended.set()
            os.close(reader)
            cutting.join()
            os.close(writer)

    def process_message(self, message: Message) -> None:
        """As Textual, without the empty paste that comes before each paste."""
        if not isinstance(message, events.Paste) or message.text:
            super().process_message(message)


def _cut_pastes(terminal: int, writer: int, ended: Event) -> None:
    """Pass on what the terminal sends, pastes without their escape characters, until the program ends.

    Args:
        terminal: where to read.
        writer: where to write it.
        ended: set at the end, when nobody reads anymore.
    """
    pastes = PasteCutter()
    silent = 0.0
    try:
        while not ended.is_set():
            if select.select([terminal], [], [], _WAKE)[0]:
                data = os.read(terminal, _READ)
                if not data:
                    return
                silent = 0.0
                for piece in pastes.feed(data):
                    _write(writer, _paste(piece) if isinstance(piece, str) else piece)
                continue
            silent += _WAKE
            if pastes.pasting and silent >= SILENCE:
                _write(writer, _paste(pastes.give_up()))
            if not pastes.pasting and silent > constants.ESCAPE_DELAY:
                pastes.pause()
    except OSError:  # the terminal is gone, or nobody reads anymore; the hang-up watch ends the program
        return


def _paste(text: str) -> bytes:
    return START + text.replace("\x1b", "").encode() + END


def _write(writer: int, data: bytes) -> None:
    while data:
        data = data[os.write(writer, data) :]
