"""The flags that need a tokenizer: they come from the tokens and labels that training will see.

A scan does not make them: `core.runs.token_facts` does, from what the `measure` job has written.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.dataset.checks.base import Flag, FlagText

ZERO_TRAINED, CUT = "zero_trained", "cut"

TEXTS = (
    FlagText(
        ZERO_TRAINED,
        "no trained tokens",
        "No token of the row is trained on, so nothing is learned from it, and training skips the row.",
        "an answer that begins after the max length",
        "Raise `data.max_length` if the answer was cut off. Otherwise drop the row, or fix what the chat template "
        "rejects.",
        "error",
    ),
    FlagText(
        CUT,
        "longer than max length",
        "The row has more tokens than the max length; the tokens beyond it, often the end of the answer, are lost.",
        "9,310 tokens at a max length of 2,048",
        "Raise `data.max_length`, shorten or split the row, or drop it. Plain text: `data.chunk_text` trains on all of "
        "it, in chunks.",
        "warning",
    ),
)
"""What is said about the flags."""

TITLES: Mapping[str, str] = {text.name: text.title for text in TEXTS}
"""Name to title, as `Check.title`."""


def token_flags(
    trained: int, lost: int, lost_trained: int, *, problem: str = "", lost_text: str = "", of_text: int = 0
) -> tuple[Flag, ...]:
    """The flags of one row.

    Args:
        trained: its trained tokens, after the cut.
        lost: tokens beyond the max length.
        lost_trained: how many of those would have been trained on.
        problem: why the row cannot be tokenized, or "".
        lost_text: what is lost, or its beginning and end.
        of_text: tokens of the whole row before the cut where it is plain text, which chunks keep whole; else 0.
    """
    if problem:
        return (Flag(ZERO_TRAINED, f"cannot be tokenized: {problem}", severity="error"),)
    flags = []
    if not trained:
        why = "the whole answer is beyond the max length" if lost_trained else "no token is trained on"
        flags.append(Flag(ZERO_TRAINED, f"{why}, so nothing is learned from this row", severity="error"))
    if lost:
        said = f" “{lost_text}”" if lost_text else ""
        if of_text:
            used = f"uses the first {of_text - lost:,} of {of_text:,} tokens; data.chunk_text trains on all, in chunks"
            return (*flags, Flag(CUT, f"{used}:{said}".removesuffix(":")))
        learned = f", {lost_trained:,} of them trained" if lost_trained else ", none of them trained"
        flags.append(Flag(CUT, f"{lost:,} token{'s' * (lost != 1)} lost{learned}:{said}".removesuffix(":")))
    return tuple(flags)
