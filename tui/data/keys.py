"""The keys of the data screen, by the pane that does what they say; imported at the start, before any pane is."""

from __future__ import annotations

from tui.actions import Command

ROW = (
    Command(
        "data.keep", "a", "decide('keep')", "keep", "Keep this row, and go to the next.", 1, decides=True, shared="keep"
    ),
    Command(
        "data.drop",
        "d",
        "decide('drop')",
        "drop",
        "Leave this row out, and go to the next.",
        2,
        decides=True,
        shared="drop",
    ),
    Command("data.undo", "u,ctrl+underscore", "undo", "undo", "Take the last decision back.", 3, shared="undo"),
    Command("data.edit", "e", "edit", "edit", "Edit this row in $EDITOR, or here where there is none.", 6),
    Command("data.note", "c", "note", "note", "Write a note on this row.", 7, opens_line=True),
    Command("data.flag", "!", "flag", "flag", "Flag this row by hand, with a reason.", 13, opens_line=True),
    Command(
        "data.mark_synthetic",
        "S",
        "synthetic",
        "synthetic",
        "Mark this row as synthetic: it is never held out.",
        13,
        decides=True,
    ),
    Command("data.show_history", "h", "history", "history", "What was decided about this row, when and by whom.", 18),
    Command("data.next_view", "v", "next_view", "view", "Next view of the row: chat, template, raw.", 12),
    Command("data.toggle_thinking", "z", "fold", "thinking", "Show thinking in full, or as one line.", 4),
    Command(
        "data.copy_row",
        "y",
        "copy",
        "copy",
        "Copy the row, as it is shown, to the terminal's clipboard.",
        19,
        shared="copy",
    ),
    Command("data.write_row", "w", "write", "write", "Write the row, as it is shown, to a file.", 20, opens_line=True),
    Command("data.scroll_down", "space", "scroll(1)", "more", "Scroll the row one page down."),
    Command("data.scroll_up", "backspace", "scroll(-1)", "less", "Scroll the row one page up."),
)
"""Of `RowPane`: the row under the cursor."""

ROWS = (
    Command("data.next_row", "right", "step(1)", "next row", "Go to the next row."),
    Command("data.previous_row", "left", "step(-1)", "previous row", "Go to the previous row."),
    Command(
        "data.go_to_row",
        "colon",
        "go_to",
        "go to",
        "Go to a row: type its number, then enter.",
        16,
        opens_line=True,
        shared="go to row",
    ),
    Command(
        "data.search",
        "slash",
        "search",
        "search",
        "List the rows that hold a text.",
        9,
        shows="/",
        opens_line=True,
        shared="search",
    ),
    Command(
        "data.next_filter",
        "f",
        "next_filter",
        "filter",
        "List all, flagged, undecided, kept or dropped.",
        10,
        shared="filter",
    ),
    Command(
        "data.choose_list", "F", "lists", "lists", "Choose a list: by flag, edited and noted; the longest first.", 14
    ),
    Command(
        "data.narrow",
        "plus",
        "narrow",
        "narrow",
        "List only those of these rows that are also in another list.",
        10,
        "+",
    ),
    Command(
        "data.audit", "A", "audit", "audit", "Read a sample, or the worst first; an audit that was left goes on.", 8
    ),
    Command("data.skip", "s", "skip", "skip", "In an audit: leave this row for later; left goes back.", 5),
)
"""Of `RowsPane`: which rows are listed, and where the cursor is."""

DATASET = (
    Command("data.open_row", "enter", "read", "read", "Give this row the whole screen.", 11, shared="open"),
    Command("data.show_bad_lines", "b", "bad_lines", "bad lines", "List the lines that could not be read.", 15),
    Command(
        "data.open_duplicates",
        "r",
        "duplicates",
        "duplicates",
        "Clusters of rows that repeat each other; drop the rest.",
        9,
    ),
    Command(
        "data.open_overview",
        "O",
        "overview",
        "overview",
        "What is trained on: split, sources, tokens, answers; export.",
        9,
    ),
    Command(
        "data.export", "x", "export", "export", "Write the curated set to a file, and what was left out and why.", 12
    ),
    Command("data.count_tokens", "t", "tokens", "tokens", "Count the tokens of every row; again: stop.", 17),
    Command("data.write_report", "m", "report", "report", "Write what the audit found to a Markdown file.", 21),
    Command("data.toggle_scan", "C", "scan", "stop scan", "Stop the scan where it is; again: go on with it.", 23),
    Command("data.edit_mapping", "M", "mapping", "mapping", "Say which column of the file is what.", 18),
)
"""Of `DatasetPane`: the dataset as a whole."""

SCREEN = (
    Command(
        "data.back",
        "escape",
        "back",
        "back",
        "Back to the list; from what + or a search has listed, and from an audit, to more rows.",
        4,
        "esc",
        shared="back",
    ),
    Command("data.open", "o", "open", "open", "Open another file or folder.", 17, shared="open other"),
)
"""Of the screen itself."""
