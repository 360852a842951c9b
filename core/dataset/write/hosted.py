"""The form that hosted fine-tuning services take: OpenAI's chat and preference JSONL, and its published rules.

The rules are those of the guides on supervised fine-tuning and direct preference optimization and of the API reference
(fine-tuning chat and preference input). Other services take the same chat form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.dataset.sample import Message, Sample

LEAST_EXAMPLES = 10
MOST_BYTES = 512 * 10**6
"""A file's size that the service takes."""

MOST_TOKENS = 65_536
"""Tokens of an example that the service trains on; it cuts what is longer."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ROLES = ("system", "user", "assistant", "tool")
_MOST_TOOLS = 128


class NotHosted(ValueError):
    """A sample that the services do not take; its text is the reason, as a phrase."""


def as_hosted(sample: Sample) -> dict[str, Any]:
    """The sample as a line of the chat form, or of the preference form.

    Thinking has no place in these forms and is omitted.

    Raises:
        NotHosted: the sample cannot be written so, or breaks a rule.
    """
    if sample.kind == "text":
        raise NotHosted("plain text; hosted services train on conversations")
    if sample.kind == "prompt":
        raise NotHosted("a prompt without an answer; hosted services train on answers")
    if sample.kind == "kto":
        raise NotHosted("one labeled answer (KTO); hosted services accept conversations or pairs of answers")
    for turn in (*sample.messages, *sample.chosen, *sample.rejected):
        if turn.media:
            raise NotHosted(f"it has {', '.join(turn.media)} beside the text; this format exports text only")
        if turn.untrained:
            raise NotHosted("only parts of an answer carry loss; hosted services support one weight per message")
    numbering = _Calls(sample.messages)
    if sample.kind == "messages":
        row: dict[str, Any] = {"messages": [_turn(turn, numbering) for turn in sample.messages]}
        context = row
    else:
        context = {"messages": [_turn(turn, numbering) for turn in sample.messages]}
        row = {"input": context}
        for name, turns in (("preferred_output", sample.chosen), ("non_preferred_output", sample.rejected)):
            row[name] = [_turn(turn, _Calls(turns)) for turn in turns]
    if sample.tools:
        context["tools"] = [dict(tool) for tool in sample.tools]
    fault = next(faults(row), None)
    if fault is not None:
        raise NotHosted(fault)
    return row


class _Calls:
    """The ids of tool calls, which the answers to them must name: the data's own, else new ones.

    Args:
        turns: whose ids are not given again.
    """

    def __init__(self, turns: Sequence[Message]) -> None:
        self._taken = {str(call.get("id", "")) for turn in turns for call in turn.tool_calls}
        self._count = 0
        self._open: dict[str, str] = {}

    def call(self, call: Mapping[str, Any]) -> str:
        """The id of a call."""
        known = str(call.get("id", ""))
        while not known:
            self._count += 1
            known = f"call_{self._count}"
            if known in self._taken:
                known = ""
        self._open[known] = str(call["function"]["name"])
        return known

    def answered(self, turn: Message) -> str:
        """The id of the call that a tool turn answers: the one that it names, else the first open call of its tool."""
        known = turn.tool_call_id
        if not known:
            same = (each for each, name in self._open.items() if name == turn.name)
            known = next(same, next(iter(self._open), ""))
        self._open.pop(known, None)
        return known


def _turn(message: Message, calls: _Calls) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": calls.call(call),
                "type": "function",
                "function": {
                    "name": call["function"]["name"],
                    "arguments": json.dumps(call["function"]["arguments"], ensure_ascii=False, default=str),
                },
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        turn["tool_call_id"] = calls.answered(message)
    if message.role == "assistant" and not message.trained:
        turn["weight"] = 0
    elif message.weight != 1:
        turn["weight"] = message.weight
    return turn


def faults(row: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a line by the published rules, a phrase each."""
    if "input" in row:
        yield from _preference_faults(row)
    else:
        yield from _chat_faults(row)


def _chat_faults(row: Mapping[str, Any]) -> Iterator[str]:
    turns = row.get("messages")
    if not isinstance(turns, list) or not turns:
        yield "no messages"
        return
    yield from _turn_faults(turns)
    yield from _tool_faults(row.get("tools", []))
    if turns[-1].get("role") != "assistant":
        yield f"the last message is from {turns[-1].get('role')}; it must be from the assistant"
    elif not any(turn.get("weight", 1) for turn in turns if turn.get("role") == "assistant"):
        yield "every assistant message has weight 0, so nothing is trained on"


def _preference_faults(row: Mapping[str, Any]) -> Iterator[str]:
    context = row["input"]
    turns = context.get("messages") if isinstance(context, Mapping) else None
    if not isinstance(turns, list) or not turns:
        yield "no prompt"
        return
    yield from _turn_faults(turns)
    yield from _tool_faults(context.get("tools", []))
    if turns[-1].get("role") == "assistant":
        yield "the prompt ends with an assistant message"
    for name in ("preferred_output", "non_preferred_output"):
        answer = row.get(name)
        if not isinstance(answer, list) or len(answer) != 1 or answer[0].get("role") != "assistant":
            yield f"{name} must be one assistant message"
        else:
            yield from _turn_faults(answer)


def _turn_faults(turns: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    called: set[str] = set()
    for number, turn in enumerate(turns, 1):
        role, content, calls = turn.get("role"), turn.get("content"), turn.get("tool_calls", [])
        if role not in _ROLES:
            yield f"message {number} has the role {role!r}"
        if not isinstance(content, str) or (not content.strip() and not calls):
            yield f"message {number} has no content"
        if calls and role != "assistant":
            yield f"message {number} calls tools but is not from the assistant"
        for call in calls:
            if not _NAME.fullmatch(str(call["function"]["name"])):
                yield f"message {number} calls a tool whose name has characters other than letters, digits, _ and -"
            called.add(call["id"])
        if role == "tool" and turn.get("tool_call_id") not in called:
            yield f"message {number} is a tool result without a tool call"
        if turn.get("weight", 1) not in (0, 1) or ("weight" in turn and role != "assistant"):
            yield f"the weight of message {number} is not 0 or 1"


def _tool_faults(tools: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(tools) > _MOST_TOOLS:
        yield f"{len(tools):,} tools; the limit is {_MOST_TOOLS}"
    for tool in tools:
        function = tool.get("function")
        if tool.get("type") != "function" or not isinstance(function, Mapping):
            yield "a tool is not a function"
            continue
        name, parameters = function.get("name"), function.get("parameters", {})
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield "a tool's name has characters other than letters, digits, _ and -, or more than 64 of them"
        if not isinstance(parameters, Mapping):
            yield "the parameters of a tool are not a JSON schema"


def file_faults(examples: int, size: int) -> Iterator[str]:
    """Why a service would reject such a file, a phrase each.

    Args:
        examples: lines.
        size: bytes.
    """
    if examples < LEAST_EXAMPLES:
        yield f"hosted services need at least {LEAST_EXAMPLES} examples; there are {examples:,}"
    if size > MOST_BYTES:
        yield f"hosted services accept files of up to {MOST_BYTES / 1e6:.0f} MB; this one would be {size / 1e6:,.0f} MB"


def length_words(long: int) -> str:
    """What is to be said of examples that may be too long, a sentence; "" where there are none.

    Args:
        long: lines of more than `MOST_TOKENS` bytes; a line has no more tokens than bytes, so others are short enough.
    """
    if not long:
        return ""
    verb = "has" if long == 1 else "have"
    return (
        f"{long:,} example{'s' * (long != 1)} {verb} more than {MOST_TOKENS:,} bytes, so possibly more than the "
        f"{MOST_TOKENS:,} tokens that hosted services train on; they truncate the rest."
    )
