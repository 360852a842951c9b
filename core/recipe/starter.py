"""A new recipe as a file to read and edit: every common field with its help as a comment above it."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator

from core import __version__
from core.clean import clean_line
from core.recipe.declare import Knob
from core.recipe.recipe import KNOBS, SECTIONS, Recipe, default_of, get, is_shown, plain
from core.recipe.yamlfile import VERSION_KEY, value_text

_WIDTH = 80
_REQUIRED = ("model.path", "data.train")


def starter(recipe: Recipe, *, file_name: str = "recipe.yaml", advanced: bool = False) -> str:
    """The recipe as commented YAML; `loads` reads back the same recipe.

    Args:
        recipe: paths as they are to be written.
        file_name: the file's name, for the commands in its first lines.
        advanced: write the advanced fields too. One that was changed is always written.
    """
    return "\n".join(_lines(recipe, file_name, advanced)) + "\n"


def _lines(recipe: Recipe, file_name: str, advanced: bool) -> Iterator[str]:
    name = shlex.quote(clean_line(file_name, 4_096))
    yield f"# A recipe for tunedeck. Train it with: tunedeck train {name}"
    yield f"# Edit it in a form, with a memory forecast: tunedeck {name}"
    yield "# Fields that are left out use their defaults. Paths are relative to this file."
    yield f"{VERSION_KEY}: {__version__}"
    section = ""
    hidden: list[Knob] = []
    for path, knob in KNOBS.items():
        if not is_shown(recipe, path):
            continue
        if knob.advanced and not advanced and get(recipe, path) == default_of(recipe, path):
            hidden.append(knob)
            continue
        margin = "  " if knob.section else ""
        if knob.section != section:
            section = knob.section
            yield from ("", f"{section}:")
            yield from _comment(SECTIONS[section].__doc__ or "", margin)
        yield ""
        yield from _about(recipe, knob, margin)
        yield f"{margin}{knob.name}: {value_text(plain(get(recipe, path)))}"
    if hidden:
        yield ""
        more = ", ".join(knob.path for knob in hidden)
        yield from _comment(f"Advanced fields, at their defaults (docs/recipe.md explains them): {more}.", "")


def _about(recipe: Recipe, knob: Knob, margin: str) -> Iterator[str]:
    """What a form says about a field, as comments."""
    needed = "Required. " if knob.path in _REQUIRED and not get(recipe, knob.path) else ""
    yield from _comment(f"{knob.title}. {needed}{knob.help}", margin)
    if knob.consequence:
        yield from _comment(knob.consequence, margin)
    for value, meaning in knob.choices.items():
        yield from _comment(f"{value}: {meaning}", margin, hanging="  ")
    default = default_of(recipe, knob.path)
    shown = knob.format(default)
    facts = [f"in {knob.unit}"] * bool(knob.unit) + [knob.range] * bool(knob.range)
    if get(recipe, knob.path) != default and shown:
        facts.append(f"default {shown}")
    if facts:
        yield from _comment(f"({', '.join(facts)})", margin)


def _comment(text: str, margin: str, hanging: str = "") -> list[str]:
    lead = f"{margin}# {hanging}"
    return textwrap.wrap(
        clean_line(text, 4_000),
        _WIDTH,
        initial_indent=lead,
        subsequent_indent=f"{lead}{hanging}",
        break_on_hyphens=False,
        break_long_words=False,
    )
