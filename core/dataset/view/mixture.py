"""Mixing further sources in: what share of the training set each is to have, and which of its samples make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.dataset.flag_names import UNREADABLE
from core.dataset.view.split import in_order


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one source gives to the training set.

    Attributes:
        path: the file or folder.
        share: of the training set's samples, 0 to 1, as it has come out.
        rows: rows that the source has.
        available: samples of it that may be trained on.
        samples: samples of it that are trained on in an epoch, repeated ones counted.
        mixed: whether it was mixed in by a share, rather than being the dataset's own.
        dropped: reason to number of its rows.
    """

    path: str
    share: float
    rows: int
    available: int
    samples: int
    mixed: bool
    dropped: Mapping[str, int]

    @property
    def words(self) -> str:
        """What was done to it, a phrase."""
        if not self.mixed:
            missing = self.dropped.get(UNREADABLE, 0)
            return "all samples, once each" + (f"; {missing:,} unreadable rows skipped" if missing else "")
        if self.samples <= self.available:
            return f"{self.samples:,} of {self.available:,} samples, drawn with the seed"
        least, more = divmod(self.samples, self.available)
        times = f"{least} to {least + 1} times" if more else f"{least} times"
        return f"{self.available:,} samples, repeated {times} each"

    def to_json(self) -> dict[str, Any]:
        """As it stands in the view's manifest."""
        return {
            "path": self.path,
            "share": self.share,
            "rows": self.rows,
            "available": self.available,
            "samples": self.samples,
            "mixed": self.mixed,
            "dropped": dict(self.dropped),
            "words": self.words,
        }


def wanted(own: int, shares: Sequence[float]) -> list[int]:
    """How many samples each further source is to give, so that it has its share of the whole.

    Args:
        own: samples of the dataset itself, which are all kept.
        shares: of the further sources, each more than 0, less than 1 together.
    """
    whole = own / (1 - sum(shares))
    return [max(1, round(whole * share)) for share in shares]


def drawn(keys: Sequence[str], places: Sequence[int], count: int, seed: int) -> dict[int, int]:
    """Which samples are taken, and how often each.

    Args:
        keys: of the samples that may be taken.
        places: their numbers.
        count: how many are wanted; more than there are repeat them evenly.
        seed: another seed draws others; with more wanted the same ones are among them.

    Returns:
        Number of the sample to how often it is taken.
    """
    order = in_order(keys, seed)
    times, more = divmod(count, len(order))
    found = {places[at]: times + (rank < more) for rank, at in enumerate(order)}
    return {place: often for place, often in found.items() if often}
