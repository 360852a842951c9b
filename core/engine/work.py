"""Runs a worker's body on a job's folder: every way it can end becomes an exit code and a sentence."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from core.clean import clean_line
from core.engine.worker import Again, Worker, WorkerStopped
from core.errors import BadInput, TunedeckError
from core.jobs.ending import EXIT_AGAIN, EXIT_STOPPED
from core.jobs.files import JobGone
from core.jobs.folder import JobFolder
from core.jobs.output import enduring_output
from core.jobs.status import FAILED, LEAVING
from core.recipe.recipe import Recipe, from_json

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2


def run(argv: Sequence[str], body: Callable[[Worker, Recipe], None]) -> int:
    """Runs a worker's body on a job's folder and turns the way it ends into an exit code and a sentence.

    Args:
        argv: the job's folder.
        body: does the work.

    Returns:
        0 for done, 1 for failed, 2 for bad input, 3 for stopped on request.
    """
    if len(argv) != 1:
        print("Give the folder of one run.", file=sys.stderr)
        return EXIT_BAD_INPUT
    worker = Worker(JobFolder(argv[0]), speaks=os.environ.get("RANK", "0") == "0")
    with enduring_output(), _terminable(worker), worker.listening():
        return _ending(worker, body)


def _ending(worker: Worker, body: Callable[[Worker, Recipe], None]) -> int:
    try:
        worker.reach("the worker could not start")
        worker.job = worker.folder.read_job()
        body(worker, from_json(_recipe(worker)))
        worker.end("", worker.closing_words, phase="done")
    except WorkerStopped as stopped:
        _last_word(worker, "", stopped.message, **{LEAVING: EXIT_STOPPED})
        return EXIT_STOPPED
    except Again:
        return EXIT_AGAIN
    except JobGone as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    except BadInput as error:
        _last_word(worker, FAILED, str(error))
        return EXIT_BAD_INPUT
    except TunedeckError as error:
        _last_word(worker, FAILED, str(error))
        return EXIT_FAILED
    except Exception as error:  # the last wall: whatever it was, the viewers get a sentence and the log the traceback
        traceback.print_exc()
        if worker.others_fault():
            return EXIT_FAILED
        first = (str(error).strip().splitlines() or ["no message"])[0]
        words = clean_line(f"{type(error).__name__}: {first}", 300).rstrip(".")
        _last_word(worker, FAILED, f"{words}. The traceback is at the end of output.log.")
        return EXIT_FAILED
    return 0


def _recipe(worker: Worker) -> dict[str, Any]:
    payload = worker.job.get("payload")
    recipe = payload.get("recipe") if isinstance(payload, dict) else None
    if not isinstance(recipe, dict):
        raise BadInput("The run's job.json has no recipe", where=os.fspath(worker.folder.path))
    return recipe


def _last_word(worker: Worker, state: str, message: str, **fields: int) -> None:
    print(message, file=sys.stderr, flush=True)
    try:
        if state == FAILED:
            worker.fail(message)
        else:
            worker.end(state, message, **fields)
    except TunedeckError as error:
        print(error, file=sys.stderr)


@contextmanager
def _terminable(worker: Worker) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, worker.on_termination) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
