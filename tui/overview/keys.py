"""The keys of the overview screen."""

from __future__ import annotations

from tui.actions import Command

COMMANDS = (
    Command("overview.audit_thin", "A", "thin", "audit thin kinds", "Audit what is asked seldom first.", 1),
    Command(
        "overview.drop_near_leaks",
        "l",
        "leaks",
        "drop near leaks",
        "Leave training samples out that ask what the eval file asks.",
        2,
    ),
    Command("overview.export", "x", "export", "export", "Write the curated set to a file.", 3),
    Command(
        "overview.refresh", "r", "again", "again", "Look again, with the recipe and the decisions as they are now.", 4
    ),
    Command("overview.back", "escape,O", "close", "back", "Back to the rows.", 5, "esc", shared="back"),
)
