"""The reference page is the declaration's own words, and up to date."""

from __future__ import annotations

from core.paths import ROOT
from core.recipe.document import document
from core.recipe.presets import PRESETS
from core.recipe.recipe import KNOBS
from core.recipe.templates import names


def test_the_page_in_the_repository_is_what_the_declaration_says() -> None:
    assert (ROOT / "docs" / "recipe.md").read_text() == document(), (
        "run `python -m core.recipe.document > docs/recipe.md`"
    )


def test_the_page_names_every_field_choice_preset_and_template() -> None:
    page = document()
    for knob in KNOBS.values():
        assert f"### `{knob.path}`" in page
        assert f"{knob.help}\n\n{knob.consequence}" in page, "a paragraph each"
        assert all(f"- `{value}`: {meaning}" in page for value, meaning in knob.choices.items())
    assert all(f"**{preset.name}.**" in page for preset in PRESETS)
    assert all(f"`{name}`" in page for name in names())
