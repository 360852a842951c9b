"""Pairs across two sides: none missed and none made up, in texts of which most are nearly alike."""

from __future__ import annotations

import random
from contextlib import closing

import pytest

from core.dataset.near.corpus import Corpus
from core.dataset.near.cross import cross_pairs
from core.dataset.near.members import rarity_of
from core.dataset.near.parity import parities, unshared
from core.dataset.near.verify import Verifier


def templated(made: random.Random) -> list[str]:
    """Texts of a few templates with some words exchanged, so that many are just at the threshold; and odd ones."""
    words = ["".join(made.choices("abcdefghij", k=made.randrange(2, 8))) for _ in range(made.choice((20, 300)))]
    templates = [made.choices(words, k=made.randrange(1, 120)) for _ in range(6)]
    texts = ["".join(made.choices("abé漢", k=made.randrange(9))) for _ in range(12)]
    for _ in range(90):
        text = list(made.choice(templates))
        for _ in range(made.randrange(1 + len(text) // 8)):
            text[made.randrange(len(text))] = made.choice(words)
        texts.append(" ".join(text))
    return texts


def grams(text: str) -> set[str]:
    return {text[at : at + 5] for at in range(len(text) - 4)} or {text}


@pytest.mark.parametrize("threshold", [0.5, 0.65, 0.8, 0.9, 1.0])
def test_pairs_across_are_those_of_brute_force(threshold: float) -> None:
    pairs = 0
    for seed in range(3):
        made = random.Random(seed)
        with closing(Corpus()) as corpus:
            for row, text in enumerate(templated(made)):
                corpus.add(row, text, bytes(16), structured=False)
            corpus.settle()
            firsts, _ = corpus.distinct()
            texts = corpus.bodies(firsts.tolist())
            places = list(range(len(texts)))
            made.shuffle(places)
            held, rest = sorted(places[:30]), sorted(places[30:])
            verify = Verifier(corpus, firsts, threshold, (), lambda: None)
            rarity = rarity_of(corpus, firsts)
            found = cross_pairs(corpus, firsts, held, rest, verify, threshold, rarity, lambda done, of: None)
            sets = list(map(grams, texts))
            expected = {
                (one, other): similarity
                for one in held
                for other in rest
                if (similarity := len(sets[one] & sets[other]) / len(sets[one] | sets[other])) >= threshold
            }
            assert {(one, other): similarity for one, other, similarity in found} == expected
            pairs += len(expected)
            # Almost all that was verified was a pair: the bounds before it turn the others away.
            assert len(verify.known) <= 1.5 * len(expected) + 20
    assert pairs or threshold == 1.0


def test_parity_never_says_more_than_what_two_sets_do_not_share() -> None:
    import numpy as np

    made = np.random.default_rng(0)
    for size in (3, 40, 900, 9_000):
        one = np.unique(made.integers(0, 2**47, size, np.uint64))
        other = np.unique(np.concatenate((one[: size * 9 // 10], made.integers(0, 2**47, size // 10, np.uint64))))
        rows = np.repeat([0, 1], [len(one), len(other)])
        sketches = parities(np.concatenate((one, other)), rows, 2)
        bound, true = int(unshared(sketches[:1], sketches[1:])[0]), len(np.setxor1d(one, other))
        assert true / 2 < bound <= true


@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
def test_what_is_ruled_out_beforehand_is_no_pair_and_little_else_is_left(threshold: float) -> None:
    import numpy as np

    made = random.Random(7)
    with closing(Corpus()) as corpus:
        for row, text in enumerate(templated(made)):
            corpus.add(row, text, bytes(16), structured=False)
        corpus.settle()
        firsts, _ = corpus.distinct()
        verify = Verifier(corpus, firsts, threshold, (), lambda: None)
        first, second = np.triu_indices(len(firsts), 1)
        possible = set(verify.possible(first, second).tolist())
        sets = list(map(grams, corpus.bodies(firsts.tolist())))
        alike = {
            at
            for at, (one, other) in enumerate(zip(first.tolist(), second.tolist(), strict=True))
            if len(sets[one] & sets[other]) >= threshold * len(sets[one] | sets[other])
        }
        assert alike <= possible
        comparable = {at for at in possible if min(len(sets[first[at]]), len(sets[second[at]])) > 1}
        assert len(comparable) <= 1.5 * len(alike) + 20
