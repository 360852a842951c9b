"""The process that runs a reward function: lines of JSON in, lines of JSON out; see `core.engine.rewards.child`.

It runs this file alone, without the rest of the program. The function's own output goes to standard error.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import math
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

_PR_SET_PDEATHSIG = 1


class TooLong(BaseException):
    """A call has run out of time. Not an `Exception`, so that the function does not catch it by mistake."""


def main() -> None:
    """Run the file of the first line; score the completions of each line that follows."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def say(answer: dict[str, Any]) -> None:
        out.write(json.dumps(answer) + "\n")
        out.flush()

    begin = json.loads(sys.stdin.readline())
    name, wanted, seconds = begin["name"], begin["function"], begin["seconds"]
    resource.setrlimit(resource.RLIMIT_AS, (begin["memory"], begin["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, _too_long)
    lines, sys.stdin = sys.stdin, open(os.devnull, encoding="utf-8")  # noqa: SIM115
    space: dict[str, Any] = {"__name__": "rewards", "__file__": name}
    fault = _tried(lambda: exec(compile(begin["source"], name, "exec"), space), name, seconds)
    function: Callable[..., Any] | None = space.get(wanted)
    if fault is None and not callable(function):
        there = [key for key, value in space.items() if inspect.isfunction(value) and value.__module__ == "rewards"]
        known = f"; it has {', '.join(there)}" if there else ""
        fault = {"error": f"is not in the file{known}"}
    if fault is not None:
        say(fault)
        return
    assert function is not None
    accepted = _accepted(function)
    say({})
    for line in lines:
        say(_scored(function, json.loads(line), accepted, name, seconds))


def _accepted(function: Callable[..., Any]) -> frozenset[str] | None:
    """The names of arguments that a function takes; None for any."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return frozenset(each.name for each in parameters)


def _scored(
    function: Callable[..., Any],
    question: dict[str, Any],
    accepted: frozenset[str] | None,
    name: str,
    seconds: float,
) -> dict[str, Any]:
    count = len(question["prompts"])
    columns = {**question["columns"], **{key: question[key] for key in ("prompts", "completions", "completion_ids")}}
    if accepted is not None:
        columns = {key: values for key, values in columns.items() if key in accepted}
    found: list[Any] = []
    fault = _tried(lambda: found.append(function(**columns)), name, seconds)
    if fault is not None:
        return {**fault, **_which(function, columns, count, name, seconds, fault)}
    return _checked(found[0], count)


def _checked(scores: Any, count: int) -> dict[str, Any]:
    try:
        scores = list(scores)
    except TypeError:
        return {"error": f"returned {_brief(scores)}, not a list of {count:,} numbers"}
    if len(scores) != count:
        return {"error": f"returned {len(scores):,} scores for {count:,} completions"}
    numbers: list[float | None] = []
    for place, score in enumerate(scores):
        try:
            number = None if score is None else float(score)
        except (TypeError, ValueError):
            return {"error": f"returned {_brief(score)}, not a number", "sample": place}
        if number is not None and not math.isfinite(number):
            return {"error": f"returned {number}, not a finite number", "sample": place}
        numbers.append(number)
    return {"scores": numbers}


def _which(
    function: Callable[..., Any], columns: dict[str, Any], count: int, name: str, seconds: float, fault: dict[str, Any]
) -> dict[str, Any]:
    """The first completion on which the function fails by itself, with its line there."""
    if fault.get("late") or count == 1:
        return {"sample": 0} if count == 1 else {}
    for place in range(count):
        one = {key: values[place : place + 1] for key, values in columns.items()}
        if (again := _tried(lambda one=one: function(**one), name, seconds / count)) is not None:  # type: ignore[misc]
            return {} if again.get("late") else {**again, "sample": place}
    return {}


def _tried(call: Callable[[], Any], name: str, seconds: float) -> dict[str, Any] | None:
    """What is wrong with a call, and in which line of the file; None where nothing is."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        call()
    except TooLong as end:
        return {"error": f"took over {seconds:g} s and was stopped", "line": _line(end, name), "late": True}
    except SystemExit as end:
        return {"error": f"ended the process (exit {end.code})", "line": _line(end, name)}
    except MemoryError as end:
        return {"error": "needs more memory than its limit", "line": _line(end, name)}
    except BaseException as end:
        line = end.lineno if isinstance(end, SyntaxError) and end.filename == name else _line(end, name)
        words = str(end).strip().partition("\n")[0]
        return {"error": f"raised {type(end).__name__}{f': {words}' if words else ''}", "line": line}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def _line(error: BaseException, name: str) -> int | None:
    """The last line of the file that an error went through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
    return lines[-1] if lines else None


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _too_long(*_: Any) -> None:
    raise TooLong


if __name__ == "__main__":
    main()
