"""The flags that no text tells: they come from the tokens and labels that training will see.

They are no checks of a scan: `core.runs.token_facts` makes them from what the `measure` job has written.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.dataset.checks.base import Flag

ZERO_TRAINED, CUT = "zero_trained", "cut"

TITLES: Mapping[str, str] = {ZERO_TRAINED: "zero trained tokens", CUT: "cut off at max length"}
"""Name to title, as `Check.title`."""

HELP: Mapping[str, str] = {
    ZERO_TRAINED: "No token of the row carries loss, so nothing is learned from it and training leaves it out.",
    CUT: "The row is longer than the max length: the model never sees its end, often the end of the answer.",
}
"""Name to help, as `Check.help`."""


def token_flags(
    trained: int, lost: int, lost_trained: int, *, problem: str = "", lost_text: str = ""
) -> tuple[Flag, ...]:
    """The flags of one row.

    Args:
        trained: its tokens that carry loss, after the cut.
        lost: tokens that the cut takes away.
        lost_trained: of those, how many would have carried loss.
        problem: why the row cannot become tokens, or "".
        lost_text: what the cut takes away, or its beginning and end.
    """
    if problem:
        return (Flag(ZERO_TRAINED, f"it cannot become tokens: {problem}", severity="error"),)
    flags = []
    if not trained:
        why = "the whole answer lies beyond the max length" if lost_trained else "no token carries loss"
        flags.append(Flag(ZERO_TRAINED, f"{why}, so nothing is learned from it", severity="error"))
    if lost:
        said = f" “{lost_text}”" if lost_text else ""
        learned = f", {lost_trained:,} of them trained" if lost_trained else ", none of them trained"
        flags.append(Flag(CUT, f"{lost:,} token{'s' * (lost != 1)} lost{learned}:{said}".removesuffix(":")))
    return tuple(flags)
