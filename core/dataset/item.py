"""One good row and what checks and the near-duplicate search both need of it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

from core.dataset.formats.loss_flags import FLAG_KEYS
from core.dataset.hashing import blake
from core.dataset.sample import Message, Sample, call_text


class Item:
    """One good row and what several checks need of it, worked out once.

    Attributes:
        row: its number among the good rows, from 0.
        sample: the sample, or None where it cannot be formatted.
        error: why it cannot, or "".
        nonstandard: what is wrong with its JSON although it could be read, or "".
        turns: every turn: the prompt's, then the chosen (or rated), then the rejected answer's.
        conversation: the turns without the rejected answer's.
        text: all that the sample says, one text.
        normalized: the same after NFKC, lower case and collapsed white space.
        words: the normalized text's, split at white space.
        ends: for each turn, where its text ends in the normalized one.
        encoded: the normalized text as UTF-8 bytes; lone surrogates are taken as they are.
        content: digest of roles, texts, tools and label: equal for samples that train the same, and whose loss flags
            (`core.dataset.formats.loss_flags`) are written the same.
        loss_flags: the loss flags of the row as they are written, where one takes effect, for a hash; else b"".
        value: the parsed row before any mapping, where it is at hand.
        digest: the hash of that row, where it was worked out.
    """

    __slots__ = (
        "_prompt", "content", "conversation", "digest", "encoded", "ends", "error", "loss_flags", "nonstandard",
        "normalized", "row", "sample", "text", "turns", "value", "words",
    )  # fmt: skip

    def __init__(
        self,
        row: int,
        sample: Sample | None,
        *,
        error: str = "",
        nonstandard: str = "",
        value: Mapping[str, Any] | None = None,
        digest: bytes = b"",
    ) -> None:
        self.row = row
        self.digest = digest
        self._prompt: str | None = None
        self.value = value
        self.sample = sample
        self.error = error
        self.nonstandard = nonstandard
        self.conversation: tuple[Message, ...] = ()
        self.turns: tuple[Message, ...] = ()
        self.text = self.normalized = ""
        self.content = self.encoded = self.loss_flags = b""
        self.words: list[str] = []
        self.ends: tuple[int, ...] = ()
        if sample is not None:
            self.conversation = sample.messages + sample.chosen
            self.turns = self.conversation + sample.rejected
            if sample.kind == "text":
                self.text = sample.text
                self.words = _words(sample.text)
                self.normalized = " ".join(self.words)
            else:
                self._read_turns([said(turn) for turn in self.turns])
            self.encoded = self.normalized.encode("utf-8", "surrogatepass")
            self.content = content_digest(sample)
            for turn in self.turns if value is not None else ():
                if not turn.trained or turn.untrained or turn.weight != 1:
                    self.loss_flags = _flags_said(value or {})
                    self.content = blake(self.content + self.loss_flags, 16)
                    break

    def _read_turns(self, texts: list[str]) -> None:
        self.text = "\n".join(texts)
        parts, ends, length = [], [], -1
        for text in texts:
            if words := _words(text):
                self.words += words
                part = " ".join(words)
                parts.append(part)
                length += len(part) + 1
            ends.append(max(0, length))
        self.normalized = " ".join(parts)
        self.ends = tuple(ends)

    @property
    def prompt(self) -> str:
        """The prompt, normalized, as `prompt_text`; "" without a sample. Worked out when it is asked for."""
        if self._prompt is None:
            self._prompt = "" if self.sample is None else self._asked(self.sample)
        return self._prompt

    def _asked(self, sample: Sample) -> str:
        return self.normalized if sample.kind == "text" else prompt_text(sample)


def _flags_said(value: Mapping[str, Any]) -> bytes:
    """The loss flags of a row as they are written, for a hash."""
    said = [(name, value[name]) for name in sorted(value.keys() & FLAG_KEYS)]
    for name, turns in value.items():
        for number, turn in enumerate(turns if isinstance(turns, list) else ()):
            if isinstance(turn, dict):
                said += [(f"{name} {number} {key}", turn[key]) for key in sorted(turn.keys() & FLAG_KEYS)]
    return repr(said).encode("utf-8", "surrogatepass")


def normalize(text: str) -> str:
    """The text after NFKC, lower case and collapsed white space."""
    return " ".join(_words(text))


def _words(text: str) -> list[str]:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return text.lower().split()


def digest(text: str) -> bytes:
    """A hash of a text, 8 bytes; lone surrogates are taken as they are."""
    return blake(text.encode("utf-8", "surrogatepass"), 8)


def content_digest(sample: Sample) -> bytes:
    """A hash of all of a sample that is trained on, 16 bytes."""
    if sample.kind == "text":
        canonical = sample.text
    else:
        parts = [sample.kind, str(sample.label)]
        for name, turns in (("prompt", sample.messages), ("chosen", sample.chosen), ("rejected", sample.rejected)):
            parts.append(name)
            ids: dict[str, int] = {}
            for turn in turns:
                parts += (turn.role, turn.content, turn.reasoning, turn.name, str(turn.trained))
                if turn.untrained or turn.weight != 1:
                    parts.append(f"{turn.untrained} {turn.weight}")
                if turn.tool_calls or turn.tool_call_id:
                    parts.append(_calls(turn, ids))
        if sample.tools:
            parts.append(json.dumps(sample.tools, sort_keys=True, default=str))
        canonical = "\x1e".join(parts)
    return blake(canonical.encode("utf-8", "surrogatepass"), 16)


def _calls(turn: Message, ids: dict[str, int]) -> str:
    """The calls of a turn, and which call it answers by its place: ids are arbitrary names."""
    calls = []
    for call in turn.tool_calls:
        ids.setdefault(str(call.get("id", "")), len(ids))
        calls.append({key: value for key, value in call.items() if key != "id"})
    said = json.dumps(calls, sort_keys=True, default=str)
    return f"{said} {ids.get(turn.tool_call_id, turn.tool_call_id)}" if turn.tool_call_id else said


def prompt_digest(sample: Sample) -> bytes | None:
    """The hash of the prompt, normalized; None where it is empty."""
    asked = prompt_text(sample)
    return digest(asked) if asked else None


def prompt_text(sample: Sample) -> str:
    """The prompt, normalized: all before the last answer but the system prompt, or the whole text."""
    if sample.kind == "text":
        return normalize(sample.text)
    turns = sample.messages
    if sample.kind == "messages":
        answers = [number for number, turn in enumerate(turns) if turn.role == "assistant"]
        turns = turns[: answers[-1]] if answers else turns
    return normalize("\n".join(said(turn) for turn in turns if turn.role != "system"))


def said(turn: Message) -> str:
    """All that a turn says: reasoning, content and tool calls."""
    if not turn.tool_calls and not turn.reasoning:
        return turn.content
    calls = map(call_text, turn.tool_calls)
    return "\n".join(filter(None, (turn.reasoning, turn.content, *calls)))
