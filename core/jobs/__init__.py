"""One job is one folder: launch, keep, follow, ask. Knows no data, no recipe, no torch."""
