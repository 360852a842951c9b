"""Special tokens of a tokenizer inside the texts of samples: there they become control tokens, as if a turn ended."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator

from core.dataset.sample import Sample
from core.dataset.without import without


class ControlText:
    """Finds special tokens in samples.

    Args:
        tokens: as they are written in text.
        begin: the token that may begin a plain text, or "".
        end: the token that may end one, or "".
        train_without: parts that the samples are trained without: tokens in those do not count.
    """

    def __init__(
        self, tokens: Iterable[str], begin: str = "", end: str = "", *, train_without: Collection[str] = ()
    ) -> None:
        names = sorted(filter(str.strip, set(tokens)), key=lambda name: (-len(name), name))
        self._pattern = re.compile("|".join(map(re.escape, names))) if names else None
        self._starts = tuple(sorted({name[:2] for name in names}))  # found faster than the pattern, and rare
        self._begin, self._end = begin, end
        self._without = train_without

    def of(self, sample: Sample) -> tuple[str, ...]:
        """The tokens in a sample, each once, in their order; an end token that ends a plain text belongs there."""
        if self._pattern is None:
            return ()
        if sample.kind == "text":
            texts = iter((sample.text.removesuffix(self._end).removeprefix(self._begin),))
        else:
            texts = _texts(without(sample, self._without))
        maybe = [text for text in texts if any(start in text for start in self._starts)]
        return tuple(dict.fromkeys(found for text in maybe for found in self._pattern.findall(text)))


def _texts(sample: Sample) -> Iterator[str]:
    for turn in (*sample.messages, *sample.chosen, *sample.rejected):
        yield turn.content
        if turn.reasoning:
            yield turn.reasoning
        if turn.tool_calls:
            yield json.dumps(turn.tool_calls, ensure_ascii=False, default=str)
        if turn.name:
            yield turn.name
    if sample.tools:
        yield json.dumps(sample.tools, ensure_ascii=False, default=str)
