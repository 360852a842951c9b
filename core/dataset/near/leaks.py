"""Prompts that are near to one of the eval set."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from core.dataset.near.connect import Likely
from core.dataset.near.corpus import Corpus
from core.dataset.near.crew import sketch_all
from core.dataset.near.result import NearOptions, Tick
from core.dataset.near.sketch import Banding, Sketches
from core.dataset.near.verify import Verifier

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_IN_BUCKET = 64


def find_leaks(
    corpus: Corpus, first_eval: int, options: NearOptions, apart: Collection[tuple[int, int]], tick: Tick
) -> dict[int, tuple[int, float]]:
    """Finds training prompts that are near to an eval prompt and not equal to one.

    Args:
        corpus: settled; the training prompts, then those of the eval files.
        first_eval: number of the first eval prompt.
        options: threshold and processes.
        apart: pairs of a training prompt and an eval prompt that the user has said are no duplicates; it holds for all
            prompts that equal one of them.
        tick: told progress; may raise to stop.

    Returns:
        Number of a training prompt to that of the eval prompt it is like, and their similarity.
    """
    import numpy as np

    firsts, place = corpus.distinct()
    held = np.unique(place[first_eval:])
    held = held[held >= 0]
    asked = np.setdiff1d(place[:first_eval], np.append(held, -1))
    sketches = sketch_all(corpus, firsts, Banding.for_threshold(options.threshold), options.processes, tick)
    first, second = _candidates(sketches, asked, held)
    near, estimates = Likely(sketches.marks, options.threshold).of(first, second)
    best_first = near[np.lexsort((-estimates, first[near]))]
    places_apart = {(min(pair), max(pair)) for pair in ((int(place[one]), int(place[two])) for one, two in apart)}
    verify = Verifier(
        corpus, firsts, options.threshold, places_apart, lambda: tick("comparing with the eval set", 0, 1)
    )
    found: dict[int, tuple[int, float]] = {}
    for one, other in zip(first[best_first].tolist(), second[best_first].tolist(), strict=True):
        if one not in found and (similarity := verify(one, other)):
            found[one] = (int(firsts[other]), similarity)
    return {number: found[at] for number, at in enumerate(place[:first_eval].tolist()) if at in found}


def _candidates(
    sketches: Sketches, asked: NDArray[np.int64], held: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of one of `asked` and one of `held` that agree in a band; of equal bands the first 64 in `held`."""
    import numpy as np

    total = sketches.bands.shape[1]
    pairs = [np.zeros(0, np.int64)]
    for hashed in sketches.bands:
        order = held[np.argsort(hashed[held], kind="stable")]
        left = np.searchsorted(hashed[order], hashed[asked], "left")
        right = np.searchsorted(hashed[order], hashed[asked], "right")
        counts = np.minimum(right - left, _MOST_IN_BUCKET)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        pairs.append(np.repeat(asked, counts) * total + order[np.repeat(left, counts) + within])
    first, second = np.divmod(np.unique(np.concatenate(pairs)), max(total, 1))
    return first, second
