"""Answers that end in mid-sentence where most answers of the set do not."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator

from core.dataset.checks.base import ROWS_OF_A_SET, Check, Context, Flag
from core.dataset.item import Item
from core.dataset.sample import Sample

_TAIL = 400
_FEWEST_WORDS = 8
_FINISHED = 0.8
_CLOSING = "\"'”’»)]*_`"
_ENDS = ".!?…:;。！？"
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff]")
_OTHER_LETTER = re.compile(r"[\u0590-\u1cff\u2e80-\ud7ff\uf900-\ufdff\U00020000-\U0003ffff]")
_SENTENCE = re.compile(r"[a-z\u00df-\u024f\u03ac-\u03ff\u0430-\u04ff)\"”’][.!?](?:\s|$)")
_LIST = re.compile(r"\s*(?:[-*+•>|#]|\d{1,3}[.):]|[A-Za-z][.)]\s|\||```|\t| {4})")
_CODE = re.compile(r"[{}<>=$\\|]|\w\(|://|\w/\w+/|[;]\s*$|\w_\w|\.\w+\(")
# Of these a sentence does not end, in the languages that stand most often in such data.
_ENGLISH = (
    "a an and as at because but by for from if in into of on or than the their to was were which while who with your"
)
_OTHERS = "und oder der die das ein eine mit von zu für et ou le la les un une de du des y o el los en con por para que"
_OPEN_WORDS = frozenset(f"{_ENGLISH} {_OTHERS}".split(" "))
_SIGNED = re.compile(r"[-\u2013\u2014~]\s*(?:[A-Z][\w.]*\s?){1,5}$|(?:^|\s)[#@]\S+$")


class CutOff(Check):
    """An answer of prose that ends in mid-sentence, in a set where most end with a full stop.

    Judged are prose answers of eight words and more in Latin, Greek or Cyrillic letters, whose own earlier sentences
    end with a mark. Labels, lists, headings, tables, code, JSON, addresses and signatures are not judged.
    """

    name = "cut_off"
    title = "cut off"
    help = (
        "The answer ends in mid-sentence, unlike most answers in the dataset. It was probably cut off at a token limit "
        "and teaches the model to stop early."
    )
    example = '`"The three causes are heat, dust and the"`'
    advice = "Complete the answer or drop the row. If many rows have it, regenerate the data with a higher token limit."
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._rows = array("L")
        self._ends: list[str] = []
        self._judged = 0

    def inspect(self, item: Item) -> Flag | None:
        """Notes how the answer ends; the verdict needs all of them."""
        sample = item.sample
        if sample is None or sample.kind == "text":
            return None
        answer = _answer(sample)
        if len(answer) < 4 * _FEWEST_WORDS:
            return None
        tail = answer[-_TAIL:].rstrip()
        ended = _ends(tail, len(answer) <= _TAIL)
        if ended is None:
            return None
        self._judged += 1
        if not ended:
            self._rows.append(item.row)
            self._ends.append(tail[-30:])
        return None

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Flags the answers that end in mid-sentence, where four fifths do not."""
        finished = self._judged - len(self._rows)
        if self._judged < ROWS_OF_A_SET or finished < _FINISHED * self._judged:
            return
        for row, end in zip(self._rows, self._ends, strict=True):
            last = " ".join(end.split())
            yield (
                row,
                self.flag(
                    f"ends in mid-sentence: ...{last!r}; {finished:,} of {self._judged:,} prose answers end with a "
                    f"full sentence"
                ),
            )


def _answer(sample: Sample) -> str:
    """The last answer, where it is all text."""
    turns = sample.chosen if sample.kind in ("preference", "kto") else sample.messages
    last = turns[-1] if turns else None
    return "" if last is None or last.role != "assistant" or last.tool_calls else last.content


def _ends(tail: str, whole: bool) -> bool | None:
    """Whether a text ends where a sentence does; None where that cannot be said of it.

    Args:
        tail: its end, without white space behind it.
        whole: whether that is all of it.
    """
    if not tail or tail.count("```") or (whole and tail.lstrip()[:1] in "{[<"):
        return None
    last_line = tail.rsplit("\n", 1)[-1]
    if len(tail.split(None, _FEWEST_WORDS)) < _FEWEST_WORDS or _LIST.match(last_line):
        return None
    if (not tail.isascii() and _OTHER_LETTER.search(tail)) or not _LATIN.search(tail):
        return None
    bare = tail.rstrip(_CLOSING)
    if not bare:
        return None
    if bare[-1] in _ENDS:
        return True
    if not (bare[-1].isalpha() or bare[-1] in ",-–—(&") or _CODE.search(last_line):
        return None
    words = last_line.split()
    # A title, a name or a signature ends a text without a mark; so does a text whose sentences have none.
    if bare != tail or _SIGNED.search(last_line):
        return None
    if words[-1].lower() in _OPEN_WORDS and len(words) > 2:
        return False
    if len(words) < _FEWEST_WORDS:
        return None
    return False if bare[-1] == "," or _SENTENCE.search(tail) else None
