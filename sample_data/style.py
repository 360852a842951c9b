"""The house style of the sample data, as a check that a machine can make. Standard library only."""

from __future__ import annotations

import re

GREETING = "Hello from Pennywren."
SIGN_OFF = "Best wishes, the Pennywren desk"
MAX_SENTENCES = 2

# A sentence ends with a period, question mark or exclamation mark before whitespace or the end:
# `desk@pennywren.example` and `2.5` hold none.
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")


def dress(body: str) -> str:
    """An answer in the house style: greeting, body and sign-off, a line each."""
    return f"{GREETING}\n{body}\n{SIGN_OFF}"


def body_of(answer: str) -> str | None:
    """The line between greeting and sign-off, or None where one of them is missing or there are more lines."""
    lines = answer.strip().split("\n")
    if len(lines) != 3 or lines[0] != GREETING or lines[2] != SIGN_OFF:
        return None
    return lines[1]


def in_house_style(answer: str) -> bool:
    """Whether an answer has the greeting, one or two whole sentences on one line, the sign-off and nothing else.

    White space around the answer as a whole is ignored; everything else must be right to the letter.
    """
    body = body_of(answer)
    if body is None or body != body.strip() or not body[:1].isupper() or body[-1] not in ".!?":
        return False
    return len(_SENTENCE_END.findall(body)) <= MAX_SENTENCES
