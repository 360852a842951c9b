"""A warm child of the viewer for short questions. It ends with the viewer, and a crash costs one answer."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import IO, Any

from core.errors import TunedeckError
from core.jobs.files import encode
from core.jobs.launch import clean_environment

_CRASHES = 3
_CRASH_WINDOW = 60.0
"""A service that dies so often within so many seconds is not started again before they are over."""
_TAIL = 4_096


class ServiceFailed(TunedeckError):
    """A question was not answered: the service said why, or it is gone."""


class Service:
    """Asks questions of a child process that is started at the first one, and again after a crash.

    No method blocks: two threads of its own write and read the pipes. `core.jobs.serve` is the other side.

    Args:
        argv: the child's command.
        env: more variables for it.
        gpu: whether it may see the GPUs; a service that only counts tokens must not take memory on one.
        on_ready: called in a thread of the service's each time a child is ready for questions.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        gpu: bool = False,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        self._argv = list(argv)
        self._env = {} if gpu else {"CUDA_VISIBLE_DEVICES": ""}
        self._env |= env or {}
        self._on_ready = on_ready
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._number = 0
        self._crashes: list[float] = []
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether a child is there that has said that it is ready."""
        child = self._child
        return child is not None and child.ready and not child.ended

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        child = self._child
        return None if child is None or child.ended else child.pid

    def start(self) -> None:
        """Starts the child ahead of the first question, so that it warms up meanwhile. Its failure shows in `ask`."""
        with self._lock:
            try:
                self._ensure()
            except TunedeckError:
                pass  # the first question tells it

    def submit(self, ask: str, **fields: Any) -> Future[Any]:
        """Asks a question; the future has the answer, or a `ServiceFailed` whose text is the reason.

        A future that is cancelled before its turn is not computed.
        """
        future: Future[Any] = Future()
        with self._lock:
            try:
                child = self._ensure()
            except TunedeckError as error:
                future.set_exception(error)
                return future
            self._number += 1
            child.send(self._number, {"id": self._number, "ask": ask, **fields}, future)
        return future

    async def ask(self, ask: str, **fields: Any) -> Any:
        """Asks a question and waits for the answer without blocking the event loop.

        Raises:
            ServiceFailed: the service could not answer; the text says why.
        """
        return await asyncio.wrap_future(self.submit(ask, **fields))

    def close(self) -> None:
        """Ends the child by closing its stdin; questions that wait fail. Does not wait for it."""
        with self._lock:
            self._closed = True
            if self._child is not None:
                self._child.close()

    def _ensure(self) -> _Child:
        if self._closed:
            raise ServiceFailed("The service is closed")
        if self._child is not None and not self._child.ended:
            return self._child
        now = time.monotonic()
        if self._child is not None:
            self._crashes = [moment for moment in self._crashes if now - moment < _CRASH_WINDOW]
            if len(self._crashes) >= _CRASHES:
                raise ServiceFailed(self._child.reason)
            self._crashes.append(now)
        self._child = _Child(self._argv, clean_environment(self._env), self._on_ready)
        return self._child


class _Child:
    """One life of the child process: its pipes, its two threads, and the questions that wait for it."""

    def __init__(self, argv: list[str], env: dict[str, str], on_ready: Callable[[], None] | None) -> None:
        self.ready = False
        self.ended = False
        self.reason = ""
        self._on_ready = on_ready
        self._waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the child's stderr, until it ends
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=env,
                start_new_session=True,  # ctrl+c at the viewer's terminal is not meant for it
            )
        except OSError as error:
            self._errors.close()
            raise ServiceFailed(f"The service could not be started: {error.strerror}", where=argv[0]) from error
        self.pid = self._process.pid
        threading.Thread(target=self._write, name="service-writer", daemon=True).start()
        threading.Thread(target=self._read, name="service-reader", daemon=True).start()

    def send(self, number: int, question: dict[str, Any], future: Future[Any]) -> None:
        with self._lock:
            if not self.ended:
                self._waiting[number] = future
                self._outbox.put(encode(question) + b"\n")
                future.add_done_callback(lambda done: self._withdraw(number, done))
                return
        future.set_exception(ServiceFailed(self.reason))

    def close(self) -> None:
        self._outbox.put(None)

    def _withdraw(self, number: int, future: Future[Any]) -> None:
        if future.cancelled():
            self._outbox.put(encode({"cancel": number}) + b"\n")

    def _write(self) -> None:
        assert self._process.stdin is not None
        try:
            while (line := self._outbox.get()) is not None:
                self._process.stdin.write(line)
                self._process.stdin.flush()
        except OSError:
            pass  # it has ended: the reading thread tells those who wait
        try:
            self._process.stdin.close()
        except OSError:
            pass

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                answer = json.loads(line)
            except ValueError:
                continue
            if answer.get("ready"):
                self.ready = True
                if self._on_ready is not None:
                    self._on_ready()
            else:
                self._settle(answer)
        self._finish(self._process.wait())

    def _settle(self, answer: dict[str, Any]) -> None:
        with self._lock:
            future = self._waiting.pop(answer.get("id", 0), None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        if "error" in answer:
            future.set_exception(ServiceFailed(str(answer["error"])))
        else:
            future.set_result(answer.get("answer"))

    def _finish(self, code: int) -> None:
        self._errors.seek(max(0, os.fstat(self._errors.fileno()).st_size - _TAIL))
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        self._errors.close()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        last = f": {lines[-1].strip()}" if lines and code != 0 else ""
        with self._lock:
            self.reason = f"The service ended ({how}){last}"
            self.ended = True
            waiting, self._waiting = self._waiting, {}
        self._outbox.put(None)
        for future in waiting.values():
            if future.set_running_or_notify_cancel():
                future.set_exception(ServiceFailed(self.reason))
