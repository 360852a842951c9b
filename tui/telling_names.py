"""Short names for runs that are shown together: what tells them apart, not what they have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.clean import clean_line

_TIME = re.compile(r"-(\d\d)(\d\d)(\d\d)-")
"""The time of the start in a run's id."""

_LEAST = 3
"""Characters below which a part alone says too little: `8` becomes `rank 8`."""


def telling_names(runs: Sequence[tuple[str, str]], longest: int = 18) -> list[str]:
    """The words in which the runs' names differ; of runs that are called alike, those of their ids.

    Args:
        runs: name and id of each.
        longest: cells that a name may take.

    Returns:
        A clean name for each, all different as long as `longest` allows: `rank 8` and `rank 16` for `support rank 8`
        and `support rank 16`, the times of the start for two runs of one recipe.
    """
    names = [name for name, _ in runs]
    if len(set(names)) < len(names):
        names = [_TIME.sub(r"-\1:\2:\3-", run_id, count=1) for _, run_id in runs]
    return [_cut(clean_line(name), longest) for name in (_differing(names) if len(names) > 1 else names)]


def _cut(name: str, longest: int) -> str:
    """A name that is too long loses its middle: runs that start alike may end differently."""
    head = longest // 2
    return name if len(name) <= longest else f"{name[:head]}…{name[head + 1 - longest :]}"


def _differing(names: Sequence[str]) -> list[str]:
    parts = [re.split(r"(?<=[\s_-])", name) for name in names]
    fewest = min(map(len, parts))
    first = _alike(parts, fewest - 1)
    if first and min(len("".join(each[first:])) for each in parts) < _LEAST:
        first -= 1
    backwards = [each[first:][::-1] for each in parts]
    last = _alike([[part.rstrip(" _-") for part in each] for each in backwards], min(map(len, backwards)) - 1)
    return ["".join(each[first : len(each) - last]).rstrip(" _-") for each in parts]


def _alike(parts: Sequence[Sequence[str]], most: int) -> int:
    """How many of the first parts are the same in all."""
    count = 0
    while count < most and len({each[count] for each in parts}) == 1:
        count += 1
    return count
