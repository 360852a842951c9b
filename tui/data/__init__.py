"""The Data screen: rows, flags and decisions."""
