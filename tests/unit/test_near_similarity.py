"""Similarity, sketches and shared beginnings, against what their definitions say."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.item import normalize
from core.dataset.near.exact import LONGEST, Similarity, jaccard
from core.dataset.near.headers import Headers
from core.dataset.near.sketch import _BLOCK, Banding, _least_hashes, _least_hashes_of_long, sketch

TALE = "the quick brown fox jumps over a lazy dog while nobody looks at its seven small children in red boots"
WORDS = TALE.split()


def defined(first: str, second: str) -> float:
    """Jaccard on the sets of 5-grams, word for word."""
    one, other = ({text[at : at + 5] for at in range(len(text) - 4)} or {text} for text in (first, second))
    return len(one & other) / len(one | other) if first and second else 0.0


def sentence(made: random.Random, words: int = 30) -> str:
    return " ".join(made.choice(WORDS) for _ in range(words))


TEXTS = st.text(st.sampled_from("abc é漢字\U0001f600\ud800"), max_size=40)


@given(first=TEXTS, second=TEXTS)
@settings(max_examples=300, deadline=None)
def test_similarity_is_the_jaccard_of_character_five_grams(first: str, second: str) -> None:
    texts = [normalize(first), normalize(second)]
    assert jaccard(*texts) == pytest.approx(defined(*texts))
    assert Similarity(texts.__getitem__, 0.0).of(0, 1) == pytest.approx(defined(*texts))


def test_similarity_stays_exact_beyond_the_alphabet_that_has_numbers() -> None:
    letters = [chr(0x4E00 + number) for number in range(9_000)]
    made = random.Random(1)
    texts = ["".join(letters), "".join(made.choices(letters, k=400)), "".join(letters[8_000:8_400])]
    texts += [texts[1][:200] + "x" + texts[1][200:], texts[2] + "plain words"]
    similarity = Similarity(texts.__getitem__, 0.0)
    for first in range(len(texts)):
        for second in range(len(texts)):
            if first != second:
                assert similarity.of(first, second) == pytest.approx(defined(texts[first], texts[second]))


def test_texts_shorter_than_a_five_gram_are_alike_only_when_equal() -> None:
    assert jaccard("abc", "abc") == 1
    assert jaccard("abc", "abcd") == jaccard("abcd", "abcde") == 0
    assert jaccard("", "") == 0


def test_texts_beyond_the_limit_are_compared_for_equality_alone() -> None:
    long = "ab" * (LONGEST // 2 + 1)
    assert jaccard(long, long) == 1
    assert jaccard(long, long + "a") == 0


@pytest.mark.parametrize(("threshold", "words"), [(0.8, 30), (0.8, 5), (0.9, 12), (0.6, 40)])
def test_bands_find_the_pairs_at_the_threshold(threshold: float, words: int) -> None:
    made = random.Random(2)
    banding = Banding.for_threshold(threshold)
    pairs = []
    while len(pairs) < 150:
        text = sentence(made, words)
        changed = list(text)
        for _ in range(made.randrange(1, 1 + len(text) // 12)):
            changed[made.randrange(len(changed))] = made.choice("xyz")
        other = "".join(changed)
        if threshold <= defined(text, other) < threshold + 0.1:
            pairs.append((text, other))
    found = sketch([text for pair in pairs for text in pair], banding)
    together = (found.bands[:, ::2] == found.bands[:, 1::2]).any(axis=0)
    assert together.mean() >= 0.98


def test_the_default_threshold_cuts_25_bands_of_5() -> None:
    assert Banding.for_threshold(0.8) == Banding(25, 5)
    assert Banding.for_threshold(1.0).width > Banding.for_threshold(0.5).width


def test_a_sketch_depends_on_the_text_alone_and_not_on_its_neighbors() -> None:
    made = random.Random(3)
    texts = [sentence(made, length) for length in (1, 3, 50, 500, 9_000)] + ["a", "漢字かな交じり文です", "ab"]
    banding = Banding.for_threshold(0.8)
    together = sketch(texts, banding)
    for number, text in enumerate(texts):
        alone = sketch([text], banding)
        assert (alone.bands[:, 0] == together.bands[:, number]).all()
        assert (alone.marks[0] == together.marks[number]).all()


def test_a_long_text_is_sketched_piece_by_piece_as_if_it_were_whole() -> None:
    made = random.Random(18)
    text = sentence(made, 60_000)
    assert len(text) > 2 * _BLOCK
    assert (_least_hashes_of_long(text) == _least_hashes([text])).all()
    assert (_least_hashes_of_long(text[: _BLOCK + 2]) == _least_hashes([text[: _BLOCK + 2]])).all()


def test_a_shared_header_ends_where_prompts_begin() -> None:
    made = random.Random(4)
    header = "you are given a review of a film. say in one word whether it is good or bad. review: "
    texts = [header + sentence(made) for _ in range(60)] + [sentence(made) for _ in range(60)]
    headers = Headers.of(texts)
    assert len(headers) == 1
    assert {headers.split(text) for text in texts[:60]} == {(0, len(header))}
    assert headers.split(texts[60]) == (-1, 0)
    assert headers.split(header) == (-1, 0), "a row that is nothing but the header keeps it"


def test_copies_of_a_document_share_no_header() -> None:
    made = random.Random(5)
    document = sentence(made, 80)
    copies = []
    for _ in range(80):
        at = made.randrange(300, len(document))
        copies.append(document[:at] + "zq" + document[at:])
    assert len(Headers.of(copies + [sentence(made, 60) for _ in range(200)])) == 0


def test_a_template_of_which_hardly_anything_remains_is_no_header() -> None:
    made = random.Random(6)
    begin = "the long text of a template that is the same in all rows but for the number at its end: "
    assert len(Headers.of([begin + str(made.randrange(10**6)) for _ in range(100)])) == 0
