"""What the form offers about memory: the exact figure, changes that make the run fit, and what was seen here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from core.clean import clean_line
from core.errors import BadInput
from core.recipe.memory import context_bytes
from core.recipe.recipe import KNOBS, Recipe, put
from core.recipe.values import Value
from core.runs.exact_memory import exact_key, read_exact
from core.runs.fitting import MemoryChange, changes_that_fit
from core.runs.known_memory import KnownMemory
from core.runs.suggestions import suggestions
from core.units import gib
from tui.recipe.facts import RecipeFacts, memory_parts
from tui.widgets.filter_menu import FilterItem

EXACT = "exact"
"""The entry that has the exact figure computed."""


class MemoryOffers:
    """The entries of the memory menu for one state of the form.

    Args:
        facts: what is known; with a model and its memory.
        recipe: the form's.
        workspace: where exact forecasts are kept.

    Attributes:
        changes: what makes the run fit, by the entry's key.
        values: the fields that choosing an entry changes, by its key.
    """

    def __init__(self, facts: RecipeFacts, recipe: Recipe, workspace: Path) -> None:
        self._facts, self._workspace = facts, workspace
        self.changes: dict[str, MemoryChange] = {}
        self.values: dict[str, Mapping[str, Value]] = {}
        self._words: dict[str, str] = {}
        known, shape = facts.known, facts.shape
        if known is None or shape is None:
            return
        if known.fits is False and known.free is not None:
            found = changes_that_fit(
                known.recipe, shape, known.device, known.free, longest=known.longest, factor=known.factor
            )
            for number, change in enumerate(found):
                self.changes[f"change {number}"] = change
                self.values[f"change {number}"] = change.values
        for number, suggestion in enumerate(suggestions(recipe, shape, known, facts.cut)):
            self.values[f"suggestion {number}"] = suggestion.values
            self._words[f"suggestion {number}"] = suggestion.sentence

    def questions(self) -> list[KnownMemory]:
        """The changes whose exact forecast is still to be computed, as what `ExactForecasts.ask` takes."""
        known = self._facts.known
        if known is None or known.device == "cpu":
            return []
        found = []
        for change in self.changes.values():
            changed = change.apply(known.recipe)
            key = self._key(changed)
            if key and read_exact(self._workspace, key) is None:
                found.append(replace(known, recipe=changed, key=key, exact=None, runs=()))
        return found

    def items(self, *, computing: bool, fault: str) -> list[FilterItem]:
        """The entries.

        Args:
            computing: whether the exact figure of the form is being computed.
            fault: why there is none, a sentence, or "".
        """
        known = self._facts.known
        if known is None:
            return []
        found = [self._item(key, change) for key, change in self.changes.items()]
        found += [
            FilterItem(key, _title(self.values[key]), clean_line(words, 400)) for key, words in self._words.items()
        ]
        if known.exact is None and known.key:
            words = (
                fault or "Runs two steps of the trainer without weights; takes about 20 seconds and downloads nothing."
            )
            beside = "computing" if computing else ""
            found.append(FilterItem(EXACT, "Compute the exact figure", clean_line(words, 400), beside))
        return found

    def _item(self, key: str, change: MemoryChange) -> FilterItem:
        known = self._facts.known
        assert known is not None
        exact = read_exact(self._workspace, own) if (own := self._key(change.apply(known.recipe))) else None
        if exact is None:
            figure, fits = f"~{gib(change.total)}", change.fits
        else:
            need = exact.peak + context_bytes(known.device) + known.ranks
            figure, fits = gib(need), known.free is None or need <= known.free
        beside = figure if fits else f"{figure}, does not fit"
        return FilterItem(key, clean_line(change.title, 200), clean_line(change.words, 400), beside)

    def _key(self, recipe: Recipe) -> str:
        known = self._facts.known
        try:
            return "" if known is None else exact_key(recipe, known.device, known.lengths)
        except BadInput:
            return ""

    def note(self) -> str:
        """The sentence below the list."""
        known = self._facts.known
        if known is None:
            return ""
        words = clean_line(known.words(), 200)
        if known.free is None:
            return f"Needs {known.figure}. {words} {self._parts()}"
        verdict = "Fits" if known.fits else "Does not fit"
        return f"{verdict}: {known.figure} of {gib(known.free)} free. {words} {self._parts()}"

    def _parts(self) -> str:
        """The parts of the memory, a sentence."""
        parts = ", ".join(f"{part.label} {part.shown}" for part in memory_parts(self._facts)[1:])
        return f"In GiB: {parts}." if parts else ""

    def apply(self, key: str, recipe: Recipe) -> Recipe:
        """The recipe with the changes of an entry."""
        for path, value in self.values[key].items():
            recipe = put(recipe, path, value)
        return recipe

    def title(self, key: str) -> str:
        """What an entry changes, in a few words."""
        return _title(self.values[key])


def _title(values: Mapping[str, Value]) -> str:
    return ", ".join(f"{KNOBS[path].title} {KNOBS[path].format(value)}" for path, value in values.items())
