"""Text as a search compares it: in either case, composed or decomposed; and where a text stands in another."""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import category, is_normalized, normalize

_MOST = 2**18
"""Characters of a text with decomposed letters up to which they are looked at: each takes a thousand times as long."""

_JAMO = range(0x1160, 0x1200)
"""Vowels and finals of Korean syllables, which join the letter before them."""


def fold(text: str) -> str:
    """The text as it is compared: lower case, one sigma, and one way of writing a letter with its marks (NFC)."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", text.lower()).replace("ς", "σ")


def places(text: str, folded: str) -> Iterator[tuple[int, int]]:
    """Where a text that is folded already stands in another: start and end of each place, none within another.

    A place covers whole letters with all their marks.

    Args:
        text: as it is; the places count its characters.
        folded: what is looked for, as `fold` returns it.
    """
    if not folded:
        return
    lower = text.lower()
    if text.isascii() or (len(lower) == len(text) and is_normalized("NFC", lower)):  # no letter has moved
        done = 0
        for start, end in _found(lower.replace("ς", "σ"), folded):
            while end < len(text) and _joins(text[end]):
                end += 1
            if start >= done:
                yield start, end
                done = end
        return
    if folded not in fold(text):
        return
    text = text[:_MOST]
    starts: list[int] = []  # for each character of the folded text, where its letter begins in the text
    parts: list[str] = []
    for start, end in _letters(text):
        part = fold(text[start:end])
        parts.append(part)
        starts += [start] * len(part)
    starts.append(len(text))
    covered = 0
    for start, end in _found("".join(parts), folded):
        first, last = starts[start], starts[end]
        if last == starts[end - 1]:  # it ends within a letter, which is then covered whole
            last = next((each for each in starts[end:] if each != last), len(text))
        if first >= covered:
            yield first, last
            covered = last


def _found(text: str, part: str) -> Iterator[tuple[int, int]]:
    at = text.find(part)
    while at >= 0:
        yield at, at + len(part)
        at = text.find(part, at + len(part))


def _letters(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each letter with the marks that join it."""
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not _joins(text[at]):
            yield start, at
            start = at


def _joins(char: str) -> bool:
    return not char.isascii() and (category(char)[0] == "M" or ord(char) in _JAMO)
