"""Which samples are held out: told by a hash, so that appending rows moves none from one side to the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

_CROWDED = 0.1
"""A group of more than this share of the samples (or than the share held out, if that is more) is not held out."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Samples that go together.

    Attributes:
        label: its number.
        size: of its samples, how many may be held out.
        place: where the seed has put it, from 0 to 1.
        stratum: of most of its samples.
    """

    label: int
    size: int
    place: float
    stratum: str


def split(prompts: Sequence[bytes], contents: Sequence[bytes], fraction: float, seed: int) -> list[bool]:
    """For each sample, whether it is held out; samples with the same prompt, and so all duplicates, go together.

    Args:
        prompts: digest of each sample's prompt.
        contents: digest of each sample's content.
        fraction: share that is held out, 0 to 1; 0 holds out nothing.
        seed: of the choice.
    """
    digests = by_prompt(prompts, contents)
    return deal(labeled(digests), digests, fraction, seed)


def by_prompt(prompts: Sequence[bytes], contents: Sequence[bytes]) -> Sequence[bytes]:
    """What samples that go together have in common: the prompt; where one prompt dominates, the whole content."""
    if not prompts:
        return prompts
    largest = Counter(prompts).most_common(1)[0][1]
    return contents if largest > 1 and largest > _CROWDED * len(prompts) else prompts


def labeled(digests: Sequence[bytes]) -> list[int]:
    """A number for each sample, the same for equal digests."""
    numbers: dict[bytes, int] = {}
    return [numbers.setdefault(digest, len(numbers)) for digest in digests]


def deal(
    labels: Sequence[int],
    digests: Sequence[bytes],
    fraction: float,
    seed: int,
    *,
    strata: Sequence[str] = (),
    barred: Sequence[bool] = (),
) -> list[bool]:
    """For each sample, whether its group is held out.

    A group is held out if the seed puts it below the fraction. Where each stratum is to have its share, groups of a
    stratum are taken in the order of their places until it has it. Groups that are too large to be held out are trained
    on; where nothing would be held out although a fraction was asked for, the smallest group is. One group is always
    trained on.

    Args:
        labels: the group of each sample.
        digests: of each sample; the least one of a group is the group's, whatever the order of the samples.
        fraction: share of the samples that is held out, 0 to 1; 0 holds out nothing.
        seed: another seed holds out others.
        strata: the stratum of each sample; empty for no strata.
        barred: samples that may not be held out; they do not count, and groups of them alone are trained on.
    """
    groups = _groups(labels, digests, seed, strata, barred)
    if fraction <= 0 or not groups or len(set(labels)) < 2:
        return [False] * len(labels)
    total = sum(group.size for group in groups)
    fitting = [group for group in groups if group.size <= max(_CROWDED, fraction) * total]
    if strata:
        chosen = _stratified(fitting, fraction)
    else:
        chosen = {group.label for group in fitting if group.place < fraction}
    if not chosen:
        chosen = {min(groups, key=lambda group: (group.size, group.place)).label}
    elif len(chosen) == len(set(labels)):
        chosen.remove(max(groups, key=lambda group: group.place).label)
    return [label in chosen for label in labels]


def _groups(
    labels: Sequence[int], digests: Sequence[bytes], seed: int, strata: Sequence[str], barred: Sequence[bool]
) -> list[_Group]:
    """The groups of which some sample may be held out."""
    members: dict[int, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        if not (barred and barred[number]):
            members[label].append(number)
    return [
        _Group(
            label,
            len(numbers),
            _place(min(digests[number] for number in numbers), seed),
            _commonest(strata[number] for number in numbers) if strata else "",
        )
        for label, numbers in members.items()
    ]


def _commonest(names: Iterable[str]) -> str:
    counts = Counter(names)
    return min(counts, key=lambda name: (-counts[name], name))


def _stratified(groups: Sequence[_Group], fraction: float) -> set[int]:
    """The groups to hold out so that each stratum comes as near to its share as whole groups allow.

    Strata of which not even one sample would be held out are taken together.
    """
    sizes: Counter[str] = Counter()
    for group in groups:
        sizes[group.stratum] += group.size
    by_stratum: dict[str | None, list[_Group]] = defaultdict(list)
    for group in groups:
        by_stratum[group.stratum if sizes[group.stratum] * fraction >= 1 else None].append(group)
    chosen: set[int] = set()
    for some in by_stratum.values():
        wanted = fraction * sum(group.size for group in some)
        held = 0
        for group in sorted(some, key=lambda group: group.place):
            if abs(held + group.size - wanted) < abs(held - wanted):
                held += group.size
                chosen.add(group.label)
    return chosen


def _place(digest: bytes, seed: int) -> float:
    """A group's place in [0, 1), the same for ever."""
    hashed = blake2b(digest, digest_size=8, key=seed.to_bytes(8, "little", signed=True)).digest()
    return int.from_bytes(hashed, "little") / 2**64


def in_order(keys: Sequence[str], seed: int) -> list[int]:
    """The positions of some samples in an order that the seed tells; appending others does not change theirs."""
    return sorted(range(len(keys)), key=lambda number: (_place(keys[number].encode(), seed), number))
