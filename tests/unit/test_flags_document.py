"""The page about flags is the declarations' own words, and names every flag with an example and what to do."""

from __future__ import annotations

from core.dataset.checks import CHECKS, FLAG_TEXTS
from core.dataset.flag_names import RENAMED
from core.dataset.flags_document import document
from core.dataset.view.plan import DROP_FLAGS
from core.paths import ROOT


def test_the_page_in_the_repository_is_what_the_declarations_say() -> None:
    assert (ROOT / "docs" / "flags.md").read_text() == document(), (
        "run `python -m core.dataset.flags_document > docs/flags.md`"
    )


def test_every_flag_says_what_it_means_with_an_example_and_what_to_do() -> None:
    page = document()
    assert {check.name for check in CHECKS} < {text.name for text in FLAG_TEXTS}
    assert len({text.title for text in FLAG_TEXTS}) == len(FLAG_TEXTS)
    for text in FLAG_TEXTS:
        section = page.split(f"## `{text.name}`\n", 1)[1].split("\n## ", 1)[0]
        assert text.help in section
        assert f"Example: {text.example}" in section
        assert f"What to do: {text.advice}" in section
        assert text.help.endswith(".")
        assert text.advice.endswith(".")
    assert all(f"`{old}` is now `{new}`" in page for old, new in RENAMED.items() if " " not in old)
    assert page.count("| by default |") == len(DROP_FLAGS)
