"""Takes rows as a scan passes them, and searches when it has seen all."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from core.dataset.eval_place import EvalPlace
from core.dataset.item import Item
from core.dataset.near.corpus import Corpus
from core.dataset.near.fields import answer_text, compared, system_text
from core.dataset.near.kept import SearchCache
from core.dataset.near.leaks import LeakSearch
from core.dataset.near.result import Fields, NearOptions, NearResult, StageProgress
from core.dataset.near.search import find_clusters, no_tick
from core.dataset.near.shared import Shared
from core.dataset.sample import Sample


class Gatherer:
    """The rows of one scan, for the search after it. Use it as a context manager: it holds files.

    Args:
        options: what counts as a near-duplicate.
        apart: pairs of row keys that the user has said are no duplicates.
        folder: where the texts lie meanwhile; None for the system's place for temporary files.
    """

    def __init__(
        self,
        options: NearOptions,
        apart: Collection[tuple[str, str]] = (),
        folder: str | Path | None = None,
    ) -> None:
        self.options = options
        self.result = NearResult(options, ())
        """What was found, once `search` has ended."""
        self.folder = folder
        self.tick: StageProgress = no_tick
        """Told progress; that of `search`, once this was called."""
        self._apart = apart
        self._rows_of: dict[str, int | None] = {key: None for pair in apart for key in pair}
        self._texts = Corpus(folder)
        self._leaks = LeakSearch(options, apart, folder)
        self._kept = SearchCache(folder)

    def __enter__(self) -> Gatherer:
        return self

    def __exit__(self, *_: object) -> None:
        self._texts.close()
        self._leaks.close()

    @property
    def shared(self) -> Shared:
        """What was removed from the texts, once `search` has ended."""
        return self._texts.shared

    def add_eval(self, sample: Sample, place: EvalPlace, entry: int, key: str) -> None:
        """Notes a sample of the eval files, where it stands, in the files and as a number, and its row's key."""
        self._leaks.add_eval(sample, place, entry, key)

    def see_key(self, key: str, row: int) -> None:
        """Notes the row of a key that some pair names; to be called after the row was taken."""
        if key in self._rows_of:
            self._rows_of[key] = row
            self._leaks.see_key(key, row)

    @property
    def needs_keys(self) -> bool:
        """Whether `see_key` is to be called."""
        return bool(self._rows_of)

    def take(self, item: Item) -> None:
        """Takes the text of a row."""
        add_row(self._texts, item, self.options.fields)

    def take_prompt(self, item: Item) -> None:
        """Takes the prompt of a row, which may be near to one of the eval files."""
        self._leaks.add(item.row, item)

    def search(self, tick: StageProgress) -> NearResult:
        """Searches what was taken.

        Args:
            tick: told progress; may raise to stop.
        """
        self.tick = tick
        excluded = self._texts.settle()
        clusters = find_clusters(self._texts, self.options, self._pairs_apart(), tick, kept=self._kept)
        leaks = self._leaks.search(tick)
        self.result = NearResult(self.options, clusters, tuple(excluded), leaks, self._leaks.wrong_pairs)
        return self.result

    def text(self, row: int) -> str:
        """What was compared of a row, with all that it shares with others."""
        return self._texts.full(self._texts.number(row))

    def same_text(self, row: int, other: int) -> bool:
        """Whether all that was compared of two rows is the same: then another check speaks of it."""
        return self.options.fields in ("all", "whole") and self._texts.same(
            self._texts.number(row), self._texts.number(other)
        )

    def _pairs_apart(self) -> set[tuple[int, int]]:
        rows = ((self._rows_of[first], self._rows_of[second]) for first, second in self._apart)
        numbers = [
            (self._texts.number(one), self._texts.number(other))
            for one, other in rows
            if one is not None and other is not None
        ]
        return {(min(pair), max(pair)) for pair in numbers}


def add_row(corpus: Corpus, item: Item, fields: Fields) -> None:
    """Adds to a corpus what of a row is compared; nothing of an unreadable row."""
    sample = item.sample
    if sample is None:
        return
    structured = sample.kind != "text" and fields != "whole"
    with_ends = structured and fields == "all"
    corpus.add(
        item.row,
        compared(item, fields),
        item.content,
        system=system_text(sample) if with_ends else "",
        answer=answer_text(sample) if with_ends else "",
        structured=structured,
    )
