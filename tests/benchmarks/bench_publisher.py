"""gpteacher_toolformer.json against the same file after its publisher's similarity filter (`_sim0.6`)."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.dataset.item import normalize
from core.dataset.near.result import Fields, NearOptions
from core.dataset.scan.scan import scan
from tests.benchmarks.table import Row
from tests.conftest import PUBLIC_DATA

NAME = "gpteacher_toolformer"


def run() -> list[Row]:
    """Counts of rows; nothing is timed."""
    if not PUBLIC_DATA.is_dir():
        return [Row(NAME, float("nan"), "rows", note="the public datasets are not here")]
    everything, left = _values(f"{NAME}.json"), _values(f"{NAME}_sim0.6.json")
    stays = set(map(_text, left))
    removed = sorted({_text(value) for value in everything} - stays)
    best = _best(removed, sorted(stays))
    rows = [
        Row("rows in total", len(everything), "rows"),
        Row("rows kept by the publisher's filter", len(left), "rows", note=f"{len(removed):,} texts removed"),
    ]
    for threshold in (0.6, 0.8):
        share = float((best >= threshold).mean())
        name = f"removed texts with a kept text at least {threshold:.0%} similar"
        rows.append(Row(name, share, "", note=f"{int((best >= threshold).sum()):,} texts"))
    choices: tuple[tuple[float, Fields, str], ...] = (
        (0.6, "whole", "with headers"),
        (0.8, "whole", "with headers"),
        (0.6, "all", "without headers"),
        (0.8, "all", "without headers"),
    )
    for threshold, fields, words in choices:
        result = scan(PUBLIC_DATA / f"{NAME}.json", near=NearOptions(threshold, fields=fields))
        assert result.near is not None
        drops = [drop.row for cluster in result.near.clusters for drop in cluster.drop]
        also = sum(_text(everything[row]) not in stays for row in drops)
        name = f"tunedeck drops at {threshold:.0%}, {words}"
        rows.append(Row(name, len(drops), "rows", note=f"{also:,} also removed by the publisher"))
    return rows


def _values(name: str) -> list[dict[str, str]]:
    values: list[dict[str, str]] = json.loads((PUBLIC_DATA / name).read_text(encoding="utf-8"))
    return values


def _text(value: dict[str, str]) -> str:
    return normalize("\n".join(value[name] for name in ("instruction", "input", "output")))


def _best(removed: Sequence[str], stays: Sequence[str]) -> NDArray[np.float64]:
    """The similarity of each removed text to the text that stays and is most like it: all pairs, exactly."""
    sets = [_grams(text) for text in stays]
    numbers = {gram: number for number, gram in enumerate(sorted(set().union(*sets)))}
    holds = np.zeros((len(numbers), len(sets)), np.uint16)
    for column, grams in enumerate(sets):
        holds[[numbers[gram] for gram in grams], column] = 1
    sizes = np.asarray([len(grams) for grams in sets])
    best = np.empty(len(removed))
    for row, text in enumerate(removed):
        grams = _grams(text)
        shared = holds[[numbers[gram] for gram in grams if gram in numbers]].sum(axis=0, dtype=np.uint16).astype(int)
        best[row] = (shared / (sizes + len(grams) - shared)).max()
    return best


def _grams(text: str) -> set[str]:
    return {text[at : at + 5] for at in range(len(text) - 4)}
