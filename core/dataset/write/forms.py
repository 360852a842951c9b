"""Samples as rows of a file that this program, and others, read back as the same samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from core.dataset.sample import Message, Sample


def as_row(sample: Sample) -> dict[str, Any]:
    """The sample as a row of JSONL, which reads back as the same sample.

    It has `messages`; `text`; `prompt` alone, or with `chosen` and `rejected`, or with `completion` and `label`; and
    `tools`.
    """
    if sample.kind == "text":
        return {"text": sample.text}
    tools = {"tools": list(sample.tools)} if sample.tools else {}
    if sample.kind == "prompt":
        return {"prompt": _turns(sample.messages), **tools}
    if sample.kind == "messages":
        return {"messages": _turns(sample.messages), **tools}
    if sample.kind == "preference":
        return {
            "prompt": _turns(sample.messages),
            "chosen": _turns(sample.chosen),
            "rejected": _turns(sample.rejected),
            **tools,
        }
    return {
        "prompt": _turns(sample.messages),
        "completion": _turns(sample.chosen),
        "label": bool(sample.label),
        **tools,
    }


def as_cells(sample: Sample) -> dict[str, Any]:
    """The sample as a row of Parquet: as `as_row`, with tools and tool calls as JSON text.

    Columns of Parquet have one shape in all rows; the arguments of calls and the parameters of tools have many.
    """
    row = as_row(sample)
    for name in ("messages", "prompt", "chosen", "rejected", "completion"):
        for turn in row.get(name, ()):
            if "tool_calls" in turn:
                turn["tool_calls"] = json.dumps(turn["tool_calls"], ensure_ascii=False)
    if "tools" in row:
        row["tools"] = json.dumps(row["tools"], ensure_ascii=False)
    return row


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [_turn(message) for message in messages]


def _turn(message: Message) -> dict[str, Any]:
    """A turn with the flags that other tools read for what carries no loss: `weight` (OpenAI), `train` (axolotl)."""
    turn = message.to_json()
    if turn.pop("trained", True) is False:
        turn.update(weight=0, train=False)
    if spans := turn.pop("untrained", None):
        turn["train_detail"] = [{"begin_offset": start, "end_offset": end - 1, "train": False} for start, end in spans]
    return turn
