"""The audit's report as Markdown: rows read, seeds, flags, dropped rows with their reasons."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from core import timestamps
from core.clean import clean_line
from core.dataset.audit.agreement import agreements
from core.dataset.audit.decisions import DecisionState, Ledger
from core.dataset.audit.estimate import BadShare
from core.dataset.audit.pace import seconds_per_row, seconds_words
from core.dataset.audit.queue import Audit, AuditLog
from core.dataset.audit.store import read_decisions
from core.dataset.checks import TITLES, Flag
from core.dataset.files.index import GoodRows
from core.dataset.hashing import blake
from core.dataset.scan.keys import KEY_BYTES, unpack
from core.dataset.scan.reader import ScanReader
from core.dataset.scan.results import SCAN_FOLDER
from core.dataset.view.facts import BAD, FLAGS, KEYS
from core.errors import TunedeckError
from core.jobs import files
from core.jobs.folder import JobFolder

_MANIFEST = "manifest.json"
_MOST = 500
"""Rows that a table of single rows lists; the rest is counted."""

_PIECE = 4_096 * KEY_BYTES


def write_report(
    workspace: Path,
    paths: Sequence[str | Path],
    facts: Path,
    *,
    token_flags: Mapping[int, tuple[Flag, ...]] | None = None,
    near: Path | None = None,
    into: Path | None = None,
    tokens: Sequence[int] | None = None,
) -> Path:
    """Writes the report of a dataset.

    Args:
        workspace: where the decisions are.
        paths: the dataset.
        facts: the folder with a scan's `keys.bin`, `flags.jsonl` and `bad.jsonl`: `scan/` of a scan job, or a view.
        token_flags: row to its flags from token facts; None where tokens were not counted.
        near: the folder of a search job for near-duplicates in these data, whose flags count as well.
        tokens: of each contribution to a view, in its order, where they are known.
        into: the file; by default `audit-<date>.md` in the workspace, where a later report of the day on the same
            dataset replaces it. That of another dataset stays: the name is then `audit-<date>-2.md`, and so on.

    Returns:
        The file.

    Raises:
        TunedeckError: it cannot be written, or what it is made of cannot be read.
    """
    mark = _mark(paths)
    path = into or _own_path(workspace / f"audit-{timestamps.text(time.time(), '%Y-%m-%d')}.md", mark)
    try:
        decisions = read_decisions(workspace)
        ledger = Ledger()
        ledger.take(decisions)
        known = _Facts.read(facts, ledger, near)
        known.take(token_flags)
        known.seconds = seconds_per_row(each for each in decisions if each.key in known.rows_by_key)
        lines = [*_report(paths, AuditLog(workspace, paths).audits(), known), *_trained_on(facts / _MANIFEST, tokens)]
        text = "\n".join([*lines, mark]) + "\n"
        files.replace(os.fspath(path), text.encode("utf-8", "replace"), durable=True)
    except (OSError, ValueError, KeyError) as fault:
        raise TunedeckError(f"the audit report cannot be written: {fault}", where=str(path)) from fault
    return path


def _mark(paths: Sequence[str | Path]) -> str:
    """The last line of a report, which says of which files it is without naming them."""
    named = "\n".join(sorted(str(Path(path).absolute()) for path in paths))
    return f"<!-- dataset {blake(named.encode('utf-8', 'surrogateescape'), 8).hex()} -->"


def _own_path(path: Path, mark: str) -> Path:
    """The report of this dataset of the day, or the first name that no other report has."""
    found, number = path, 1
    while found.exists() and not _ends_with(found, mark):
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def _ends_with(path: Path, mark: str) -> bool:
    try:
        return path.read_bytes().rstrip().endswith(mark.encode())
    except OSError:  # somebody else's, who does not show it
        return False


@dataclass(slots=True)
class _Facts:
    """What a scan knows of the rows, and where they stand.

    Attributes:
        rows: good rows.
        standings: row to where it stands, for rows on which something was decided.
        flags: row to its flags.
        bad: places of lines that could not be read.
        good: entries and rows.
        tokens_counted: whether the flags from token facts are among the flags.
        near: what the near-duplicate search found, a sentence; "" where there was none.
        keys: the folder's file with the packed key of each row.
        rows_by_key: the rows on which something was decided, by key.
        seconds: median seconds per row, by reviewer.
    """

    rows: int = 0
    standings: dict[int, DecisionState] = field(default_factory=dict)
    flags: dict[int, tuple[Flag, ...]] = field(default_factory=dict)
    bad: list[dict[str, Any]] = field(default_factory=list)
    good: GoodRows = field(default_factory=lambda: GoodRows([]))
    tokens_counted: bool = False
    near: str = ""
    keys: Path = Path()
    rows_by_key: dict[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, ledger: Ledger, near: Path | None) -> _Facts:
        facts = cls(keys=folder / KEYS)
        decided = ledger.standings()
        with (folder / KEYS).open("rb") as keys:
            while piece := keys.read(_PIECE):
                for at in range(0, len(piece), KEY_BYTES) if decided else ():
                    key = unpack(piece[at : at + KEY_BYTES])
                    if (standing := decided.get(key)) is not None:
                        row = facts.rows_by_key[key] = facts.rows + at // KEY_BYTES
                        facts.standings[row] = standing
                facts.rows += len(piece) // KEY_BYTES
        beside = iter(()) if near is None else _records(near / SCAN_FOLDER / FLAGS)
        facts.near = "" if near is None else _near_words(near)
        for record in chain(_records(folder / FLAGS), beside):
            found = tuple(map(Flag.from_json, record["flags"]))
            facts.flags[record["row"]] = facts.flags.get(record["row"], ()) + found
        facts.bad = list(_records(folder / BAD))
        facts.good = GoodRows([record["entry"] for record in facts.bad])
        return facts

    def take(self, token_flags: Mapping[int, tuple[Flag, ...]] | None) -> None:
        """Takes the flags from token facts in, as far as they are known."""
        self.tokens_counted = token_flags is not None
        for row, found in (token_flags or {}).items():
            self.flags[row] = self.flags.get(row, ()) + found

    def with_verdict(self, verdict: str) -> list[int]:
        """The rows that were kept, or dropped."""
        return sorted(row for row, standing in self.standings.items() if standing.verdict == verdict)

    def queue(self, audit: Audit) -> list[int]:
        """The rows that an audit reads."""
        by_entry = {self.good.entry(row): found for row, found in self.flags.items()}
        bad = {record["entry"] for record in self.bad}
        if audit.mode == "everything" and audit.keyed:
            return list(range(self.rows))
        rows = map(self.good.row, audit.order(by_entry, bad, self._packed_keys()))
        return [row for row in rows if row is not None and row < self.rows]

    def _packed_keys(self) -> Iterator[bytes]:
        with self.keys.open("rb") as keys:
            while piece := keys.read(_PIECE):
                yield from (piece[at : at + KEY_BYTES] for at in range(0, len(piece), KEY_BYTES))

    def share(self, rows: Iterable[int], of: int) -> BadShare:
        """How many of some rows were read and dropped.

        Args:
            rows: the rows of a sample.
            of: rows that the sample stands for.
        """
        verdicts = Counter(self.standings[row].verdict for row in rows if row in self.standings)
        return BadShare(verdicts["drop"], verdicts["keep"] + verdicts["drop"], of)


def _near_words(search: Path) -> str:
    """The options of a near-duplicate search, and how much it found."""
    reader = ScanReader(search)
    clusters, summary = reader.clusters(), reader.summary()
    if clusters is None or summary is None:
        return ""
    near, leaks = summary["near"], len(reader.leaks())
    rows, going = sum(len(each.rows) for each in clusters), sum(len(each.drop) for each in clusters)
    eval_files = JobFolder(search).read_job().get("payload", {}).get("eval_paths")
    of_eval = f" Near leaks into the eval files: {leaks:,}." if eval_files else ""
    found = f"{len(clusters):,} cluster{'s' * (len(clusters) != 1)} of {rows:,} rows"
    return (
        f"Near-duplicate search at {near['threshold']:.0%}+ similarity (compared: {near['fields']}): "
        f"{found}, of which {going:,} {'is' if going == 1 else 'are'} removable.{of_eval}"
    )


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)


# -- the text -----------------------------------------------------------------------------------------------


def _report(paths: Sequence[str | Path], audits: Sequence[Audit], facts: _Facts) -> Iterator[str]:
    yield f"# Audit of {_cell(', '.join(Path(path).name for path in paths), 200)}"
    yield ""
    yield f"Written {_when(time.time())} by tunedeck. Row numbers start at 1, as in the program."
    yield ""
    yield from _read(facts)
    yield from _audits(audits, facts)
    yield from _by_flag_and_source(paths, audits, facts)
    yield from _said_by_reviewers(facts)
    yield from _agreement(facts)
    yield from _found(facts)
    yield from _dropped(facts)
    yield from _said(facts)


def _read(facts: _Facts) -> Iterator[str]:
    kept, dropped = len(facts.with_verdict("keep")), len(facts.with_verdict("drop"))
    edited = sum(standing.edit is not None for standing in facts.standings.values())
    share = f" ({(kept + dropped) / facts.rows:.1%})" if facts.rows else ""
    yield "## Rows"
    yield ""
    yield f"- {facts.rows:,} rows"
    yield f"- {kept + dropped:,} decided by hand{share}: {kept:,} kept, {dropped:,} dropped"
    yield f"- {edited:,} edited"
    yield f"- {len(facts.bad):,} malformed line{'s' * (len(facts.bad) != 1)}, never trained on"
    if facts.seconds:
        each = ", ".join(f"{_cell(user, 60)} {seconds_words(found)}" for user, found in sorted(facts.seconds.items()))
        yield f"- median time per row: {each}"
    yield ""


def _audits(audits: Sequence[Audit], facts: _Facts) -> Iterator[str]:
    if not audits:
        yield "No audit was started: rows were read in no particular order."
        yield ""
        return
    rows = []
    for audit in audits:
        queue = facts.queue(audit)
        verdicts = Counter(facts.standings[row].verdict for row in queue if row in facts.standings)
        read = verdicts["keep"] + verdicts["drop"]
        what = f"random sample of {audit.size:,}" if audit.mode == "random" else audit.words
        seed = str(audit.seed) if audit.mode == "random" else "-"
        what += ", agreement" * (audit.overlap and audit.mode == "random")
        means = facts.share(queue, facts.rows).range if audit.mode == "random" and read else "-"
        kept, dropped = verdicts["keep"], verdicts["drop"]
        rows.append((_when(audit.started), what, seed, f"{read:,} of {len(queue):,}", kept, dropped, means))
    yield from _table(("started", "audit", "seed", "read", "kept", "dropped", "bad in the whole dataset (95%)"), rows)


def _by_flag_and_source(paths: Sequence[str | Path], audits: Sequence[Audit], facts: _Facts) -> Iterator[str]:
    """What the last random sample says of the rows of each flag, and of each file."""
    sampled = next((facts.queue(audit) for audit in reversed(audits) if audit.mode == "random"), [])
    if not facts.share(sampled, facts.rows).read:
        return
    groups: list[tuple[str, BadShare]] = []
    flags = Counter(name for found in facts.flags.values() for name in {flag.name for flag in found})
    for name, number in sorted(flags.items(), key=lambda item: (-item[1], item[0])):
        of = [row for row in sampled if any(flag.name == name for flag in facts.flags.get(row, ()))]
        groups.append((TITLES.get(name, name), facts.share(of, number)))
    unflagged = [row for row in sampled if row not in facts.flags]
    groups.append(("no flag", facts.share(unflagged, facts.rows - len(facts.flags))))
    for name, first, last in _files(paths, facts.good):
        of = [row for row in sampled if first <= row < last]
        groups.append((f"file {name}", facts.share(of, last - first)))
    yield "## Estimate from the random sample"
    yield ""
    yield f"Latest random sample: {facts.share(sampled, facts.rows).words} (95% confidence, Wilson interval)."
    yield ""
    rows = [(name, share.of, share.read, share.bad, share.range) for name, share in groups if share.read]
    yield from _table(("group", "rows", "reviewed", "dropped", "bad in the group (95%)"), rows)


def _files(paths: Sequence[str | Path], good: GoodRows) -> Iterator[tuple[str, int, int]]:
    """Each file of several: its name, its first good row and the one after its last."""
    from core.dataset.files.shards import ShardReader
    from core.dataset.files.sources import open_reader

    try:
        reader = open_reader(paths)
        reader.extend()
    except TunedeckError:  # gone since the scan: the report does without
        return
    if not isinstance(reader, ShardReader):
        return
    for start, part in reader.parts:
        first, last = (_rows_before(good, entry) for entry in (start, start + part.count))
        yield part.files[0].name, first, last


def _rows_before(good: GoodRows, entry: int) -> int:
    """Good rows before an entry."""
    low, high = 0, entry
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if good.entry(middle) < entry else (low, middle)
    return low


def _said_by_reviewers(facts: _Facts) -> Iterator[str]:
    """Reasons, ratings and labels, and how many rows have each."""
    states = facts.standings.values()
    rows = [
        *(("dropped as", each, number) for each, number in _counted(state.why for state in states)),
        *(("rating", f"{each} of 5", number) for each, number in _counted(state.rating for state in states)),
        *(("label", each, number) for each, number in _counted(label for state in states for label in state.labels)),
    ]
    if rows:
        yield "## Reasons, ratings and labels"
        yield ""
        yield from _table(("kind", "what", "rows"), rows[:_MOST])
        yield from _rest(len(rows))


def _counted(values: Iterable[str | int]) -> list[tuple[str | int, int]]:
    return Counter(value for value in values if value).most_common()


def _agreement(facts: _Facts) -> Iterator[str]:
    """How far reviewers who read the same rows agree, and where they do not."""
    found = list(agreements(facts.standings.values()))
    if not found:
        return
    yield "## Reviewer agreement"
    yield ""
    rows = [
        (f"{each.first} and {each.second}", each.both, each.same, "-" if each.kappa is None else f"{each.kappa:.2f}")
        for each in found
    ]
    yield from _table(("reviewers", "rows both reviewed", "same decision", "Cohen's kappa"), rows)
    conflicts = [(row, state) for row, state in sorted(facts.standings.items()) if state.conflict]
    if conflicts:
        yield "Unsettled conflicts, with the decision in effect:"
        yield ""
        listed = [
            (f"{row + 1:,}", ", ".join(f"{user}: {verdict}" for user, verdict in state.verdicts), state.verdict)
            for row, state in conflicts[:_MOST]
        ]
        yield from _table(("row", "decisions", "in effect"), listed)
        yield from _rest(len(conflicts))


def _found(facts: _Facts) -> Iterator[str]:
    yield "## Flags"
    yield ""
    kept, dropped = set(facts.with_verdict("keep")), set(facts.with_verdict("drop"))
    by_flag: dict[str, set[int]] = {}
    for row, found in facts.flags.items():
        for flag in found:
            by_flag.setdefault(flag.name, set()).add(row)
    if not facts.tokens_counted:
        yield (
            "Tokens were not counted, so rows that the chat template does not render, with special tokens in their "
            "text, without trained tokens or over the max length are not listed."
        )
        yield ""
    yield facts.near or "The current files have not been searched for near-duplicates, so none are listed."
    yield ""
    if not by_flag:
        yield "No row has a flag."
        yield ""
        return
    listed = sorted(by_flag.items(), key=lambda item: (-len(item[1]), item[0]))
    rows = [(TITLES.get(name, name), len(which), len(which & kept), len(which & dropped)) for name, which in listed]
    yield from _table(("flag", "rows", "kept by hand", "dropped by hand"), rows)


def _dropped(facts: _Facts) -> Iterator[str]:
    yield "## Dropped rows"
    yield ""
    rows = facts.with_verdict("drop")
    if not rows:
        yield "No rows were dropped by hand."
        yield ""
        return
    listed = []
    for row in rows[:_MOST]:
        standing = facts.standings[row]
        own = [words for words in (standing.why,) if words]
        own += [f"flagged: {standing.flag}"] * bool(standing.flag) + [f"note: {standing.note}"] * bool(standing.note)
        own += [f"rated {standing.rating} of 5"] * bool(standing.rating)
        found = [f"{flag.name}: {flag.reason}" for flag in facts.flags.get(row, ())]
        listed.append((f"{row + 1:,}", "; ".join(own + found) or "no reason given"))
    yield from _table(("row", "why"), listed)
    yield from _rest(len(rows))


def _said(facts: _Facts) -> Iterator[str]:
    listed = []
    for row, standing in sorted(facts.standings.items()):
        if standing.verdict == "drop":
            continue
        for kind, text in (
            ("edit", "edited" if standing.edit is not None else ""),
            ("note", standing.note),
            ("flag", standing.flag),
        ):
            if text:
                listed.append((f"{row + 1:,}", kind, text))
    if listed:
        yield "## Edits, notes and flags by hand"
        yield ""
        yield from _table(("row", "kind", "text"), listed[:_MOST])
        yield from _rest(len(listed))


def _trained_on(manifest: Path, tokens: Sequence[int] | None) -> Iterator[str]:
    """The training set and the held-out samples, where the facts are those of a curated view."""
    found = files.read_json(os.fspath(manifest))
    if found is None:
        return
    counts, split = found["counts"], found["split"]
    yield "## Training set"
    yield ""
    yield f"- {counts['train']:,} training samples, {counts['eval']:,} held out"
    if not found["eval_sources"] and split["fraction"]:
        together = f"{split['near']:.0%}+ similar samples" if split["near"] else "samples with the same prompt"
        by = f", stratified by {_cell(split['stratify'])}" if split["stratify"] else ""
        yield f"- split by seed {split['seed']}{by}; {together} stay on one side"
    for name, number in found["leaks"].items():
        if found["eval_sources"]:
            yield f"- {name} leaks into the eval file: {number:,}"
    for sentence in found["notes"]:
        yield f"- {_cell(sentence)}"
    yield ""
    known: Sequence[object] = tokens or ["-"] * len(found["contributions"])
    rows = [
        (each["path"], each["samples"], f"{each['share']:.0%}", number, each["words"])
        for each, number in zip(found["contributions"], known, strict=True)
    ]
    yield from _table(("source", "samples", "share", "tokens", "details"), rows)


def _rest(total: int) -> Iterator[str]:
    if total > _MOST:
        yield f"... and {total - _MOST:,} more."
        yield ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        cells = [f"{cell:,}" if isinstance(cell, int) else _cell(str(cell)) for cell in row]
        yield "| " + " | ".join(cells) + " |"
    yield ""


def _cell(text: str, limit: int = 400) -> str:
    """Foreign text in Markdown: no table, tag, link or code begins in it."""
    words = clean_line(text, limit).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*_[]|":
        words = words.replace(mark, "\\" + mark)
    return words


def _when(seconds: float) -> str:
    return timestamps.text(seconds, "%Y-%m-%d %H:%M")
