"""Which samples are a prompt and a completion that can be joined as plain text, without a chat template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from core.dataset.sample import Message


def why_no_plain_prompt(turns: Sequence[Message], tools: Sequence[dict[str, Any]] = ()) -> str:
    """Why turns before an answer are no plain prompt, as what they hold: `3 turns before the completion`; "" if so."""
    if more := why_no_plain_text(turns, tools):
        return more
    if len(turns) == 1 and turns[0].role == "user":
        return ""
    if not turns:
        return "no prompt"
    if len(turns) == 1:
        return f"a {turns[0].role} turn as its prompt"
    roles = ", ".join(turn.role for turn in turns[:6])
    return f"{len(turns)} turns before the completion ({roles}{', ...' if len(turns) > 6 else ''})"


def why_no_plain_pair(turns: Sequence[Message], tools: Sequence[dict[str, Any]] = ()) -> str:
    """Why turns are no plain prompt with its completion, as what they hold or lack; "" if they are."""
    if not turns or turns[-1].role != "assistant":
        return "no completion at the end"
    return why_no_plain_text(turns, tools) or why_no_plain_prompt(turns[:-1])


def why_no_plain_text(turns: Iterable[Message], tools: Sequence[dict[str, Any]]) -> str:
    """What turns hold besides their texts, in words, or ""."""
    if tools:
        return "tool definitions"
    for turn in turns:
        if turn.tool_calls or turn.role == "tool":
            return "tool calls"
        if turn.reasoning:
            return "reasoning separate from the answer"
    return ""


def runs_together(prompt: str, completion: str) -> bool:
    """Whether the last word of a prompt and the first of its completion would become one."""
    return bool(prompt and completion) and prompt[-1].isalnum() and completion[0].isalnum()
