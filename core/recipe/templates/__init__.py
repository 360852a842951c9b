"""Chat templates with generation markers for families whose own have none; each renders what the original renders."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent

NO_TEMPLATE = "none"
"""The value of `model.chat_template` for no chat template at all: prompt and completion are joined as plain text."""


@cache
def names() -> tuple[str, ...]:
    """The names that `model.chat_template` may be set to, sorted."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.jinja")))


def text(name: str) -> str:
    """The text of a shipped template; `name` is one of `names()`."""
    return (_FOLDER / f"{name}.jinja").read_text(encoding="utf-8")
