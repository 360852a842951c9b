"""The Export screen: what a run leaves to take home."""
