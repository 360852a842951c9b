"""The dataset of an advice, in one line."""

from __future__ import annotations

from core.runs.advice.evidence import Evidence


def dataset_words(evidence: Evidence) -> str:
    """As `44 samples to train on, 5 held out, 6 duplicates dropped, 2 leaks, none audited`."""
    parts = [
        f"{evidence.train:,} sample{'s' * (evidence.train != 1)} to train on",
        f"{evidence.held_out:,} held out" if evidence.held_out else "no eval set",
    ]
    if evidence.duplicates:
        parts.append(f"{evidence.duplicates:,} duplicate{'s' * (evidence.duplicates != 1)} dropped")
    if evidence.unreadable:
        parts.append(f"{evidence.unreadable:,} unreadable")
    parts.append(
        f"{evidence.leaks:,} leak{'s' * (evidence.leaks != 1)} into the eval set" if evidence.leaks else "no leaks"
    )
    if evidence.audited:
        parts.append(f"{evidence.audited:,} audited ({evidence.bad_share.words})")
    else:
        parts.append("none audited")
    return f"{', '.join(parts)}."
