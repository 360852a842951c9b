"""What the rows of a dataset share, which is removed from their texts before they are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.dataset.near.headers import Headers


@dataclass(frozen=True, slots=True)
class Shared:
    """What is removed from texts.

    Attributes:
        system: characters of the system prompt that all rows begin with.
        answer: the normalized answer that all rows end with, or "".
        headers: beginnings that many rows have, each.
    """

    system: int = 0
    answer: str = ""
    headers: tuple[str, ...] = ()

    def shorten(self, text: str) -> str:
        """A normalized text without what all rows have; its header is still there."""
        if self.system:
            text = text[self.system :].lstrip(" ")
        if self.answer and text.endswith(self.answer):
            text = text[: -len(self.answer)].rstrip(" ")
        return text

    def splitter(self) -> Headers:
        """Finds the header of a shortened text."""
        return Headers(self.headers)

    def to_json(self) -> dict[str, Any]:
        """As it is kept beside a search's result."""
        return {"system": self.system, "answer": self.answer, "headers": list(self.headers)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Shared:
        """The inverse of `to_json`."""
        return cls(value["system"], value["answer"], tuple(value["headers"]))
