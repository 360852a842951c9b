"""Rules that a recipe must meet beyond the range of each field."""
