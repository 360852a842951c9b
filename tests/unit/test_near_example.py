"""The example for Ray: what it runs on each machine gives the pairs that tunedeck finds, without Ray."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from itertools import combinations
from runpy import run_path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from core.dataset.item import normalize
from core.dataset.near.exact import jaccard
from core.dataset.near.sketch import Banding
from core.paths import ROOT
from tests.unit.test_near_search import with_slips
from tests.unit.test_near_similarity import sentence

EXAMPLE = ROOT / "docs" / "examples" / "near_ray.py"
Names = dict[str, Any]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The example's functions; only its `main` needs Ray, of which there is no more than the name."""
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    return run_path(str(EXAMPLE))


def groups(rows: Iterable[tuple[Any, ...]], names: tuple[str, ...], by: int) -> Iterable[Names]:
    """Batches of the rows that have the first values in common, as Ray gives them to a function."""
    found: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        found.setdefault(row[:by], []).append(row)
    for some in found.values():
        yield {name: np.array(column) for name, column in zip(names, zip(*some, strict=True), strict=True)}


def rows_of(batch: Names, *names: str) -> list[tuple[Any, ...]]:
    return list(zip(*(batch[name] for name in names), strict=True))


def test_its_functions_find_the_near_pairs_and_no_others(example: Names) -> None:
    made = random.Random(6)
    texts = [sentence(made, 60) for _ in range(20)]
    texts += [with_slips(text, 1, made) for text in texts[:6]] + [texts[0], f"  {texts[1].upper()} ", ""]
    keyed = example["keyed"]({"text": np.array(texts, dtype=object)}, "text")
    by_key = {}
    for group in groups(rows_of(keyed, "key", "text"), ("key", "text"), 1):
        ((key, text),) = rows_of(example["first"](group), "key", "text")
        by_key[str(key)] = str(text)
    assert len(by_key) == len({normalize(text) for text in texts} - {""})

    batch = {"key": np.array(list(by_key)), "text": np.array(list(by_key.values()), dtype=object)}
    bands = rows_of(example["banded"](batch, Banding.for_threshold(0.8)), "band", "key")
    pairs = {
        pair
        for group in groups(bands, ("band", "key"), 1)
        for pair in rows_of(example["candidates"](group), "one", "other")
    }
    joined = [(one, other, by_key[one], by_key[other]) for one, other in sorted(pairs)]
    columns = zip(("one", "other", "text", "other_text"), zip(*joined, strict=True), strict=True)
    near = example["verified"]({name: np.array(column) for name, column in columns}, 0.8)
    assert rows_of(near, "one", "other", "similarity") == [
        (one, other, jaccard(by_key[one], by_key[other]))
        for one, other in combinations(sorted(by_key), 2)
        if jaccard(by_key[one], by_key[other]) >= 0.8
    ]
    assert len(near["one"]) == 6


def test_it_says_how_it_is_called(
    example: Names, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [EXAMPLE.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        example["main"]()
    assert ended.value.code == 0
    assert "--threshold" in capsys.readouterr().out
