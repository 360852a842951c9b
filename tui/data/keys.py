"""The keys of the data screen, by the pane that does what they say; imported at the start, before any pane is."""

from __future__ import annotations

from tui.actions import Command

_DIGITS = (
    (1, "one"),
    (2, "two"),
    (3, "three"),
    (4, "four"),
    (5, "five"),
    (6, "six"),
    (7, "seven"),
    (8, "eight"),
    (9, "nine"),
    (0, "none"),
)

ROW = (
    Command(
        "data.keep", "a", "decide('keep')", "keep", "Keep this row and go to the next.", 1, decides=True, shared="keep"
    ),
    Command(
        "data.drop",
        "d",
        "decide('drop')",
        "drop",
        "Drop this row and go to the next.",
        2,
        decides=True,
        shared="drop",
    ),
    Command(
        "data.undo",
        "u,ctrl+underscore",
        "undo",
        "undo",
        "Undo your last decision, even one from an earlier session.",
        3,
        shared="undo",
    ),
    *(
        Command(
            f"data.pick_{word}",
            str(digit),
            f"pick({digit})",
            "choose",
            "Choose the reason, rating or label with this number."
            if digit
            else "Clear the rating, or type other labels.",
            1 if digit == 1 else 0,
            shows="1-9" if digit == 1 else "",
            answers=True,
            aside=digit > 1,
            opens_line=True,
        )
        for digit, word in _DIGITS
    ),
    Command("data.edit", "e", "edit", "edit", "Edit this row in $EDITOR, or in place if it is not set.", 6),
    Command("data.note", "c", "note", "note", "Add a note to this row.", 7, opens_line=True),
    Command("data.rate", "R", "rate", "rate", "Rate this row from 1 to 5.", 14),
    Command("data.label", "l", "label", "label", "Put your own labels on this row.", 14, opens_line=True),
    Command("data.swap_answers", "W", "swap", "swap", "Swap the chosen and the rejected answer of this row.", 7),
    Command("data.flag", "!", "flag", "flag", "Flag this row, with a reason.", 13, opens_line=True),
    Command(
        "data.mark_synthetic",
        "S",
        "synthetic",
        "synthetic",
        "Mark this row as synthetic: it is never held out.",
        13,
        decides=True,
    ),
    Command("data.show_history", "h", "history", "history", "Show the decisions on this row: when and by whom.", 18),
    Command("data.next_view", "v", "next_view", "view", "Switch the view of the row: chat, template, raw.", 12),
    Command("data.toggle_thinking", "z", "fold", "thinking", "Show thinking in full, or as one line.", 4),
    Command(
        "data.copy_row",
        "y",
        "copy",
        "copy",
        "Copy the row as shown to the clipboard.",
        19,
        shared="copy",
    ),
    Command("data.write_row", "w", "write", "write", "Write the row as shown to a file.", 20, opens_line=True),
    Command("data.scroll_down", "space", "scroll(1)", "more", "Scroll the row down one page."),
    Command("data.scroll_up", "backspace", "scroll(-1)", "less", "Scroll the row up one page."),
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
        "Go to a row by number.",
        16,
        opens_line=True,
        shared="go to row",
    ),
    Command(
        "data.search",
        "slash",
        "search",
        "search",
        "List the rows that contain a text, or match a /regular expression/.",
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
        "Filter: all, flagged, undecided, kept, dropped.",
        10,
        shared="filter",
    ),
    Command(
        "data.choose_list", "F", "lists", "lists", "Choose a filter or an order: by flag, marked, longest first.", 14
    ),
    Command(
        "data.narrow",
        "plus",
        "narrow",
        "narrow",
        "Narrow the listed rows with a second filter.",
        10,
        "+",
    ),
    Command(
        "data.decide_all", "B", "decide_all", "all listed", "Keep or drop all listed rows at once; u undoes it.", 11
    ),
    Command("data.audit", "A", "audit", "audit", "Start an audit (random, worst first), or resume it.", 8),
    Command("data.skip", "s", "skip", "skip", "In an audit: skip this row for now; ← goes back to it.", 5),
)
"""Of `RowsPane`: which rows are listed, and where the cursor is."""

DATASET = (
    Command("data.open_row", "enter", "read", "read", "Show this row full screen.", 11, shared="open"),
    Command("data.next_hit", "n", "hit(1)", "next match", "Go to the next match of the search.", 3, shared="next hit"),
    Command(
        "data.previous_hit",
        "N",
        "hit(-1)",
        "previous match",
        "Go to the previous match of the search.",
        13,
        shared="previous hit",
    ),
    Command("data.show_bad_lines", "b", "bad_lines", "malformed", "List the malformed lines.", 15),
    Command(
        "data.open_duplicates",
        "r",
        "duplicates",
        "duplicates",
        "Find duplicate and near-duplicate rows and drop them.",
        9,
    ),
    Command(
        "data.open_overview",
        "O",
        "overview",
        "overview",
        "Summarize the training set: split, sources, tokens, answers.",
        9,
    ),
    Command("data.export", "x", "export", "export", "Write the training set to a file; dropped rows go beside it.", 12),
    Command("data.count_tokens", "t", "tokens", "tokens", "Count the tokens of every row; press again to stop.", 17),
    Command("data.write_report", "m", "report", "report", "Write the audit report to a Markdown file.", 21),
    Command("data.toggle_scan", "C", "scan", "stop scan", "Stop the scan; press again to resume it.", 23),
    Command("data.edit_mapping", "M", "mapping", "mapping", "Map the columns of the file.", 18),
)
"""Of `DatasetPane`: the dataset as a whole."""

SCREEN = (
    Command(
        "data.back",
        "escape",
        "back",
        "back",
        "Go back: to the list; from a search, filter or audit to all rows.",
        4,
        "esc",
        shared="back",
    ),
    Command("data.open", "o", "open", "open", "Open another file or folder.", 17, shared="open other"),
)
"""Of the screen itself."""
