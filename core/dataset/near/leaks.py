"""Training prompts that are nearly an eval prompt: the one search behind scans, the Data screen and curated views."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from core.dataset.eval_place import EvalPlace
from core.dataset.item import Item, prompt_text
from core.dataset.near.corpus import NO_CONTENT, Corpus
from core.dataset.near.cross import closest
from core.dataset.near.members import rarity_of
from core.dataset.near.result import LEAST_THRESHOLD, Leak, NearOptions, StageProgress
from core.dataset.near.verify import Verifier
from core.dataset.sample import Sample

Pair = tuple[str, str]
"""The keys of two rows."""


@dataclass(frozen=True, slots=True)
class _EvalPrompt:
    """A prompt of the eval files: normalized, whether it may have shared parts, and whose it is."""

    text: str
    structured: bool
    place: EvalPlace
    entry: int
    key: str


class LeakSearch:
    """The prompts of one dataset beside those of the eval files.

    Add all rows and eval rows, then call `search` once.

    Args:
        options: the threshold counts.
        apart: pairs of row keys that the user has marked as not duplicates.
        folder: where the texts are kept meanwhile; None for the system's temporary folder.
    """

    def __init__(self, options: NearOptions, apart: Collection[Pair] = (), folder: str | Path | None = None) -> None:
        self._options = options
        self._apart = apart
        self._prompts = Corpus(folder)
        self._eval: list[_EvalPrompt] = []
        self._numbers_of: dict[str, list[int]] = {key: [] for pair in apart for key in pair}
        self._eval_of: dict[str, list[int]] = {key: [] for key in self._numbers_of}
        self.wrong_pairs: tuple[Pair, ...] = ()
        """After `search`: marked pairs of a row and an eval row whose prompts are too unlike for any search."""

    def close(self) -> None:
        """Gives the space on the disk back."""
        self._prompts.close()

    def add(self, row: int, item: Item) -> None:
        """Adds the prompt of a row; rows come in ascending order, and one without a sample has no prompt."""
        if item.sample is not None:
            self._prompts.add(row, item.prompt, NO_CONTENT, structured=item.sample.kind != "text")

    def see_key(self, key: str, row: int) -> None:
        """Notes the key of the row that was added last, if a marked pair names it."""
        numbers = self._numbers_of.get(key)
        if numbers is not None and len(self._prompts) and self._prompts.rows[-1] == row:
            numbers.append(len(self._prompts) - 1)

    def add_eval(self, sample: Sample, place: EvalPlace, entry: int, key: str) -> None:
        """Adds a sample of the eval files: its place, in the files and as a number, and its row's key."""
        self._eval.append(_EvalPrompt(prompt_text(sample), sample.kind != "text", place, entry, key))

    def search(self, tick: StageProgress) -> tuple[Leak, ...]:
        """The rows whose prompt equals no eval prompt but is similar to one, ascending.

        Args:
            tick: told progress; may raise to stop.
        """
        first_eval = len(self._prompts)
        if not self._eval or not first_eval:
            return ()
        for each in self._eval:
            self._prompts.add(0, each.text, NO_CONTENT, structured=each.structured)
        self._prompts.settle()
        for number, each in enumerate(self._eval, first_eval):
            if each.key in self._numbers_of:
                self._eval_of[each.key].append(number)
        self.wrong_pairs = tuple(self._wrong())
        apart = {numbers for pair in self._apart for numbers in self._numbers(pair)}
        leaks = []
        for number, (held, similarity) in find_leaks(self._prompts, first_eval, self._options, apart, tick).items():
            found = self._eval[held - first_eval]
            row, place = self._prompts.rows[number], found.place
            leaks.append(Leak(row, place.words, similarity, found.entry, found.key, place))
        return tuple(leaks)

    def _numbers(self, pair: Pair) -> Iterator[tuple[int, int]]:
        """The numbers of a marked pair's training prompts, each with those of its eval prompts."""
        for one, other in (pair, pair[::-1]):
            yield from product(self._numbers_of[one], self._eval_of[other])

    def _wrong(self) -> Iterator[Pair]:
        firsts, place = self._prompts.distinct()
        verify = Verifier(self._prompts, firsts, LEAST_THRESHOLD, (), lambda: None)
        for pair in sorted(self._apart):
            # Two training rows may be marked because of their answers.
            if all(self._numbers_of[key] for key in pair):
                continue
            places = [(int(place[one]), int(place[other])) for one, other in self._numbers(pair)]
            if places and not any(min(both) >= 0 and verify(*both) for both in places):
                yield pair


def find_leaks(
    corpus: Corpus, first_eval: int, options: NearOptions, apart: Collection[tuple[int, int]], tick: StageProgress
) -> dict[int, tuple[int, float]]:
    """Finds training prompts that are similar to an eval prompt and equal to none.

    Args:
        corpus: settled; the training prompts, then those of the eval files.
        first_eval: number of the first eval prompt.
        options: the threshold counts.
        apart: pairs of a training prompt and an eval prompt that are not duplicates; that holds for all prompts that
            equal one of them.
        tick: told progress; may raise to stop.

    Returns:
        Number of a training prompt to that of the eval prompt it is most similar to (the first of several), and their
        similarity.
    """
    firsts, place = corpus.distinct()
    # An eval prompt may equal a training prompt, which is then the first of its place.
    held: dict[int, int] = {}
    for number, at in enumerate(place[first_eval:].tolist(), first_eval):
        if at >= 0:
            held.setdefault(at, number)
    rest = sorted(set(place[:first_eval].tolist()).difference(held, (-1,)))
    if not held or not rest:
        return {}
    places_apart = {(min(pair), max(pair)) for pair in ((int(place[one]), int(place[other])) for one, other in apart)}
    verify = Verifier(corpus, firsts, options.threshold, places_apart, lambda: None)
    rarity = rarity_of(corpus, firsts)

    def on_progress(done: int, of: int) -> None:
        tick("comparing with the eval set", done, of)

    found = {
        other: (held[one], similarity)
        for one, other, similarity in closest(
            corpus, firsts, list(held), rest, verify, options.threshold, rarity, on_progress
        )
    }
    return {number: found[at] for number, at in enumerate(place[:first_eval].tolist()) if at in found}
