"""The audit: what was decided about rows, which rows to read next, and the report."""
