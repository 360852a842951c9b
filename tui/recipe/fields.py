"""The recipe as a form holds it: every field of the one declaration with its text, faults and what it comes to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

from textual.content import Content

from core.clean import clean_line
from core.recipe.consequences import consequence, summary
from core.recipe.declare import Knob, Problem
from core.recipe.field_names import ALIASES
from core.recipe.model_shape import ModelShape
from core.recipe.paths import absolute, relative
from core.recipe.recipe import KNOBS, Recipe, default_of, get, is_shown, put
from core.recipe.rules.validate import validate
from core.units import short_count
from tui.recipe.facts import RecipeFacts
from tui.recipe.field_form import form_field
from tui.widgets.filter_menu import FilterItem
from tui.widgets.form_field import CHANGED, Fault, FieldState, FormField, Section, fault_words

_TITLES = {
    "": "general",
    "lora": "LoRA",
    "soft_prompt": "virtual tokens",
    "last_layers": "last layers",
    **{name: name.upper() for name in ("sft", "cpt", "dpo", "kto", "orpo", "cpo", "grpo", "rloo")},
    "distill": "distillation",
    "reward": "reward model",
    "samples": "sample outputs",
}
"""Headings that differ from the section's name."""

_LONG = 24
"""Characters from which on a value may be cut in its row, so that the help shows it as well."""

_STYLES = {"error": "bold $text-error", "warn": "bold $text-warning", "note": "$text-muted"}


def sections(entries: Entries | None = None) -> tuple[Section, ...]:
    """The form's sections, made from the declaration: every field that applies, in its order.

    Args:
        entries: what decides; None for a fresh recipe.
    """
    grouped: dict[str, list[FormField]] = {}
    for knob in KNOBS.values():
        if entries.shows(knob.path) if entries else is_shown(Recipe(), knob.path):
            grouped.setdefault(knob.section, []).append(_field(knob.path))
    return tuple(Section(title(name), tuple(fields)) for name, fields in grouped.items())


def title(section: str) -> str:
    """The heading of a section."""
    return _TITLES.get(section, section)


@cache
def _field(path: str) -> FormField:
    return form_field(path, KNOBS[path], folded=KNOBS[path].advanced)


class Entries:
    """What stands in the form: a sound recipe, and beside it the texts that are no values yet.

    Paths are absolute in the recipe and relative to the workspace on the screen.
    """

    def __init__(self, recipe: Recipe, workspace: Path) -> None:
        self._workspace = workspace
        self.recipe = absolute(recipe, workspace)
        self.wrong: dict[str, tuple[str, Problem]] = {}
        """Texts that could not be taken, by field, each with what is wrong; the recipe keeps the value before."""
        self._rested = self.recipe
        self._at = ""

    def take(self, path: str, text: str) -> None:
        """Take a text that was typed.

        One that is no value leaves the value from before the typing: of 9999, the 999 on the way was never meant.
        """
        self._at = path
        value = KNOBS[path].parse(text)
        if isinstance(value, Problem):
            self.wrong[path] = (text, value)
            self.recipe = put(self.recipe, path, get(self._rested, path))
        else:
            self.wrong.pop(path, None)
            self.recipe = absolute(put(self.recipe, path, value), self._workspace)
            if KNOBS[path].kind in ("choice", "switch"):  # nothing of it is half typed
                self._rested = self.recipe

    def shows(self, path: str) -> bool:
        """Whether a field is in the form: it applies, or it was set all the same.

        What is being typed takes nothing away yet: of 0.25, the 0 on the way means nothing, and the cursor's own field
        stays where it is.
        """
        if path == self._at or path in self.wrong:
            return True
        return is_shown(self.recipe, path) or is_shown(self._rested, path)

    def replace(self, recipe: Recipe) -> None:
        """Take another recipe; texts that were wrong are gone."""
        self.recipe = absolute(recipe, self._workspace)
        self.wrong.clear()
        self.rest()

    def rest(self) -> None:
        """The typing in a field has begun or ended: the values as they are now are those that are meant."""
        self._rested = self.recipe
        self._at = ""

    def problems(self, facts: RecipeFacts) -> list[Problem]:
        """What is wrong or unwise: texts that are no values, what the recipe's rules say, what was found outside."""
        found = [problem for _, problem in self.wrong.values()]
        found += validate(self.recipe, facts.shape, facts.samples)
        if facts.recipe is not None:
            # What was found outside counts only as long as the field is still what was looked at.
            same = {path for path in KNOBS if get(facts.recipe, path) == get(self.recipe, path)}
            found += [problem for problem in facts.problems if problem.path in same]
        # While a text is no value, what is said of the value before it would puzzle.
        texts = {id(problem) for _, problem in self.wrong.values()}
        return [problem for problem in found if problem.path not in self.wrong or id(problem) in texts]

    def text(self, path: str) -> str:
        """A field's text: as typed where that is wrong, else the value as it is usually written."""
        if path in self.wrong:
            return self.wrong[path][0]
        return KNOBS[path].format(get(relative(self.recipe, self._workspace), path))

    def states(self, problems: Iterable[Problem], facts: RecipeFacts) -> dict[str, FieldState]:
        """What each field of the form shows; hidden fields are not included."""
        faults: dict[str, Fault] = {}
        for problem in problems:
            faults.setdefault(problem.path, Fault(problem.severity, clean_line(problem.sentence, 400), problem.brief))
        shown = relative(self.recipe, self._workspace)
        states: dict[str, FieldState] = {}
        for path, knob in KNOBS.items():
            if not self.shows(path):
                continue
            value = get(shown, path)
            text = self.wrong[path][0] if path in self.wrong else knob.format(value)
            hint = self._summary(path, facts.shape, facts.samples) or knob.choices.get(text, "")
            if path == "model.path" and text and facts.shape is not None:
                hint = _size_and_fit(facts)
            hint = hint or facts.hints.get(path, "")
            changed = value != default_of(shown, path) or path in self.wrong
            states[path] = FieldState(text, changed, hint, faults.get(path))
        return states

    def _summary(self, path: str, shape: ModelShape | None, samples: int | None) -> str:
        """What a value comes to; `~` where that rests on the number of samples, which a start alone knows exactly."""
        known = summary(path, self.recipe, shape)
        counted = summary(path, self.recipe, shape, samples)
        return counted if counted == known else f"~{counted}"


def _size_and_fit(facts: RecipeFacts) -> str:
    """The model's parameters, and whether the run fits on the GPU: `8.03 B, fits`."""
    assert facts.shape is not None
    size = short_count(facts.shape.parameters)
    if facts.room.device == "cpu" or facts.fits is None:
        return f"{size} parameters"
    return f"{size}, fits" if facts.fits else f"{size}, does not fit"


def first_to_fill(entries: Entries, problems: Iterable[Problem]) -> str:
    """The field to begin with: the first one that is required and empty, else the first one with an error, or ""."""
    errors = {problem.path for problem in problems if problem.severity == "error"}
    shown = [path for path in KNOBS if path in errors and entries.shows(path)]
    return next((path for path in shown if not entries.text(path)), next(iter(shown), ""))


def field_items(entries: Entries) -> list[FilterItem]:
    """Every field, for a search by title, key, help, choices and other programs' names; those that apply come first.

    What does not apply says why, in the place of its value.
    """
    names: dict[str, list[str]] = {}
    for name, path in ALIASES.items():
        names.setdefault(path, []).append(name)
    found: tuple[list[FilterItem], list[FilterItem]] = ([], [])
    for path, knob in KNOBS.items():
        shown = entries.shows(path)
        beside = entries.text(path) if shown else f"no effect: {deciding_field(entries, path)[1]}"
        known = " ".join((knob.help, knob.consequence, *knob.choices, *knob.choices.values()))
        found[not shown].append(
            FilterItem(
                path,
                f"{knob.title}  ({path})",
                beside=clean_line(beside, 44),
                search=known,
                names=(knob.title.lower(), path.rpartition(".")[2].lower(), *names.get(path, ())),
            )
        )
    return [*found[False], *found[True]]


def deciding_field(entries: Entries, path: str) -> tuple[str, str]:
    """Of a field that does not apply: the shown field that decides it ("" for none), and why, `method is full`."""
    reasons = KNOBS[path].when.why_not(partial(get, entries.recipe))
    deciding = next((name for each in reasons if entries.shows(name := each.partition(" ")[0])), "")
    return deciding, " and ".join(reasons)


def describe(
    knob: Knob,
    entries: Entries,
    problems: Iterable[Problem],
    facts: RecipeFacts,
    *,
    full: bool = False,
) -> Content:
    """The help of a field: what is wrong with it, what it is, what follows from its value here, its choices.

    Args:
        knob: the field.
        entries: the form.
        problems: of the whole recipe.
        facts: what is known of its surroundings.
        full: with default and source, for a screen of its own.
    """
    parts: list[Content] = []
    for problem in problems:
        if problem.path == knob.path:
            text = entries.text(knob.path)
            words = fault_words(problem.severity, text, "" if text else clean_line(problem.brief, 40))
            style = _STYLES[problem.severity]
            parts.append(Content.assemble((f"{words}  ", style), clean_line(problem.sentence, 400)))
    parts += [
        Content.styled(check.sentence, "$text-muted")
        for check in facts.checks
        if check.key == knob.path and check.standing == "ok"
    ]
    parts.append(Content(knob.help))
    now, usual = entries.text(knob.path), knob.format(default_of(entries.recipe, knob.path))
    if now != usual:
        parts.append(
            Content.assemble((f"{CHANGED} changed  ", "bold"), f"The default is {clean_line(usual, 80) or 'empty'}.")
        )
    if len(now) > _LONG and not knob.choices:
        parts.append(Content.assemble(("now: ", "$text-muted"), clean_line(now, 400)))
    follows = consequence(knob.path, facts.as_run(entries.recipe), facts.shape, facts.samples, facts.room.device)
    if follows:
        parts.append(Content.assemble(("→ ", "$accent"), clean_line(follows, 400)))
    for choice, meaning in knob.choices.items():
        chosen = choice == now
        lead = ("▸ " if chosen else "  ", "$accent")
        parts.append(Content.assemble(lead, (choice, "bold" if chosen else ""), (f"  {meaning}", "$text-muted")))
    entered: Any = get(entries.recipe, knob.path) if knob.columns else ()
    for column in knob.columns:
        for choice, meaning in column.choices.items():
            chosen = any(getattr(entry, column.name) == choice for entry in entered)
            lead = ("▸ " if chosen else "  ", "$accent")
            parts.append(Content.assemble(lead, (choice, "bold" if chosen else ""), (f"  {meaning}", "$text-muted")))
    about = [knob.range and f"range: {knob.range}", f"default: {usual or '(empty)'}"] if full else []
    about.append(knob.source and f"source: {knob.source}")
    about.append(knob.when.words and f"applies when {knob.when.words}")
    parts += [Content.styled(line, "$text-muted") for line in about if line]
    return Content("\n").join(parts)


def completion_of(key: str, text: str, workspace: Path) -> str:
    """A completion for the file name typed into a field, or "". Reads one folder; call it in a thread.

    Args:
        key: the field.
        text: what stands in it; of a list, the last entry is completed.
        workspace: where relative paths begin.
    """
    from tui.widgets.path_input import completion

    typed = text.rpartition(",")[2].lstrip() if KNOBS[key].kind in ("list", "records") else text
    found = completion(typed, workspace) if typed else None
    if not found or (key == "model.path" and not found.endswith("/")):  # a model is a folder
        return ""
    return found[len(typed) :]
