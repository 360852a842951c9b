"""A parsed value as indented JSON, one styled line after the other, made only as far as someone reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from core.clean import clean
from tui.widgets.text_view import TextLine

_STEP = 2
_DEEPEST = 40
"""Levels that are laid out over lines; what is nested deeper stands on one line."""

Spans = tuple[tuple[str, str], ...]


def json_lines(value: Any) -> Iterator[TextLine]:
    """The lines of a value: keys, strings and numbers in styles of their own, long strings in one line each."""
    yield from _lines(value, (), "", 0)


def _lines(value: Any, before: Spans, after: str, level: int) -> Iterator[TextLine]:
    """One value with what stands before it (a key) and after it (a comma)."""
    indent = level * _STEP
    if not isinstance(value, (dict, list)) or not value or level >= _DEEPEST:
        yield TextLine((*before, _scalar(value), (after, "muted")), indent)
        return
    is_object = isinstance(value, dict)
    yield TextLine((*before, ("{" if is_object else "[", "muted")), indent)
    pairs: Iterable[tuple[Any, Any]]
    pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    last = len(value) - 1
    for number, (key, item) in enumerate(pairs):
        head: Spans = () if key is None else ((_quoted(key), "key"), (": ", "muted"))
        yield from _lines(item, head, "" if number == last else ",", level + 1)
    yield TextLine((("}" + after if is_object else "]" + after, "muted"),), indent)


def _scalar(value: Any) -> tuple[str, str]:
    if isinstance(value, str):
        return _quoted(value), "string"
    return _quoted(value), "number"


def _quoted(value: Any) -> str:
    # Values that JSON has no word for (dates and bytes of a Parquet file) are shown as Python writes them.
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        text = "(nested too deep to show)"
    return clean(text).replace("\n", "⏎")
