"""The answering side of a service: JSON lines on stdin and stdout, for as long as somebody is there to ask."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from core.errors import TunedeckError
from core.jobs.files import encode

Handler = Callable[[dict[str, Any]], Any]
"""(the question's fields) -> an answer that JSON can hold. A `TunedeckError` becomes the answer's `error`."""


def serve(handlers: Mapping[str, Handler]) -> int:
    """Answers questions one after the other, in the order in which they come, until stdin ends.

    The first line out is `{"ready": true}`. Then each `{"id": 1, "ask": "encode", ...}` gets
    `{"id": 1, "answer": ...}` or `{"id": 1, "error": "sentence"}`. `{"cancel": 1}` takes back a question whose turn
    has not come. When stdin ends the process ends at once, in the middle of an answer if need be: its viewer is gone.

    What libraries print goes to stderr, so that it cannot break a line of the answers.

    Args:
        handlers: by the question's name.

    Returns:
        The exit code.
    """
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    questions: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    cancelled: set[int] = set()
    threading.Thread(target=_listen, args=(questions, cancelled), daemon=True).start()
    _write(answers, {"ready": True})
    while True:
        question = questions.get()
        number = question.get("id")
        if number in cancelled:
            cancelled.discard(number)
        else:
            _write(answers, {"id": number, **_answer(handlers, question)})


def _listen(questions: queue.SimpleQueue[dict[str, Any]], cancelled: set[int]) -> None:
    for line in sys.stdin.buffer:
        try:
            question = json.loads(line)
        except ValueError:
            question = None
        if not isinstance(question, dict):
            print("service: a line on stdin is not a JSON object", file=sys.stderr, flush=True)
        elif "cancel" in question:
            cancelled.add(question["cancel"])
        else:
            questions.put(question)
    sys.stderr.flush()
    os._exit(0)  # the main thread may be deep in an answer that nobody waits for any more


def _answer(handlers: Mapping[str, Handler], question: dict[str, Any]) -> dict[str, Any]:
    handler = handlers.get(str(question.get("ask")))
    if handler is None:
        return {"error": f"Unknown question {question.get('ask')!r}."}
    try:
        return {"answer": handler(question)}
    except TunedeckError as error:
        return {"error": str(error)}
    except Exception as error:  # whatever it is, the service lives on and the person reads what it was
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}".rstrip(".") + "."}


def _write(answers: BinaryIO, value: dict[str, Any]) -> None:
    try:
        line = encode(value)
    except (TypeError, ValueError) as error:
        line = encode({"id": value.get("id"), "error": f"Cannot send the answer: {error}."})
    try:
        answers.write(line + b"\n")
    except BrokenPipeError:
        os._exit(0)
