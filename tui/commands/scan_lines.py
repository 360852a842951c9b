"""What a scan found, as lines of at most 80 columns."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.clean import clean_line
from core.dataset.sample import KINDS, SampleKind
from tui.commands.scan_rows import RowPlaces

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from core.dataset.scan.scan import ScanResult

WIDTH = 80
_BAD_LINES = 20
_CLUSTERS = 5
_ROWS = 4
_HOW_TO_NAME = (
    "Questions and answers: --columns prompt=COLUMN --columns completion=COLUMN; "
    "conversations: --columns messages=COLUMN; plain text: --columns text=COLUMN"
)


def scan_lines(found: ScanResult) -> list[str]:
    """Rows, format and why; bad lines by number; each flag with its title, its count and a row to look at."""
    return [*_head(found), *_read_as(found), *_unused(found), *_bad_lines(found), *_eval(found), *_flags(found)]


def _head(found: ScanResult) -> Iterator[str]:
    if "'" in found.container:  # what was read inside a workbook or zip
        more = ". To open another one: FILE:NAME" if ", not '" in found.container else ""
        yield from _wrapped(f"{found.container}{more}")
    yield from _wrapped(f"{_many(found.rows, 'row')}. {'Format: ' if found.format.known else ''}{found.format.why}")
    if not found.format.known:
        yield from _wrapped(_HOW_TO_NAME, indent="  ")
    if found.format.known and found.format.columns:
        columns = ", ".join(f"{field}={column}" for field, column in found.format.columns.items() if field != column)
        if columns:
            yield from _wrapped(f"columns: {columns}", indent="  ")


def _read_as(found: ScanResult) -> Iterator[str]:
    """Files and rows that are read in different ways, each with its number of rows."""
    counts: Counter[tuple[str, str]] = Counter()  # a column that only some rows have makes no other line
    for each in found.read_as:
        file = clean_line(each.file.name, 60)
        columns = ", ".join(f"{field}={column}" for field, column in each.form.columns.items() if field != column)
        said = f"{each.form.name}{f' ({columns})' if columns else ''}" if each.form.known else ""
        counts[file, said or each.form.why] += each.rows if said else 0
    if len(counts) > 1:
        for (file, said), rows in counts.items():
            yield from _wrapped(f"{file}: {_many(rows, 'row')} as {said}" if rows else f"{file}: {said}", indent="  ")
    kinds: Counter[SampleKind] = Counter()
    for each in found.read_as:
        if each.form.kind is not None and each.rows:
            kinds[each.form.kind] += each.rows
    if len(kinds) > 1:
        listed = " and ".join(f"{rows:,} {KINDS[kind]}" for kind, rows in sorted(kinds.items()))
        yield from _wrapped(f"warning: mixed kinds of samples: {listed}", indent="  ")


def _unused(found: ScanResult) -> Iterator[str]:
    if found.unused.words:
        yield from _wrapped(found.unused.words)
    for sentence in found.unused.warnings:
        yield from _wrapped(f"warning: {sentence}", indent="  ")


def _eval(found: ScanResult) -> Iterator[str]:
    if missing := found.eval_rows.without_prompt:
        of = f"{missing:,} of {_many(found.eval_rows.rows, 'eval row')}"
        yield from _wrapped(f"warning: {of} not compared (no prompt). First: {found.eval_rows.first}")


def _bad_lines(found: ScanResult) -> Iterator[str]:
    from core.dataset.records import encoding_offer

    bad = found.bad_lines
    if not bad:
        return
    files = {line.file for line in bad}
    place = f" in {clean_line(bad[0].file.name, 200)}" if len(files) == 1 else ""
    many = "s" * (len(bad) != 1)
    yield from _wrapped(f"{len(bad):,} malformed line{many}{place}, skipped")
    for line in bad[:_BAD_LINES]:
        file = "" if place else f"{clean_line(line.file.name, 200)} "
        yield from _wrapped(f"{file}line {line.line:,}: {line.reason}", indent="  ")
    if len(bad) > _BAD_LINES:
        yield f"  and {len(bad) - _BAD_LINES:,} more (--json lists them all)"
    if offer := encoding_offer(bad):
        yield from _wrapped(offer, indent="  ")


def _flags(found: ScanResult) -> Iterator[str]:
    from core.dataset.checks import TITLES

    counts = {name: number for name, number in found.flags.items() if number}
    for each in found.properties:
        yield from _wrapped(f"{TITLES.get(each.name, each.name)}: {each.reason}")
    if not counts:
        yield "no flags"
        return
    first, places = found.examples, RowPlaces(found)
    width = max(len(TITLES.get(name, name)) for name in counts)
    yield f"flags{'rows'.rjust(width + 5)}"
    for name, number in counts.items():
        example = f"e.g. {places.words(first[name])}" if name in first else ""
        yield f"  {TITLES.get(name, name).ljust(width)}{number:>8,}  {example}".rstrip()


def near_lines(found: ScanResult, dataset: Dataset) -> list[str]:
    """The near-duplicates as lines of text: the numbers, then the largest clusters with their rows."""
    from core.dataset.files.index import GoodRows
    from core.dataset.near.result import wrong_pairs_words
    from core.units import percent

    near = found.near
    if near is None:
        return []
    dropped = sum(len(cluster.drop) for cluster in near.clusters)
    lines = _wrapped(
        f"near-duplicates at {near.options.threshold:.0%}: {_many(len(near.clusters), 'cluster')}; "
        f"{_many(dropped, 'row')} removable, each similar to a row that is kept"
    )
    if near.wrong_pairs:
        lines += _wrapped(f"{wrong_pairs_words(len(near.wrong_pairs))}. The Duplicates screen drops them", indent="  ")
    for said in near.excluded:
        lines += _wrapped(f"not compared: {said}", indent="  ")
    dataset.reader.extend()
    entries = GoodRows(list(found.bad_entries))
    for cluster in near.clusters[:_CLUSTERS]:
        words = "identical" if cluster.similarity >= 1 else f"{percent(cluster.similarity)}+ similar"
        lines.append(f"  {len(cluster.rows):,} rows, {cluster.kind}, {words}")
        because = {drop.row: drop for drop in cluster.drop}
        for row in cluster.rows[:_ROWS]:
            drop = because.get(row)
            fate = "kept" if drop is None else f"{percent(drop.similarity)} of row {drop.because_of + 1:,}"
            line = f"    row {row + 1:,}".ljust(18) + f"{fate}".ljust(20)
            lines.append(line + _cut(dataset.preview(entries.entry(row)), WIDTH - len(line)))
        if len(cluster.rows) > _ROWS:
            lines.append(f"    and {len(cluster.rows) - _ROWS:,} more")
    if len(near.clusters) > _CLUSTERS:
        more = len(near.clusters) - _CLUSTERS
        lines.append(f"  {more:,} more cluster{'s' * (more != 1)} (--json lists them all)")
    return lines


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' * (number != 1)}"


def _cut(text: str, cells: int) -> str:
    """The text in at most so many cells, of which Chinese and Japanese take two a letter."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1).rstrip() + "…"


def _wrapped(text: str, indent: str = "") -> list[str]:
    """The text in lines of at most 80 columns, the later ones further in."""
    whole = clean_line(text, 2_000)
    return textwrap.wrap(whole, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ") or [indent]
