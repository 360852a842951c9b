"""What kinds of input there are: prompts grouped by the words they share, told from small sketches of them.

A sketch is the prompt's words, each weighted by its rarity, added up in 256 numbers by a hash ("Feature hashing for
large scale multitask learning", Weinberger et al., 2009); kinds are found by k-means on the angle between sketches. A
prompt that is hardly like the centre of any kind belongs to none.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from core.dataset.hashing import blake
from core.dataset.near.result import StageProgress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LIKE = 0.2
"""Least likeness (cosine) of a prompt and the centre of its kind."""

_Item = TypeVar("_Item")
_REPORT_EVERY = 1_000
_SIZE = 256
_SLOTS = 2**20
_FITTED = 20_000
"""Distinct prompts that kinds are found from; the others are then told to which they belong."""

_MOST_KINDS = 48
_ROUNDS = 12
_READ = 1_000
"""Characters of a prompt that are looked at."""

_WORDS, _EXAMPLES = 4, 3
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힣]+|\w{3,}")
_UNSPACED = re.compile(r"[぀-ヿ㐀-鿿가-힣]")


@dataclass(frozen=True, slots=True)
class PromptGroup:
    """Prompts of one kind.

    Attributes:
        samples: how many samples ask so.
        words: what sets their prompts apart, the most telling word first; none where they are like no others.
        examples: numbers of some of its samples, the most typical first.
    """

    samples: int
    words: tuple[str, ...]
    examples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """All kinds of a dataset.

    Attributes:
        kinds: the largest first; prompts that are like no others last.
        of: for each sample the number of its kind in `kinds`.
        unlike: whether the last kind is that of prompts which are like no others.
    """

    kinds: tuple[PromptGroup, ...]
    of: tuple[int, ...]
    unlike: bool

    def thin_first(self) -> list[int]:
        """The samples, those like no others first, then those of the thinnest kind, and so on."""
        last = len(self.kinds) - 1
        sizes = [0 if self.unlike and number == last else kind.samples for number, kind in enumerate(self.kinds)]
        return sorted(range(len(self.of)), key=lambda number: (sizes[self.of[number]], self.of[number], number))


def no_tick(_: str, __: int, ___: int) -> None:
    """Reports to nobody."""


def counted(items: Iterable[_Item], what: str, of: int, on_progress: StageProgress) -> Iterator[_Item]:
    """The items, while every thousandth reports how many there were.

    Args:
        items: the items.
        what: what is being done with them.
        of: how many there are.
        on_progress: called with these; may raise to stop.
    """
    for done, item in enumerate(items):
        if done % _REPORT_EVERY == 0:
            on_progress(what, done, of)
        yield item


def cover(prompts: Callable[[], Iterator[str]], on_progress: StageProgress = no_tick, of: int = 0) -> Coverage:
    """Groups the prompts of a dataset.

    The outcome depends on what the prompts are, not on their order.

    Args:
        prompts: iterates over the normalized prompts, in the order of the samples; asked for twice.
        on_progress: called with what is being done, prompts done and `of`; may raise to stop.
        of: how many prompts there are, for the progress.
    """
    import numpy as np

    place, slots, frequency = _read(lambda: counted(prompts(), "Reading the prompts", of, on_progress))
    if not slots:
        return Coverage((), (), False)
    rarity = np.log((len(slots) + 1) / (frequency + 0.5)).astype(np.float32)
    on_progress("Grouping the prompts", 0, len(slots))
    centers = _centers(_sketches(slots[:_FITTED], rarity))
    kind_of, likeness = np.zeros(len(slots), np.int64), np.zeros(len(slots), np.float32)
    for at in range(0, len(slots), _FITTED):
        likenesses = _sketches(slots[at : at + _FITTED], rarity) @ centers.T
        kind_of[at : at + _FITTED] = likenesses.argmax(axis=1)
        likeness[at : at + _FITTED] = likenesses.max(axis=1)
        on_progress("Grouping the prompts", min(at + _FITTED, len(slots)), len(slots))
    kind_of[likeness < LIKE] = len(centers)
    of_sample = kind_of[place]
    sizes = np.bincount(of_sample, minlength=len(centers) + 1)
    order = [kind for kind in np.argsort(-sizes[:-1], kind="stable").tolist() if sizes[kind]]
    unlike = bool(sizes[-1])
    order += [len(centers)] * unlike
    rank = {kind: number for number, kind in enumerate(order)}
    groups = tuple(rank[kind] for kind in of_sample.tolist())

    def again() -> Iterator[str]:
        return counted(prompts(), "Naming the groups", len(groups), on_progress)

    words = _telling_words(again, groups, len(order), unlike)
    typical = _typical(groups, likeness[place].tolist(), len(order))
    kinds = tuple(PromptGroup(int(sizes[kind]), words[number], typical[number]) for number, kind in enumerate(order))
    return Coverage(kinds, groups, unlike)


def _read(prompts: Callable[[], Iterator[str]]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]], NDArray[np.int64]]:
    """For each sample the place of its prompt; each distinct prompt's words as slots; in how many each slot is."""
    import numpy as np

    found: dict[bytes, NDArray[np.int64]] = {}
    digests = []
    for prompt in prompts():
        text = prompt[:_READ]
        digests.append(digest := blake(text.encode("utf-8", "surrogatepass"), 8))
        if digest not in found:
            hashed = sorted({zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words_of(text)})
            found[digest] = np.array(hashed, np.int64)
    order = {digest: number for number, digest in enumerate(sorted(found))}
    frequency = np.zeros(_SLOTS, np.int64)
    for hashed_words in found.values():
        frequency[hashed_words % _SLOTS] += 1
    return np.array([order[digest] for digest in digests], np.int64), [found[digest] for digest in order], frequency


def _sketches(slots: Sequence[NDArray[np.int64]], rarity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each prompt as a direction, shape (prompts, 256); without words all are 0."""
    import numpy as np

    rows = np.repeat(np.arange(len(slots)), [len(each) for each in slots])
    hashed = np.concatenate(slots) if len(slots) else np.zeros(0, np.int64)
    weights = rarity[hashed % _SLOTS] * np.where(hashed >> 31 & 1, 1, -1)
    flat = np.bincount(rows * _SIZE + (hashed >> 20) % _SIZE, weights, len(slots) * _SIZE)
    table = flat.reshape(len(slots), _SIZE).astype(np.float32)
    return _directions(table)


def _directions(table: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    found: NDArray[np.float32] = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    return found


def _centers(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """k-means on the angle, with as many kinds as half the prompts have roots; starts as k-means++ does, by a seed."""
    import numpy as np

    count = len(table)
    wanted = max(1, min(_MOST_KINDS, round((count / 2) ** 0.5)))
    source = np.random.default_rng(0)
    chosen = [int(np.argmax(table @ table.mean(axis=0)))]
    best = table @ table[chosen[0]]
    while len(chosen) < wanted:
        far = np.maximum(1 - best, 0) ** 2
        if not far.sum():
            break
        chosen.append(int(source.choice(count, p=far / far.sum())))
        best = np.maximum(best, table @ table[chosen[-1]])
    centers = table[chosen].copy()
    for _ in range(_ROUNDS):
        kind_of = (table @ centers.T).argmax(axis=1)
        sums = np.zeros_like(centers)
        np.add.at(sums, kind_of, table)
        empty = ~sums.any(axis=1)
        sums[empty] = centers[empty]
        centers = _directions(sums)
    return centers


def _telling_words(
    prompts: Callable[[], Iterator[str]], of: Sequence[int], kinds: int, unlike: bool
) -> list[tuple[str, ...]]:
    """For each kind the words that many of its prompts have and few others; none for prompts like no others."""
    import math

    within: list[Counter[str]] = [Counter() for _ in range(kinds)]
    for number, prompt in enumerate(prompts()):
        within[of[number]].update(set(words_of(prompt[:_READ])))
    everywhere: Counter[str] = Counter()
    for counts in within:
        everywhere.update(counts)
    found = []
    for kind, counts in enumerate(within):
        several = {word: times for word, times in counts.items() if times > 1} or counts
        score = {word: times * math.log(1 + len(of) / everywhere[word]) ** 2 for word, times in several.items()}
        telling = sorted(score, key=lambda word: (-score[word], word))[:_WORDS]
        found.append(() if unlike and kind == kinds - 1 else tuple(telling))
    return found


def _typical(of: Sequence[int], likeness: Sequence[float], kinds: int) -> list[tuple[int, ...]]:
    """For each kind the samples that are most like its centre."""
    members: list[list[int]] = [[] for _ in range(kinds)]
    for number in sorted(range(len(of)), key=lambda number: (-likeness[number], number)):
        if len(members[of[number]]) < _EXAMPLES:
            members[of[number]].append(number)
    return [tuple(each) for each in members]


def words_of(text: str) -> Iterator[str]:
    """The words of a normalized text but for numbers and the shortest; of scripts without spaces, pairs of signs."""
    for found in _WORD.finditer(text):
        word = found.group()
        if _UNSPACED.match(word):
            yield from (word[at : at + 2] for at in range(max(1, len(word) - 1)))
        elif not word.isnumeric():
            yield word


def as_json(coverage: Coverage, rows: Sequence[int], texts: Callable[[int], str]) -> dict[str, Any]:
    """As `overview --json` prints it.

    Args:
        coverage: what was found.
        rows: the row of each sample.
        texts: tells what a sample asks, for the examples.
    """
    last = len(coverage.kinds) - 1
    return {
        "kinds": [
            {
                "samples": kind.samples,
                "words": list(kind.words),
                "rows": [rows[number] for number in kind.examples],
                "examples": [texts(number) for number in kind.examples],
                "like_others": not (coverage.unlike and number == last),
            }
            for number, kind in enumerate(coverage.kinds)
        ]
    }
