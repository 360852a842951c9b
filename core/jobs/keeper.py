"""The keeper of one job: starts its workers, knows how they ended, and writes it down.

`python -m core.jobs.keeper FOLDER` puts itself into the background and lives as long as the job. It owns nothing that
the workers need: when it is killed they go on, and only the readings and the ending's exact reason are lost.
Standard library only, and small: it sits beside a training run for days.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from types import FrameType

from core.errors import TunedeckError
from core.gpu.host import tree
from core.jobs import ending, files, process, requests
from core.jobs.folder import JobFolder
from core.jobs.sampler import Sampler
from core.jobs.status import FAILED, FINISHED, RUNNING, STARTING, STOPPED, STOPPING

Start = Callable[[Sequence[str], Mapping[str, str], int], int]
"""Starts a stage: (argv, environment, descriptor for stdout and stderr) -> pid of a child in a session of its own."""

TICK = 0.5
"""Seconds between looks at the requests."""
HEARTBEAT = 1.0
TERMINATE_AFTER = 2.0
"""Seconds after `stop-now` at which a worker that has not ended gets SIGTERM."""
KILL_AFTER = 4.0
"""Seconds after `stop-now` at which it gets SIGKILL."""
GONE_GRACE = 20.0
"""Seconds that a worker has to notice that its folder was deleted, before it is stopped as by `stop-now`."""
LEFTOVER_GRACE = 10.0
"""Seconds that children of a worker that finished may need to end (an uploader, for instance)."""

_PR_SET_CHILD_SUBREAPER = 36


def spawn(argv: Sequence[str], environment: Mapping[str, str], output: int) -> int:
    """Starts a program in a session of its own, its output to a file, its input empty.

    Raises:
        OSError: it cannot be started.
    """
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    defaults = [signal.SIGPIPE, signal.SIGXFSZ]  # python ignores these two; SIGHUP stays ignored, on purpose
    return os.posix_spawnp(argv[0], list(argv), environment, file_actions=actions, setsid=True, setsigdef=defaults)


class Keeper:
    """Runs the stages of one job, one after the other, until the job has ended.

    Args:
        folder: the job's folder, with `stages` in its `job.json`.
        start: how a stage's process is started.
    """

    def __init__(self, folder: JobFolder, start: Start = spawn) -> None:
        self._folder = folder
        self._start = start
        self._job = folder.read_job()
        self._environment = dict(os.environ)
        self._sampler = Sampler(folder, self._environment)
        self._worker = 0
        self._exit: ending.Exit | None = None
        self._terminations = 0
        self._seen_terminations = 0
        self._now_since: float | None = None
        self._gone_since: float | None = None
        self._next_beat = 0.0
        self._wakeup, self._wakeup_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Runs the job to its end, and writes the ending."""
        self._take_over()
        stages = self._job["stages"]
        state, message, end = FINISHED, "", ending.Exit(0, None)
        self._sampler.start()
        for number, argv in enumerate(stages):
            if number and {requests.STOP, requests.STOP_NOW} & set(self._folder.requested()):
                state, message = STOPPED, f"Stopped as asked, before {stage_name(argv)} began."
                break
            state, message, end = self._run_stage(number, argv)
            if state != FINISHED:
                break
        self._sampler.stop()
        self._end(state, message, end)

    def _take_over(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_termination)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wakeup_writer, warn_on_full_buffer=False)
        # Children of a worker that dies become ours, not init's: so none can be left behind unseen.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        me = process.identify(os.getpid())
        assert me is not None, "a process that runs can be identified"
        self._job["keeper"] = me.to_json()
        self._folder.write_status(
            state=STARTING, heartbeat=time.time(), started=time.time(), stages=len(self._job["stages"])
        )
        self._folder.write_job(self._job)

    def _on_termination(self, number: int, frame: FrameType | None) -> None:
        self._terminations += 1

    def _run_stage(self, number: int, argv: list[str]) -> tuple[str, str, ending.Exit]:
        name = stage_name(argv)
        kills = ending.oom_kills()
        self._exit = None
        # Before the start: what the worker writes of itself must not be written over.
        self._write(state=RUNNING if number else STARTING, stage=number, message="", phase=name, worker=None)
        try:
            output = os.open(self._folder.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                self._worker = self._start(argv, self._environment, output)
            finally:
                os.close(output)
        except OSError as error:
            words = f"The {name} worker cannot be started: {argv[0]}: {error.strerror}."
            return FAILED, words, ending.Exit(None, None)
        self._sampler.watch(self._worker)
        who = process.identify(self._worker)
        self._write(worker=who and who.to_json())
        self._event("phase", f"The {name} worker was started (pid {self._worker}).", stage=number)
        end = self._follow_worker()
        self._end_leftovers(0.0 if end.code != 0 or self._now_since else LEFTOVER_GRACE)
        state, message = ending.judge(
            end,
            stage=name,
            status=self._folder.read_status(),
            log=os.fspath(self._folder.log),
            asked=self._now_since is not None,
            oom_kills=max(0, ending.oom_kills() - kills),
        )
        return state, message, end

    def _follow_worker(self) -> ending.Exit:
        while True:
            self._wait()
            self._beat()
            self._watch_requests()
            if self._exit is not None:
                return self._exit
            self._escalate()

    def _wait(self, seconds: float = TICK) -> None:
        """Sleeps until a signal comes or the tick is over, then collects the children that ended."""
        select.select([self._wakeup], [], [], seconds)
        try:
            while os.read(self._wakeup, 512):
                pass
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._worker:
                self._exit = ending.from_wait(status)

    def _beat(self) -> None:
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + HEARTBEAT
            self._write(heartbeat=round(time.time(), 3))

    def _watch_requests(self) -> None:
        if self._terminations > self._seen_terminations:
            name = requests.STOP if self._seen_terminations == 0 and self._terminations == 1 else requests.STOP_NOW
            self._seen_terminations = self._terminations
            self._event("request", "The keeper got SIGTERM: passed on to the worker.", request=name)
            self._pass_on(name)
        try:
            urgent = requests.STOP_NOW in requests.pending(self._folder)
        except files.JobGone:
            urgent = False
            if self._gone_since is None:
                self._gone_since = time.monotonic()
        if urgent and self._now_since is None:
            self._now_since = time.monotonic()
            self._write(state=STOPPING)
            self._event("request", "Stop now: received.", request=requests.STOP_NOW, answer=requests.RECEIVED)

    def _pass_on(self, name: str) -> None:
        try:
            path = os.fspath(self._folder.requests)
            files.make_folder(path)
            files.replace(f"{path}/{name}", files.encode({"t": time.time(), "by": "SIGTERM"}), durable=False)
        except TunedeckError as error:
            print(f"keeper: {error}", file=sys.stderr, flush=True)
            os.kill(self._worker, signal.SIGTERM)  # the worker understands that too
            if name == requests.STOP_NOW and self._now_since is None:
                self._now_since = time.monotonic()

    def _escalate(self) -> None:
        now = time.monotonic()
        if self._gone_since is not None and self._now_since is None and now - self._gone_since > GONE_GRACE:
            self._now_since = now
        if self._now_since is None:
            return
        waited = now - self._now_since
        if waited >= KILL_AFTER:
            self._signal_all(signal.SIGKILL)
        elif waited >= TERMINATE_AFTER:
            self._signal_all(signal.SIGTERM)
            self._signal_all(signal.SIGCONT)  # one that was stopped (ctrl+z, kill -STOP) would never hear of it

    def _signal_all(self, number: signal.Signals) -> None:
        """Signals everything below the keeper: the worker's group, and ranks in groups of their own."""
        for pid in tree(os.getpid())[1:]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def _end_leftovers(self, grace: float) -> None:
        """Ends what a worker left behind: ranks or data loaders that would go on holding memory."""
        began = time.monotonic()
        named = False
        while left := tree(os.getpid())[1:]:
            waited = time.monotonic() - began - grace
            if waited >= 0 and not named:
                named = True
                self._event("alert", f"The worker left {len(left)} processes behind; they are ended.", pids=left)
            if waited >= TERMINATE_AFTER:
                self._signal_all(signal.SIGKILL)
            elif waited >= 0:
                self._signal_all(signal.SIGTERM)
            self._wait(0.1)
            self._beat()
            self._watch_requests()

    def _end(self, state: str, message: str, end: ending.Exit) -> None:
        for name in self._pending():
            if state == STOPPED and name != requests.SAVE:
                self._try(partial(requests.done, self._folder, name))
            else:
                words = "The job ended before this could be done."
                self._try(partial(requests.refuse, self._folder, name, words))
        self._event("ended", message or "The job has finished.", state=state, exit_code=end.code, signal=end.signal)
        fields = {
            "state": state,
            "message": message,
            "ended": round(time.time(), 3),
            "heartbeat": round(time.time(), 3),
            "exit_code": end.code,
            "signal": end.signal,
        }
        try:
            self._folder.write_status(**fields)
        except files.DiskFull:
            merged = {**self._folder.read_status().fields, **fields}
            files.overwrite(os.fspath(self._folder.status), files.encode(merged))
        except files.JobGone as error:
            print(f"keeper: {error}", file=sys.stderr, flush=True)

    def _pending(self) -> tuple[str, ...]:
        try:
            return requests.pending(self._folder)
        except files.JobGone:
            return ()

    def _write(self, **fields: object) -> None:
        self._try(partial(self._folder.write_status, **fields))

    def _event(self, kind: str, message: str, **fields: object) -> None:
        self._try(partial(self._folder.append_event, kind, message, **fields))

    def _try(self, write: Callable[[], None]) -> None:
        """Writes, or goes on without: a full disk or a deleted folder must not end the keeper before its worker."""
        try:
            write()
        except TunedeckError as error:
            print(f"keeper: {error}", file=sys.stderr, flush=True)


def stage_name(argv: Sequence[str]) -> str:
    """A stage's name for people: the last part of the module behind `-m`, else the program's name."""
    for flag, module in pairwise(argv):
        if flag == "-m":
            return module.rpartition(".")[2]
    return os.path.basename(argv[0])


def main(argv: Sequence[str], start: Start = spawn) -> int:
    """Takes over a job, in the background: the caller's process ends at once, with 0 if the job has its keeper.

    Args:
        argv: the job's folder.
        start: how a stage's process is started.

    Returns:
        The exit code; in the background process, only after the job's end.
    """
    folder = JobFolder(argv[0])
    try:
        folder.check()
        lock = os.open(folder.path / ".keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another keeper runs this job already.", file=sys.stderr)
        return 1
    except TunedeckError as error:
        print(error, file=sys.stderr)
        return 1
    # The lock is that of the open file, so the child holds it when its parent is gone.
    if os.fork():
        os._exit(0)
    Keeper(folder, start).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
