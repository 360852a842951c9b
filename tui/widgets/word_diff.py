"""Two texts and the words in which they differ: side by side where there is room, else one below the other.

What differs is underlined, and its lines have a mark: not by color alone. White space is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from rich.cells import cell_len

from core.dataset.word_diff import common_words
from tui.widgets.text_view import Cutter, TextLine, TextView, plain
from tui.widgets.wrap import wrap

_MOST = 120_000
"""Characters of a text that are compared and shown."""

_WIDE = 90
"""Cells from which on two columns are readable."""

_AROUND = 1
"""Equal lines that are shown before and after lines that differ."""

_WORD = re.compile(
    # Chinese and Japanese have no spaces between words, so each of their characters is one.
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]"
    r"|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+|[^\w\s]"
)

_SIDES = ("first", "second")


@dataclass(frozen=True, slots=True)
class _Marked:
    """A line in which the words that the other text has not are marked.

    Attributes:
        line: as it is drawn.
        differs: whether any word of it is marked.
    """

    line: TextLine
    differs: bool


@dataclass(frozen=True, slots=True)
class ComparedTexts:
    """Two texts, compared.

    Attributes:
        blocks: lines of the first and of the second text that belong beside each other.
        words: words in which they differ, of the text that has more of them.
        cut: whether the texts were too long to be compared whole.
    """

    blocks: tuple[tuple[tuple[_Marked, ...], tuple[_Marked, ...]], ...]
    words: int
    cut: bool


def compare(first: Iterable[TextLine], second: Iterable[TextLine]) -> ComparedTexts:
    """Compares two texts word by word; takes up to a second or so for long ones.

    Args:
        first: clean lines.
        second: clean lines.
    """
    texts = [_lines(first), _lines(second)]
    cut_short = any(was_cut for _, was_cut in texts)
    words = [_words(lines) for lines, _ in texts]
    runs = common_words(*([word.text for word in side] for side in words))
    same: tuple[set[int], set[int]] = (set(), set())
    for a, b, length in runs:
        same[0].update(range(a, a + length))
        same[1].update(range(b, b + length))
    marked = [
        _mark(lines, side, kept, name) for (lines, _), side, kept, name in zip(texts, words, same, _SIDES, strict=True)
    ]
    differing = max(len(side) - len(kept) for side, kept in zip(words, same, strict=True))
    return ComparedTexts(tuple(_blocks(marked[0], marked[1], words[0], words[1], runs)), differing, cut_short)


@dataclass(frozen=True, slots=True)
class _Word:
    """A word, where it stands, and whether it is the first of its line."""

    text: str
    line: int
    start: int
    end: int
    first: bool


def _lines(lines: Iterable[TextLine]) -> tuple[list[TextLine], bool]:
    taken, length = [], 0
    for line in lines:
        taken.append(line)
        length += sum(len(text) for text, _ in line.spans)
        if length > _MOST:
            return taken, True
    return taken, False


def _words(lines: Sequence[TextLine]) -> list[_Word]:
    found = []
    for number, line in enumerate(lines):
        text = "".join(piece for piece, _ in line.spans)
        for order, match in enumerate(_WORD.finditer(text)):
            found.append(_Word(match.group(), number, match.start(), match.end(), order == 0))
    return found


def _mark(lines: Sequence[TextLine], words: Sequence[_Word], same: set[int], side: str) -> list[_Marked]:
    """The lines with the words that are not the same in a style of their own."""
    changed: dict[int, list[tuple[int, int]]] = {}
    for number, word in enumerate(words):
        if number in same:
            continue
        parts = changed.setdefault(word.line, [])
        if parts and number - 1 not in same and words[number - 1].line == word.line:
            parts[-1] = (parts[-1][0], word.end)  # with the space between them
        else:
            parts.append((word.start, word.end))
    marked = []
    for number, line in enumerate(lines):
        spans: list[tuple[str, str]] = []
        at = 0
        cut = Cutter(line.spans)
        length = sum(len(text) for text, _ in line.spans)
        for start, end in changed.get(number, ()):
            spans += cut(at, start)
            spans += [(text, side) for text, _ in cut(start, end)]
            at = end
        spans += cut(at, length)
        differs = number in changed
        marked.append(_Marked(TextLine(tuple(spans) or (("", "text"),), line.indent), differs))
    return marked


def _blocks(
    first: Sequence[_Marked],
    second: Sequence[_Marked],
    words: Sequence[_Word],
    others: Sequence[_Word],
    runs: Iterable[tuple[int, int, int]],
) -> Iterator[tuple[tuple[_Marked, ...], tuple[_Marked, ...]]]:
    """Lines side by side: a new block begins where an equal word begins a line in both texts."""
    at, other_at = 0, 0
    for a, b, length in runs:
        for offset in range(length):
            word, other = words[a + offset], others[b + offset]
            if word.first and other.first and word.line + other.line:
                yield tuple(first[at : word.line]), tuple(second[other_at : other.line])
                at, other_at = word.line, other.line
    yield tuple(first[at:]), tuple(second[other_at:])


class WordDiff(TextView):
    """A comparison, drawn at whatever width there is."""

    COMPONENT_CLASSES = {"text-view--first", "text-view--second", "text-view--differs"}

    DEFAULT_CSS = """
    WordDiff {
        & > .text-view--first { color: $text-warning; text-style: bold underline; }
        & > .text-view--second { color: $text-success; text-style: bold underline; }
        & > .text-view--differs { color: $text-warning; text-style: bold; }
    }
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._comparison: ComparedTexts | None = None
        self._names = ("", "")
        self.whole = False
        """Whether lines that are the same are shown far from those that differ, too."""

    def show_pair(self, comparison: ComparedTexts, names: tuple[str, str], *, keep_place: bool = False) -> None:
        """Show two texts.

        Args:
            comparison: of them.
            names: what they are, a few clean words each.
            keep_place: stay at the line that is on top now.
        """
        self._comparison = comparison
        self._names = names
        self.show(self._pair_lines, keep_place=keep_place)

    def show_text(self, lines: Callable[[], Iterable[TextLine]]) -> None:
        """Show one text, or a sentence."""
        self._comparison = None
        self.show(lines)

    def toggle_whole(self) -> None:
        """Show all lines, or only those around words that differ."""
        self.whole = not self.whole
        if self._comparison is not None:
            self.show(self._pair_lines)

    def _pair_lines(self) -> Iterator[TextLine]:
        comparison = self._comparison
        assert comparison is not None
        width = self._text_width()
        beside = width >= _WIDE
        if not beside:
            one, other = self._names
            yield TextLine((("− ", "differs"), (one, "strong"), ("   + ", "differs"), (other, "strong")))
        else:
            column = (width - 3) // 2
            yield TextLine(
                (*_padded(((self._names[0], "strong"),), column), ("   ", "text"), (self._names[1], "strong"))
            )
        if not comparison.words:
            yield plain("Every word is the same; only whitespace may differ.", "muted")
        fits = sum(max(map(len, block)) for block in comparison.blocks) < self.size.height
        for block, skipped in _shown(comparison.blocks, whole=self.whole or fits):
            if skipped:
                yield plain(f"⋯ {skipped:,} identical lines (v shows them)", "muted")
            elif beside:
                yield from _beside(*block, width)
            else:
                yield from _below(*block, width)
        if comparison.cut:
            yield plain(f"… only the first {_MOST:,} characters were compared", "warning")


_Block = tuple[tuple[_Marked, ...], tuple[_Marked, ...]]


def _shown(blocks: Sequence[_Block], *, whole: bool) -> Iterator[tuple[_Block, int]]:
    """The blocks to draw; in the place of those far from any difference, how many lines are passed over."""
    differ = [
        any(line.differs for side in block for line in side) or len(block[0]) != len(block[1]) for block in blocks
    ]
    everything = whole or not any(differ)
    far = [not (everything or any(differ[max(0, at - _AROUND) : at + _AROUND + 1])) for at in range(len(blocks))]
    for passed_over, numbers in groupby(range(len(blocks)), far.__getitem__):
        run = [blocks[number] for number in numbers]
        lines = sum(len(block[0]) for block in run)
        if passed_over and lines > _AROUND:
            yield ((), ()), lines
        else:
            yield from ((block, 0) for block in run)


def _below(first: Sequence[_Marked], second: Sequence[_Marked], width: int) -> Iterator[TextLine]:
    """A block as lines of the first text, then those of the second; equal lines before and after them once."""
    shorter = min(len(first), len(second))
    head = next((at for at in range(shorter) if first[at] != second[at]), shorter)
    tail = next((at for at in range(shorter - head) if first[-1 - at] != second[-1 - at]), shorter - head)
    for sign, side in (
        ("  ", first[:head]),
        ("− ", first[head : len(first) - tail]),
        ("+ ", second[head : len(second) - tail]),
        ("  ", first[len(first) - tail :]),
    ):
        for each in side:
            text, cut = "".join(piece for piece, _ in each.line.spans), Cutter(each.line.spans)
            for start, end in wrap(text, width - each.line.indent - len(sign)):
                yield TextLine(((sign if not start else "  ", "differs"), *cut(start, end)), each.line.indent)


def _beside(first: Sequence[_Marked], second: Sequence[_Marked], width: int) -> Iterator[TextLine]:
    """A block as two columns."""
    column = (width - 3) // 2
    for one, other in zip_longest(_wrapped(first, column), _wrapped(second, column)):
        differs = any(each is not None and each[1] for each in (one, other))
        between = (" ≠ ", "differs") if differs else (" │ ", "muted")
        left = _padded(one[0] if one is not None else (), column)
        yield TextLine((*left, between, *(other[0] if other is not None else ())))


_Spans = tuple[tuple[str, str], ...]


def _wrapped(lines: Iterable[_Marked], column: int) -> Iterator[tuple[_Spans, bool]]:
    """The lines as rows of a column, each with whether a word in it differs."""
    for each in lines:
        text = "".join(piece for piece, _ in each.line.spans)
        indent = ((" " * each.line.indent, "text"),) if each.line.indent else ()
        cut = Cutter(each.line.spans)
        for start, end in wrap(text, column - each.line.indent):
            spans = cut(start, end)
            yield (*indent, *spans), any(style in _SIDES for _, style in spans)


def _padded(spans: _Spans, column: int) -> _Spans:
    """Spans filled up with blanks to the width of a column."""
    rest = column - sum(cell_len(text) for text, _ in spans)
    return (*spans, (" " * rest, "text")) if rest > 0 else spans
