"""A search for near-duplicates that was cancelled goes on with what it had worked out, and finds the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.dataset.near import worker_pool
from core.dataset.near.kept import FILE, SearchCache, is_kept
from core.dataset.near.result import Cluster, NearOptions
from core.dataset.near.search import find_clusters, no_tick
from core.dataset.near.sketch import Banding, Sketches
from core.dataset.near.verify import Verifier
from tests.unit.test_near_search import corpus_of, families


class Cancelled(Exception):
    """Somebody asked for the search to end."""


TEXTS = families(7, 900)


class Counted:
    """How much is worked out: texts sketched, and pairs verified."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sketched = self.verified = 0
        sketch, verified = worker_pool.sketch, Verifier._verified  # type: ignore[attr-defined]

        def sketching(texts: list[str], banding: Banding) -> Sketches:
            self.sketched += len(texts)
            return sketch(texts, banding)

        def verifying(verifier: Verifier, first: int, second: int) -> float:
            self.verified += 1
            return verified(verifier, first, second)

        monkeypatch.setattr(worker_pool, "sketch", sketching)
        monkeypatch.setattr(Verifier, "_verified", verifying)


def found(folder: Path | None, phase: str = "", at: int = 0, options: NearOptions | None = None) -> tuple[Cluster, ...]:
    """The clusters, or a search that is cancelled when it has come so far in a phase."""

    def tick(what: str, done: int, of: int) -> None:
        if what == phase and done >= at:
            raise Cancelled

    corpus = corpus_of(TEXTS)
    try:
        return find_clusters(
            corpus, options or NearOptions(), tick=tick if phase else no_tick, kept=SearchCache(folder)
        )
    finally:
        corpus.close()


@pytest.mark.parametrize(
    ("phase", "at", "sketches_left", "pairs_left"),
    [("sketching", 1_000, 0.6, 1.01), ("comparing", 12, 0.0, 0.8), ("choosing rows to keep", 0, 0.0, 0.6)],
)
def test_what_was_worked_out_is_not_worked_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: str, at: int, sketches_left: float, pairs_left: float
) -> None:
    whole = Counted(monkeypatch)
    straight = found(None)
    monkeypatch.undo()
    with pytest.raises(Cancelled):
        found(tmp_path, phase, at)
    assert is_kept(tmp_path)
    left = Counted(monkeypatch)
    assert found(tmp_path) == straight
    assert left.sketched <= sketches_left * whole.sketched
    assert left.verified <= pairs_left * whole.verified
    assert not is_kept(tmp_path), "what is done needs no going on"


def test_another_search_takes_nothing_of_it(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        found(tmp_path, "choosing rows to keep")
    lower = NearOptions(0.6)
    assert found(tmp_path, options=lower) == found(None, options=lower)


@pytest.mark.parametrize("damage", ["cut short", "no archive", "empty"])
def test_a_file_that_cannot_be_read_is_as_none(tmp_path: Path, damage: str) -> None:
    with pytest.raises(Cancelled):
        found(tmp_path, "comparing", 3)
    file = tmp_path / FILE
    whole = file.read_bytes()
    file.write_bytes({"cut short": whole[: len(whole) // 2], "no archive": b"PK not really", "empty": b""}[damage])
    assert found(tmp_path) == found(None)
