"""Which samples are held out: told by a hash, so that appending rows moves none from one side to the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

_CROWDED = 0.1
"""A prompt that more than this share of the samples has in common is no group to hold out as a whole."""


def held_out(group: bytes, fraction: float, seed: int) -> bool:
    """Whether a group of samples belongs to the eval set.

    Args:
        group: what all samples of the group have in common, as a digest.
        fraction: share of groups that is held out, 0 to 1.
        seed: another seed holds out others.
    """
    return _place(group, seed) < fraction


def split(prompts: Sequence[bytes], contents: Sequence[bytes], fraction: float, seed: int) -> list[bool]:
    """For each sample, whether it is held out.

    Samples with the same prompt, and so all duplicates, end on the same side; where one prompt dominates the data,
    only equal samples do. Where the fraction is so small that nothing would be held out, one group is.

    Args:
        prompts: digest of each sample's prompt.
        contents: digest of each sample's content.
        fraction: share that is held out, 0 to 1; 0 holds out nothing.
        seed: of the choice.
    """
    if not prompts or fraction <= 0:
        return [False] * len(prompts)
    largest = Counter(prompts).most_common(1)[0][1]
    groups = contents if largest > 1 and largest > _CROWDED * len(prompts) else prompts
    chosen = [held_out(group, fraction, seed) for group in groups]
    if not any(chosen):
        distinct = set(groups)
        if len(distinct) > 1:
            least = min(distinct, key=lambda group: _place(group, seed))
            chosen = [group == least for group in groups]
    return chosen


def _place(group: bytes, seed: int) -> float:
    """A group's place in [0, 1), the same for ever."""
    hashed = blake2b(group, digest_size=8, key=seed.to_bytes(8, "little", signed=True)).digest()
    return int.from_bytes(hashed, "little") / 2**64
