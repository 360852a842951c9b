"""What the lists of rows are called; nothing is imported for it."""

from __future__ import annotations

FILTERS = ("all", "flagged", "undecided", "kept", "dropped")
"""The filters, in the order in which the key goes through them."""

FLAG = "flag: "
"""Begins the filter that lists the rows of one check, whose name follows."""

SOURCE = "file: "
"""Begins the filter that lists the rows of one file, whose number (from 0) follows."""
