r"""Search over the whole text of a data set, case-insensitive, hit by hit while it goes on.

JSONL is scanned as bytes, a piece at a time: a piece of the query (the anchor) is looked for as UTF-8
and as JSON's `\uXXXX`, and each row with a find is read and compared for certain. So it finds the rows that a decoded
scan finds, in any script (signs that only look like letters, as that of Kelvin, are found by themselves alone); word
indexes find a tenth of Chinese text. Other kinds of files are read row by row.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from core.dataset.readers import JsonlReader, Reader
from core.dataset.shards import ShardReader

_CHUNK = 2**17
_PERIOD = 0.05
_WAIT = 0.002
_WINDOW = 3
"""Letters of a script with capitals beyond ASCII that an anchor has: each doubles what must be looked for."""

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789 -_.,")
_ESCAPE = re.compile(rb"\\u")  # for two bytes a pattern is twice as fast as bytes.find
_ESCAPED_PLAIN = re.compile(rb"\\u00(?:20|2[c-eC-E]|3[0-9]|[46][0-9a-fA-F]|5[0-9aAfF]|7[0-9aA])")
"""A character of `_PLAIN` that somebody has written as an escape for no need."""


_Find = Callable[[int], int]
"""Offset of the next find from an offset on, -1 for none."""


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search has found since it last told.

    Attributes:
        entries: further entries that hold the text, ascending.
        done: entries looked at.
        complete: whether this was the end.
    """

    entries: tuple[int, ...]
    done: int
    complete: bool = False


def fold(text: str) -> str:
    """The text as it is compared: lower case, and one sigma."""
    return text.lower().replace("ς", "σ")


def holds(value: Any, folded: str) -> bool:
    """Whether any string or number in a parsed row holds the text, which is folded already."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if folded in fold(item):
                return True
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
        elif item is not None and folded in fold(str(item)):
            return True
    return False


def search(reader: Reader, query: str, should_stop: Callable[[], bool] = lambda: False) -> Iterator[Hits]:
    """Looks for a text in all entries, those that another thread still finds included.

    Args:
        reader: the entries; somebody else calls its `extend`.
        query: what to look for, in values; names of fields are not looked at. Entries that cannot be read have none.
        should_stop: asked between pieces.

    Yields:
        At once with the first hit, then twenty times a second.
    """
    folded = fold(query)
    needles = _Needles(folded)
    found: list[int] = []
    told = 0.0
    done = 0
    for entry, done in _candidates(reader, needles, should_stop):
        if entry >= 0 and holds(reader.row(entry).value, folded):
            found.append(entry)
        now = time.monotonic()
        if now - told > _PERIOD:
            told = now if found else told
            yield Hits(tuple(found), done)
            found = []
    if not should_stop():
        yield Hits(tuple(found), max(done, reader.count), complete=True)


class _Needles:
    """What must stand in the bytes of a row that holds the text.

    Args:
        folded: the text, folded.
    """

    def __init__(self, folded: str) -> None:
        anchor = _anchor(folded)
        spellings = ["".join(letters) for letters in product(*map(_spellings, anchor))] if anchor else []
        self.raw = sorted({spelling.encode("utf-8", "surrogatepass") for spelling in spellings})
        self.escaped = sorted({json.dumps(spelling)[1:-1].lower().encode() for spelling in spellings})
        self.ascii = anchor.isascii()
        self.longest = max(map(len, self.raw + self.escaped), default=0)
        self.any = bool(anchor)

    def finders(self, chunk: bytes) -> Iterator[_Find]:
        """For each way of writing it, what finds the next place in a piece that may be a hit."""
        escapes = b"\\" in chunk
        if self.ascii:
            yield partial(chunk.lower().find, self.raw[0])
            if escapes:
                yield partial(_match, _ESCAPED_PLAIN, chunk)
        elif chunk.isascii():
            lowered = chunk.lower() if escapes else b""
            for needle in self.escaped:
                yield partial(lowered.find, needle)
        else:
            for needle in self.raw:
                yield partial(chunk.find, needle)
            if escapes:
                # Where some characters are written as escapes and others not, any row with an escape may be a hit.
                yield partial(_match, _ESCAPE, chunk)


def _match(pattern: re.Pattern[bytes], chunk: bytes, start: int) -> int:
    found = pattern.search(chunk, start)
    return found.start() if found else -1


def _anchor(folded: str) -> str:
    """The piece of the text that is rare and has few ways of being written, or "" where there is none."""
    best, best_score = "", 0
    for kind, run in _runs(folded):
        piece = run.strip() if kind == "plain" else run
        if kind == "cased":
            piece = piece[:_WINDOW]
        score = sum(letter.isalnum() for letter in piece) * (1 if kind == "plain" else 2)
        if score > best_score:
            best, best_score = piece, score
    return best


def _runs(folded: str) -> Iterator[tuple[str, str]]:
    """The text in runs of characters that can be looked for in one way."""
    start = 0
    for at in range(1, len(folded) + 1):
        if at == len(folded) or _kind(folded[at]) != _kind(folded[start]):
            if kind := _kind(folded[start]):
                yield kind, folded[start:at]
            start = at


def _kind(letter: str) -> str:
    if letter in _PLAIN:
        return "plain"
    if letter.isascii() or not letter.isalnum():
        return ""
    return "caseless" if _spellings(letter) == (letter,) else "cased"


def _spellings(letter: str) -> tuple[str, ...]:
    if letter.isascii():
        return (letter,)
    if letter == "σ":
        return ("σ", "ς", "Σ")
    found = {letter, letter.upper(), letter.title()}
    return tuple(sorted(each for each in found if len(each) == 1))


# -- the files ----------------------------------------------------------------------------------------------


def _candidates(reader: Reader, needles: _Needles, should_stop: Callable[[], bool]) -> Iterator[tuple[int, int]]:
    """Entries that may hold the text, ascending, each with the entries looked at so far; -1 for none in a while."""
    if isinstance(reader, JsonlReader) and needles.any:
        yield from _lines(reader, needles, should_stop)
    elif isinstance(reader, ShardReader):
        which = 0
        while not should_stop():
            if which < len(reader.parts):
                start, part = reader.parts[which]
                for entry, done in _candidates(part, needles, should_stop):
                    yield (entry + start if entry >= 0 else -1), done + start
                part.release()
                which += 1
            elif reader.complete:
                return
            else:
                time.sleep(_WAIT)
                yield -1, reader.count
    else:
        yield from _each(reader, should_stop)


def _each(reader: Reader, should_stop: Callable[[], bool]) -> Iterator[tuple[int, int]]:
    entry = 0
    while not should_stop():
        if entry < reader.count:
            yield entry, entry
            entry += 1
        elif reader.complete:
            return
        else:
            time.sleep(_WAIT)
            yield -1, entry


def _lines(reader: JsonlReader, needles: _Needles, should_stop: Callable[[], bool]) -> Iterator[tuple[int, int]]:
    index, at, last = reader.index, reader.index.begin, -1
    while not should_stop():
        # Only whole lines, so that each find has an entry; pieces overlap, so that none is cut in two.
        end = min(index.whole, at + _CHUNK)
        if end == at:
            if index.complete and end == index.whole:
                return
            time.sleep(_WAIT)
            yield -1, max(0, last)
            continue
        chunk = reader.stream.read(at, min(end + needles.longest, index.whole) - at)
        found = _entries(reader, at, needles.finders(chunk))
        for entry in sorted(found):
            if entry > last:
                last = entry
                yield entry, entry
        at = end
        yield -1, index.entry_at(max(index.begin, at - 1))


def _entries(reader: JsonlReader, at: int, finders: Iterable[_Find]) -> set[int]:
    """The entries of what is found in the piece at `at`; an entry that was found is passed over to its end."""
    found: set[int] = set()
    index = reader.index
    for find in finders:
        place = find(0)
        while place >= 0:
            entry = index.entry_at(at + place)
            found.add(entry)
            place = find(index.span(entry)[1] - at)
    return found
