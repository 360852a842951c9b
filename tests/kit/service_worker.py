"""A small real service for the tests of `core.jobs.service`."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from core.errors import BadInput
from core.jobs.serve import serve


def add(question: dict[str, Any]) -> Any:
    """Prints while it works, as libraries do."""
    print("working")
    os.write(1, b"from compiled code\n")
    return question["a"] + question["b"]


def refuse(question: dict[str, Any]) -> Any:
    """Has a sentence for the user."""
    raise BadInput("The template has no role for tools", where="chat_template.jinja", do="Choose another template")


def crash(question: dict[str, Any]) -> Any:
    """Ends the process as a fault in compiled code would."""
    print("Fatal Python error: Segmentation fault", file=sys.stderr, flush=True)
    os._exit(139)


def hang(question: dict[str, Any]) -> Any:
    """Takes longer than anybody waits."""
    threading.Event().wait(600)
    return None


def wait_for(question: dict[str, Any]) -> Any:
    """Takes as long as it takes until a file is there."""
    while not os.path.exists(question["path"]):
        threading.Event().wait(0.01)
    return True


def environment(question: dict[str, Any]) -> Any:
    """What the process sees of the GPUs."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "not set")


def echo(question: dict[str, Any]) -> Any:
    """Gives back what was asked."""
    return question["text"]


if __name__ == "__main__":
    if "broken" in sys.argv:
        sys.exit("ModuleNotFoundError: No module named 'torch'")
    sys.exit(serve({f.__name__: f for f in (add, refuse, crash, hang, wait_for, environment, echo)}))
