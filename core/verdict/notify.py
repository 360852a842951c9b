"""Notifies a command or an address of the user's that a run has ended or stalled: `python -m MODULE FOLDER`.

Standard library only: the keeper runs it when the job is over.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from core.clean import clean_line
from core.errors import TunedeckError
from core.jobs.at_end import wanted
from core.jobs.ending import last_lines
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower
from core.jobs.runs import run_info
from core.jobs.status import FAILED
from core.jobs.trust import is_address
from core.recipe.tasks import EVAL_LOSS, LOSS
from core.runs.saved import read_weights
from core.verdict.finding import VerdictKind
from core.verdict.run import RunJudge

_LINES = 20
"""Lines of the traceback that are sent."""


def main(argv: Sequence[str]) -> int:
    """Tells everybody who is to know; what comes of it is an event of the job.

    Args:
        argv: the job's folder.

    Returns:
        0; a target that fails is an event.
    """
    folder = JobFolder(argv[0])
    notifications = wanted(folder.read_job().get("payload") or {})
    facts = facts_of(folder)
    for target in notifications.targets:
        what = _shown(target)
        if target in notifications.agreed:
            fault = notify_target(target, facts, seconds=notifications.seconds)
            words = f"Notified: {what}." if not fault else f"Could not notify: {what} {fault}."
        else:
            fault = "not allowed"
            words = f"Not notified, because not allowed yet: {what}. Allow it with `tunedeck trust` on the recipe."
        try:
            folder.append_event("at_end", words, ok=not fault)
        except TunedeckError as error:
            print(error, file=sys.stderr)
    return 0


def facts_of(folder: JobFolder) -> dict[str, Any]:
    """How a run has ended, or that it stalls.

    `id, name, folder, state, message, step, of, seconds, loss, eval_loss, best_eval_loss, best_step, adapter_step,
    adapter_eval_loss, metric, best, adapter, verdict, verdict_text, traceback, text`.

    `metric` is the one on the eval set that says how the run went, `best` its best value, `adapter` the adapter's.
    `text` says the most of it in two lines, as chats want it.
    """
    judge, follower = RunJudge(folder), Follower(folder)
    update = follower.poll()
    verdict = judge.take(update)
    while update.more:
        update = follower.poll()
        verdict = judge.take(update)
    run = run_info(folder)
    status = folder.read_status()
    taken = status.seconds() if run.ended else None
    seconds = None if taken is None else round(taken, 1)
    plain = run.to_json()
    adapter = read_weights(folder.adapter) if folder.adapter.is_dir() else None
    metric, best = judge.headline.eval_metric, None if verdict is None else verdict.best_eval
    of_adapter = None if adapter is None else adapter.eval_value
    stalled = verdict is not None and verdict.kind is VerdictKind.STALLED
    text = f"{run.name}: {'stalled' if stalled else run.state}" + (
        f" at step {run.step:,} of {run.of:,}" if run.step and run.of else ""
    )
    said = verdict.text() if verdict is not None and run.state != FAILED else status.message
    return {
        **{key: plain[key] for key in ("id", "name", "folder", "state", "step", "of", LOSS, EVAL_LOSS)},
        "message": status.message,
        "seconds": seconds,
        "best_eval_loss": best if metric == EVAL_LOSS else None,
        "best_step": verdict.best_step if verdict is not None else None,
        "adapter_step": None if adapter is None else adapter.step,
        "adapter_eval_loss": of_adapter if metric == EVAL_LOSS else None,
        "metric": metric,
        "best": best,
        "adapter": of_adapter,
        "verdict": str(verdict.kind.value) if verdict is not None else None,
        "verdict_text": verdict.text() if verdict is not None else None,
        "traceback": "\n".join(last_lines(os.fspath(folder.log), _LINES)) if run.state == FAILED else None,
        "text": f"{text}\n{said}".strip(),
    }


def notify_target(target: str, facts: Mapping[str, Any], *, seconds: float) -> str:
    """Tells one target. A command runs where this process does: in the folder in which the run was started.

    Args:
        target: an address that gets a POST, or a command for the shell.
        facts: as `facts_of` gives them; JSON on stdin or as the request's body, and variables `TUNEDECK_STATE` ...
        seconds: it may take.

    Returns:
        What went wrong, as the end of a sentence; "" if nothing did.
    """
    body = json.dumps(facts).encode()
    if is_address(target):
        return _post(target, body, seconds)
    return _run(target, body, facts, seconds)


def _post(address: str, body: bytes, seconds: float) -> str:
    request = urllib.request.Request(address, body, {"Content-Type": "application/json", "User-Agent": "tunedeck"})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        return f"answered {error.code} ({clean_line(str(error.reason), 80)})"
    except TimeoutError:
        return f"did not answer within {seconds:g} s"
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            return f"did not answer within {seconds:g} s"
        return f"could not be reached ({clean_line(str(reason), 120)})"
    return ""


def _run(command: str, body: bytes, facts: Mapping[str, Any], seconds: float) -> str:
    variables = {f"TUNEDECK_{name.upper()}": str(value) for name, value in facts.items() if value is not None}
    try:
        child = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.PIPE,
            env={**os.environ, **variables},
            start_new_session=True,
        )
    except OSError as error:
        return f"could not be started ({error.strerror})"
    try:
        child.communicate(body, timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return f"took longer than {seconds:g} s and was stopped"
    if child.returncode:
        return f"exited with code {child.returncode}; its output is in at_end.log"
    return ""


def _shown(target: str) -> str:
    """A target for an event: of an address only its host, for the rest is often a secret."""
    if is_address(target):
        return clean_line(urlsplit(target).hostname or "the address", 80)
    return clean_line(target, 80)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
