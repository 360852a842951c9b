"""Token counts in `scan`: those just counted for a model, else those that are saved for these files."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.clean import clean_line
from core.dataset.checks.tokens import TITLES

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from core.dataset.scan.scan import ScanResult
    from core.runs.token_facts import TokenFacts
    from tui.commands.scan_rows import FlagSpool


def with_tokens(
    found: ScanResult, dataset: Dataset, workspace: Path, spool: FlagSpool, counted: TokenFacts | None = None
) -> tuple[ScanResult, dict[str, Any]]:
    """A scan's result with the flags from token facts, as far as these are on the disk for just these files.

    Args:
        found: the result.
        dataset: what was scanned.
        workspace: the folder that holds `.tunedeck`.
        spool: takes the flags, too.
        counted: what was counted for the model that was named; None for what is saved.

    Returns:
        The result, and for `--json` the object `tokens`: totals, and the model and max length that they are true for;
        nothing where tokens were never counted.
    """
    from core.runs.token_job import key_of
    from core.runs.token_key import latest_facts

    facts = latest_facts(workspace, key_of(dataset)) if counted is None else counted
    if facts is None:
        return found, {}
    flags = facts.all_flags()
    counts = Counter(flag.name for each in flags.values() for flag in each)
    examples = dict(found.examples)
    for row in sorted(flags):
        spool.add(row, flags[row])
        for flag in flags[row]:
            examples.setdefault(flag.name, row)
    about = {name: facts.about.get(name) for name in ("model", "chat_template", "max_length", "loss_on", "chunk_text")}
    whole = replace(
        found,
        flags={**found.flags, **{name: counts[name] for name in TITLES}},
        examples=examples,
    )
    return whole, {"tokens": {**facts.totals(), "context_lost": facts.context_lost(), **about}}


def token_lines(tokens: dict[str, Any], *, plain_text: bool = False) -> list[str]:
    """What is said of tokens beside the flags, for a terminal.

    Args:
        tokens: of `with_tokens`.
        plain_text: whether the rows are plain text, of which chunks would train all.
    """
    if not tokens:
        return ["not_rendered, control_tokens, cut: - (needs --model or --recipe)"]
    found = tokens["tokens"]
    lines = [f"tokens: {found['tokens']:,}, {found['trained']:,} trained ({clean_line(str(found['model']), 60)})"]
    if text := _text_words(found) if plain_text else "":
        lines.append(text)
    if lost := found["context_lost"]:
        rows, verb = (f"{lost:,} rows", "lose") if lost != 1 else ("1 row", "loses")
        lines.append(
            f"warning: {rows} {verb} context, such as earlier reasoning, that the chat template does not render"
        )
    return lines


def _text_words(found: dict[str, Any]) -> str:
    """How many tokens of plain text would be used, and what would use them all."""
    longest = f"max length {found['max_length']:,}" if found["max_length"] else "the max length"
    if found["chunk_text"]:
        return f"plain text: all tokens are used, in chunks of up to {found['max_length']:,}"
    if not found["lost"]:
        return "plain text: all tokens are used"
    used, whole = found["tokens"], found["tokens"] + found["lost"]
    return (
        f"plain text: {used:,} of {whole:,} tokens ({used / whole:.1%}) are used at {longest}; "
        "data.chunk_text uses all, in chunks"
    )
