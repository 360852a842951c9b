"""Rows whose text is nearly that of another row, or of the eval set. They need all rows, and run on request alone."""

from __future__ import annotations

from collections.abc import Iterator

from core.dataset.checks.base import Check, Flag
from core.dataset.item import Item
from core.units import percent


class NearDuplicate(Check):
    """A row that can go because of one that stays and is nearly the same."""

    name = "near_duplicate"
    title = "near-duplicate"
    help = (
        "A row that is kept has nearly the same text, so this one counts twice in training and can leak "
        "across the split."
    )
    example = '`"Reset my password."` and `"Reset my password, please."`'
    advice = (
        "Compare the two on the Duplicates screen, then drop the removable rows, or add `near_duplicate` to "
        "`data.drop_flags`. Only a near-duplicate search sets this flag."
    )

    def inspect(self, item: Item) -> Flag | None:
        """Hands the row over to the search."""
        if self.context.near is not None:
            self.context.near.take(item)
        return None

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Names the row that stays and the similarity; rows that are equal to it are the other checks'."""
        near = self.context.near
        if near is None:
            return
        for number, cluster in enumerate(near.result.clusters, 1):
            for drop in cluster.drop:
                if not near.same_text(drop.row, drop.because_of):
                    reason = f"{percent(drop.similarity)} similar to row {drop.because_of + 1:,}"
                    where = f"cluster {number:,} of {len(cluster.rows):,} rows"
                    yield drop.row, self.flag(f"{reason}, {where}", drop.because_of, drop.similarity)


class LeakNear(Check):
    """A prompt that is nearly one of the eval set."""

    name = "leak_near"
    title = "near leak into the eval set"
    help = "A very similar prompt is in the eval set, so the eval score would reward memorizing."
    example = '`"What is 2+2?"` here, `"What is 2 + 2 ?"` in the eval file'
    advice = (
        "Compare the two on the Duplicates screen, then drop the row, or add `leak_near` to "
        "`data.drop_flags`. Only a near-duplicate search with an eval file sets this flag."
    )
    severity = "error"

    def inspect(self, item: Item) -> Flag | None:
        """Hands the prompt over to the search."""
        if self.context.near is not None:
            self.context.near.take_prompt(item)
        return None

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Names the place in the eval files and the similarity."""
        if self.context.near is not None:
            for leak in self.context.near.result.leaks:
                reason = f"{percent(leak.similarity)} similar to the prompt in {leak.place}"
                yield leak.row, self.flag(reason, similarity=leak.similarity, place=leak.eval_place)
