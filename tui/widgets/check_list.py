"""A list of checks: how each stands, in a word, and a sentence that wraps under itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from textual.content import Content
from textual.widget import Widget

from tui.widgets.wrap import wrap

ChecklistState = Literal["ok", "warn", "stop", "wait"]

_STYLES: dict[ChecklistState, str] = {
    "ok": "$text-success",
    "warn": "bold $text-warning",
    "stop": "bold $text-error",
    "wait": "$text-muted",
}
_SHOWN: dict[ChecklistState, str] = {"ok": "ok  ", "warn": "warn", "stop": "STOP", "wait": "…   "}
_INDENT = 6


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One check.

    Attributes:
        standing: `stop` means that nothing can start.
        sentence: what was found; clean, one paragraph.
        about: what it is about, a word or two.
        key: the field that it is about, or "".
        name: what was checked, one or two words; "" where a list has only sentences.
        group: the heading that it is under, or "".
    """

    standing: ChecklistState
    sentence: str
    about: str = ""
    key: str = ""
    name: str = ""
    group: str = ""


class CheckList(Widget):
    """Checks, in the order given."""

    DEFAULT_CSS = """
    CheckList { height: auto; }
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._checks: tuple[ChecklistItem, ...] = ()

    def show(self, checks: Sequence[ChecklistItem]) -> None:
        """Show other checks."""
        if tuple(checks) != self._checks:
            self._checks = tuple(checks)
            self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """As many lines as the sentences take."""
        return sum(len(_lines(check.sentence, width)) for check in self._checks)

    def render(self) -> Content:
        """The word, then the sentence."""
        lines: list[Content] = []
        for check in self._checks:
            first, *rest = _lines(check.sentence, self.content_size.width)
            word = (_SHOWN[check.standing].ljust(_INDENT), _STYLES[check.standing])
            lines.append(Content.assemble(word, first))
            lines += [Content(" " * _INDENT + line) for line in rest]
        return Content("\n").join(lines)


def _lines(sentence: str, width: int) -> list[str]:
    return [sentence[start:end] for start, end in wrap(sentence, max(10, width - _INDENT))]
