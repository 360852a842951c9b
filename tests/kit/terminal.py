"""A real program in a real pseudo-terminal, driven by keys, its screen read by pyte.

Nothing here sleeps: every wait is a `select` with a deadline on the terminal and on the process, and a wait
that fails says what the screen showed.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

from tests.kit.waiting import PATIENCE

KEYS: dict[str, bytes] = {
    "enter": b"\r",
    "escape": b"\x1b[27u",  # Kitty's protocol; a bare escape read together with the next key is alt and that key
    "tab": b"\t",
    "shift+tab": b"\x1b[Z",
    "backspace": b"\x7f",
    "delete": b"\x1b[3~",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "pageup": b"\x1b[5~",
    "pagedown": b"\x1b[6~",
    "space": b" ",
    **{f"f{n}": f"\x1bO{'PQRS'[n - 1]}".encode() for n in range(1, 5)},
    **{f"f{n}": f"\x1b[{code}~".encode() for n, code in zip(range(5, 11), (15, 17, 18, 19, 20, 21), strict=True)},
    **{f"ctrl+{chr(96 + n)}": bytes([n]) for n in range(1, 27)},
}
"""What a terminal sends for a named key; any other key is sent as its own characters."""


class Terminal:
    """A program that runs in a pseudo-terminal of its own.

    Args:
        argv: program and arguments; the program by its path.
        cols: width in cells.
        rows: height in cells.
        env: set on top of this process's environment; a value of None removes a variable.
        cwd: the folder that the program starts in.
        typed_ahead: what is typed before the program starts.

    Attributes:
        pid: of the program, which leads a session of its own.
        raw: every byte that the program wrote to the terminal so far.
    """

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        cols: int = 80,
        rows: int = 24,
        env: Mapping[str, str | None] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        typed_ahead: str = "",
    ) -> None:
        words = [os.fspath(word) for word in argv]
        environment = dict(os.environ)
        environment.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8", LC_ALL="C.UTF-8")
        for name in ("NO_COLOR", "COLUMNS", "LINES", "TMUX", "STY"):
            environment.pop(name, None)
        for name, value in (env or {}).items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        folder = Path(cwd) if cwd is not None else Path.cwd()
        self.raw = bytearray()
        self.exit_code: int | None = None
        """The exit code, minus the signal's number if one ended the program; None while it runs."""
        self._screen = pyte.Screen(cols, rows)
        self._stream = pyte.ByteStream(self._screen)
        # A program that never starts reading would see a size of 0x0 unless it waits for this pipe.
        ready, go = os.pipe()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            try:
                os.close(go)
                os.read(ready, 1)
                os.chdir(folder)
                os.execvpe(words[0], words, environment)
            finally:
                os._exit(127)
        os.close(ready)
        os.set_inheritable(self._fd, False)  # else the next program would hold this terminal open
        self._set_size(cols, rows)
        os.set_blocking(self._fd, False)
        os.write(self._fd, typed_ahead.encode())
        os.close(go)
        self._pidfd: int | None = os.pidfd_open(self.pid)
        self._open = True

    # -- what the screen shows ------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """The screen, one string a row, without the blanks at the ends."""
        rows = []
        for y in range(self._screen.lines):
            row = self._screen.buffer[y]
            # The second cell of a wide character holds an empty string.
            rows.append("".join(row[x].data for x in range(self._screen.columns)).rstrip())
        return rows

    @property
    def text(self) -> str:
        """The screen as one string."""
        return "\n".join(self.lines)

    def style_at(self, x: int, y: int) -> pyte.screens.Char:
        """The cell at column x of row y, both from 0: its character, colours, bold, reverse, underline."""
        return self._screen.buffer[y][x]

    def find(self, text: str) -> tuple[int, int] | None:
        """Column and row, from 0, of the first place where the screen shows the text."""
        for y, line in enumerate(self.lines):
            if (x := line.find(text)) >= 0:
                return x, y
        return None

    # -- what a person does ---------------------------------------------------------------------------------

    def send(self, *keys: str) -> None:
        """Press keys one after the other: names of `KEYS`, or characters to type as they are."""
        for key in keys:
            self._write(KEYS.get(key) or key.encode())

    def click(self, x: int, y: int) -> None:
        """Press and release the left mouse button at column x of row y, both from 0."""
        self._write(f"\x1b[<0;{x + 1};{y + 1}M\x1b[<0;{x + 1};{y + 1}m".encode())

    def resize(self, cols: int, rows: int) -> None:
        """Make the terminal another size; the program gets SIGWINCH from the kernel."""
        self._screen.resize(rows, cols)
        self._set_size(cols, rows)

    def close(self) -> None:
        """Hang up: the terminal goes away, as when a connection is lost. The program gets SIGHUP."""
        if self._open:
            self._open = False
            os.close(self._fd)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the program alone."""
        if self.alive:
            os.kill(self.pid, number)

    # -- waiting --------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the program still runs."""
        self._reap(block=False)
        return self.exit_code is None

    def wait_for(self, text: str, timeout: float = PATIENCE) -> str:
        """Wait until the screen shows the text, and return the whole screen."""
        return self.wait_until(lambda screen: text in screen, timeout, what=f"{text!r} on the screen")

    def wait_gone(self, text: str, timeout: float = PATIENCE) -> str:
        """Wait until the screen no longer shows the text, and return the whole screen."""
        return self.wait_until(lambda screen: text not in screen, timeout, what=f"{text!r} gone from the screen")

    def wait_until(
        self, holds: Callable[[str], bool], timeout: float = PATIENCE, *, what: str = "the condition"
    ) -> str:
        """Wait until a condition on the screen's text holds, and return that text.

        Raises:
            AssertionError: it did not hold in time, or the program ended first; with what the screen showed.
        """
        deadline = time.monotonic() + timeout
        while not holds(screen := self.text):
            left = deadline - time.monotonic()
            if left <= 0 or not self._pump(left):
                # What the program wrote before its end may be what was waited for.
                if holds(screen := self.text):
                    return screen
                how = f"the program ended with {self.exit_code}" if not self.alive else f"{timeout:g} s went by"
                raise AssertionError(f"waited for {what}, but {how}. The screen:\n{self.frame()}")
        return screen

    def settle(self, quiet: float = 0.3, timeout: float = 20.0) -> str:
        """Wait until the program has written nothing for `quiet` seconds, and return the screen's text."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            seen = len(self.raw)
            if not self._pump(min(quiet, left)) or len(self.raw) == seen:
                break
        return self.text

    def wait_exit(self, timeout: float = PATIENCE) -> int:
        """Wait for the end of the program while its output is read, and return its exit code."""
        deadline = time.monotonic() + timeout
        while self.alive:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"the program still ran after {timeout:g} s. The screen:\n{self.frame()}")
            self._pump(left)
        assert self.exit_code is not None
        return self.exit_code

    def frame(self) -> str:
        """The screen in a frame, for messages."""
        edge = "+" + "-" * self._screen.columns + "+"
        return "\n".join([edge, *("|" + line for line in self.lines), edge])

    # -- as a context ---------------------------------------------------------------------------------------

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._reap(block=True)
        self.close()

    # -- inside ---------------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        """Write all of it, reading meanwhile: a program whose output is stuck would not read keys."""
        deadline = time.monotonic() + 20.0
        while data:
            readable, writable, _ = select.select([self._fd], [self._fd], [], max(0.0, deadline - time.monotonic()))
            if not readable and not writable:
                raise AssertionError(f"the terminal took no key for 20 s. The screen:\n{self.frame()}")
            if readable and not self._read():
                raise AssertionError(f"the program is gone, no key can be sent. The screen:\n{self.frame()}")
            if writable:
                data = data[os.write(self._fd, data) :]

    def _pump(self, timeout: float) -> bool:
        """Wait for output or the end for at most `timeout` seconds; False once nothing can come any more."""
        watched = [fd for fd in (self._fd if self._open else None, self._pidfd) if fd is not None]
        if not watched:
            return False
        readable, _, _ = select.select(watched, [], [], timeout)
        if self._open and self._fd in readable:
            if self._read():
                return True
            # End of file comes an instant before the process can be reaped.
            if self._pidfd is not None:
                select.select([self._pidfd], [], [], timeout)
            self._reap(block=False)
            return False
        if self._pidfd is not None and self._pidfd in readable:
            self._reap(block=False)
            return False
        return True

    def _read(self) -> bool:
        """Take what there is to read; False at the end of file."""
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return True
        except OSError:  # EIO: every process that held the other side is gone
            return False
        if not data:
            return False
        self.raw += data
        self._stream.feed(data)
        return True

    def _reap(self, *, block: bool) -> None:
        if self._pidfd is None:
            return
        pid, status = os.waitpid(self.pid, 0 if block else os.WNOHANG)
        if pid:
            self.exit_code = os.waitstatus_to_exitcode(status)
            os.close(self._pidfd)
            self._pidfd = None

    def _set_size(self, cols: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
