"""A small real worker for the tests of `core.jobs`: `python jobs_worker.py HOW FOLDER`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from core.jobs import folder as folders
from core.jobs import requests
from core.jobs.ending import EXIT_STOPPED
from core.jobs.files import JobGone
from core.jobs.folder import JobFolder
from core.jobs.status import LEAVING

HERE = Path(__file__).resolve()
pause = threading.Event().wait


def command(how: str, folder: JobFolder) -> list[str]:
    """The stage's command line."""
    return [sys.executable, os.fspath(HERE), how, os.fspath(folder.path)]


def steps(folder: JobFolder) -> int:
    """Counts steps until it is asked to stop, or until a file `enough` lies in the folder."""
    folder.write_status(state="running", phase="training", step=0, of=1_000_000)
    step = 0
    try:
        while not (folder.path / "enough").exists():
            step += 1
            folder.append_metric({"step": step, "loss": 1 / step})
            folder.write_status(step=step)
            for name in requests.pending(folder):
                requests.received(folder, name)
                requests.done(folder, name)
                if name != requests.SAVE:
                    folder.write_status(message=f"Saved at step {step}.")
                    return EXIT_STOPPED
            pause(0.01)
    except JobGone as error:
        print(error, flush=True)
        return 1
    folder.write_status(phase="done")
    return 0


def works(folder: JobFolder) -> int:
    """Counts steps as a training does, by way of a `Worker`, until it is asked to stop."""
    from core.engine.worker import Worker

    worker, step, asked = Worker(folder), 0, ()
    with worker.listening():
        worker.phase("training", step=0, of=1_000_000)
        while not asked:
            step += 1
            worker.metric({"step": step, "loss": 1 / step})
            worker.progress(step, 1_000_000)
            pause(0.01)
            asked = worker.asked()
        for name in asked:
            worker.done(name)
        worker.end("", f"Stopped at step {step}.", **{LEAVING: EXIT_STOPPED})
    return EXIT_STOPPED


def kept(folder: JobFolder) -> int:
    """As `steps`, and starts another keeper when its own is killed, as every worker of ours does."""
    from core.engine.worker import Worker

    with Worker(folder).listening():
        code = steps(folder)
        if code == EXIT_STOPPED:
            folder.write_status(**{LEAVING: code})
        return code


def kept_deaf(folder: JobFolder) -> int:
    """As `deaf`, likewise."""
    from core.engine.worker import Worker

    with Worker(folder).listening():
        return deaf(folder)


def deaf(folder: JobFolder) -> int:
    """Hears neither requests nor SIGTERM, and has a child in a session of its own that is as deaf."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    (folder.path / "child.pid").write_text(str(child.pid))
    folder.write_status(state="running", phase="training")
    pause(600)
    return 0


def leaves_child(folder: JobFolder) -> int:
    """Fails, and leaves a child behind."""
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    (folder.path / "child.pid").write_text(str(child.pid))
    return 1


def says_why(folder: JobFolder) -> int:
    """Fails with a sentence of its own."""
    folder.write_status(state="failed", message="The data has no row to train on.")
    return 1


def raises(folder: JobFolder) -> int:
    """Fails by an exception that nobody caught."""
    folder.write_status(state="running", message="Loading the model.")
    raise ValueError("no such layer: q_prog")


def tells_where_core_is(folder: JobFolder) -> int:
    """Prints where `core` was imported from, here and in a child of the same interpreter."""
    import core

    print(core.__file__, flush=True)
    subprocess.run([sys.executable, "-c", "import core; print(core.__file__)"], check=True)
    return 0


def ends(folder: JobFolder) -> int:
    """Prints a line and ends well."""
    print("trained", flush=True)
    return 0


if "TEST_GONE_AFTER" in os.environ:
    folders.GONE_AFTER = float(os.environ["TEST_GONE_AFTER"])

HOW = {
    f.__name__: f
    for f in (steps, works, kept, kept_deaf, deaf, leaves_child, says_why, raises, tells_where_core_is, ends)
}

if __name__ == "__main__":
    sys.exit(HOW[sys.argv[1]](JobFolder(sys.argv[2])))
