"""The old names of flags: what earlier releases wrote down, and what fingers still type, means the new ones.

Read through here: recipes and `--drop`, stored scans and audits, and the counts in the manifests of training sets.
"""

from __future__ import annotations

from collections.abc import Mapping

UNREADABLE = "unreadable"
"""Flag and reason of a row that cannot be formatted as a sample."""

UNREADABLE_IN_EVAL = "unreadable in eval"
"""Why a row of an eval file is not evaluated on."""

NOT_RENDERED = "not_rendered"
"""Flag of a row that holds something to train on that the rendered text does not."""

CONTROL_TOKENS = "control_tokens"
"""Flag of a row in whose text special tokens of the tokenizer stand."""

RENAMED: Mapping[str, str] = {
    "bad_row": UNREADABLE,
    "bad_row in eval": UNREADABLE_IN_EVAL,
    "normalised_duplicate": "normalized_duplicate",
}
"""Old name to new name."""


def flag_name(name: str) -> str:
    """Today's name of a flag, or of a reason why a row is not in the training set."""
    return RENAMED.get(name, name)


def flag_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by flag or reason, under today's names."""
    found: dict[str, int] = {}
    for name, number in counts.items():
        found[flag_name(name)] = found.get(flag_name(name), 0) + number
    return found
