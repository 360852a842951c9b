"""The normal form: from here on, the format of the file does not matter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

SampleKind = Literal["messages", "text", "preference", "kto", "prompt"]
KINDS: Mapping[SampleKind, str] = {
    "messages": "conversations",
    "text": "plain text",
    "preference": "preference pairs",
    "kto": "rated answers (KTO)",
    "prompt": "prompts without answers",
}
"""What the kinds of samples are called."""

Role = Literal["system", "user", "assistant", "tool"]

MARKS = ("trained", "media", "untrained", "weight")
"""Keys of a message's JSON that are about the turn and no part of it: chat templates do not get them."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, in the words of the chat templates of transformers.

    Attributes:
        role: who speaks.
        content: the text; parts of a list content are joined in order, images and other media named in brackets.
        reasoning: thinking that belongs before the answer, or "".
        tool_calls: calls as `{"type": "function", "function": {"name": str, "arguments": dict}}`, with `id` where the
            data has one.
        name: the tool's name on a tool turn, or "".
        trained: False where the data says that this turn carries no loss (`loss_weight` 0, `train` false).
        media: kinds of media parts in the content, in order, once each: `image`, `audio`, `video`, `file`.
        tool_call_id: on a tool turn the id of the call that it answers, or "".
        untrained: spans of the content that carry no loss in a turn that does otherwise: start and end in characters,
            the end not included.
        weight: the loss weight that the data gives this turn; training knows 0 (`trained` is False) and 1 only.
    """

    role: Role
    content: str
    reasoning: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    name: str = ""
    trained: bool = True
    media: tuple[str, ...] = ()
    tool_call_id: str = ""
    untrained: tuple[tuple[int, int], ...] = ()
    weight: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """The message in the form that chat templates expect, with `MARKS` beside it; empty fields are omitted."""
        message: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = list(self.tool_calls)
        if self.name:
            message["name"] = self.name
        if self.tool_call_id:
            message["tool_call_id"] = self.tool_call_id
        if not self.trained:
            message["trained"] = False
        if self.media:
            message["media"] = list(self.media)
        if self.untrained:
            message["untrained"] = [list(span) for span in self.untrained]
        if self.weight != 1:
            message["weight"] = self.weight
        return message

    def muted(self) -> Message:
        """The message without loss."""
        return replace(self, trained=False)

    def for_template(self) -> dict[str, Any]:
        """The message as a chat template gets it: without `MARKS`."""
        return {key: value for key, value in self.to_json().items() if key not in MARKS}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Message:
        """The inverse of `to_json`."""
        return cls(
            role=value["role"],
            content=value["content"],
            reasoning=value.get("reasoning_content", ""),
            tool_calls=tuple(value.get("tool_calls", ())),
            name=value.get("name", ""),
            trained=value.get("trained", True),
            media=tuple(value.get("media", ())),
            tool_call_id=value.get("tool_call_id", ""),
            untrained=tuple((start, end) for start, end in value.get("untrained", ())),
            weight=value.get("weight", 1.0),
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """One training sample.

    Which fields are filled follows from `kind`: `messages` has messages (and tools); `text` has text; `preference`
    has messages (the prompt), chosen and rejected; `kto` has messages (the prompt), chosen (the completion) and label;
    `prompt` has messages (the prompt) alone. `columns` holds further columns of the row, where a task reads any.
    """

    kind: SampleKind
    messages: tuple[Message, ...] = ()
    text: str = ""
    chosen: tuple[Message, ...] = ()
    rejected: tuple[Message, ...] = ()
    label: bool | None = None
    tools: tuple[dict[str, Any], ...] = field(default=())
    columns: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The sample as written in a curated view; `from_json(to_json(s)) == s`."""
        value: dict[str, Any] = {"kind": self.kind}
        if self.columns:
            value["columns"] = dict(self.columns)
        if self.kind == "text":
            value["text"] = self.text
            return value
        value["messages"] = [message.to_json() for message in self.messages]
        if self.chosen or self.kind in ("preference", "kto"):
            value["chosen"] = [message.to_json() for message in self.chosen]
        if self.kind == "preference":
            value["rejected"] = [message.to_json() for message in self.rejected]
        if self.label is not None:
            value["label"] = self.label
        if self.tools:
            value["tools"] = list(self.tools)
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Sample:
        """The inverse of `to_json`."""
        return cls(
            kind=value["kind"],
            messages=tuple(Message.from_json(m) for m in value.get("messages", ())),
            text=value.get("text", ""),
            chosen=tuple(Message.from_json(m) for m in value.get("chosen", ())),
            rejected=tuple(Message.from_json(m) for m in value.get("rejected", ())),
            label=value.get("label"),
            tools=tuple(value.get("tools", ())),
            columns=value.get("columns", {}),
        )

    @property
    def answer(self) -> str:
        """What the model is to learn to say: the last assistant turn, the chosen answer, or the whole text."""
        turns = self.chosen if self.kind in ("preference", "kto") else self.messages
        if self.kind == "text":
            return self.text
        for turn in reversed(turns):
            if turn.role == "assistant":
                return turn.content
        return ""

    @property
    def question(self) -> str:
        """The last user turn before the answer, or the beginning of the text."""
        if self.kind == "text":
            return self.text
        for turn in reversed(self.messages):
            if turn.role == "user":
                return turn.content
        return ""


def characters(sample: Sample) -> int:
    """Characters of all that a sample says: texts, reasoning, tool calls as JSON; roles and markup aside."""
    count = len(sample.text)
    for turns in (sample.messages, sample.chosen, sample.rejected):
        for turn in turns:
            count += len(turn.content) + len(turn.reasoning)
            if turn.tool_calls:
                count += sum(len(call_text(call)) for call in turn.tool_calls)
    return count


def call_text(call: Mapping[str, Any]) -> str:
    """A tool call as JSON text, without its id: what it says."""
    return json.dumps({key: value for key, value in call.items() if key != "id"}, ensure_ascii=False, default=str)
