"""Near-duplicates: rows whose text is nearly the same, each pair verified. numpy is imported where a search begins."""
