"""A cluster looked at again: other rows preferred, rows that are gone, pairs that are no duplicates.

As a service, `python -m core.dataset.scan.regroup FOLDER`, where FOLDER is that of a finished scan job with near-
duplicates: `{"ask": "regroup", "rows", "preferred", "keep", "apart"}` gets a list of clusters as in `clusters.jsonl`.
The texts are compared as that search compared them: with the same fields, and the same beginnings left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.dataset.dataset import Dataset
from core.dataset.files.index import GoodRows
from core.dataset.item import Item
from core.dataset.near.corpus import Corpus
from core.dataset.near.gather import add_row
from core.dataset.near.result import Cluster, Keep, NearOptions
from core.dataset.near.search import find_clusters
from core.dataset.near.shared import Shared
from core.dataset.records import Unreadable
from core.dataset.scan.results import SCAN_FOLDER, SHARED
from core.errors import BadInput
from core.jobs.folder import JobFolder


class Regroup:
    """Searches again among a few rows of a search that has ended.

    Args:
        dataset: what was searched, indexed to its end.
        options: what the search was asked.
        shared: what it left out.
        bad: entries that are no rows, ascending.
    """

    def __init__(self, dataset: Dataset, options: NearOptions, shared: Shared, bad: Sequence[int] = ()) -> None:
        self._dataset = dataset
        self._options = options
        self._shared = shared
        self._good = GoodRows(list(bad))

    @classmethod
    def of_job(cls, folder: str | Path) -> Regroup:
        """Takes up the search of a job.

        Raises:
            BadInput: the job has no such result, or its data cannot be read any more.
        """
        job = JobFolder(folder)
        payload = job.read_job().get("payload") or {}
        try:
            shared = Shared.from_json(json.loads((job.path / SCAN_FOLDER / SHARED).read_bytes()))
            with (job.path / SCAN_FOLDER / "bad.jsonl").open("rb") as lines:
                bad = [json.loads(line)["entry"] for line in lines]
        except (OSError, ValueError, KeyError, TypeError) as fault:
            what = f"the result of this search cannot be read: {fault}"
            raise BadInput(what, where=str(job.path), do="Search again") from fault
        dataset = Dataset.open(payload["paths"], payload.get("format"), payload.get("columns"))
        dataset.reader.extend()
        return cls(dataset, NearOptions(**payload["near"]), shared, bad)

    def regroup(
        self,
        rows: Sequence[int],
        *,
        preferred: Sequence[int] = (),
        keep: Keep | None = None,
        apart: Collection[tuple[int, int]] = (),
    ) -> tuple[Cluster, ...]:
        """Searches among some rows.

        Args:
            rows: good rows.
            preferred: of these, rows that are kept before all others, in this order.
            keep: which of the others is kept before others; by default as the search was asked.
            apart: pairs of rows that are no duplicates.

        Returns:
            The clusters among the rows; a row that is in none is like no other.
        """
        numbers: dict[int, int] = {}
        with closing(Corpus()) as corpus:

            def add(some: Iterable[int]) -> None:
                for row in some:
                    number = len(corpus)
                    add_row(corpus, self._item(row), self._options.fields)
                    if len(corpus) > number:
                        numbers[row] = number

            add(dict.fromkeys(preferred))
            before_others = len(corpus)
            add(sorted(set(rows).difference(preferred)))
            corpus.settle(self._shared)
            pairs = {
                (min(numbers[one], numbers[other]), max(numbers[one], numbers[other]))
                for one, other in apart
                if one in numbers and other in numbers
            }
            options = replace(self._options, keep=keep or self._options.keep, processes=1)
            return find_clusters(corpus, options, pairs, preferred=before_others)

    def _item(self, row: int) -> Item:
        try:
            return Item(row, self._dataset.sample(self._good.entry(row)))
        except Unreadable:
            return Item(row, None)

    def answer(self, question: Mapping[str, Any]) -> list[dict[str, Any]]:
        """As `regroup`, in JSON."""
        clusters = self.regroup(
            question["rows"],
            preferred=question.get("preferred", ()),
            keep=question.get("keep"),
            apart=[(one, other) for one, other in question.get("apart", ())],
        )
        return [cluster.to_json() for cluster in clusters]


def main(argv: Sequence[str]) -> int:
    """Serves until stdin ends."""
    from core.jobs.serve import serve

    if len(argv) != 1:
        raise SystemExit("usage: python -m core.dataset.scan.regroup FOLDER")
    found: list[Regroup] = []

    def regroup(question: Mapping[str, Any]) -> list[dict[str, Any]]:
        if not found:
            found.append(Regroup.of_job(argv[0]))
        return found[0].answer(question)

    return serve({"regroup": regroup})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
