"""Think tags that are torn or hold nothing: the model would learn to think so."""

from __future__ import annotations

import re

from core.dataset.checks.base import Check, Flag
from core.dataset.item import Item

_TAG = re.compile(r"(?<![`'\"])<(/?)(?:think|thinking)>(?!`)", re.IGNORECASE)
"""A tag that is not quoted: an answer may be about think tags."""


class ThinkBlock(Check):
    """An answer with an empty think block, or with a think tag that has no counterpart."""

    name = "think_block"
    title = "empty or broken thinking"
    help = (
        "An answer has an empty think block, or a `<think>` or `</think>` tag without its counterpart, so the model "
        "would learn to skip thinking or to write the tag as text."
    )
    example = '`{"prompt": "6+6?", "completion": "Six and six.\\n</think>\\n\\n12"}`'
    advice = "Complete the tags, or remove the block. If the chat template adds the opening tag, keep the row."

    def inspect(self, item: Item) -> Flag | None:
        """Names the first such turn."""
        if item.sample is None:
            return None
        if item.sample.kind == "text":
            fault = _fault(item.sample.text)
            return self.flag(fault) if fault else None
        for number, turn in enumerate(item.turns, 1):
            if turn.role != "assistant":
                continue
            if turn.reasoning and not turn.reasoning.strip():
                return self.flag(f"turn {number} (assistant) has an empty think block")
            if "think" in turn.content.lower() and (fault := _fault(turn.content)):
                return self.flag(f"turn {number} (assistant) has {fault}")
        return None


def _fault(text: str) -> str:
    """What is wrong with the think tags of a text, or ""; an opening tag counts only where the text begins with it."""
    opened: re.Match[str] | None = None
    for tag in _TAG.finditer(text):
        if not tag.group(1):
            opened = tag if opened is None else opened
        elif opened is None:
            return f"{tag.group()} without an opening tag"
        elif not text[opened.end() : tag.start()].strip():
            return "an empty think block"
        else:
            opened = None
    left = opened is not None and not text[: opened.start()].strip()
    return f"{opened.group()} without a closing tag" if opened is not None and left else ""
