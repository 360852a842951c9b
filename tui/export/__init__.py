"""The Export screen: the adapter of a run."""
