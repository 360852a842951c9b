"""Runs: from a recipe to a job, and everything about a run that can be read back without torch."""
