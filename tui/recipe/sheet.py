"""The preflight as one sheet: every line with its verdict and sentence; enter goes to the field that it is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from core.recipe.recipe import KNOBS
from tui.actions import Command, declare
from tui.recipe.panels import tally
from tui.widgets.check_list import ChecklistItem, ChecklistState
from tui.widgets.key_bar import KeyBar
from tui.widgets.wrap import wrap

_WORDS: dict[ChecklistState, tuple[str, str]] = {
    "stop": ("STOP", "bold $text-error"),
    "warn": ("warn", "bold $text-warning"),
    "wait": ("…", "$text-muted"),
    "ok": ("ok", "$text-success"),
}
_HEADS = {
    "stop": "must be fixed",
    "warn": "worth a look",
    "wait": "still checking",
    "recipe": "recipe",
    "data": "data",
    "model": "model",
    "run": "run",
    "machine": "machine",
}
"""The headings, in the order of the sheet: what is not fine first, then what is, by what it is about."""

_MARK, _NAME = 6, 16
"""Cells of the verdict and of the line's name."""

_NARROW = 70
"""Cells of the sheet below which a line's name stands above its sentence."""

_AROUND = 5
"""Cells of the frame, the padding and a scroll bar."""


_BINDINGS = declare(
    "preflight",
    Command(
        "preflight.go_to_field", "enter", "select", "go to field", "Go to the field of this line.", 1, shared="open"
    ),
    Command("preflight.up", "up,k", "cursor_up", "up", "Go to the line above.", shared="up"),
    Command("preflight.down", "down,j", "cursor_down", "down", "Go to the line below.", shared="down"),
    Command("preflight.first", "home,g", "first", "first", "Go to the first line.", shared="first"),
    Command("preflight.last", "end,G", "last", "last", "Go to the last line.", shared="last"),
    Command("preflight.close", "escape,p", "dismiss(None)", "close", "Close the sheet.", 2, shared="back"),
    Command("preflight.start", "f5", "start", "start", "Start the run.", 3, decides=True),
)


class SheetLines(OptionList):
    """The lines of the sheet."""

    BINDINGS = _BINDINGS[:-2]


class PreflightSheet(ModalScreen[str | None]):
    """Every line of the preflight. The result is the field to go to, `START` to start the run, or None."""

    START = "F5"

    DEFAULT_CSS = """
    PreflightSheet { align: center middle; }
    PreflightSheet > Vertical { width: 100%; max-width: 132; height: 100%; padding: 0 1; }
    PreflightSheet OptionList {
        height: 1fr; border: round $accent; border-title-color: $accent; border-subtitle-color: $text-muted;
        background: $surface; scrollbar-size-vertical: 1; padding: 0;
    }
    PreflightSheet OptionList:focus { border: round $accent; }
    PreflightSheet OptionList > .option-list--option-disabled { color: $accent; }
    PreflightSheet OptionList > .option-list--option-highlighted,
    PreflightSheet OptionList:focus > .option-list--option-highlighted {
        background: $accent 22%; color: $foreground; text-style: none;
    }
    PreflightSheet OptionList:nocolor > .option-list--option-highlighted { text-style: bold underline; }
    """

    BINDINGS = _BINDINGS[-2:]

    def __init__(self, checks: Sequence[ChecklistItem]) -> None:
        """Make the sheet.

        Args:
            checks: every line; clean.
        """
        super().__init__()
        self._checks = tuple(checks)
        self._rows: tuple[ChecklistItem | None, ...] = ()

    def compose(self) -> ComposeResult:
        """The list."""
        with Vertical():
            yield SheetLines()
        yield KeyBar()

    def on_mount(self) -> None:
        """Fill in the lines."""
        self._fill()

    def on_resize(self, event: events.Resize) -> None:
        """Wrap the sentences again."""
        self.call_after_refresh(self._fill)

    def show(self, checks: Sequence[ChecklistItem]) -> None:
        """Show what is known now; the cursor stays on its line where that is still there."""
        if tuple(checks) != self._checks:
            self._checks = tuple(checks)
            self._fill()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A run with a stop cannot be started."""
        return action != "start" or not any(check.standing == "stop" for check in self._checks)

    def action_start(self) -> None:
        """Start the run."""
        self.dismiss(self.START)

    def _fill(self) -> None:
        menu = self.query_one(SheetLines)
        width = min(132, self.app.size.width) - 2 - _AROUND
        at = self._rows[menu.highlighted] if menu.highlighted is not None and self._rows else None
        rows: list[ChecklistItem | None] = []
        options: list[Option] = []
        for head, checks in self._groups():
            rows.append(None)
            options.append(Option(Content(head), disabled=True))
            for check in checks:
                rows.append(check)
                options.append(Option(_line(check, width)))
        self._rows = tuple(rows)
        menu.set_options(options)
        same = (place for place, row in enumerate(rows) if row is not None and at is not None and _same(row, at))
        first = (place for place, row in enumerate(rows) if row is not None)
        menu.highlighted = next(same, next(first, None))
        menu.border_title = Content(f"preflight: {tally(self._checks)}")
        menu.border_subtitle = Content(self._verdict())
        self.refresh_bindings()

    def _verdict(self) -> str:
        """The answer to the one question of the sheet."""
        stops = sum(check.standing == "stop" for check in self._checks)
        if stops:
            return f"cannot start: fix {'this' if stops == 1 else f'these {stops}'}"
        return "checking …" if any(check.standing == "wait" for check in self._checks) else "nothing blocks this run"

    def _groups(self) -> Iterator[tuple[str, list[ChecklistItem]]]:
        """The headings with their lines, without empty ones."""
        for key, head in _HEADS.items():
            found = [each for each in self._checks if (each.group if each.standing == "ok" else each.standing) == key]
            if found:
                yield head, found

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        check = self._rows[event.option_index]
        if check is not None and check.key:
            self.dismiss(check.key)


def _same(one: ChecklistItem, other: ChecklistItem) -> bool:
    return (one.name, one.key) == (other.name, other.key)


def _line(check: ChecklistItem, width: int) -> Content:
    """A verdict, the line's name, and its sentence beside it, or below where there is no room; then the field."""
    mark, style = _WORDS[check.standing]
    narrow = width < _NARROW
    indent = _MARK if narrow else _MARK + _NAME
    room = max(20, width - indent)
    lines = [check.sentence[start:end] for start, end in wrap(check.sentence, room)]
    name = (check.name, "bold" if check.standing != "ok" else "")
    first = Content.assemble((mark.ljust(_MARK), style), name)
    if narrow:
        parts = [first, *(Content(" " * indent + line) for line in lines)]
    else:
        head = Content.assemble((mark.ljust(_MARK), style), (check.name.ljust(_NAME), name[1]), lines[0])
        parts = [head, *(Content(" " * indent + line) for line in lines[1:])]
    if check.key in KNOBS and check.standing != "ok":
        field = f"→ {KNOBS[check.key].title}"
        if parts[-1].cell_length + len(field) + 2 <= indent + room:
            parts[-1] = Content.assemble(parts[-1], ("  " + field, "$text-accent"))
        else:
            parts.append(Content.assemble(" " * indent, (field, "$text-accent")))
    return Content("\n").join(parts)
