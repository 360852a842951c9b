"""Conversations: messages (role, content) and ShareGPT (from, value)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.dataset.formats.base import TURN_OPTIONS, Format, FormatField, text_of
from core.dataset.formats.turns import CONTENT_KEY, ROLE_KEY, TurnNames, is_turns, read_tools, read_turns
from core.dataset.sample import Message, Sample

TOOLS = FormatField("tools", ("tools", "functions"), required=False)
SYSTEM = FormatField("system", ("system", "system_prompt", "system_message"), required=False)


class _Conversation(Format):
    kind = "messages"
    options = TURN_OPTIONS
    role_key: str
    content_key: str

    def matches(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> bool:
        """Whether the column holds a list of turns with this format's keys."""
        keys = columns.get(ROLE_KEY, self.role_key), columns.get(CONTENT_KEY, self.content_key)
        return is_turns(row.get(columns["messages"]), keys=keys)

    def build(self, row: Mapping[str, Any], columns: Mapping[str, str]) -> Sample:
        """The conversation with its tools and system prompt."""
        messages = with_system(read_turns(row.get(columns["messages"]), TurnNames.of(columns)), row, columns)
        return Sample("messages", messages=messages, tools=tools_of(row, columns))

    def reason(self, columns: Mapping[str, str]) -> str:
        """Which column and which keys, where these are not the usual ones."""
        keys = columns.get(ROLE_KEY, self.role_key), columns.get(CONTENT_KEY, self.content_key)
        column = columns["messages"]
        said = [] if column == self.fields[0].spellings[0] else [f"column `{column}`"]
        if keys != (self.role_key, self.content_key):
            said.append(f"turns with `{keys[0]}` and `{keys[1]}`")
        return ", ".join(said)


class Messages(_Conversation):
    """Turns with `role` and `content`, the form of chat templates and of the services' APIs."""

    name = "messages"
    title = "messages (role, content)"
    role_key, content_key = "role", "content"
    fields = (
        FormatField("messages", ("messages", "conversation", "conversations", "chat", "dialogue", "dialog")),
        SYSTEM,
        TOOLS,
    )


class ShareGpt(_Conversation):
    """Turns with `from` and `value`; function calls and observations are separate turns."""

    name = "sharegpt"
    title = "ShareGPT (from, value)"
    role_key, content_key = "from", "value"
    fields = (
        FormatField("messages", ("conversations", "conversation", "messages", "items", "dialogue", "dialog")),
        SYSTEM,
        TOOLS,
    )


def with_system(
    messages: tuple[Message, ...], row: Mapping[str, Any], columns: Mapping[str, str]
) -> tuple[Message, ...]:
    """The conversation with the system prompt from its column in front, unless it has one already."""
    system = text_of(row, columns, "system", required=False)
    if system.strip() and (not messages or messages[0].role != "system"):
        return (Message("system", system), *messages)
    return messages


def tools_of(row: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    """The tools of a row, () where it has none."""
    column = columns.get("tools")
    return () if column is None else read_tools(row.get(column))
