"""Values that a file holds as text: JSON, or what Python's `repr` made of them (cells of CSV files from pandas)."""

from __future__ import annotations

import ast
import re
from typing import Any

from core.dataset.records import MAX_DEPTH, Unreadable, parse_json

_MOST_LITERAL = 4 * 2**20
"""Characters of a Python literal that is read: its syntax tree takes some hundred times as many bytes."""

_PIECES = re.compile(
    r"""(?P<text>[bru]?'(?:[^'\\]|\\.)*+'|[bru]?"(?:[^"\\]|\\.)*+")"""
    r"""|(?P<array>\b(?:array|np\.\w+|numpy\.\w+)\()"""
    r"""|(?P<dtype>,\s*dtype=[\w.<>|]+)"""
    r"""|(?P<nan>\bnan\b)"""
    r"""|(?P<cut>\.\.\.)"""
    r"""|(?P<open>[\[{])|(?P<close>[\]}])|(?P<space>\s+)|(?P<other>[^\s'"\[\]{}.,\w]|[.,]|\w+)""",
    re.S,
)


def decoded(text: str) -> Any:
    """What a text holds as JSON, or as Python wrote it.

    Raises:
        Unreadable: it is neither, with the reason.
    """
    try:
        return parse_json(text.encode("utf-8", "surrogatepass"))[0]
    except Unreadable as fault:
        found = python_literal(text)
        if found is None:
            raise Unreadable(f"expected JSON in the text: {fault}") from None
        return found


def python_literal(text: str) -> Any:
    """The list or object that a text holds as Python, NumPy or pandas print it; None where it is no such text.

    NumPy leaves the commas out between the items of an array, and pandas writes such arrays into CSV cells.

    Raises:
        Unreadable: NumPy left items out ("...").
    """
    start = text.lstrip()[:1]
    if start not in ("[", "{") and not text.lstrip().startswith("array("):
        return None
    if len(text) > _MOST_LITERAL or ("'" not in text and '"' not in text):
        return None
    source = _with_commas(text)
    if source is None:
        return None
    try:
        value = ast.literal_eval(source)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return _plain(value) if isinstance(value, (list, dict, tuple)) else None


def _with_commas(text: str) -> str | None:
    """The text as a Python literal; None where it nests too deep."""
    pieces: list[str] = []
    depth, gap, ended, end = 0, False, False, 0
    for match in _PIECES.finditer(text):
        if match.start() != end:  # a quote that is never closed
            return None
        end = match.end()
        kind = match.lastgroup
        if kind == "space":
            gap = True
            pieces.append(" ")
            continue
        if kind == "cut":
            raise Unreadable("the list was shortened by NumPy (`...`), so its items are lost; export the file as JSON")
        starts = kind in ("open", "text", "array")
        if starts and gap and ended:
            pieces.append(",")
        if kind == "open":
            depth += 1
            if depth > MAX_DEPTH:
                return None
        elif kind == "close":
            depth -= 1
        pieces.append({"array": "(", "dtype": "", "nan": "None"}.get(kind or "", match.group()))
        ended = kind in ("close", "text") or match.group() == ")"
        gap = False
    return "".join(pieces).strip()


def _plain(value: Any) -> Any:
    """Tuples as lists and keys as text, as JSON would have them."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value
