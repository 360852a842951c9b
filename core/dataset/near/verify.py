"""The verified similarity of two distinct texts, asked for once a pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from typing import TYPE_CHECKING

from core.dataset.near.corpus import Corpus
from core.dataset.near.exact import Similarity
from core.dataset.near.kept import Known
from core.dataset.near.parity import Bounds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_A_WHILE = 2_000
_AT_ONCE = 64


class Verifier:
    """Verifies pairs and remembers what came of it.

    Args:
        corpus: the texts.
        numbers: of each distinct text, its number in the corpus.
        threshold: least similarity of a pair.
        apart: pairs of places (the smaller first) that the user has said are no duplicates.
        tick: called every now and then; may raise to stop.
    """

    def __init__(
        self,
        corpus: Corpus,
        numbers: NDArray[np.int64],
        threshold: float,
        apart: Container[tuple[int, int]],
        tick: Callable[[], None],
    ) -> None:
        self._corpus = corpus
        self._numbers: list[int] = numbers.tolist()
        self._threshold = threshold
        self._apart = apart
        self._tick = tick
        self._bounds = Bounds(len(numbers), threshold)
        self._similarity = Similarity(lambda place: corpus.body(self._numbers[place]), threshold)
        self._whole = Similarity(lambda place: corpus.full(self._numbers[place]), threshold)
        self.known: dict[tuple[int, int], float] = {}
        """Pairs looked at (the smaller place first), with 0 for those that are none."""
        self._good = 0
        self._alike: dict[int, list[tuple[int, float]]] = defaultdict(list)

    def take(self, known: Known) -> None:
        """Takes in what an earlier search of the same texts has verified."""
        for pair, similarity in known.items():
            self._note(pair, similarity)

    def _note(self, pair: tuple[int, int], similarity: float) -> None:
        first, second = pair
        self.known[pair] = similarity
        if similarity:
            self._good += 1
            self._alike[first].append((second, similarity))
            self._alike[second].append((first, similarity))

    def __call__(self, first: int, second: int) -> float:
        """The similarity of two distinct texts, by place; 0 below the threshold.

        Texts from which different beginnings were left out must be as similar with these, too.
        """
        pair = (first, second) if first < second else (second, first)
        found = self.known.get(pair)
        if found is None:
            found = self._verified(*pair)
            self._note(pair, found)
            if len(self.known) % _A_WHILE == 0:
                self._tick()
        return found

    def forget(self) -> None:
        """Forgets which pairs were looked at, where none of them is asked for again."""
        self.known.clear()
        self._alike.clear()
        self._good = 0

    def prepare(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Gets ready for pairs that will be asked for next, as far as they are not known."""
        new = (pair for pair in pairs if (min(pair), max(pair)) not in self.known)
        self._similarity.prepare(place for pair in new for place in pair)

    @property
    def mostly_in_vain(self) -> bool:
        """Whether most pairs that were asked for are none: then `possible` costs less than it saves."""
        return len(self.known) > max(_A_WHILE, 2 * self._good)

    def possible(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        """The positions of the pairs that may be similar, the likeliest first; the others need not be asked for.

        The set of each text is worked out once for this, so that nothing else is computed for most dissimilar pairs.
        """
        unseen = list(dict.fromkeys([*self._bounds.unseen(first).tolist(), *self._bounds.unseen(second).tolist()]))
        for at in range(0, len(unseen), _AT_ONCE):
            self._similarity.prepare(unseen[at : at + _AT_ONCE])
            for place in unseen[at : at + _AT_ONCE]:
                self._bounds.note(place, self._similarity.numbers(place))
        return self._bounds.possible(first, second)

    def similar(self, place: int) -> Sequence[tuple[int, float]]:
        """The texts that are known to be like one, with their similarity."""
        return self._alike.get(place, ())

    def _verified(self, first: int, second: int) -> float:
        one, other = self._numbers[first], self._numbers[second]
        if self._apart and (first, second) in self._apart:
            return 0.0
        found = self._similarity.of(first, second)
        if found >= self._threshold and self._corpus.header(one) != self._corpus.header(other):
            found = min(found, self._whole.of(first, second))
        return found if found >= self._threshold else 0.0
