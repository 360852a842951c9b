"""What is known of the rows of a dataset before its view is built: counted now where that is quick, else by a scan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.dataset.dataset import Dataset
from core.dataset.flag_names import CONTROL_TOKENS, UNREADABLE
from core.jobs.stamps import stamps
from core.recipe.generation import drop_flags
from core.recipe.recipe import Recipe
from core.recipe.special_tokens import SpecialTokens, special_tokens

_SMALL = 2**20
"""Bytes up to which all rows are read: some tens of milliseconds, once for each state of the files."""

_READ = 2**20
_MOST = 200
_DUPLICATE = "exact_duplicate"


def known_rows(dataset: Dataset, recipe: Recipe, workspace: Path) -> tuple[dict[str, Any], dict[str, int]] | None:
    """The counts of rows that cannot be read (`core.dataset.view.row_counts`), and flag to number of readable rows.

    Args:
        dataset: the training data, open.
        recipe: how it is read.
        workspace: where a scan may have counted.

    Returns:
        None where nobody has counted yet.
    """
    files = dataset.reader.files
    stamped = stamps(files)
    if sum(size for _, size, _ in stamped) <= _SMALL:
        chosen = dataset.chosen
        paths = tuple(str(path) for path in dataset.paths)
        special = special_tokens(recipe.model.path, recipe.model.revision)
        columns = tuple(sorted(chosen.columns.items()))
        data = recipe.data
        return _counted(paths, tuple(stamped), chosen.named, columns, special, data.train_without, drop_flags(recipe))
    return _scanned(dataset, recipe, workspace)


def row_keys(dataset: Dataset) -> frozenset[str] | None:
    """The keys of all rows of a small dataset, under which decisions are kept; None where that would take long."""
    stamped = stamps(dataset.reader.files)
    if sum(size for _, size, _ in stamped) > _SMALL:
        return None
    chosen = dataset.chosen
    paths = tuple(str(path) for path in dataset.paths)
    return _keys(paths, tuple(stamped), chosen.named, tuple(sorted(chosen.columns.items())))


@lru_cache(maxsize=8)
def _keys(
    paths: tuple[str, ...],
    stamped: tuple[tuple[str, int, int], ...],
    format: str | None,
    columns: tuple[tuple[str, str], ...],
) -> frozenset[str]:
    """Reads all rows; `stamped` tells one state of the files from another."""
    from core.dataset.scan.keys import Occurrences, key_text, row_digest

    dataset, occurrences = Dataset.open(paths, format, dict(columns)), Occurrences()
    dataset.reader.extend()
    found = set()
    for entry in range(dataset.count):
        if (value := dataset.row(entry).value) is not None:
            key = row_digest(value)
            found.add(key_text(key, occurrences.next(key)))
    return frozenset(found)


@lru_cache(maxsize=8)
def _counted(
    paths: tuple[str, ...],
    stamped: tuple[tuple[str, int, int], ...],
    format: str | None,
    columns: tuple[tuple[str, str], ...],
    special: SpecialTokens,
    train_without: tuple[str, ...],
    drop_flags: tuple[str, ...],
) -> tuple[dict[str, Any], dict[str, int]]:
    """Reads all rows; `stamped` tells one state of the files from another."""
    from core.dataset.checks.duplicates import ExactDuplicate
    from core.dataset.checks.turns import EmptyAnswer, MissingTurn, RoleOrder
    from core.dataset.control_text import ControlText
    from core.dataset.scan.scan import Scanner
    from core.dataset.view.row_counts import RowCounts

    dataset = Dataset.open(paths, format, dict(columns))
    dataset.reader.extend()
    scanner = Scanner(dataset, checks=(EmptyAnswer, RoleOrder, MissingTurn, ExactDuplicate))
    counts = RowCounts(dataset.reader.files)
    control = ControlText(special.tokens, special.begin, special.end, train_without=train_without)
    dropped: Counter[str] = Counter()
    seen: set[bytes] = set()
    for scanned in scanner:
        if scanned is None:
            continue
        counts.row(scanned.row.source, scanned.item.error)
        if scanned.sample is None:
            continue
        # Each row has one reason, in the order of `core.dataset.view.selection`.
        found = next((each.name for each in scanned.flags if each.name in drop_flags and each.name != _DUPLICATE), "")
        if not found and CONTROL_TOKENS in drop_flags and control.of(scanned.sample):
            found = CONTROL_TOKENS
        if not found and _DUPLICATE in drop_flags and scanned.item.content in seen:
            found = _DUPLICATE
        if found:
            dropped[found] += 1
        else:
            seen.add(scanned.item.content)
    counts.malformed(scanner.bad_lines)
    return counts.to_json(), dict(dropped)


def _scanned(dataset: Dataset, recipe: Recipe, workspace: Path) -> tuple[dict[str, Any], dict[str, int]] | None:
    """What the scan of the Data screen has counted."""
    from core.dataset.scan.derive import scan_job, scan_payload
    from core.dataset.scan.reader import ScanReader

    data, said = recipe.data, dataset.chosen
    held = [Path(path) for path in data.eval]
    payload = scan_payload(dataset, said.format, said.columns, held, data.eval_format, data.eval_columns)
    folder = scan_job(workspace, dataset, payload).find()
    reader = None if folder is None else ScanReader(folder.path)
    summary = None if reader is None else reader.summary()
    if reader is None or not summary or not summary.get("complete"):
        return None
    flags: Mapping[str, int] = summary["flags"]
    bad, missing = len(summary["bad_lines"]), flags.get(UNREADABLE, 0)
    reasons: dict[str, int] = {}
    readable = Counter(flags)
    for _ in range(_MOST if missing else 0):
        update = reader.poll()
        for found in update.flags.values():
            if reason := next((flag.reason for flag in found if flag.name == UNREADABLE), ""):
                reasons[reason] = reasons.get(reason, 0) + 1
                readable.subtract(flag.name for flag in found)
        if not update.more or len(reasons) >= _MOST:
            break
    if bad:
        reasons[f"malformed: {summary['bad_lines'][0]['reason']}"] = bad
    listed = sorted(reasons.items(), key=lambda each: -each[1])[:3]
    rows = summary["rows"] + bad
    file = {"file": str(dataset.paths[0]), "rows": rows, "unreadable": missing, "malformed": bad}
    file["reasons"] = [{"reason": reason, "rows": number} for reason, number in listed]
    return {"rows": rows, "unreadable": missing, "malformed": bad, "files": [file]}, dict(+readable)
