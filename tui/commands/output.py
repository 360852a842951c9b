"""What the headless commands print: plain lines, always cleaned, and JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from core.clean import clean
from core.jobs.files import finite

_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, default=str)


def say(text: str = "") -> None:
    """Print one or more lines, cleaned, and flush: the reader may be a pipe."""
    sys.stdout.write(clean(text) + "\n")
    sys.stdout.flush()


def print_json(value: Any) -> None:
    """Print a value as JSON, one document, in ASCII: no terminal and no pipe can mistake it.

    A field of the outermost object has a line of its own, and so has an item of a list in it: people can read that, and
    it takes a tenth of the time of `indent`, which is not written in C.
    """
    if isinstance(value, dict) and value:
        fields = (f"  {json_text(str(key))}: {_items(held, '  ')}" for key, held in value.items())
        text = "{\n" + ",\n".join(fields) + "\n}"
    else:
        text = _items(value, "")
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_json_lists(value: Mapping[str, Any], lists: Mapping[str, Iterable[Any]]) -> None:
    """As `print_json`, with lists after the other fields whose items are printed as they come: none is held in memory.

    Args:
        value: the fields.
        lists: field to items.
    """
    write = sys.stdout.write
    write("{\n" + ",\n".join(f"  {json_text(key)}: {_items(held, '  ')}" for key, held in value.items()))
    for key, items in lists.items():
        write(f",\n  {json_text(key)}: [")
        separator = "\n"
        for item in items:
            write(f"{separator}    {json_text(item)}")
            separator = ",\n"
        write("]" if separator == "\n" else "\n  ]")
    write("\n}\n")
    sys.stdout.flush()


def _items(value: Any, margin: str) -> str:
    if not isinstance(value, list) or not value:
        return json_text(value)
    lines = ",\n".join(f"{margin}  {json_text(item)}" for item in value)
    return f"[\n{lines}\n{margin}]"


def json_text(value: Any) -> str:
    """A value as JSON in one line of ASCII. Not-finite numbers are the strings `"nan"`, `"inf"`, `"-inf"`."""
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return _ENCODER.encode(finite(value))


def complain(error: Exception, code: int, *, as_json: bool = False) -> int:
    """Print an error's sentence on standard error, cleaned, and return the exit code.

    Args:
        error: the error.
        code: the exit code.
        as_json: also print `{"error": sentence, "exit_code": code}` on standard output, for who reads JSON there.
    """
    print(f"tunedeck: {clean(str(error))}", file=sys.stderr)
    if as_json:
        print(json_text({"error": str(error), "exit_code": code}), flush=True)
    return code
