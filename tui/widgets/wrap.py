"""Where a long line breaks: plain functions that need no app, lazy, so that a line of megabytes costs what is seen."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import get_character_cell_size

_NOT_AT_START = frozenset("。，、．：；！？）」』】》〉”’…ー々,.:;!?)]}")
"""Closing punctuation, which no line of Chinese or Japanese text begins with."""

_MOST_CHARS_PER_CELL = 8
"""Marks of no width stacked on one cell beyond this many break the line: a row cannot make one line endless."""


def wrap(text: str, width: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each line that the text takes in a column of `width` cells.

    Breaks at spaces, after wide characters, and inside a word only where the word is wider than the column. The
    space at a break is drawn on neither line. The text must be clean and hold no newline; an empty text is one
    empty line.
    """
    width = max(2, width)
    return _wrap_narrow(text, width) if text.isascii() else _wrap_wide(text, width)


def _wrap_narrow(text: str, width: int) -> Iterator[tuple[int, int]]:
    start, length = 0, len(text)
    while length - start > width:
        cut = text.rfind(" ", start, start + width + 1)
        if cut <= start or text[start:cut].isspace():
            yield start, start + width
            start += width
        else:
            yield start, cut
            start = cut + 1
    yield start, length


def _wrap_wide(text: str, width: int) -> Iterator[tuple[int, int]]:
    start, length = 0, len(text)
    most = width * _MOST_CHARS_PER_CELL
    while True:
        cells, at = 0, start
        end = resume = -1  # the last place where the line may break, and where the next line begins
        while at < length and at - start < most:
            char = text[at]
            size = get_character_cell_size(char)
            if cells + size > width:
                break
            if char == " " and not text[start:at].isspace():
                end, resume = at, at + 1
            cells += size
            at += 1
            if size == 2 and at < length and text[at] not in _NOT_AT_START:
                end = resume = at
        if at >= length:
            yield start, length
            return
        if text[at] == " ":
            yield start, at
            start = at + 1
        elif end > start:
            yield start, end
            start = resume
        else:
            at = max(at, start + 1)
            yield start, at
            start = at
