"""What a random sample says about the whole dataset: an interval, never a single number."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, sqrt

_Z = 1.959964
"""Standard deviations on both sides that hold 95%."""


@dataclass(frozen=True, slots=True)
class BadShare:
    """How many of the rows that were read are bad, and what that says about all of them.

    Attributes:
        bad: rows that were dropped.
        read: rows that were decided.
        of: rows that the sample stands for.
    """

    bad: int
    read: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """The share of rows to drop among all of them, as fractions: the lower and the upper end, at 95% confidence.

        The score interval of E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
        Journal of the American Statistical Association 22 (1927): unlike the normal approximation it holds for few
        rows and for none bad. Where all rows were read, both ends are the share itself.
        """
        if not self.read:
            return 0.0, 1.0
        share = self.bad / self.read
        if self.read >= self.of:
            return share, share
        square = _Z * _Z / self.read
        middle = (share + square / 2) / (1 + square)
        half = _Z * sqrt(share * (1 - share) / self.read + square / self.read / 4) / (1 + square)
        return max(0.0, middle - half), min(1.0, middle + half)

    @property
    def range(self) -> str:
        """The interval in whole percents, rounded outward: `1-9%`."""
        low, high = self.interval
        first, last = floor(round(low * 100, 9)), ceil(round(high * 100, 9))
        if low == high:
            return f"{low:.0%}" if first == last else f"{low:.1%}"
        return f"{first}-{last}%"

    @property
    def words(self) -> str:
        """As `3 of 100 bad: 1-9% of the set`; `nothing read yet` before the first."""
        if not self.read:
            return "nothing read yet"
        return f"{self.bad:,} of {self.read:,} bad: {self.range} of the set"
