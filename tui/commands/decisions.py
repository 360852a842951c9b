"""Show, export or import review decisions: which rows were kept or dropped, by whom and why.

Without an option, shows each reviewer's progress and speed, their agreement, and the conflicts. --export writes JSONL,
one line per row and reviewer. --import reads such a file and matches rows by content, wherever they are in the dataset.
On a conflict with another reviewer, the decision here counts and the file's is kept as a second opinion.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.commands.output import print_json, say

if TYPE_CHECKING:
    from core.dataset.view.exchange import ImportedDecisions, RowPlace

_MOST = 20
"""Rows and lines that are listed; the rest is counted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("data", nargs="+", type=Path, metavar="FILE", help="Data files, or folders of them.")
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="Write the decisions to this file; an existing file is not overwritten.",
    )
    way.add_argument("--import", dest="import_from", type=Path, metavar="FILE", help="Import decisions from this file.")
    parser.add_argument(
        "--replace", action="store_true", help="With --import: if decisions conflict, the file's count."
    )
    parser.add_argument("--format", default="auto", help="Row format (default: detected from the rows).")
    parser.add_argument("--json", action="store_true", help="Print one JSON object.")


def run(arguments: argparse.Namespace) -> int:
    """Read the rows, then export, import or print."""
    from core.dataset.dataset import Dataset
    from core.dataset.mapping import Chosen
    from core.dataset.view.exchange import decision_records, export_decisions, import_decisions, row_places
    from core.errors import BadInput
    from tui.commands.data_paths import data_paths
    from tui.commands.scratch import reading_workspace

    if arguments.replace and arguments.import_from is None:
        raise BadInput("--replace needs --import", do="Name the file to import with --import")
    live = sys.stderr.isatty() and not arguments.json

    def progress(done: int, of: int) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[Kreading {done / max(of, 1):4.0%}")
            sys.stderr.flush()

    here = Path.cwd()
    paths = data_paths(arguments.data, here, piped_into=reading_workspace)
    places = row_places(Dataset.open_as_said(paths, Chosen(arguments.format), here), progress)
    if live:
        sys.stderr.write("\r\x1b[K")
    if arguments.export is not None:
        written = export_decisions(decision_records(here, places), arguments.export)
        if arguments.json:
            print_json({"path": str(arguments.export), "lines": written})
        else:
            say(f"{written:,} decision{'s' * (written != 1)}  {arguments.export}")
        return 0
    if arguments.import_from is not None:
        found = import_decisions(arguments.import_from, here, places, replace=arguments.replace)
        if arguments.json:
            print_json(found.to_json())
        else:
            _say_imported(found)
        return 0
    facts = _facts(here, places)
    if arguments.json:
        print_json(facts)
    else:
        _say_facts(facts)
    return 0


def _say_imported(found: ImportedDecisions) -> None:
    counts = {
        "imported": found.taken,
        "already here": found.known,
        "older than the same reviewer's decision here": found.older,
        "not in this dataset": len(found.unmatched),
        "malformed": len(found.malformed),
    }
    said = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number or what == "imported")
    say(f"{found.lines:,} line{'s' * (found.lines != 1)}: {said}")
    if found.unmatched:
        say(f"not in this dataset: line{'s' * (len(found.unmatched) != 1)} {_listed(found.unmatched)}")
    for line, reason in found.malformed[:_MOST]:
        say(f"line {line:,}: {reason}")
    if len(found.malformed) > _MOST:
        say(f"... and {len(found.malformed) - _MOST:,} more malformed lines")
    if not found.conflicts:
        return
    many = len(found.conflicts)
    stands = (
        "the file's decisions count now"
        if found.replaced
        else "the decision here counts, the file's is a second opinion (--replace reverses this)"
    )
    say(f"{many:,} conflict{'s' * (many != 1)}: {stands}")
    done = {"keep": "keeps", "drop": "drops"}
    for each in found.conflicts[:_MOST]:
        (one, here), (other, there) = each.here, each.there
        say(f"  row {each.row:,}: {one} {done[here]} it, {other} {done[there]} it (line {each.line:,})")
    if many > _MOST:
        say(f"  ... and {many - _MOST:,} more; Data lists them: press F, conflicts")


def _listed(lines: list[int]) -> str:
    more = f" and {len(lines) - _MOST:,} more" if len(lines) > _MOST else ""
    return ", ".join(map(str, lines[:_MOST])) + more


def _facts(workspace: Path, places: Mapping[str, RowPlace]) -> dict[str, Any]:
    from core.dataset.audit.agreement import agreements
    from core.dataset.audit.decisions import Ledger
    from core.dataset.audit.pace import seconds_per_row
    from core.dataset.audit.store import read_decisions

    decisions = [each for each in read_decisions(workspace) if each.key in places]
    ledger = Ledger()
    ledger.take(decisions)
    states = ledger.standings()
    reviewers: dict[str, Counter[str]] = {}
    for key in states:
        for user, own in ledger.by_user(key).items():
            reviewers.setdefault(user, Counter())[own.verdict or "open"] += 1
    seconds = seconds_per_row(decisions)
    verdicts = Counter(state.verdict for state in states.values())
    return {
        "rows": len(places),
        "kept": verdicts["keep"],
        "dropped": verdicts["drop"],
        "reasons": dict(Counter(state.why for state in states.values() if state.why).most_common()),
        "ratings": dict(sorted(Counter(state.rating for state in states.values() if state.rating).items())),
        "labels": dict(Counter(label for state in states.values() for label in state.labels).most_common()),
        "reviewers": [
            {"user": user, "kept": own["keep"], "dropped": own["drop"], "seconds_per_row": seconds.get(user)}
            for user, own in sorted(reviewers.items())
        ],
        "agreement": [
            {
                "users": [each.first, each.second],
                "both": each.both,
                "same": each.same,
                "kappa": each.kappa,
                "words": each.words,
            }
            for each in agreements(states.values())
        ],
        "conflicts": [
            {
                "row": places[key].number,
                "file": places[key].file,
                "key": key,
                "decision": state.verdict or None,
                "verdicts": dict(state.verdicts),
            }
            for key, state in sorted(ledger.conflicts(), key=lambda each: places[each[0]].number)
        ],
    }


def _say_facts(facts: Mapping[str, Any]) -> None:
    from core.dataset.audit.pace import seconds_words

    say(f"{facts['rows']:,} rows: {facts['kept']:,} kept, {facts['dropped']:,} dropped")
    for what in ("reasons", "ratings", "labels"):
        if facts[what]:
            say(f"{what}: " + ", ".join(f"{name} {number:,}" for name, number in facts[what].items()))
    for each in facts["reviewers"]:
        seconds = each["seconds_per_row"]
        pace = f", {seconds_words(seconds)} per row (median)" if seconds is not None else ""
        say(f"{each['user']}: {each['kept']:,} kept, {each['dropped']:,} dropped{pace}")
    for each in facts["agreement"]:
        say(each["words"])
    conflicts = facts["conflicts"]
    if conflicts:
        say(f"{len(conflicts):,} conflict{'s' * (len(conflicts) != 1)}, with the decision in effect:")
    for each in conflicts[:_MOST]:
        said = ", ".join(f"{user} {verdict}" for user, verdict in each["verdicts"].items())
        say(f"  row {each['row']:,}: {said}; {each['decision']} counts")
    if len(conflicts) > _MOST:
        say(f"  ... and {len(conflicts) - _MOST:,} more")
