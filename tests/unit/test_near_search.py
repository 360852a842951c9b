"""Clusters and removals, against brute force and against what the law says."""

from __future__ import annotations

import random
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.near.corpus import Corpus
from core.dataset.near.exact import jaccard
from core.dataset.near.result import Cluster, NearOptions
from core.dataset.near.search import find_clusters
from core.errors import BadInput
from core.paths import ROOT
from tests.kit.waiting import PATIENCE
from tests.unit.test_near_similarity import sentence


def corpus_of(texts: Sequence[str], *, structured: bool = False) -> Corpus:
    corpus = Corpus()
    for row, text in enumerate(texts):
        corpus.add(row, text, text.encode()[:16].ljust(16), structured=structured)
    corpus.settle()
    return corpus


def clusters_of(texts: Sequence[str], options: NearOptions | None = None, **more: object) -> tuple[Cluster, ...]:
    corpus = corpus_of(texts)
    try:
        return find_clusters(corpus, options or NearOptions(), **more)  # type: ignore[arg-type]
    finally:
        corpus.close()


def brute_force(texts: Sequence[str], threshold: float) -> set[frozenset[int]]:
    """Connected components of all pairs at or above the threshold."""
    part = list(range(len(texts)))
    for first in range(len(texts)):
        for second in range(first):
            if part[first] != part[second] and jaccard(texts[first], texts[second]) >= threshold:
                part = [part[second] if each == part[first] else each for each in part]
    parts = {label: frozenset(row for row, each in enumerate(part) if each == label) for label in set(part)}
    return {rows for rows in parts.values() if len(rows) > 1}


def with_slips(text: str, slips: int, made: random.Random) -> str:
    characters = list(text)
    for _ in range(slips):
        characters[made.randrange(len(characters))] = made.choice("xyz")
    return "".join(characters)


def families(seed: int, count: int = 25) -> list[str]:
    """Texts, most of them with copies of copies: chains whose ends are less alike than the threshold."""
    made = random.Random(seed)
    texts = []
    for _ in range(count):
        text = sentence(made, made.choice((3, 10, 40, 120)))
        for _ in range(made.randrange(6)):
            texts.append(text)
            text = with_slips(text, made.randrange(1 + len(text) // 60 + 1), made)
    made.shuffle(texts)
    return texts


def check_removals(texts: Sequence[str], clusters: Sequence[Cluster], threshold: float) -> None:
    """The law: a row goes only because of a row that stays, and is at least the threshold like it."""
    seen: set[int] = set()
    for cluster in clusters:
        dropped = [drop.row for drop in cluster.drop]
        assert sorted([*cluster.keep, *dropped]) == list(cluster.rows)
        assert seen.isdisjoint(cluster.rows)
        seen.update(cluster.rows)
        for drop in cluster.drop:
            assert drop.because_of in cluster.keep
            assert drop.similarity == pytest.approx(jaccard(texts[drop.row], texts[drop.because_of]))
            assert threshold <= cluster.similarity <= drop.similarity


@pytest.mark.parametrize("threshold", [0.6, 0.8, 0.95])
@pytest.mark.parametrize("seed", range(4))
def test_clusters_are_those_of_brute_force(threshold: float, seed: int) -> None:
    texts = families(seed)
    clusters = clusters_of(texts, NearOptions(threshold))
    assert {frozenset(cluster.rows) for cluster in clusters} == brute_force(texts, threshold)
    check_removals(texts, clusters, threshold)


@given(
    texts=st.lists(st.text(st.sampled_from("ab c漢"), max_size=14), max_size=14),
    keep=st.sampled_from(["first", "longest"]),
    threshold=st.sampled_from([0.5, 0.8, 1.0]),
)
@settings(max_examples=80, deadline=None)
def test_a_row_goes_only_because_of_a_row_that_stays(texts: list[str], keep: str, threshold: float) -> None:
    texts = [" ".join(text.split()) for text in texts]
    clusters = clusters_of(texts, NearOptions(threshold, keep))  # type: ignore[arg-type]
    check_removals(texts, clusters, threshold)
    found = {frozenset(cluster.rows) for cluster in clusters}
    assert all(any(rows <= part for part in brute_force(texts, threshold)) for rows in found)


def test_of_a_chain_the_ends_that_are_not_alike_stay() -> None:
    made = random.Random(7)
    first = sentence(made, 60)
    middle = "x" * 15 + first[15:]
    last = middle[:-15] + "y" * 15
    threshold = min(jaccard(first, middle), jaccard(middle, last)) - 0.001
    assert jaccard(first, last) < threshold
    (cluster,) = clusters_of([first, middle, last], NearOptions(threshold))
    assert cluster.keep == (0, 2)
    assert [(drop.row, drop.because_of) for drop in cluster.drop] == [(1, 0)]


def test_keep_longest_keeps_the_longest_and_of_equals_the_first() -> None:
    text = sentence(random.Random(8), 60)
    texts = [text, text + " and more", text + " and more", text[:-3]]
    (cluster,) = clusters_of(texts, NearOptions(keep="longest"))
    assert cluster.keep == (1,)
    assert [(drop.row, drop.because_of) for drop in cluster.drop] == [(0, 1), (2, 1), (3, 1)]


def test_clusters_do_not_depend_on_the_order_of_rows() -> None:
    texts = families(9, 60)
    order = list(range(len(texts)))
    random.Random(10).shuffle(order)
    straight = {frozenset(texts[row] for row in each.rows) for each in clusters_of(texts)}
    shuffled = {frozenset(texts[order[row]] for row in each.rows) for each in clusters_of([texts[at] for at in order])}
    assert straight == shuffled


def test_one_process_and_two_find_the_same() -> None:
    made = random.Random(11)
    texts = [sentence(made, 12) for _ in range(2_300)]
    texts += [with_slips(text, 1, made) for text in texts[:300]]
    one, two = (clusters_of(texts, NearOptions(processes=processes)) for processes in (1, 2))
    assert [each.to_json() for each in one] == [each.to_json() for each in two]
    assert len(one) > 100


def test_a_helper_ends_when_nobody_feeds_it() -> None:
    command = [sys.executable, "-m", "core.dataset.near.worker_pool", "25", "5"]
    ended = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, b"")


def test_pairs_that_the_user_held_apart_are_no_edge() -> None:
    made = random.Random(12)
    text = sentence(made, 60)
    texts = [text, with_slips(text, 1, made), with_slips(text, 1, made)]
    (all_three,) = clusters_of(texts)
    assert all_three.keep == (0,)
    (cluster,) = clusters_of(texts, apart={(0, 1)})
    assert cluster.rows == (0, 1, 2)
    assert cluster.keep == (0, 1)
    assert clusters_of([text, text], apart={(0, 1)}) == ()
    assert clusters_of(texts[:2], apart={(0, 1)}) == ()


def test_a_search_tells_progress_and_ends_when_the_tick_raises() -> None:
    texts = families(13, 10)
    reported = []
    clusters_of(texts, tick=lambda what, done, of: reported.append((what, done, of)))
    assert {what for what, _, _ in reported} == {"sketching", "comparing", "choosing rows to keep"}

    class Enough(Exception):
        pass

    def stop(what: str, done: int, of: int) -> None:
        if what == "comparing":
            raise Enough

    with pytest.raises(Enough):
        clusters_of(texts, tick=stop)


def test_thousands_of_copies_cost_one_comparison_each() -> None:
    made = random.Random(14)
    text = sentence(made, 40)
    copies = list(dict.fromkeys(with_slips(text, 1, made) for _ in range(3_000)))
    reported = 0

    def tick(what: str, done: int, of: int) -> None:
        nonlocal reported
        reported += what == "comparing"

    (cluster,) = clusters_of(copies, tick=tick)
    assert len(cluster.rows) == len(copies)
    # 25 bands, and once for 2,000 pairs compared: a quadratic search would compare millions.
    assert reported <= 25 + len(copies) * 3 // 2_000


def test_of_one_large_cluster_of_a_template_each_row_that_goes_has_one_that_stays_and_few_are_missed() -> None:
    made = random.Random(12)
    template = sentence(made, 80)
    texts = [with_slips(template, made.randrange(2, 9), made) for _ in range(160)]
    (cluster,) = clusters_of(texts)
    check_removals(texts, [cluster], 0.8)
    assert len(cluster.rows) > 130
    kept = list(cluster.keep)
    alike = [
        (one, other) for at, one in enumerate(kept) for other in kept[:at] if jaccard(texts[one], texts[other]) >= 0.8
    ]
    assert len(alike) <= len(kept) // 20, "of the rows that stay hardly any makes another one superfluous"


def test_texts_are_held_on_disk_and_not_in_memory(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    tracemalloc.start()
    for row in range(300):
        corpus.add(row, f"{row} " + "a word and another " * 1_000, b"0" * 16, structured=False)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    written = sum(corpus.lengths)
    corpus.close()
    assert written > 5_000_000
    assert held < written / 20


def test_a_full_system_prompt_and_a_constant_answer_are_excluded() -> None:
    made = random.Random(16)
    corpus = Corpus()
    system, answer = "Du bist ein ﬁx und fertiger Helfer.", "I  cannot say"
    bodies = [sentence(made, 12) for _ in range(30)]
    for row, body in enumerate(bodies):
        text = f"du bist ein fix und fertiger helfer. {body} i cannot say"
        corpus.add(row, text, b"0" * 16, system=system, answer=answer)
    said = corpus.settle()
    assert corpus.body(3) == bodies[3]
    assert [phrase.split(",")[0] for phrase in said] == ["the system prompt", "the answer"]
    corpus.close()


def test_rows_under_different_headers_must_be_alike_with_them_too() -> None:
    made = random.Random(17)
    one = "answer as a pirate would and never leave that part, whatever is asked of you. question: "
    other = "translate what follows into latin and add a list of the words that are rare. text: "
    bodies = [sentence(made, 16) for _ in range(60)]
    texts = [one + body for body in bodies[:30]] + [other + body for body in bodies[30:]]
    texts += [one + with_slips(bodies[0], 1, made), other + bodies[1]]
    corpus = corpus_of(texts, structured=True)
    (cluster,) = find_clusters(corpus, NearOptions())
    assert cluster.rows == (0, 60)
    assert cluster.similarity == pytest.approx(jaccard(bodies[0], texts[60][len(one) :]))
    corpus.close()


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0.3}, {"threshold": 1.1}, {"keep": "last"}, {"fields": "x"}, {"processes": 0}]
)
def test_options_that_make_no_sense_are_refused_in_words(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        NearOptions(**wrong)  # type: ignore[arg-type]
