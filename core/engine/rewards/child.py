"""A process that runs a reward function, with limits on time and memory: `child_process.py` on its other end."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.engine.rewards import Completions, Score, said
from core.errors import BadInput

_CHILD = Path(__file__).with_name("child_process.py")
_PERIOD = 0.2
"""Seconds between two calls of `tick` while it is waited for."""
_GRACE = 2.0
"""Seconds after its limit in which the function may still be stopped where it is, so that its line is known."""
_KEPT = 2_000
"""Characters of what it printed last that an error shows."""
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "PYTHONHOME")
"""Variables that it gets: no tokens, no keys."""


class ScoringProcess:
    """Runs one function for as long as a run lasts; what it remembers between two calls is its own.

    Args:
        source: the Python file's text.
        name: the file's name, for sentences.
        function: the function in it.
        seconds: that one call, or the file itself, may take.
        memory: GiB that the process may use.
        tick: called several times a second while it is waited for; may raise.
    """

    def __init__(
        self, source: str, *, name: str, function: str, seconds: float, memory: float, tick: Callable[[], None]
    ) -> None:
        self._source, self._name, self._function = source, name, function
        self._seconds, self._memory = seconds, memory
        self._tick = tick
        self._process: subprocess.Popen[bytes] | None = None
        self._printed = b""
        self._received = b""

    def start(self) -> None:
        """Runs the file up to the definition of its function.

        Raises:
            BadInput: it raises, takes too long, or has no such function.
        """
        environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
        environment |= {"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, os.fspath(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        begin = {
            "source": self._source,
            "name": self._name,
            "function": self._function,
            "seconds": self._seconds,
            "memory": int(self._memory * 2**30),
        }
        self._ask(begin, None)

    def score(self, batch: Completions) -> list[Score]:
        """The scores of some completions.

        Raises:
            BadInput: the function raises, takes too long, or gives something else; with file, line and completion.
        """
        if self._process is None:
            self.start()
        question = {
            "prompts": list(batch.prompts),
            "completions": list(batch.completions),
            "completion_ids": [list(ids) for ids in batch.ids],
            "columns": {name: list(values) for name, values in batch.columns.items()},
        }
        found: list[Score] = self._ask(question, batch)["scores"]
        return found

    def end(self) -> None:
        """Ends the process and all that it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass
        process.wait()
        self._received = self._printed = b""

    def _ask(self, question: dict[str, Any], batch: Completions | None) -> dict[str, Any]:
        try:
            answer = self._answer(json.dumps(question, default=str).encode() + b"\n")
        except BaseException:
            self.end()
            raise
        if "error" not in answer:
            return answer
        self.end()
        where = self._name if not answer.get("line") else f"{self._name}, line {answer['line']}"
        place = answer.get("sample")
        which = ""
        if batch is not None and place is not None:
            which = f", on completion {place + 1:,} of {len(batch.texts):,} (prompt: {said(batch.prompts[place])})"
        raise BadInput(f"The reward function {self._function} {clean_line(answer['error'], 400)}{which}", where=where)

    def _answer(self, question: bytes) -> dict[str, Any]:
        """Sends a question and reads the line that answers it; what the function prints is read away meanwhile."""
        process = self._process
        assert process is not None, "it was started"
        assert process.stdin, "it has pipes"
        assert process.stdout, "it has pipes"
        assert process.stderr, "it has pipes"
        # A call that fails is made again for one completion after the other, in as much time again.
        ends = time.monotonic() + 2 * self._seconds + _GRACE
        left = memoryview(question)
        with selectors.DefaultSelector() as look:
            os.set_blocking(process.stdin.fileno(), False)
            look.register(process.stdin, selectors.EVENT_WRITE)
            look.register(process.stdout, selectors.EVENT_READ)
            look.register(process.stderr, selectors.EVENT_READ)
            while b"\n" not in self._received:
                self._tick()
                if time.monotonic() > ends:
                    return {"error": f"took over {self._seconds:g} s and was stopped"}
                for key, _ in look.select(_PERIOD):
                    if key.fileobj is process.stdin:
                        try:
                            left = left[os.write(process.stdin.fileno(), left[: 2**16]) :]
                        except BlockingIOError:
                            continue
                        except OSError:  # it has ended: its other end says so
                            left = left[:0]
                        if not left:
                            look.unregister(process.stdin)
                        continue
                    data = os.read(key.fd, 2**16)
                    if key.fileobj is process.stderr:
                        self._printed = (self._printed + data)[-_KEPT:]
                        if not data:
                            look.unregister(process.stderr)
                    elif data:
                        self._received += data
                    else:
                        return {"error": self._why_ended(process)}
        line, _, self._received = self._received.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _why_ended(self, process: subprocess.Popen[bytes]) -> str:
        code = process.wait()
        printed = clean_line(self._printed.decode("utf-8", "replace").strip().rpartition("\n")[2], 200)
        how = f"was killed by signal {-code}" if code < 0 else f"ended its process with exit code {code}"
        return f"{how}{f' ({printed})' if printed else ''}; it may use {self._memory:g} GiB"
