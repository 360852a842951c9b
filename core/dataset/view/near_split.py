"""Splitting train from eval so that no eval prompt is trained on, nor anything similar to one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from core.dataset.near.families import Families, Joined
from core.dataset.near.result import LEAST_THRESHOLD, StageProgress
from core.dataset.synthetic import NAME
from core.dataset.view.selection import Selection
from core.dataset.view.split import by_prompt, deal, labeled
from core.errors import BadInput

LIKE_EVAL = "like_eval"
"""Why a sample is dropped that must not be held out but is similar to one that is."""


@dataclass(frozen=True, slots=True)
class NearSplit:
    """How the samples are split into a training and an eval set.

    Attributes:
        fraction: share of the samples that is held out where there are no eval files, 0 to below 1.
        seed: of that choice, and of what is drawn from a source that is mixed in.
        near: samples at least this similar stay on one side, 0.5 to 1; 0 compares prompts for equality only.
        stratify: what is represented in the eval set in proportion: `answer`, `source` or a column; "" for nothing.
        synthetic: what marks rows that are never held out, see `core.dataset.synthetic.marker`.
    """

    fraction: float = 0.1
    seed: int = 0
    near: float = 0.0
    stratify: str = ""
    synthetic: str = NAME

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            what = f"the eval fraction is {self.fraction}"
            raise BadInput(what, do="Set it to at least 0 and below 1, such as 0.1")
        if self.near and not LEAST_THRESHOLD <= self.near <= 1:
            raise BadInput(
                f"the near-duplicate split threshold is {self.near:g}",
                do=f"Set it to {LEAST_THRESHOLD:g} to 1, such as 0.8; 0 compares prompts for equality only",
            )


class Sides:
    """Which samples are held out, over all selections of a view: the dataset's own first, then those mixed in.

    Args:
        selections: of the dataset, and of each source that is mixed in.
        near_split: how they are split.
    """

    def __init__(self, selections: Sequence[Selection], near_split: NearSplit) -> None:
        self._near_split = near_split
        self._own = len(selections[0])
        self._count = sum(map(len, selections))
        gone: list[int] = []
        first = 0
        for selection in selections:
            gone += [first + place for place in selection.gone]
            first += len(selection)
        self._gone = frozenset(gone)
        self._prompts = [prompt for each in selections for prompt in each.prompts]
        self._contents = [content for each in selections for content in each.contents]
        self._strata = (
            [stratum for each in selections for stratum in each.strata] if near_split.stratify.strip() else []
        )
        self._barred = [
            place in self._gone or place >= self._own or selections[0].synthetic[place] for place in range(self._count)
        ]
        self.held = [False] * self._count
        """For each sample, whether its group is held out."""

    @property
    def held_count(self) -> int:
        """How many samples are held out."""
        return sum(held and not barred for held, barred in zip(self.held, self._barred, strict=True))

    @property
    def why_none(self) -> str:
        """Why nothing is held out although a fraction was asked for, a sentence."""
        if all(self._barred[: self._own]):
            return "Nothing is held out: every sample is synthetic, and synthetic samples are never held out."
        if self._near_split.near:
            return (
                f"Nothing is held out: pairs that are {self._near_split.near:.0%}+ similar link all samples, so all "
                "stay in the training set. Raise data.split_near, or set it to 0 to compare prompts only."
            )
        return "Nothing is held out: all samples have the same prompt."

    def deal(self, families: Families | None, tick: StageProgress) -> None:
        """Decides what is held out.

        Where near-duplicates stay together, groups come from sketches, which may miss a pair; so each pair across the
        two sides is looked for exactly, and where there is one its groups are joined and dealt again.

        Args:
            families: knows which samples are similar; None where only equal prompts stay together.
            tick: told progress; may raise to stop.
        """
        if families is None:
            digests = by_prompt(self._prompts, self._contents)
            self._deal(labeled(digests), digests)
            return
        joined = Joined(self._count)
        for first, label in enumerate(families.labels(tick)[: self._count]):
            joined.join(first, min(label, first))
        same: dict[bytes, int] = {}
        for place, prompt in enumerate(self._prompts):
            joined.join(same.setdefault(prompt, place), place)
        live = [place for place in range(self._count) if place not in self._gone]
        before: dict[int, bool] = {}
        while True:
            self._deal(joined.labels(), self._prompts)
            sides = {place: self.held[place] for place in live if not (self.held[place] and self._barred[place])}
            # What has stayed on its side was compared with all else that has.
            moved = [place for place, held in sides.items() if before.get(place) is not held]
            missed = False
            for held, rest in _to_compare(sides, moved):
                for first, second, _ in families.across(held, rest, tick):
                    joined.join(first, second)
                    missed = True
            if not missed:
                return
            before = sides

    def bar(self, selection: Selection, first: int) -> None:
        """Drops samples that must not be held out but belong to a group that is.

        Args:
            selection: one of those given at first.
            first: number of its first sample among all.
        """
        for place in range(len(selection)):
            if self.held[first + place] and self._barred[first + place] and first + place not in self._gone:
                what = "synthetic" if first < self._own else "mixed in"
                selection.always_drop(place, LIKE_EVAL, f"{what}, and similar to a sample in the eval set")

    def _deal(self, labels: Sequence[int], digests: Sequence[bytes]) -> None:
        near_split = self._near_split
        self.held = deal(
            labels, digests, near_split.fraction, near_split.seed, strata=self._strata, barred=self._barred
        )


def _to_compare(sides: Mapping[int, bool], moved: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Pairs of one side's samples with the other's, so that each sample that has moved meets all others once."""
    new = frozenset(moved)
    yield [place for place in moved if sides[place]], [place for place, held in sides.items() if not held]
    unmoved = [place for place, held in sides.items() if held and place not in new]
    yield unmoved, [place for place in moved if not sides[place]]


def numbers_apart(keys: Iterable[str], apart: Collection[tuple[str, str]]) -> Iterator[tuple[int, int]]:
    """The samples that the user has marked as not duplicates.

    Args:
        keys: of the rows of all samples, in the order of their numbers; a row may stand in several files.
        apart: pairs of keys.

    Yields:
        Pairs of numbers.
    """
    if not apart:
        return
    numbers: dict[str, list[int]] = {key: [] for pair in apart for key in pair}
    for number, key in enumerate(keys):
        if key in numbers:
            numbers[key].append(number)
    for one, other in apart:
        yield from product(numbers[one], numbers[other])


def near_drops(families: Families, selections: Sequence[Selection], tick: StageProgress) -> None:
    """Drops near-duplicates, each because of a sample that is kept; what the user has kept stays."""
    for cluster in families.clusters(tick):
        for drop in cluster.drop:
            selection, place = located(selections, drop.row)
            because, other = located(selections, drop.because_of)
            if other not in because.gone:
                reason = f"{drop.similarity:.0%} similar to row {because.rows_kept[other] + 1:,}"
                selection.drop(place, "near_duplicate", reason)


def located(selections: Sequence[Selection], number: int) -> tuple[Selection, int]:
    """The selection that a sample belongs to, and its number there."""
    for selection in selections:
        if number < len(selection):
            return selection, number
        number -= len(selection)
    raise IndexError(number)
