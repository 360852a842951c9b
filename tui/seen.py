"""A key decides only about what the terminal showed when it was typed.

Keys that are typed ahead wait until the program gets to them. By then the screen may be another one, or its cursor on
another row: such a key would drop a row, or answer a question, that nobody has seen.

A screen names what it shows (`StepScreen.pictured`) and what a deciding key is about (`StepScreen.aim`);
`Command.decides` says which keys those are. With each picture that it sends, the app notes since when each thing has
been there.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Press:
    """A key as it was meant.

    Attributes:
        aim: what it was about when the program got to it.
        typed: when it was typed; infinity for a click or a choice from the palette, which follow a picture.
    """

    aim: Hashable
    typed: float = inf


NO_KEY = Press(None)
"""A decision that was not made by a key about what is shown."""


class Seen:
    """Since when what can be decided about has been on the terminal without a break."""

    def __init__(self) -> None:
        self._since: dict[Hashable, float] = {}

    def picture(self, things: Iterable[Hashable], now: float) -> None:
        """Note that the terminal shows these things from now on, and nothing else."""
        self._since = {thing: self._since.get(thing, now) for thing in things}

    def by(self, thing: Hashable, moment: float) -> bool:
        """Whether a thing had been shown by a moment, and is still there."""
        return self._since.get(thing, inf) <= moment

    def meant(self, press: Press, aim: Hashable) -> bool:
        """Whether a key that had to wait may decide about what its screen is aimed at now."""
        return aim == press.aim or self.by(aim, press.typed)
