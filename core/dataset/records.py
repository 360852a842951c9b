"""One row of a file, and the strict reading of its JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson

MAX_DEPTH = 200
"""Levels of nesting that a row may have; deeper ones are attacks or accidents, and break what walks them later."""

MAX_ROW_BYTES = 256 * 2**20
"""A longer line is refused unread: it is a file without line ends, not a row."""

_NUMBERS = bytes(code if code in b"+-" else ord("0") if code in b"0123456789" else ord("e") if code in b"eE" else 32
                 for code in range(256))  # fmt: skip
"""What is left of a text for a first look at its numbers: digits as 0, exponents, signs."""
# Nineteen digits may be more than a float or 64 bits keep, and an exponent of three digits more than a float reaches.
_RISKY = (b"0" * 19, b"0e000", b"0e+000", b"0e-000")
_SHOWN_DIGITS = 32
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.S)
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")
_STEPS = tuple((code in b"[{") - (code in b"]}") for code in range(256))
_HALF = re.compile("[\ud800-\udfff]")
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
        numbers = raw.translate(_NUMBERS)
        if any(map(numbers.__contains__, _RISKY)):
            value, nonstandard = _read_exactly(raw.decode("utf-8"))
    except orjson.JSONDecodeError as fault:
        value, nonstandard = _retry(raw, fault)
    # More keys are written than are left in a flat object: nested, quoted in a text, or one of them stands twice.
    if isinstance(value, dict) and (keys := raw.count(b'":') + raw.count(b'" :')) > len(value):
        repeated = _repeated_key(raw, value, keys)
        nonstandard = f"{nonstandard}; {repeated}" if nonstandard and repeated else nonstandard or repeated
    # Fewer openings than the limit cannot nest deeper than it: the walk is for suspects only.
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _nesting(raw) > MAX_DEPTH:
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels")
    return value, nonstandard


def _nesting(raw: bytes) -> int:
    """Levels of nesting of valid JSON, from its brackets: walking the value takes ten times as long."""
    brackets = _STRINGS.sub(b"", raw).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _repeated_key(raw: bytes, value: dict[str, Any], keys: int) -> str:
    """Names a key that is repeated in one object, or ""; `keys` is how many marks of keys its bytes hold."""
    # Written again, the value holds as many marks as it was read from, unless a key was lost.
    if len(raw) > _RETRY_MAX_BYTES:
        return ""
    try:
        written = orjson.dumps(value)
    except TypeError:  # a whole number beyond 64 bits, half a surrogate pair
        written = json.dumps(value, separators=(",", ":")).encode()
    if written.count(b'":') >= keys:
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
        raise Unreadable(not_utf8(raw, error, f" at column {error.start + 1}")) from None
    if not text.strip():
        raise Unreadable("a blank line")
    if len(raw) > _RETRY_MAX_BYTES:
        raise Unreadable(_reason(fault, text))
    try:
        value, nonstandard = _read_exactly(text)
    except json.JSONDecodeError:
        raise Unreadable(_reason(fault, text)) from None
    except RecursionError:
        raise Unreadable(f"nested deeper than {MAX_DEPTH} levels") from None
    return value, nonstandard or "only lenient parsers accept this JSON"


def _read_exactly(text: str) -> tuple[Any, str]:
    """Reads with the standard module, and names the first value of each kind that is not kept as it is written.

    Raises:
        Unreadable: a number of thousands of digits.
        json.JSONDecodeError, RecursionError: it cannot be read at all.
    """
    from decimal import Decimal  # for the few rows that come here: 3 ms at import

    found: dict[str, str] = {}

    def constant(name: str) -> float:
        found.setdefault("constant", f"{name} is not valid JSON")
        return float(name)

    def decimal(digits: str) -> float:
        number = float(digits)
        if number in (math.inf, -math.inf):
            found.setdefault("large", f"the number {_short(digits)} is too large to store")
        elif number == 0 and re.search("[1-9]", digits.lower().partition("e")[0]):
            found.setdefault("small", f"the number {_short(digits)} is too small to store")
        elif len(digits) > 18 and Decimal(digits) != Decimal(repr(number)):
            found.setdefault("digits", f"the number {_short(digits)} is rounded to {number!r}")
        return number

    def whole(digits: str) -> int:
        try:
            number = int(digits)
        except ValueError:
            raise Unreadable(f"a number of {len(digits):,} digits cannot be read") from None
        if not -(2**63) <= number < 2**64:
            found.setdefault("whole", f"the number {_short(digits)} is beyond 64 bits")
        return number

    value = json.loads(text, parse_constant=constant, parse_float=decimal, parse_int=whole)
    if ("\\ud" in text or "\\uD" in text) and (half := _HALF.search(json.dumps(value, ensure_ascii=False))):
        found["half"] = f"lone surrogate in a string (U+{ord(half.group()):04X})"
    return value, "; ".join(found.values())


def _short(digits: str) -> str:
    return digits if len(digits) <= _SHOWN_DIGITS else f"{digits[:_SHOWN_DIGITS]}... ({len(digits):,} characters)"


CP1252 = "cp1252"
HOW_TO_READ = f"--encoding {CP1252}, or `encoding` in the mapping on Data"
"""What a sentence says to do about it."""

_NOT_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]|[\x80-\xff]{4}")
# An accented letter beside a letter, or a mark that Windows writes for quotes, dashes, currencies and degrees.
_ACCENTED = rb"[\xc0-\xd6\xd8-\xf6\xf8-\xff\x8a\x8c\x8e\x9a\x9c\x9e\x9f]"
_MARKS = rb"[\x80\x82\x84\x85\x8b\x91-\x97\x99\x9b\xa1\xa3\xa7\xa9\xab\xae\xb0\xb2\xb3\xb4\xb7\xbb-\xbf\xd7]"
_WELL = re.compile(rb"[A-Za-z]" + _ACCENTED + rb"|" + _ACCENTED + rb"[a-z]|" + _MARKS)
_HIGH = re.compile(rb"[\x80-\xff]")


def not_utf8(raw: bytes, error: UnicodeDecodeError, place: str = "") -> str:
    """Why bytes are no row, and whether they read well as cp1252, the encoding of older Windows programs.

    Args:
        raw: the bytes.
        error: what decoding them as UTF-8 said.
        place: where in them, in words.
    """
    reason = f"not UTF-8: byte 0x{raw[error.start]:02x}{place}"
    if not reads_as_cp1252(raw):
        return reason
    start, at = max(0, error.start - 24), min(24, error.start)
    around = raw[start : error.start + 24].decode(CP1252, "replace")
    word = next((found.group() for found in re.finditer(r"[\w\u2018-\u201e]+|\S", around) if found.end() > at), "")
    return f"{reason}; it decodes cleanly as {CP1252}: {word}"


def encoding_offer(bad_lines: Sequence[BadLine], *, in_app: bool = False) -> str:
    """What to do about lines that are not UTF-8 and read well as cp1252, a sentence; "" where there are none.

    Args:
        bad_lines: the malformed lines.
        in_app: name the key instead of the option of the command line.
    """
    count = sum(CP1252 in line.reason for line in bad_lines)
    if not count:
        return ""
    if in_app:
        return f"malformed lines would decode cleanly as {CP1252} (Windows): press M and set encoding"
    said = f"{count:,} line{'s are' if count > 1 else ' is'} not UTF-8 but would decode cleanly as {CP1252} (Windows)"
    return f"{said}. To read it that way: {HOW_TO_READ}"


def reads_as_cp1252(raw: bytes) -> bool:
    """Whether bytes that are not UTF-8 make words in cp1252."""
    if _NOT_CP1252.search(raw):
        return False
    high = len(_HIGH.findall(raw))
    return high <= max(8, len(raw) // 4) and 2 * len(_WELL.findall(raw)) >= high


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
