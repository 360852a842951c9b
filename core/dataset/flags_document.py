"""Writes the page about flags from their declarations: `python -m core.dataset.flags_document > docs/flags.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from core.dataset.checks import FLAG_TEXTS, FlagText
from core.dataset.checks.tokens import TITLES as TOKEN_TITLES
from core.dataset.flag_names import CONTROL_TOKENS, NOT_RENDERED, RENAMED, UNREADABLE
from core.dataset.view.plan import DROP_FLAGS

_HEAD = """\
# Flags

A flag is a reason to look at a row. Scanning a dataset checks every row: `tunedeck scan FILE`, or open it on the Data
screen. The list on Data shows the most severe flag of each row, and the sample shows all of them with the reason.

- **Read flagged rows**: filter the list by a flag on Data, or start an audit by flag.
- **Drop flagged rows**: name the flags in `data.drop_flags` of the recipe, or with `--drop FLAG`. A row that you kept
  by hand is never dropped for a flag. Of exact duplicates, the first one that is not dropped stays.
- **In JSON**: `tunedeck scan FILE --json` prints `flags`, the number of rows by flag.

This page is generated from the checks in `core/dataset/checks/`:
`python -m core.dataset.flags_document > docs/flags.md`.

| flag | title | severity | dropped |
|---|---|---|---|"""

_TAIL = """\
## Malformed lines

A line that is not a row at all (broken JSON, a CSV line with too many cells) has no flag and no row number. It is
listed under `bad_lines` with its file, line and reason, and is never trained on. To fix it, edit the file.

## Old names

Recipes, `--drop`, stored scans and audits with an old name still work:
"""


def document() -> str:
    """The whole page, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    for text in FLAG_TEXTS:
        yield f"| [`{text.name}`](#{text.name}) | {text.title} | {text.severity} | {_dropped(text.name)} |"
    yield ""
    for text in FLAG_TEXTS:
        yield from _flag(text)
    yield _TAIL
    for old, new in RENAMED.items():
        if " " not in old:
            yield f"- `{old}` is now `{new}`"


def _flag(text: FlagText) -> Iterator[str]:
    yield f"## `{text.name}`\n"
    yield f"{text.title[0].upper()}{text.title[1:]}. {text.help}\n"
    yield f"- Example: {text.example}"
    yield f"- What to do: {text.advice}"
    yield ""


def _dropped(name: str) -> str:
    if name == UNREADABLE:
        return "always"
    if name in TOKEN_TITLES:
        always = "always" if name == "zero_trained" else "no"
        return {CONTROL_TOKENS: "by default", NOT_RENDERED: "on request"}.get(name, always)
    return "by default" if name in DROP_FLAGS else "on request"


if __name__ == "__main__":
    sys.stdout.write(document())
