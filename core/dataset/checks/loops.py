"""Text that goes round in circles, as the output of a model that got stuck does."""

from __future__ import annotations

from core.dataset.checks.base import Check, Flag
from core.dataset.item import Item

_STRIDE = 160
_PROBE = 24
_LONGEST_PERIOD = 256
_FEWEST_ROUNDS = 4
_FEWEST_CHARACTERS = 200
_FEWEST_LETTERS = 3


class RepetitionLoop(Check):
    """The same words over and over, one round directly after the other."""

    name = "repetition_loop"
    title = "repetition loop"
    help = "The same words at least four times in a row, for 200 characters or more: it teaches the model to get stuck."
    example = "`I am sorry. I am sorry. I am sorry. ...`"
    advice = "Drop the row: it is usually the output of a model that got stuck."

    def inspect(self, item: Item) -> Flag | None:
        """Looks from every 160th character whether the text there soon repeats, and keeps repeating."""
        text = item.normalized
        known = 0  # up to here stands a stretch that was found to be none: looking into it again would take for ever
        for at in range(0, len(text) - _FEWEST_CHARACTERS + _STRIDE, _STRIDE):
            if at < known:
                continue
            again = text.find(text[at : at + _PROBE], at + 1, at + _LONGEST_PERIOD + _PROBE)
            if again < 0:
                continue
            period = again - at
            first, end = _bounds(text, at, period)
            known = end - _PROBE - period
            rounds = (end - first) // period
            unit = text[first : first + period]
            if rounds < _FEWEST_ROUNDS or end - first < _FEWEST_CHARACTERS:
                continue
            if sum(map(str.isalpha, unit)) * _FEWEST_LETTERS >= period and any(map(str.isalpha, unit)):
                return self.flag(f"{unit.strip()[:60]!r} {rounds:,} times in a row")
        return None


def _bounds(text: str, at: int, period: int) -> tuple[int, int]:
    """Where the stretch of this period around `at` begins and ends."""
    end = at + period + _PROBE
    while end < len(text) and text[end] == text[end - period]:
        end += 1
    first = at
    while first > 0 and text[first - 1] == text[first - 1 + period]:
        first -= 1
    return first, min(end, len(text))
