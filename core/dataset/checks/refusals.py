"""Answers that decline in the words that every chatbot uses."""

from __future__ import annotations

import re

from core.dataset.checks.base import Check, Flag
from core.dataset.item import Item

_HEAD = 320
_NOT = r"(?:can't|cannot|can not|won't|will not|am unable to|'m unable to|am not able to|'m not able to)"
_ACT = (
    r"(?:\w+ )?(?:access|answer|assist|book|browse|complete|comply|create|discuss|do that|engage|fulfil|generate|"
    r"give you|help|make (?:a )?(?:reservation|booking|call)s?|offer|order|participate|perform|process|provide|share|"
    r"support|write)\b"
)
_MODEL = r"as an? (?:ai|artificial intelligence|language model)\b(?: language)?(?: model| assistant)?"
_SORRY = r"(?:(?:i'm|i am) (?:\w+ )?sorry|sorry|(?:i|my) apolog\w+)(?: for (?:the|any|your)[^.,]{0,40})?[,.]? (?:but )?"


class Refusal(Check):
    """A boilerplate refusal or disclaimer of an assistant."""

    name = "refusal"
    title = "boilerplate refusal"
    help = 'The answer refuses or disclaims in stock phrases ("As an AI language model ..."), which teaches refusing.'
    example = "`\"I'm sorry, but I can't help with that.\"`"
    advice = "Keep it if this prompt should be refused. Otherwise write an answer or drop the row."
    severity = "note"

    _PATTERN = re.compile(
        rf"\b{_MODEL},? ?(?:created by \w+, )?(?:i|it|my)\b ?"
        rf"(?:do not|don't|{_NOT}|'m not|am not|is not|have no|(?:'m|am) designed|capabilit)"
        rf"|^{_SORRY}(?:unfortunately,? )?(?:{_MODEL}|i ?{_NOT} {_ACT}|i (?:do not|don't) have (?:access|the |real))"
        rf"|^(?:unfortunately,? )?i ?{_NOT} (?:\w+ )?(?:assist|comply|engage|fulfil|help you|participate|provide)\b"
        r"|作为(?:一个|一名|一种|一款)?(?:人工智能|ai)[^。，]{0,12}，?我?(?:无法|不能|没有|并没有|不具备|不会)"
        r"|^(?:很抱歉|非常抱歉|对不起|抱歉)[，,]?(?:但)?(?:作为[^。，]{0,16}，)?我(?:无法|不能)"
    )

    # What the pattern finds holds one of these, or begins like one of the others: most answers are told apart by that.
    _ANYWHERE = ("as an ai", "as a ai", "artificial intelligence", "language model", "作为")
    _BEGINNINGS = (
        "i ", "i'm", "ic", "iw", "iam", "sorry", "my apolog", "unfortunately",
        "很抱歉", "非常抱歉", "对不起", "抱歉",
    )  # fmt: skip

    def inspect(self, item: Item) -> Flag | None:
        """Quotes the phrase; the rejected answer of a pair may refuse as it likes."""
        for turn in item.conversation:
            if turn.role != "assistant":
                continue
            head = turn.content[:_HEAD].lower().replace("’", "'").lstrip()
            if not (head.startswith(self._BEGINNINGS) or any(map(head.__contains__, self._ANYWHERE))):
                continue
            if found := self._PATTERN.search(head):
                return self.flag(f"the assistant says {found.group()[:80]!r}")
        return None
