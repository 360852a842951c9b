"""Token counts in `scan`: those that the Data screen has saved; a scan never counts tokens itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.dataset.checks.tokens import TITLES

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from core.dataset.scan.scan import ScanResult
    from tui.commands.scan_rows import FlagSpool


def with_tokens(
    found: ScanResult, dataset: Dataset, workspace: Path, spool: FlagSpool
) -> tuple[ScanResult, dict[str, Any]]:
    """A scan's result with the flags from token facts, as far as these are on the disk for just these files.

    Args:
        found: the result.
        dataset: what was scanned.
        workspace: the folder that holds `.tunedeck`.
        spool: takes the flags, too.

    Returns:
        The result, and for `--json` the object `tokens`: totals, and the model and max length that they are true for;
        nothing where tokens were never counted.
    """
    from core.runs.token_job import key_of
    from core.runs.token_key import latest_facts

    facts = latest_facts(workspace, key_of(dataset))
    if facts is None:
        return found, {}
    flags = facts.all_flags()
    counts = Counter(flag.name for each in flags.values() for flag in each)
    examples = dict(found.examples)
    for row in sorted(flags):
        spool.add(row, flags[row])
        for flag in flags[row]:
            examples.setdefault(flag.name, row)
    about = {name: facts.about.get(name) for name in ("model", "chat_template", "max_length", "loss_on")}
    whole = replace(
        found,
        flags={**found.flags, **{name: counts[name] for name in TITLES}},
        examples=examples,
    )
    return whole, {"tokens": {**facts.totals(), **about}}
