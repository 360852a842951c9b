"""Writes the reference of the recipe from its declaration: `python -m core.recipe.document > docs/recipe.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from core.recipe.declare import Knob
from core.recipe.presets import PRESETS
from core.recipe.recipe import KNOBS, SECTIONS
from core.recipe.tasks import TASKS
from core.recipe.templates import names

_HEAD = """\
# The recipe

A recipe is a YAML file that says what to train and how: `tunedeck train recipe.yaml`. The form in the app,
`--set FIELD=VALUE` and this page are generated from the same declaration in `core/recipe/sections/`
(`python -m core.recipe.document > docs/recipe.md`). Which model fits your GPU: [base-models.md](base-models.md).

All fields are optional and have defaults, except `model.path` and `data.train`. Relative paths start from the recipe's
folder. Write lists as `[a, b]` in YAML, and as `a, b` in the form and on the command line.

Some fields only apply when another field has a certain value. The form and the file hide them otherwise. If you set one
anyway, it has no effect, and you get a warning before the run starts.
"""


def document() -> str:
    """The whole page, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    section = None
    for knob in KNOBS.values():
        if knob.section != section:
            section = knob.section
            yield f"## {section or 'General'}\n"
            if section:
                yield f"{SECTIONS[section].__doc__}\n"
        yield from _field(knob)
    yield "## Presets\n"
    for preset in PRESETS:
        values = ", ".join(f"`{path}={KNOBS[path].format(value)}`" for path, value in preset.values.items())
        yield f"**{preset.name}.** {preset.use} {preset.reason}\n\nWatch: {preset.watch}. Source: {preset.source}.\n"
        yield f"Sets {values}. Example: `sample_data/presets/{preset.example}.jsonl`.\n"
    yield "## Chat templates\n"
    yield f"Templates that ship with tunedeck, with the answers marked: {', '.join(f'`{name}`' for name in names())}."


def _field(knob: Knob) -> Iterator[str]:
    yield f"### `{knob.path}`\n"
    yield f"**{knob.title}.** {knob.help}\n"
    if knob.consequence:
        yield f"{knob.consequence}\n"
    shown = knob.format(knob.default)
    facts = [f"default `{shown}`" if shown else "empty by default"]
    for task in TASKS.values():
        if knob.path in task.defaults:
            facts.append(f"`{knob.format(task.defaults[knob.path])}` with task `{task.name}`")
    facts += [knob.range] if knob.range else []
    facts += [f"in {knob.unit}"] if knob.unit else []
    facts += [f"source: {knob.source}"] if knob.source else []
    facts += [f"applies when {knob.when.words}"] if knob.when.words else []
    for value, meaning in knob.choices.items():
        yield f"- `{value}`: {meaning}"
    for column in knob.columns:
        yield f"- `{column.name}`: {column.help[0].lower()}{column.help[1:].rstrip('.')}"
        for value, meaning in column.choices.items():
            yield f"  - `{value}`: {meaning}"
    if knob.choices or knob.columns:
        yield ""
    text = "; ".join(facts)
    yield f"{text[0].upper()}{text[1:]}.\n"


if __name__ == "__main__":
    sys.stdout.write(document())
