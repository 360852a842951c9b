"""The keys of the overview screen."""

from __future__ import annotations

from tui.actions import Command

COMMANDS = (
    Command("overview.audit_thin", "A", "thin", "audit rarest", "Audit the rarest kinds of input first.", 1),
    Command(
        "overview.drop_near_leaks",
        "l",
        "leaks",
        "drop near leaks",
        "Drop training rows whose prompts are similar to eval prompts.",
        3,
    ),
    Command("overview.export", "x", "export", "export", "Write the training set to a file.", 4),
    Command("overview.refresh", "r", "again", "refresh", "Update with the current recipe and decisions.", 5),
    Command("overview.back", "escape,O", "close", "back", "Go back to the rows.", 2, "esc", shared="back"),
)
