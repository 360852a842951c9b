"""Which samples belong together when data are split: whatever verified pairs of texts or of prompts connect."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset.item import Item
from core.dataset.near.connect import Likely, connect
from core.dataset.near.corpus import Corpus
from core.dataset.near.cross import cross_pairs
from core.dataset.near.fields import answer_text, system_text
from core.dataset.near.members import rarity_of
from core.dataset.near.result import Cluster, NearOptions, StageProgress
from core.dataset.near.search import find_clusters
from core.dataset.near.sketch import Banding
from core.dataset.near.verify import Verifier
from core.dataset.near.worker_pool import sketch_all

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Families:
    """Samples in the order they are given, numbered from 0, and who is like whom. Use it as a context manager.

    Two samples are similar where all their turns are, or their prompts: an eval sample whose question was trained on
    measures memory, whatever the answer.

    Args:
        threshold: least similarity, 0.5 to 1.
        folder: where the texts lie meanwhile.
    """

    def __init__(self, threshold: float, folder: Path) -> None:
        self._options = NearOptions(threshold)
        self._texts, self._prompts = Corpus(folder), Corpus(folder)
        self._pairs: list[_Pairs] = []
        self._apart: frozenset[tuple[int, int]] = frozenset()

    def __enter__(self) -> Families:
        return self

    def __exit__(self, *_: object) -> None:
        self._texts.close()
        self._prompts.close()

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, item: Item) -> None:
        """Takes the next sample, whatever row it was."""
        number, sample = len(self), item.sample
        if sample is None:
            raise ValueError("an unreadable row has no family")
        structured = sample.kind != "text"
        self._texts.add(
            number,
            item.normalized,
            item.content,
            system=system_text(sample) if structured else "",
            answer=answer_text(sample) if structured else "",
            structured=structured,
        )
        # The prompt of plain text is the text itself, which is compared already.
        self._prompts.add(number, item.prompt if structured else "", item.content, structured=structured)

    def hold_apart(self, pairs: Collection[tuple[int, int]]) -> None:
        """Takes pairs of samples that are no duplicates, whatever their likeness; to be called before the rest.

        It holds for samples of the same text, or of the same prompt, as well.
        """
        self._apart = frozenset((min(pair), max(pair)) for pair in pairs)

    def clusters(self, tick: StageProgress) -> tuple[Cluster, ...]:
        """The clusters of near-duplicates with the removable rows of each."""
        self._settle()
        return find_clusters(self._texts, self._options, self._apart, tick)

    def labels(self, tick: StageProgress) -> list[int]:
        """A number for each sample, the same for all that verified pairs connect."""
        self._settle()
        joined = Joined(len(self))
        for pairs in self._pairs:
            pairs.join(joined, tick)
        return joined.labels()

    def across(self, held: Sequence[int], rest: Sequence[int], tick: StageProgress) -> Iterator[tuple[int, int, float]]:
        """Every pair of a sample of `held` and one of `rest` that is similar in text or prompt, with the similarity."""
        self._settle()
        for pairs in self._pairs:
            yield from pairs.across(held, rest, tick)

    def _settle(self) -> None:
        if self._pairs:
            return
        for corpus in (self._texts, self._prompts):
            corpus.settle()
            self._pairs.append(_Pairs(corpus, self._options, self._apart))


class Joined:
    """Numbers that are joined step by step.

    Args:
        count: how many there are.
    """

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, number: int) -> int:
        """The least number that one is joined with."""
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def join(self, first: int, second: int) -> None:
        """Joins two numbers and all that they are joined with."""
        one, other = self.root(first), self.root(second)
        self._parent[max(one, other)] = min(one, other)

    def labels(self) -> list[int]:
        """The least number that each is joined with."""
        return [self.root(number) for number in range(len(self._parent))]


class _Pairs:
    """The pairs of one corpus, but for those that are held apart."""

    def __init__(self, corpus: Corpus, options: NearOptions, apart: Collection[tuple[int, int]]) -> None:
        self._corpus = corpus
        self._threshold = options.threshold
        self._firsts, self._place = corpus.distinct()
        places = (sorted((int(self._place[one]), int(self._place[other]))) for one, other in apart)
        self._apart = frozenset((one, other) for one, other in places)
        self._verify = self._verifier(lambda: None)
        self._rarity: NDArray[np.uint64] | None = None

    def join(self, joined: Joined, tick: StageProgress) -> None:
        """Joins samples with equal texts, and those that verified pairs connect."""
        labels = self._components(tick)
        first_of: dict[int, int] = {}
        for number, place in enumerate(self._place.tolist()):
            if place >= 0:
                joined.join(first_of.setdefault(int(labels[place]), number), number)

    def across(self, held: Sequence[int], rest: Sequence[int], tick: StageProgress) -> Iterator[tuple[int, int, float]]:
        """Pairs of samples on two sides; of equal texts each."""
        if not len(self._firsts) or not held or not rest:
            return
        if self._rarity is None:
            self._rarity = rarity_of(self._corpus, self._firsts)
        mine, others = self._by_place(held), self._by_place(rest)
        for place in mine.keys() & others.keys():
            yield from ((one, other, 1.0) for one in mine[place] for other in others[place])
        found = cross_pairs(
            self._corpus,
            self._firsts,
            sorted(mine),
            sorted(others.keys() - mine.keys()),
            self._verify,
            self._threshold,
            self._rarity,
            lambda done, of: tick("comparing train and eval", done, of),
        )
        for first, second, similarity in found:
            yield from ((one, other, similarity) for one in mine[first] for other in others[second])

    def _components(self, tick: StageProgress) -> NDArray[np.int64]:
        import numpy as np

        if len(self._firsts) < 2:
            return np.arange(len(self._firsts))
        sketches = sketch_all(self._corpus, self._firsts, Banding.for_threshold(self._threshold), 1, tick)
        likely = Likely(sketches.marks, self._threshold)
        verify = self._verifier(lambda: tick("comparing", 0, len(sketches.bands)))
        return connect(sketches, likely, verify, lambda done, of: tick("comparing", done, of)).labels

    def _verifier(self, tick: Callable[[], None]) -> Verifier:
        return Verifier(self._corpus, self._firsts, self._threshold, self._apart, tick)

    def _by_place(self, numbers: Sequence[int]) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for number in numbers:
            place = int(self._place[number])
            if place >= 0:
                found.setdefault(place, []).append(number)
        return found
