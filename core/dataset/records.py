"""One row of a file, and the strict reading of its JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson

MAX_DEPTH = 200
"""Levels of nesting that a row may have; deeper ones are attacks or accidents, and break what walks them later."""

MAX_ROW_BYTES = 256 * 2**20
"""A longer line is refused unread: it is a file without line ends, not a row."""

_DIGITS = bytes(ord("0") if chr(code).isdigit() and code < 128 else ord(" ") for code in range(256))
_LONG_NUMBER = b"0" * 19
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.S)
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")
_STEPS = tuple((code in b"[{") - (code in b"]}") for code in range(256))
_RETRY_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class BadLine:
    """A place in a file that could not be read as a row.

    Attributes:
        file: the file.
        line: its line, from 1 (for Parquet: the row, from 1).
        reason: why, as a phrase without a full stop.
    """

    file: Path
    line: int
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As `scan --json` prints it."""
        return {"file": str(self.file), "line": self.line, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a dataset: a parsed object, or the reason why there is none.

    Attributes:
        entry: its number among all entries, good and bad, from 0, in source order.
        file: the file it stands in.
        line: the line in that file where it begins, from 1 (for Parquet: the row).
        source: index of the file among the files of the dataset.
        value: the parsed object, or None where `error` says why not.
        error: why the entry is no row, as a phrase, or "".
        nonstandard: what is wrong with its JSON although it could be read (NaN, lone surrogates), or "".
        raw: its bytes as they stand in the file; empty for file kinds without text.
    """

    entry: int
    file: Path
    line: int
    source: int = 0
    value: dict[str, Any] | None = None
    error: str = ""
    nonstandard: str = ""
    raw: bytes = field(default=b"", repr=False)

    @property
    def raw_text(self) -> str:
        """The row's own text for the raw view; bytes that are no UTF-8 show as U+FFFD. Not cleaned."""
        if self.raw:
            return self.raw.decode("utf-8", "replace")
        return "" if self.value is None else json.dumps(self.value, ensure_ascii=False, default=str)

    @property
    def bad_line(self) -> BadLine:
        """The place and reason, for a row without value."""
        return BadLine(self.file, self.line, self.error)


class Unreadable(ValueError):
    """A row that cannot be read or formatted; its text is the reason, as a phrase."""


def parse_object(raw: bytes) -> tuple[dict[str, Any], str]:
    """Reads one JSON object.

    Args:
        raw: UTF-8 bytes without a BOM.

    Returns:
        The object, and what is non-standard about its JSON ("" where nothing is).

    Raises:
        Unreadable: with the reason.
    """
    value, nonstandard = parse_json(raw)
    if not isinstance(value, dict):
        raise Unreadable(f"expected a JSON object, got {json_type(value)}")
    return value, nonstandard


def parse_json(raw: bytes) -> tuple[Any, str]:
    """Reads one JSON value; as `parse_object`, of any type."""
    if len(raw) > MAX_ROW_BYTES:
        raise Unreadable(f"longer than {MAX_ROW_BYTES >> 20} MiB")
    nonstandard = ""
    try:
        value = orjson.loads(raw)
        if _LONG_NUMBER in raw.translate(_DIGITS):
            value = json.loads(raw)  # orjson makes a float of a whole number beyond 64 bits
    except orjson.JSONDecodeError as fault:
        value, nonstandard = _retry(raw, fault)
    # More keys are written than are left in a flat object: nested, quoted in a text, or one of them stands twice.
    if not nonstandard and isinstance(value, dict) and raw.count(b'":') + raw.count(b'" :') > len(value):
        nonstandard = _repeated_key(raw, value)
    # Fewer openings than the limit cannot nest deeper than it: the walk is for suspects only.
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _nesting(raw) > MAX_DEPTH:
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels")
    return value, nonstandard


def _nesting(raw: bytes) -> int:
    """Levels of nesting of valid JSON, from its brackets: walking the value takes ten times as long."""
    brackets = _STRINGS.sub(b"", raw).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _repeated_key(raw: bytes, value: dict[str, Any]) -> str:
    """Names a key that is repeated in one object, or ""."""
    # Written again, the value holds as many marks as it was read from, unless a key was lost.
    if len(raw) > _RETRY_MAX_BYTES:
        return ""
    try:
        written = orjson.dumps(value)
    except TypeError:  # a whole number beyond 64 bits
        written = json.dumps(value, separators=(",", ":")).encode()
    if written.count(b'":') >= raw.count(b'":') + raw.count(b'" :'):
        return ""
    found: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in items]
        if len(set(names)) < len(names) and not found:
            found.append(next(name for name in names if names.count(name) > 1))

    json.loads(raw, object_pairs_hook=pairs)
    return f"the key {found[0][:60]!r} is repeated in an object; the last value counts" if found else ""


def _retry(raw: bytes, fault: orjson.JSONDecodeError) -> tuple[Any, str]:
    """Reads with the standard module what it takes and orjson does not: NaN, Infinity, lone surrogates."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: byte 0x{raw[error.start]:02x} at column {error.start + 1}") from None
    if not text.strip():
        raise Unreadable("a blank line")
    if len(raw) > _RETRY_MAX_BYTES:
        raise Unreadable(_reason(fault, text))
    constants: list[str] = []

    def constant(name: str) -> float:
        constants.append(name)
        return float(name)

    try:
        value = json.loads(text, parse_constant=constant)
    except json.JSONDecodeError:
        raise Unreadable(_reason(fault, text)) from None
    except RecursionError:
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:  # a number of thousands of digits
        raise Unreadable(f"not valid JSON: {error}") from None
    if constants:
        return value, f"{constants[0]} is not valid JSON"
    if "\\ud" in text or "\\uD" in text:
        return value, "half a surrogate pair in a string"
    return value, "only lenient parsers accept this JSON"


def _reason(fault: orjson.JSONDecodeError, text: str) -> str:
    message = fault.msg.split(": line ")[0]
    if "recursion" in message.lower():
        return f"nested deeper than {MAX_DEPTH} levels"
    before = text[: fault.pos]
    column = len(before) - before.rfind("\n")
    line = f"line {before.count(chr(10)) + 1} of the row, " if "\n" in text else ""
    return f"not valid JSON: {message} at {line}column {column}"


def json_type(value: Any) -> str:
    """What a JSON value is, for a sentence: `a list`, `a number`, `null`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number"}
    return names.get(type(value), f"a {type(value).__name__}")
