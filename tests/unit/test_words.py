"""The language of the program: words that no native speaker would use are found wherever a user or a colleague reads.

`python -m tests.unit.test_words` lists, beside the words that fail, those that deserve a human's look.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from core.paths import ROOT

BANNED: Mapping[str, str] = {
    r"goes on|go on|going on|went on|gone on": "is running, continues, resumes",
    r"may go": "removable, can be removed",
    r"takes it": "applies, uses, accepts",
    r"oftener": "more often",
    r"data sets?(?! ?tings?)": "dataset",
    r"what is asked|asks what|asks nearly what": "the prompt, the question",
    r"holds? still|holding still": "pause, paused",
    r"go(es)? for good|gone for good": "deleted permanently",
    r"ask no more": "cancel",
    r"bad rows?": "unreadable row, unreadable",
    r"names? of the hub": "Hub dataset ID",
    r"draw anew|made anew|anew": "redraw, again",
    r"reading line": "cursor",
    r"samples of their own": "eval set, separate eval file, held out",
    r"least gain": "minimum improvement",
    r"learnt": "learned",
    r"out of queue|hold queue": "remove from queue, pause queue",
    r"runs that go on": "active runs",
    r"normalis(e|ed|es|ing|ation)|recognis(e|ed|es|ing)|memoris(e|ed|es|ing)": "-ize",
    r"colours?|coloured|behaviour|favourite|licence": "American spelling",
    r"part 1 of 2|part 2 of 2": "stage 1 of 2",
}
"""What must not be read anywhere, as whole words whatever the case, and what to say instead."""

DOUBTFUL: tuple[str, ...] = (
    r"of its own",
    r"of yours",
    r"stands",
    r"as it is",
    r"there is none",
    r"too(?=[.,;:])",
    r"alike",
    r"parted|parting",
    r"seldom",
    r"besides",
)
"""What a human looks at: fine here, clumsy there."""

_NOT_OURS = ("docs/decisions/", "CHANGELOG.md")
"""History is not rewritten; of the changelog, only the release in the making is read (see `texts`)."""


def texts() -> Iterator[tuple[str, int, str]]:
    """Every line that is read: file, line number from 1, text. Code whole, for names and comments have readers, too."""
    paths = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "pyproject.toml")]
    for folder, pattern in (("core", "*.py"), ("tui", "*.py"), ("tui", "*.tcss"), ("docs", "*.md"), ("docs", "*.py")):
        paths += sorted((ROOT / folder).rglob(pattern))
    paths += sorted((ROOT / "sample_data").rglob("*.md"))
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(_NOT_OURS):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                yield name, number, line
    for number, line in _changes_in_the_making():
        yield "CHANGELOG.md", number, line


def _changes_in_the_making() -> Iterator[tuple[int, str]]:
    """The part of the changelog that is not released yet."""
    within = False
    for number, line in enumerate((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines(), 1):
        within = "unreleased" in line if line.startswith("## ") else within
        if within:
            yield number, line


def word(pattern: str) -> re.Pattern[str]:
    """The pattern as whole words, whatever the case and however many blanks."""
    return re.compile(rf"(?<![\w-])(?:{pattern.replace(' ', r'[ ]+')})(?![\w-])", re.IGNORECASE)


def found(patterns: Mapping[str, str]) -> list[str]:
    """Each place where one of the patterns is read, with what to say instead."""
    words = [(word(pattern), instead) for pattern, instead in patterns.items()]
    return [
        f"{name}:{number}: {match.group()!r}, say: {instead}\n    {line.strip()[:160]}"
        for name, number, line in texts()
        for regex, instead in words
        if (match := regex.search(line))
    ]


def test_no_word_is_read_that_no_native_speaker_would_use() -> None:
    places = found(BANNED)
    assert not places, "\n" + "\n".join(places)


@pytest.mark.parametrize(
    "sentence",
    [
        "2 runs go on",
        "The run Goes  on.",
        "3 rows may go",
        "Open a data set",
        "these data sets",
        "evaluate oftener",
        "it holds still",
    ],
)
def test_the_list_finds(sentence: str) -> None:
    assert any(word(pattern).search(sentence) for pattern in BANNED)


@pytest.mark.parametrize("sentence", ["the data settings", "the dataset", "ongoing", "it pauses at the next step"])
def test_the_list_lets_pass(sentence: str) -> None:
    assert not any(word(pattern).search(sentence) for pattern in BANNED)


def test_everything_that_is_read_is_looked_at() -> None:
    names = {name for name, _, _ in texts()}
    assert {"README.md", "CHANGELOG.md", "tui/actions.py", "docs/keys.md", "docs/recipe.md"} <= names
    assert not any(name.startswith("docs/decisions/") for name in names)
    assert all(Path(ROOT / name).is_file() for name in names)


if __name__ == "__main__":
    failing = found(BANNED)
    print("\n".join([*failing, "", "For a human:", *found(dict.fromkeys(DOUBTFUL, "as you would to a colleague"))]))
    sys.exit(bool(failing))
