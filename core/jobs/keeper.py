"""The keeper of one job: starts its workers, knows how they ended, and writes it down.

`python -m core.jobs.keeper FOLDER` puts itself into the background and lives as long as the job. It owns nothing that
the workers need: when it is killed they keep running, and start another keeper (`core.jobs.takeover`).
Standard library only, and small: it sits beside a training run for days.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from core.errors import TunedeckError
from core.gpu.host import boot_id
from core.jobs import at_end, ending, files, process, requests, stall
from core.jobs.backlog import Backlog
from core.jobs.children import KEEPER_PYTHON, Children, Start, read_stages, relocated, spawn
from core.jobs.folder import JobFolder
from core.jobs.output import enduring_output
from core.jobs.sampler import Sampler
from core.jobs.stall import StallWatch
from core.jobs.state import standing
from core.jobs.status import DONE, FAILED, FINISHED, RUNNING, STARTING, STOPPED, STOPPING, Status
from core.jobs.titles import title_of
from core.jobs.upkeep import Upkeep
from core.units import size

TICK = 0.5
"""Seconds between looks at the requests."""
HEARTBEAT = 1.0
TERMINATE_AFTER = 2.0
"""Seconds after `stop-now` at which a worker that has not ended gets SIGTERM."""
KILL_AFTER = 3.5
"""Seconds after `stop-now` at which it gets SIGKILL."""
GONE_GRACE = 120.0
"""Seconds that a worker has to notice that its folder was deleted, and to save what it has trained somewhere else."""
COMPLAIN_EVERY = 3600.0
"""Seconds after which the same trouble is printed again."""
LEFTOVER_GRACE = 10.0
"""Seconds that children of a worker that finished may need to end (an uploader, for instance)."""


class Keeper:
    """Runs the stages of one job, one after the other, until the job has ended.

    Args:
        folder: the job's folder.
        start: how a stage's process is started.
    """

    def __init__(self, folder: JobFolder, start: Start = spawn) -> None:
        folder.hold()
        self._folder = folder
        self._start = start
        self._job = folder.read_job()
        self._environment = {**os.environ, KEEPER_PYTHON: sys.executable}
        self._stages = read_stages(os.environ)
        self._sampler = Sampler(folder, self._environment)
        self._worker = 0
        self._exit: ending.Exit | None = None
        self._terminations = 0
        self._now_since: float | None = None
        self._gone_since: float | None = None
        self._next_beat = 0.0
        self._children = Children()
        self._complaints: dict[str, float] = {}
        self._backlog = Backlog(self._report_loss)
        self._upkeep = Upkeep(folder)
        self._stall = StallWatch(self._saved, _stopped)
        self._blind = False
        self._moves = 0

    def run(self, taken_over: Callable[[], object]) -> None:
        """Runs the job to its end, and writes the ending.

        Args:
            taken_over: called once `job.json` names this process as the keeper.
        """
        at_end.forget(self._folder)
        self._folder.reset_status(state=STARTING, heartbeat=time.time(), started=time.time(), stages=len(self._stages))
        self._take_over()
        taken_over()
        self._sampler.start()
        self._run_stages(0, (FINISHED, "", ending.Exit(0, None)))

    def continue_job(self, taken_over: Callable[[], object]) -> None:
        """Takes over a job whose keeper was killed: the worker that is still running, and the stages behind it.

        Args:
            taken_over: see `run`.
        """
        status = self._folder.read_status()
        alive = process.is_alive(status.worker)
        left = [one for one in status.processes if process.is_alive(one)]
        if not left and (status.phase != DONE or status.over):
            taken_over()  # there is nothing left to keep
            return
        self._take_over()
        taken_over()
        self._event("alert", "The keeper of this run was killed; another one has taken over.")
        self._write(**{stall.FIELD: None})  # what the one before saw is seen again
        self._sampler.start()
        self._worker = status.worker.pid if status.worker else 0
        known = status.stage < len(self._stages)
        name = title_of(self._stages[status.stage]) if known else "This run"
        if alive and status.worker is not None:
            self._children.adopt(status.worker)
            self._sampler.watch(self._worker)
            outcome = self._see_out(name, ending.oom_kills())
        elif left:  # ranks whose torchrun was killed together with the keeper: nobody could end them later
            self._children.take_in(left)
            self._exit = ending.Exit(None, None)
            outcome = self._see_out(name, ending.oom_kills())
        else:
            outcome = (FINISHED, "", ending.Exit(0, None))
        if self._folder.read_status().over:  # a viewer has ended the worker at once, while nobody kept it
            self._sampler.stop()
            return
        if not known and status.stage + 1 < status.stages:
            self._event("alert", "The next stage will not start: the keeper that knew its command was killed.")
        self._run_stages(status.stage + 1, outcome)

    def _run_stages(self, first: int, outcome: tuple[str, str, ending.Exit]) -> None:
        """Runs the stages from the first on, after what the one before came to, and writes the ending."""
        state, message, end = outcome
        for number, argv in enumerate(self._stages[first:], first):
            if state != FINISHED:
                break
            if number and {requests.STOP, requests.STOP_NOW} & set(self._folder.requested()):
                state, message = STOPPED, f"Stopped on request. Not started: {title_of(argv)}."
                break
            state, message, end = self._run_stage(number, argv)
        self._end(state, message, end)

    def claim_notification(self) -> bool:
        """Whether it is this process that is to `notify_of_end`."""
        return at_end.claim(self._folder, self._job.get("payload") or {})

    def notify_of_end(self) -> None:
        """Tells whoever the job says of its end; the job is over, and may be started again meanwhile."""
        at_end.notify_end(self._folder, self._job.get("payload") or {}, self._environment, self._children)

    def _take_over(self) -> None:
        me = process.identify(os.getpid())
        assert me is not None, "a process that runs can be identified"
        # A scheduler may have chosen another host than the one that the job was made on.
        self._job |= {"keeper": me.to_json(), "host": os.uname().nodename}
        self._folder.write_job(self._job)

    def _run_stage(self, number: int, argv: list[str]) -> tuple[str, str, ending.Exit]:
        name = title_of(argv)
        argv = relocated([argv], self._folder)[0]
        kills = ending.oom_kills()
        self._exit = None
        self._await_access()
        # Before the start: what the worker writes of itself must not be written over.
        phase = name if number else STARTING
        self._write(state=RUNNING if number else STARTING, stage=number, message="", phase=phase, worker=None)
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            output = os.open(self._folder.log, flags, files.FILE_MODE)
            try:
                self._worker = self._start(argv, self._environment, output)
            finally:
                os.close(output)
        except OSError as error:
            words = f"{name} could not be started: {error.filename or argv[0]}: {error.strerror}."
            return FAILED, words, ending.Exit(None, None)
        self._sampler.watch(self._worker)
        who = process.identify(self._worker)
        self._write(worker=who and who.to_json())
        self._event("phase", f"Process {self._worker} started: {name}.", stage=number)
        return self._see_out(name, kills)

    def _see_out(self, name: str, kills: int) -> tuple[str, str, ending.Exit]:
        """Waits for the worker's end, ends what it leaves behind, and judges."""
        end = self._follow_worker()
        if end == ending.Exit(None, None):
            self._await_access()
            end = ending.from_last_status(self._folder.read_status())
        self._end_leftovers(0.0 if end.code != 0 or self._now_since else LEFTOVER_GRACE)
        self._await_access()
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
        self._exit = self._children.wait(seconds).get(self._worker, self._exit)

    def _beat(self) -> None:
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + HEARTBEAT
            self._blind = not self._write(heartbeat=round(time.time(), 3))
            self._try(self._keep_up)
            self._watch_progress()

    def _keep_up(self) -> None:
        if self._moves < len(self._folder.former):
            before, self._moves = self._folder.former[-1], len(self._folder.former)
            words = f"The run's folder was moved from {before} to {self._folder.path}. The run continues there."
            self._event("moved", words, path=os.fspath(self._folder.path), before=os.fspath(before))
        for sentence in self._upkeep.look():
            self._event("alert", sentence)
        self._backlog.flush()

    def _watch_progress(self) -> None:
        """Says that the run has stalled, and that it moves again. It ends nothing by itself."""
        status = self._folder.read_status()
        change = self._stall.look(status, blind=self._blind or bool(status.problem))
        if change is None:
            return
        found = None if change.stall is None else change.stall.to_json()
        self._write(**{stall.FIELD: found})
        if not change.news:
            return
        if change.stall is None:
            self._event("stall", stall.ended_words(change.lasted), stalled=False)
            return
        words = stall.begun_words(change.stall, status.of)
        self._event("stall", words, **{"stalled": True, **change.stall.to_json()})
        at_end.notify_stall(self._folder, self._job.get("payload") or {}, self._environment, self._children)

    def _saved(self) -> int:
        """Bytes of what is being saved now: a large model on a slow disk takes long, and grows."""
        places = (self._folder.checkpoints, self._folder.path)
        return sum(files.tree_size(part) for place in places for part in place.glob(".*.partial"))

    def _await_access(self) -> None:
        """Waits while the folder cannot be reached, as long as nobody wants this process to end."""
        asked = self._children.terminations
        try:
            while not self._folder.reachable() and self._children.terminations == asked:
                self._wait()
                self._beat()
            self._backlog.flush()
        except files.JobGone:
            pass

    def _watch_requests(self) -> None:
        if self._children.terminations > self._terminations:
            self._terminations = self._children.terminations
            name = requests.STOP if self._terminations == 1 else requests.STOP_NOW
            self._event("request", f"Received {self._children.terminated_by}: stopping the run.", request=name)
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
            self._event("request", "Stopping now without saving.", request=requests.STOP_NOW, answer=requests.RECEIVED)

    def _pass_on(self, name: str) -> None:
        try:
            path = os.fspath(self._folder.requests)
            files.make_folder(path)
            files.replace(
                f"{path}/{name}", files.encode({"t": time.time(), "by": self._children.terminated_by}), durable=False
            )
        except TunedeckError as error:
            print(f"keeper: {error}", file=sys.stderr, flush=True)
            self._children.signal(signal.SIGTERM)  # the worker understands that too
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
            self._children.signal(signal.SIGKILL)
        elif waited >= TERMINATE_AFTER:  # one that was stopped (kill -STOP) would not hear of it
            self._children.signal(signal.SIGTERM, signal.SIGCONT)

    def _end_leftovers(self, grace: float) -> None:
        """Ends what a worker left behind: ranks or data loaders that would keep holding memory."""
        began = time.monotonic()
        named = False
        while left := self._children.living():
            waited = time.monotonic() - began - grace
            if waited >= 0 and not named:
                named = True
                self._event("alert", f"{len(left)} processes were left behind; ending them.", pids=left)
            if waited >= TERMINATE_AFTER:
                self._children.signal(signal.SIGKILL)
            elif waited >= 0:
                self._children.signal(signal.SIGTERM)
            self._wait(0.1)
            self._beat()
            self._watch_requests()

    def _end(self, state: str, message: str, end: ending.Exit) -> None:
        self._await_access()
        for name in self._pending():
            if state == STOPPED and name in requests.ENDS:
                self._try(partial(requests.done, self._folder, name))
            else:
                words = "The run ended before this could be done."
                self._try(partial(requests.refuse, self._folder, name, words))
        gone, left = self._processes()
        memory = self._sampler.stop([one.pid for one in gone])
        self._event(
            "ended",
            message or "Finished.",
            state=state,
            exit_code=end.code,
            signal=end.signal,
            processes=[one.to_json() for one in gone],
            memory=memory,
        )
        if held := [f"{size(one['held'])} on GPU {one['index']}" for one in memory or () if one["held"]]:
            words = f"The run's processes are gone, but the driver still reports {', '.join(held)} in use by them."
            self._event("alert", words, memory=memory)
        if left:
            pids = [one.pid for one in left]
            self._event("alert", f"{len(left)} processes of the run could not be killed: {pids}.", pids=pids)
        fields = {
            "state": state,
            "message": message,
            "ended": round(time.time(), 3),
            "heartbeat": round(time.time(), 3),
            "exit_code": end.code,
            "signal": end.signal,
        }
        try:
            self._folder.insist_on_status(**fields)
        except TunedeckError as error:
            print(f"keeper: {error}", file=sys.stderr, flush=True)

    def _processes(self) -> tuple[list[process.Identity], list[process.Identity]]:
        """The worker and the ranks of this machine: those that are gone for sure, and those that are not."""
        here = [one for one in self._folder.read_status().processes if one.boot_id == boot_id()]
        return [one for one in here if not process.is_alive(one)], [one for one in here if process.is_alive(one)]

    def _pending(self) -> tuple[str, ...]:
        try:
            return requests.pending(self._folder)
        except files.JobGone:
            return ()

    def _write(self, **fields: object) -> bool:
        return self._try(partial(self._folder.write_status, **fields))

    def _event(self, kind: str, message: str, **fields: object) -> None:
        line = partial(self._folder.append_event, kind, message, **{"t": round(time.time(), 3), **fields})
        self._try(partial(self._backlog.add, line))

    def _report_loss(self, lines: int) -> None:
        self._folder.append_event("alert", f"{lines:,} events were lost: they could not be written.")

    def _try(self, write: Callable[[], None]) -> bool:
        """Writes, or continues without: a full disk or a deleted folder must not end the keeper before its worker."""
        try:
            write()
            return True
        except TunedeckError as error:
            now = time.monotonic()
            if now >= self._complaints.get(str(error), now):  # once a second would fill the disk that has no room
                self._complaints[str(error)] = now + COMPLAIN_EVERY
                print(f"keeper: {error}", file=sys.stderr, flush=True)
            return False


def _stopped(status: Status) -> tuple[int, ...]:
    return tuple(one.pid for one in status.processes if process.is_stopped(one))


def main(argv: Sequence[str], start: Start = spawn) -> int:
    """Takes over a job, in the background: the caller's process ends at once, with 0 if the job has its keeper.

    Args:
        argv: the job's folder; behind it `--foreground`, for a scheduler that ends what its command leaves behind, or
            `--take-over` where the job's keeper was killed, or `--notify` where only the end is left to notify of.
        start: how a stage's process is started.

    Returns:
        The exit code; in the background process, only after the job's end.
    """
    folder = JobFolder(argv[0])
    try:
        folder.check()
        lock = files.open_lock(folder.path / ".keeper.lock")
    except TunedeckError as error:
        print(error, file=sys.stderr)
        return 1
    if not files.try_lock(lock):
        print("This job already has a keeper.", file=sys.stderr)
        return 1
    if not {"--take-over", "--notify"} & set(argv) and not read_stages(os.environ):
        print("Only tunedeck can start a keeper: it passes the commands to run.", file=sys.stderr)
        return 1
    taken_over: Callable[[], object] = bool  # nobody waits for it
    if "--foreground" not in argv:
        reading, writing = os.pipe()
        if os.fork():  # the lock is that of the open file, so the child holds it when this process is gone
            os.close(writing)
            os._exit(0 if os.read(reading, 1) else 1)
        os.close(reading)
        taken_over = partial(_report_takeover, writing)
    with enduring_output():
        _keep(folder, argv, start, taken_over, lock)
    return 0


def _keep(folder: JobFolder, how: Sequence[str], start: Start, taken_over: Callable[[], object], lock: int) -> None:
    keeper = Keeper(folder, start)
    if "--notify" in how:
        os.chdir(folder.path.parents[1])  # not where the file says that the run was started
        taken_over()
    elif "--take-over" in how:
        keeper.continue_job(taken_over)
    else:
        keeper.run(taken_over)
    # Under the lock, so that whoever starts the job again, or notifies as well, comes before or after.
    mine = standing(folder).over and keeper.claim_notification()
    os.close(lock)
    if mine:
        keeper.notify_of_end()


def _report_takeover(descriptor: int) -> None:
    os.write(descriptor, b"1")
    os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
