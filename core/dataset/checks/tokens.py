"""The flags that need a tokenizer: they come from the tokens and labels that training will see.

A scan does not make them: `core.runs.token_facts` does, from what the `measure` job has written.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.dataset.checks.base import Flag, FlagText
from core.dataset.flag_names import CONTROL_TOKENS, NOT_RENDERED

ZERO_TRAINED, CUT = "zero_trained", "cut"

TEXTS = (
    FlagText(
        NOT_RENDERED,
        "not rendered",
        "The row has tool calls, tool schemas, reasoning, media or answer text that the chosen chat template does not "
        "render, so the model would not be trained on it. A run does not start with such rows.",
        "a tool call, with a chat template that renders no tools",
        "Choose another `model.chat_template`, drop these rows (add `not_rendered` to `data.drop_flags`), or train "
        "without these parts (`data.train_without`).",
        "error",
    ),
    FlagText(
        CONTROL_TOKENS,
        "control tokens in text",
        "The text contains the tokenizer's special tokens. They would be trained on as control tokens, as if the "
        "conversation ended or a new turn began there.",
        '`{"prompt": "Hi", "completion": "Hello<|im_end|>"}`',
        "Remove the token from the text. To train on the row unchanged, keep it on Data, or remove `control_tokens` "
        "from `data.drop_flags`.",
        "error",
    ),
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
    trained: int,
    lost: int,
    lost_trained: int,
    *,
    problem: str = "",
    lost_text: str = "",
    of_text: int = 0,
    not_rendered: str = "",
    control: str = "",
) -> tuple[Flag, ...]:
    """The flags of one row.

    Args:
        trained: its trained tokens, after the cut.
        lost: tokens beyond the max length.
        lost_trained: how many of those would have been trained on.
        problem: why the row cannot be tokenized, or "".
        lost_text: what is lost, or its beginning and end.
        of_text: tokens of the whole row before the cut where it is plain text, which chunks keep whole; else 0.
        not_rendered: what it holds to train on that is not in the rendered text, or "".
        control: the special tokens in its text, or "".
    """
    flags = []
    if not_rendered:
        flags.append(Flag(NOT_RENDERED, f"not in the rendered text: {not_rendered}", severity="error"))
    if control:
        flags.append(Flag(CONTROL_TOKENS, f"the text contains {control}", severity="error"))
    if problem:
        return (*flags, Flag(ZERO_TRAINED, f"cannot be tokenized: {problem}", severity="error"))
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
