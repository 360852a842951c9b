"""The options of a near-duplicate search, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from core.dataset.eval_place import EvalPlace
from core.errors import BadInput

Keep = Literal["first", "longest"]
Fields = Literal["all", "prompt", "answer", "whole"]
KEEPS: tuple[Keep, ...] = ("first", "longest")
FIELDS: tuple[Fields, ...] = ("all", "prompt", "answer", "whole")

StageProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is and how much there is; raises to end the search."""

LEAST_THRESHOLD = 0.5

RESULT_VERSION = 3
"""Of what a search job finds. Version 1 could name a wrong eval row; 2 read all files of a dataset alike."""


def wrong_pairs_words(count: int, what: str = "ignored") -> str:
    """A sentence without a full stop on `NearResult.wrong_pairs`: how many, and what happened to them."""
    marks, were = ("mark", "was") if count == 1 else ("marks", "were")
    return f'{count:,} "not a duplicate" {marks} {were} {what}: an earlier version named the wrong eval row'


@dataclass(frozen=True, slots=True)
class NearOptions:
    """What counts as a near-duplicate.

    Attributes:
        threshold: least similarity of a pair, 0.5 to 1.
        keep: which row of a cluster is kept before others.
        fields: what of a sample is compared: `all` turns, the `prompt` (all before the last answer), the
            `answer`, each without what the rows share; or the `whole` text. Plain text is always compared whole.
        processes: how many take part; the result is the same.
    """

    threshold: float = 0.8
    keep: Keep = "first"
    fields: Fields = "all"
    processes: int = 1

    def __post_init__(self) -> None:
        if not LEAST_THRESHOLD <= self.threshold <= 1:
            raise BadInput(
                f"{self.threshold:g} is not a valid similarity threshold",
                do=f"Set it to {LEAST_THRESHOLD:g} to 1, such as 0.8",
            )
        if self.keep not in KEEPS:
            raise BadInput(f"unknown keep rule {self.keep!r}", do=f"Choose {' or '.join(KEEPS)}")
        if self.fields not in FIELDS:
            raise BadInput(f"unknown field {self.fields!r} to compare", do=f"Choose {', '.join(FIELDS)}")
        if self.processes < 1:
            raise BadInput(f"{self.processes} processes are too few", do="Set 1 or more")


@dataclass(frozen=True, slots=True)
class Drop:
    """A removable row.

    Attributes:
        row: the good row.
        because_of: the row that is kept and is at least the threshold similar to it.
        similarity: how much, verified.
    """

    row: int
    because_of: int
    similarity: float

    def to_json(self) -> dict[str, Any]:
        """As `scan --json` prints it."""
        return {"row": self.row, "because_of": self.because_of, "similarity": self.similarity}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Rows that verified pairs connect; for showing. The removable rows are in `drop`.

    Attributes:
        kind: `exact` where all its rows are the same sample to the letter.
        rows: good rows, ascending.
        similarity: of its least similar verified pair.
        keep: rows that stay, ascending.
        drop: rows that can go, ascending, each with the row that stays and makes it superfluous.
    """

    kind: Literal["exact", "near"]
    rows: tuple[int, ...]
    similarity: float
    keep: tuple[int, ...]
    drop: tuple[Drop, ...]

    def to_json(self) -> dict[str, Any]:
        """As `scan --json` prints it."""
        return {
            "kind": self.kind,
            "rows": list(self.rows),
            "similarity": self.similarity,
            "keep": list(self.keep),
            "drop": [each.to_json() for each in self.drop],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Cluster:
        """The inverse of `to_json`."""
        drop = tuple(Drop(each["row"], each["because_of"], each["similarity"]) for each in value["drop"])
        return cls(value["kind"], tuple(value["rows"]), value["similarity"], tuple(value["keep"]), drop)


@dataclass(frozen=True, slots=True)
class Leak:
    """A row whose prompt is near to one of an eval file.

    Attributes:
        row: the good row.
        place: the eval row, in words.
        similarity: verified.
        entry: of the eval row, in the eval files.
        key: of the eval row (`core.dataset.scan.keys`), "" in the result of an older search.
        eval_place: the eval row's place, None in the result of an older search.
    """

    row: int
    place: str
    similarity: float
    entry: int = 0
    key: str = ""
    eval_place: EvalPlace | None = None

    def to_json(self) -> dict[str, Any]:
        """As written in `leaks.jsonl`."""
        where: dict[str, Any] = {"place": self.place, "entry": self.entry, "key": self.key}
        if self.eval_place is not None:
            where |= {"eval_file": self.eval_place.file, "eval_line": self.eval_place.line}
        return {"row": self.row, "similarity": self.similarity, **where}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Leak:
        """The inverse of `to_json`."""
        place = EvalPlace(value["eval_file"], value["eval_line"]) if "eval_file" in value else None
        return cls(value["row"], value["place"], value["similarity"], value["entry"], value.get("key", ""), place)


@dataclass(frozen=True, slots=True)
class NearResult:
    """What a search found.

    Attributes:
        options: what was asked.
        clusters: the largest first, then by first row.
        excluded: what was not compared because the rows share it, a sentence each. May quote data.
        leaks: near leaks to the eval files, ascending by row.
        wrong_pairs: keys of rows and eval rows that are marked as not duplicates although they are not similar at all:
            an earlier version named a wrong eval row. The marks do not count.
    """

    options: NearOptions
    clusters: tuple[Cluster, ...]
    excluded: tuple[str, ...] = ()
    leaks: tuple[Leak, ...] = ()
    wrong_pairs: tuple[tuple[str, str], ...] = ()

    def about(self) -> dict[str, Any]:
        """The options and what was removed, as JSON."""
        return {
            "threshold": self.options.threshold,
            "keep": self.options.keep,
            "fields": self.options.fields,
            "left_out": list(self.excluded),
            "wrong_pairs": [list(pair) for pair in self.wrong_pairs],
        }

    def to_json(self) -> dict[str, Any]:
        """The keys that `--near` adds to `scan --json`."""
        return {"near": self.about(), "clusters": [cluster.to_json() for cluster in self.clusters]}
