"""The search for near-duplicates, from texts to clusters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from core.dataset.near.connect import Components, Likely, connect
from core.dataset.near.corpus import DIGEST_BYTES, Corpus
from core.dataset.near.keep import FEW, Candidates, LargeCluster, Outcome, SmallClusters, choose, to_verify
from core.dataset.near.kept import SearchCache
from core.dataset.near.result import Cluster, Drop, NearOptions, StageProgress
from core.dataset.near.sketch import Banding, Sketches
from core.dataset.near.verify import Verifier
from core.dataset.near.worker_pool import shapes, sketch_all

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_AT_ONCE = 1_000
_TOGETHER = 32


def no_tick(_: str, __: int, ___: int) -> None:
    """For searches that nobody watches."""


def find_clusters(
    corpus: Corpus,
    options: NearOptions,
    apart: Collection[tuple[int, int]] = (),
    tick: StageProgress = no_tick,
    *,
    preferred: int = 0,
    kept: SearchCache | None = None,
) -> tuple[Cluster, ...]:
    """Finds the similar texts of a complete corpus.

    Args:
        corpus: the texts.
        options: what counts.
        apart: pairs of texts (numbers in the corpus) that the user has said are no duplicates. It holds for all texts
            that equal one of them; of two equal texts, for these alone.
        tick: told progress; may raise to stop.
        preferred: the first so many texts are kept before all others, whatever the options say.
        kept: where work is found that an earlier search had done, and kept if this one is ended early.

    Returns:
        The clusters, the largest first, then by first row. They do not depend on the order of the rows, nor on the
        number of processes.
    """
    firsts, place = corpus.distinct(sorted({number for pair in apart if corpus.same(*pair) for number in pair}))
    places = (sorted((int(place[one]), int(place[other]))) for one, other in apart)
    places_apart = frozenset((one, other) for one, other in places)
    banding = Banding.for_threshold(options.threshold)
    kept = SearchCache(None) if kept is None else kept
    about = {
        "threshold": options.threshold,
        "fields": options.fields,
        "apart": sorted(places_apart),
        "left_out": corpus.shared.to_json(),
    }
    work = kept.work(corpus.digests(firsts.tolist()), about, shapes(len(firsts), banding))
    what, done, of = "comparing", 0, banding.bands

    def on_pair() -> None:
        tick(what, done, of)

    def band_done(number: int, _: int) -> None:
        nonlocal done
        done = number
        on_pair()

    verify = Verifier(corpus, firsts, options.threshold, places_apart, on_pair)
    verify.take(work.known)
    try:
        sketches = sketch_all(corpus, firsts, banding, options.processes, tick, work)
        likely = Likely(sketches.marks, options.threshold)
        components = connect(sketches, likely, verify, band_done)
        groups = _Groups(corpus, place, firsts, preferred)
        clusters = groups.clusters(components, sketches, likely, verify, options, tick)
        found = tuple(sorted(clusters, key=lambda cluster: (-len(cluster.rows), cluster.rows)))
    except BaseException:  # whatever ends it: what was worked out need not be again
        work.known = verify.known
        kept.keep(work)
        raise
    kept.forget()
    return found


class _Groups:
    """From distinct texts back to rows."""

    def __init__(self, corpus: Corpus, place: NDArray[np.int64], firsts: NDArray[np.int64], preferred: int) -> None:
        self._corpus = corpus
        self._preferred = preferred
        self._firsts: list[int] = firsts.tolist()
        self._repeats: dict[int, list[int]] = defaultdict(list)
        for number, where in enumerate(place.tolist()):
            if where >= 0 and self._firsts[where] != number:
                self._repeats[where].append(number)

    def clusters(
        self,
        components: Components,
        sketches: Sketches,
        likely: Likely,
        verify: Verifier,
        options: NearOptions,
        tick: StageProgress,
    ) -> Iterable[Cluster]:
        parts = components.parts()
        joined = {member for part in parts for member in part}
        parts += [[where] for where in sorted(self._repeats) if where not in joined]
        chosen: list[Outcome] = []
        for at in range(0, len(parts), _AT_ONCE):
            tick("choosing rows to keep", at, len(parts))
            some = parts[at : at + _AT_ONCE]
            small = SmallClusters((part for part in some if len(part) <= FEW), likely)
            ordered = [sorted(part, key=lambda member: self._rank(member, options.keep)) for part in some]
            for first in range(0, len(ordered), _TOGETHER):
                together = ordered[first : first + _TOGETHER]
                verify.prepare(
                    pair for members in together if len(members) <= FEW for pair in to_verify(members, verify)
                )
                for members in together:
                    candidates: Candidates = small if len(members) <= FEW else LargeCluster(sketches, verify)
                    chosen.append(choose(members, candidates, verify))
        least: dict[int, float] = {}
        for (first, _), similarity in verify.known.items():
            if similarity:
                label = int(components.labels[first])
                least[label] = min(least.get(label, 1.0), similarity)
        for part, outcome in zip(parts, chosen, strict=True):
            yield self._cluster(outcome, least.get(int(components.labels[part[0]]), 1.0))

    def _rank(self, member: int, keep: Literal["first", "longest"]) -> tuple[bool, int, int]:
        number = self._firsts[member]
        later = number >= self._preferred
        return (later, -self._corpus.lengths[number] if keep == "longest" and later else 0, number)

    def _cluster(self, outcome: Outcome, similarity: float) -> Cluster:
        keep, drop = [], []
        for member, reason in outcome.items():
            first = self._row(self._firsts[member])
            if reason is None:
                keep.append(first)
            else:
                drop.append(Drop(first, self._row(self._firsts[reason[0]]), reason[1]))
            because_of, like = (first, 1.0) if reason is None else (drop[-1].because_of, drop[-1].similarity)
            drop += [Drop(self._row(number), because_of, like) for number in self._repeats.get(member, ())]
        rows = tuple(sorted(keep + [each.row for each in drop]))
        kind: Literal["exact", "near"] = "exact" if len(outcome) == 1 and self._same_samples(*outcome) else "near"
        return Cluster(kind, rows, similarity, tuple(sorted(keep)), tuple(sorted(drop, key=lambda each: each.row)))

    def _row(self, number: int) -> int:
        return self._corpus.rows[number]

    def _same_samples(self, member: int) -> bool:
        numbers: Sequence[int] = [self._firsts[member], *self._repeats.get(member, ())]
        contents = self._corpus.contents
        return len({bytes(contents[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]) for at in numbers}) == 1
