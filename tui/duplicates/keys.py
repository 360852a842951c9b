"""The keys of the duplicates screen."""

from __future__ import annotations

from tui.actions import Command

COMMANDS = (
    Command(
        "duplicates.drop",
        "d",
        "drop_rest",
        "drop the rest",
        "Drop what may go of this cluster; go to the next.",
        1,
        decides=True,
    ),
    Command(
        "duplicates.keep",
        "k",
        "keep_this",
        "keep this",
        "Keep the row under the cursor rather than those like it.",
        2,
        decides=True,
    ),
    Command(
        "duplicates.apart",
        "x",
        "not_duplicate",
        "no duplicate",
        "These two rows are no duplicates: remember it, in later searches as well.",
        3,
        decides=True,
    ),
    Command("duplicates.undo", "u", "undo", "undo", "Take back the last decision that was made here.", 4),
    Command("duplicates.cancel", "c", "cancel", "cancel", "End the search that runs.", 5),
    Command("duplicates.search", "r", "search", "search", "Search with the settings that are shown.", 6),
    Command("duplicates.switch", "tab", "switch", "rows", "Go from the clusters to the rows of one, and back.", 10),
    Command(
        "duplicates.first", "f", "keep('first')", "keep first", "Of this cluster the first row stays.", 8, decides=True
    ),
    Command(
        "duplicates.longest",
        "l",
        "keep('longest')",
        "keep longest",
        "Of this cluster the longest row stays.",
        9,
        decides=True,
    ),
    Command("duplicates.drop_all", "A", "drop_all", "drop all", "Drop what may go of every cluster; asks before.", 12),
    Command(
        "duplicates.none_apart",
        "X",
        "none_duplicate",
        "none at all",
        "No two rows of this cluster are duplicates.",
        13,
        decides=True,
    ),
    Command("duplicates.threshold", "t", "threshold", "threshold", "How alike rows must be; then r searches.", 14),
    Command("duplicates.fields", "w", "fields", "what", "What of a sample is compared; then r searches.", 15),
    Command("duplicates.rule", "K", "rule", "which stays", "Which row of each cluster stays; then r searches.", 16),
    Command("duplicates.view", "v", "view", "all lines", "Show the lines that are the same, too, or hide them.", 17),
    Command("duplicates.read", "enter", "read", "read", "Give the comparison the whole screen.", 11),
    Command("duplicates.back", "escape", "back", "back", "Back to the lists; from there back to the data.", 7, "esc"),
    Command("duplicates.next", "right", "step(1)", "next", "Go to the next cluster."),
    Command("duplicates.previous", "left", "step(-1)", "previous", "Go to the cluster before."),
    Command("duplicates.more", "space", "scroll_text(1)", "more", "Scroll the comparison one page down."),
    Command("duplicates.less", "backspace", "scroll_text(-1)", "less", "Scroll the comparison one page up."),
)
