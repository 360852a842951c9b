"""Which rows an audit reads, in which order, and how far it has come: a queue is a seed and a mode, not a list."""

from __future__ import annotations

import heapq
import json
import os
import random
import time
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.dataset.files.index import GoodRows
from core.dataset.flag_names import flag_name
from core.errors import TunedeckError
from core.paths import hidden_dir

if TYPE_CHECKING:
    from core.dataset.checks import Flag

Mode = Literal["random", "worst", "flag", "cluster", "thin", "everything"]

SAMPLE = 100
"""Rows of a random sample unless said otherwise: guides on fine-tuning say 50 to 100 by hand."""

_FILE = "audits.jsonl"


@dataclass(frozen=True, slots=True)
class Audit:
    """One audit of a dataset.

    Attributes:
        mode: `random` reads a sample, `worst` all flagged rows from the worst on, `flag` the rows of a flag (of all
            flags, one after the other, where none is named), `cluster` rows that repeat each other side by side, the
            largest cluster first, `thin` rare kinds of prompts first, `everything` all rows in their order.
        seed: of the random sample.
        size: rows of the random sample.
        entries: entries that the dataset had when the audit began.
        flag: a check's name, for the mode `flag`.
        started: unix seconds.
        listed: the entries to read, for the mode `thin` of audits that were begun before rows were named by their keys.
        keyed: whether rows are chosen by their keys: a row stays in the sample, or out of it, wherever it stands in
            the files. False for audits that were begun before.
        keys: the packed keys, in hex, of the rows to read, for the mode `thin`: they follow from an overview, which may
            be gone later.
        overlap: whether every reviewer reads every row, without seeing the verdicts of the others.
    """

    mode: Mode
    seed: int = 0
    size: int = SAMPLE
    entries: int = 0
    flag: str = ""
    started: float = 0.0
    listed: tuple[int, ...] = ()
    keyed: bool = False
    keys: tuple[str, ...] = ()
    overlap: bool = False

    @property
    def words(self) -> str:
        """What is read, in a few words."""
        what = f"seed {self.seed}" if self.mode == "random" else _WORDS[self.mode]
        if self.mode == "flag" and self.flag:
            what = f"flag {self.flag}"
        return f"blind, {what}" if self.overlap else what

    @property
    def name(self) -> str:
        """Tells its queue from those of other audits."""
        return f"{self.mode}:{self.seed}:{self.started}"

    def order(
        self, flags: Mapping[int, Sequence[Flag]], bad: Collection[int] = (), keys: Iterable[bytes] = ()
    ) -> Sequence[int]:
        """The entries to read, in their order.

        Args:
            flags: entry to its flags, as far as they are known.
            bad: entries that cannot be read; a random sample has others instead.
            keys: the packed key of each good row, in the order of the rows; looked at only where `needs_keys`.
        """
        if self.needs_keys:
            return [*map(GoodRows(sorted(bad)).entry, self._by_key(keys))]
        if self.mode == "random":
            return self._sample(bad)
        if self.mode == "everything":
            return range(self.entries)
        if self.mode == "worst":
            return sorted(flags, key=lambda entry: (*_badness(flags[entry]), entry))
        if self.mode == "thin":
            return [entry for entry in self.listed if entry not in bad]
        if self.mode == "cluster":
            return _by_cluster(flags, GoodRows(sorted(bad)).entry)
        if self.flag:
            return sorted(entry for entry, found in flags.items() if any(flag.name == self.flag for flag in found))
        return sorted(flags, key=lambda entry: (flags[entry][0].name, entry))

    @property
    def needs_keys(self) -> bool:
        """Whether the rows follow from their keys."""
        return self.keyed and self.mode in ("random", "thin")

    def _by_key(self, keys: Iterable[bytes]) -> list[int]:
        """The rows to read: of a random sample, those whose keys have the smallest hashes under its seed.

        Every row is as likely as any other. Rows that are inserted take only the places of rows that would be read
        last, in the proportion of their number; rows that were read stay in the sample.
        """
        if self.mode == "thin":
            places = {key.hex(): row for row, key in enumerate(keys)}
            return [places[key] for key in self.keys if key in places]
        from hashlib import blake2b

        seed = self.seed.to_bytes(8, "little")
        drawn = ((blake2b(key, digest_size=8, key=seed).digest(), row) for row, key in enumerate(keys))
        return [row for _, row in heapq.nsmallest(self.size, drawn)]

    def _sample(self, bad: Container[int]) -> list[int]:
        source = random.Random(self.seed)
        if self.entries <= 4 * self.size:
            shuffled = source.sample(range(self.entries), self.entries)
            return [entry for entry in shuffled if entry not in bad][: self.size]
        drawn: dict[int, None] = {}
        for _ in range(50 * self.size):  # ends even where nearly all entries are bad
            entry = source.randrange(self.entries)
            if entry not in bad:
                drawn[entry] = None
            if len(drawn) == self.size:
                break
        return list(drawn)


_WORDS: Mapping[Mode, str] = {
    "random": "random sample",
    "worst": "worst first",
    "flag": "by flag",
    "cluster": "by cluster",
    "thin": "rare kinds first",
    "everything": "everything",
}


_REPEATS = ("exact_duplicate", "normalized_duplicate", "near_duplicate")
"""Flags that name the row which another repeats."""


def _by_cluster(flags: Mapping[int, Sequence[Flag]], entry_of: Callable[[int], int]) -> list[int]:
    """Entries that repeat each other, cluster by cluster: the largest first, in each the row that is repeated first."""
    leader: dict[int, int] = {}

    def led_by(entry: int) -> int:
        while (above := leader.setdefault(entry, entry)) != entry:
            leader[entry] = leader[above]
            entry = above
        return entry

    repeats = {}
    for entry, found in flags.items():
        for flag in found:
            if flag.of is not None and flag.name in _REPEATS:
                repeats[entry] = entry_of(flag.of)
                leader[led_by(entry)] = led_by(repeats[entry])
    clusters: dict[int, list[int]] = {}
    for entry in leader:
        clusters.setdefault(led_by(entry), []).append(entry)
    ordered = sorted(clusters.values(), key=lambda entries: (-len(entries), min(entries)))
    # Beside each other: a row that stays, then those that repeat it.
    return [each for entries in ordered for each in sorted(entries, key=lambda e: (repeats.get(e, e), e in repeats, e))]


def _badness(flags: Sequence[Flag]) -> tuple[int, int, int]:
    by_severity = [flag.severity for flag in flags]
    return -by_severity.count("error"), -by_severity.count("warning"), -len(flags)


class AuditLog:
    """The audits of a workspace, one line each, appended to `.tunedeck/audits.jsonl`.

    Decisions are not here: they are where all decisions are, so an audit continues where it was left, on any screen.

    Args:
        workspace: the folder that holds `.tunedeck`.
        paths: the dataset.
        user: who reads; each reviewer leaves an audit for themselves alone.
    """

    def __init__(self, workspace: str | Path, paths: Sequence[str | Path], user: str = "") -> None:
        self.path = hidden_dir(Path(workspace)) / _FILE
        self._user = user
        self._data = sorted(str(Path(path).absolute()) for path in paths)

    def begin(self, audit: Audit) -> None:
        """Notes that an audit has begun, on the disk when it returns.

        Raises:
            TunedeckError: it cannot be written.
        """
        self._append({"data": self._data, "user": self._user, **asdict(audit)})

    def end(self) -> None:
        """Notes that this reviewer has left the present audit.

        Raises:
            TunedeckError: it cannot be written.
        """
        self._append({"data": self._data, "user": self._user, "ended": time.time()})

    def resume(self, audit: Audit) -> None:
        """Notes that this reviewer reads an earlier audit again; for others nothing changes.

        Raises:
            TunedeckError: it cannot be written.
        """
        self._append({"data": self._data, "user": self._user, "resumed": audit.name})

    def begun(self) -> list[tuple[Audit, str]]:
        """Every audit of these data and who began it ("" where that is not known), newest first."""
        pairs = ((_audit(record), record.get("user")) for record in reversed(self._records()))
        return [(audit, user if isinstance(user, str) else "") for audit, user in pairs if audit is not None]

    def audits(self) -> list[Audit]:
        """Every audit of these data, oldest first; a line that is damaged is none."""
        return [audit for audit in map(_audit, self._records()) if audit is not None]

    def present(self) -> Audit | None:
        """The audit that was begun last, by whomever, or resumed by this reviewer, and that they have not left."""
        for record in reversed(self._records()):
            mine = not self._user or record.get("user", "") in ("", self._user)
            if "resumed" in record and mine:
                return next((audit for audit in self.audits() if audit.name == record["resumed"]), None)
            if "ended" in record and mine:
                return None
            if "resumed" not in record and "ended" not in record:
                return _audit(record)
        return None

    def next_seed(self) -> int:
        """A seed that no random sample of these data has had."""
        return 1 + max((audit.seed for audit in self.audits()), default=0)

    def _records(self) -> list[dict[str, Any]]:
        try:
            lines = self.path.read_bytes().splitlines()
        except OSError:
            return []
        records = []
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:  # a line that was cut short by a full disk
                continue
            if isinstance(record, dict) and record.get("data") == self._data:
                records.append(record)
        return records

    def _append(self, record: Mapping[str, Any]) -> None:
        line = json.dumps(record).encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # One write in append mode: two programs never mix their lines.
            with self.path.open("ab", buffering=0) as file:
                file.write(line)
                os.fsync(file.fileno())
        except OSError as fault:
            what = f"the audit cannot be saved: {fault.strerror}"
            raise TunedeckError(what, where=str(self.path)) from fault


def _audit(record: Mapping[str, Any]) -> Audit | None:
    mode = next((mode for mode in _WORDS if mode == record.get("mode")), None)
    if mode is None:
        return None
    numbers = [record.get(name) for name in ("seed", "size", "entries", "started")]
    if not all(isinstance(number, (int, float)) for number in numbers):
        return None
    return Audit(
        mode,
        int(record["seed"]),
        int(record["size"]),
        int(record["entries"]),
        flag_name(str(record.get("flag", ""))),
        float(record["started"]),
        tuple(entry for entry in record.get("listed") or () if isinstance(entry, int)),
        record.get("keyed") is True,
        tuple(key for key in record.get("keys") or () if isinstance(key, str)),
        record.get("overlap") is True,
    )
