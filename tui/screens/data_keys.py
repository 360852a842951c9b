"""The keys of the data screen."""

from __future__ import annotations

from tui.actions import Command

COMMANDS = (
    Command("data.keep", "k", "decide('keep')", "keep", "Keep this row, and go to the next.", 1),
    Command("data.drop", "d", "decide('drop')", "drop", "Leave this row out, and go to the next.", 2),
    Command("data.undo", "u", "undo", "undo", "Take the last decision back.", 3),
    Command("data.read", "enter", "read", "read", "Give this row the whole screen.", 4),
    Command("data.back", "escape", "back", "back", "Back to the list.", 4, "esc"),
    Command("data.view", "v", "next_view", "view", "Next view of the row: chat, template, raw.", 5),
    Command("data.filter", "f", "next_filter", "filter", "List all, flagged, undecided, kept or dropped.", 6),
    Command("data.bad_lines", "b", "bad_lines", "bad lines", "List the lines that could not be read.", 7),
    Command("data.go_to", "g", "go_to", "go to", "Go to a row: type its number, then enter.", 8),
    Command("data.open", "o", "open", "open", "Open another file or folder.", 9),
    Command("data.next", "right", "step_row(1)", "next row", "Go to the next row."),
    Command("data.previous", "left", "step_row(-1)", "previous row", "Go to the previous row."),
    Command("data.more", "space", "scroll_sample(1)", "more", "Scroll the row one page down."),
    Command("data.less", "backspace", "scroll_sample(-1)", "less", "Scroll the row one page up."),
)

NEED_DATA = frozenset(
    (
        "decide",
        "undo",
        "read",
        "next_view",
        "next_filter",
        "bad_lines",
        "go_to",
        "step_row",
        "scroll_sample",
    )
)
"""Actions that make no sense before a data set is open."""


class RowNumber:
    """A row's number while it is being typed.

    It is taken from the keys themselves and not from a text field: keys typed fast would reach the list before the
    field had the focus, and `2` would lead to the next screen.
    """

    def __init__(self) -> None:
        self.digits = ""

    def press(self, key: str, character: str | None) -> int | None:
        """Take a key; returns the number when it is finished, 0 when it is taken back, None while it is typed."""
        if character is not None and character in "0123456789":
            self.digits += character
            return None
        if key == "backspace":
            self.digits = self.digits[:-1]
            return None
        return int(self.digits or 0) if key == "enter" else 0
