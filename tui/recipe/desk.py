"""The recipe being edited: what is in the form, where it is on disk, and what can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.clean import clean_line
from core.errors import BadInput, TunedeckError
from core.jobs.trust import CODE
from core.recipe.asks import FIELD_OF
from core.recipe.paths import absolute, named_after
from core.recipe.recipe import KNOBS, Recipe, put
from core.runs.consent import agree_to_typed
from tui.recipe.fields import Entries
from tui.recipe.files import RecipeFiles, keep_draft
from tui.session import Session

_UNDOABLE = 200
"""Changes that can be undone."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What was there before a change: of which field ("" for the whole), the recipe, its file and its saved state."""

    key: str
    recipe: Recipe
    path: Path | None
    saved: Recipe | None


class RecipeEditor:
    """Everything that the recipe screen does without drawing it; the session's recipe follows.

    Attributes:
        entries: the values in the form.
        files: the recipe's file and draft.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._data_taken = session.passed_over
        self._undo: list[_Before] = []
        self.words = ""
        """What to tell the user: a draft that was found at the start, a file that cannot be read, what was undone."""
        try:
            named = session.recipe
        except BadInput as error:
            named, session.recipe_path, self.words = Recipe(), None, str(error)
        self.files = RecipeFiles(session.workspace)
        self.entries = Entries(named, session.workspace)
        data = tuple(str(path.absolute()) for path in session.data)
        recipe, words = self.files.begin(self.entries.recipe, session.recipe_path, data)
        self._restore(recipe)
        self.words = self.words or words

    @property
    def saved(self) -> bool:
        """Whether everything in the form is saved in the recipe's file."""
        here = self.files.own is not None and self.files.saved == self.entries.recipe
        return here and not self.entries.wrong

    @property
    def untouched(self) -> bool:
        """Whether a dataset is open and the recipe has nothing else yet: no file, no draft, no change."""
        recipe = self.entries.recipe
        return bool(self._session.data) and self.files.own is None and recipe == Recipe(data=recipe.data)

    @property
    def file_name(self) -> str:
        """The file's name; for a recipe that has none yet, a free one: its own, else that of its data."""
        if self.files.own is not None:
            return self.files.own.name
        train = self.entries.recipe.data.train
        name = self.entries.recipe.name.replace("/", "-") or (Path(train[0]).stem if train else "")
        return self.files.free(f"{clean_line(name, 60) or 'recipe'}.yaml")

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return bool(self._undo)

    def take(self, key: str, text: str) -> None:
        """Take what was typed into a field; what is typed in one go is one change."""
        if not self._undo or self._undo[-1].key != key:
            self._remember(key)
        before = self.entries.recipe
        self.entries.take(key, text)
        if key == FIELD_OF[CODE]:  # chosen here by hand, for the model that stands here
            with suppress(TunedeckError):  # then the start asks for it
                agree_to_typed(self.entries.recipe, key)
        if key != "data.view":
            self.entries.recipe = _without_view(self.entries.recipe, before)
        self._notify()

    def take_session(self) -> str | None:
        """Take over a recipe that was opened from another screen; returns a notice about it, None if there is none."""
        session = self._session
        if session.recipe is self.entries.recipe:
            return None
        before = self._now("")
        self.keep()
        self._data_taken = session.passed_over or self._data_taken
        recipe, words = self.files.begin(absolute(session.recipe, session.workspace), session.recipe_path)
        self._undo.append(before)
        self._restore(recipe)
        return words

    def take_data(self) -> None:
        """Take over the dataset that is open, if it has changed; otherwise the recipe's own data stays."""
        session, recipe = self._session, self.entries.recipe
        if session.opened == self._data_taken:
            return
        self._data_taken = session.opened
        if session.data:
            recipe = put(recipe, "data.train", tuple(str(path.absolute()) for path in session.data))
            recipe = put(recipe, "data.format", session.format)
            recipe = put(recipe, "data.columns", dict(session.columns))
        if session.eval_data:
            recipe = put(recipe, "data.eval", tuple(str(path.absolute()) for path in session.eval_data))
            recipe = put(recipe, "data.eval_format", session.eval_format)
            recipe = put(recipe, "data.eval_columns", dict(session.eval_columns))
        self.entries.recipe = _renamed(_without_view(recipe, self.entries.recipe), self.entries.recipe)
        self.entries.rest()
        self._notify()

    def replace(self, recipe: Recipe) -> None:
        """Take a whole other recipe for the same file."""
        self._remember("")
        self.entries.replace(recipe)
        self._notify()

    def new(self) -> None:
        """Start an empty recipe without a file, with the dataset that is open."""
        self._remember("")
        self.keep()
        self.files.take(None, None)
        self.entries.replace(Recipe())
        self._data_taken = ()
        self.take_data()

    def save(self, path: Path) -> None:
        """Write the recipe to a file, which becomes the recipe's.

        Raises:
            BadInput: it cannot be written.
        """
        self.files.save(self.entries.recipe, path)
        self._notify()

    def load(self, path: Path) -> str:
        """Take the recipe of another file; what to tell the user about it, or "".

        Raises:
            BadInput: with file and line; nothing has changed.
        """
        before = self._now("")
        self.keep()
        recipe, words = self.files.load(path)
        self._undo.append(before)
        self._restore(recipe)
        return words

    def keep(self) -> str:
        """Write the draft now; a sentence if that fails, else ""."""
        files = self.files
        return keep_draft(self._session.workspace, files.path, self.entries.recipe, files.saved)

    def _restore(self, recipe: Recipe) -> None:
        """Take a recipe as it was left; a change that was not saved can be undone."""
        saved = self.files.saved or Recipe()
        if recipe != saved and (self.files.path is not None or recipe != self.entries.recipe):
            self._undo.append(_Before("", saved, self.files.path, self.files.saved))
        self.entries.replace(recipe)
        self._notify()

    def undo(self) -> str:
        """Undo the last change; returns the field it was made in, or "", and sets `words` to what was undone."""
        before = self._undo.pop()
        there = {path: self.entries.text(path) for path in KNOBS}
        file = self.files.path
        if before.path != self.files.path:
            self.keep()
        self.entries.replace(before.recipe)
        self.files.take(before.path, before.saved)
        self._notify()
        self.words = self._undone(there) if file == before.path else f"Undone: back to {self.files.name}."
        return before.key

    def _undone(self, there: Mapping[str, str]) -> str:
        """What an undo changed, by the texts that stood in the fields before it."""
        changed = [(path, text, now) for path, text in there.items() if (now := self.entries.text(path)) != text]
        if len(changed) == 1:
            path, text, now = changed[0]
            values = [clean_line(value, 60) or "(empty)" for value in (text, now)]
            return f"Undone: {KNOBS[path].title} {values[0]} -> {values[1]}"
        named = ", ".join(KNOBS[path].title for path, _, _ in changed[:3])
        return f"Undone: {len(changed)} fields ({named}{', ...' if len(changed) > 3 else ''})" if changed else "Undone."

    def _remember(self, key: str) -> None:
        self._undo.append(self._now(key))
        del self._undo[:-_UNDOABLE]

    def _now(self, key: str) -> _Before:
        return _Before(key, self.entries.recipe, self.files.path, self.files.saved)

    def _notify(self) -> None:
        self._session.recipe = self.entries.recipe
        self._session.recipe_path = self.files.path


def _without_view(recipe: Recipe, before: Recipe) -> Recipe:
    """The recipe; where its data is another than before, without the fingerprint of the view of that before."""
    return recipe if recipe.data == before.data else put(recipe, "data.view", "")


def _renamed(recipe: Recipe, before: Recipe) -> Recipe:
    """The recipe; where its files are others than before and its name was made from those, without that name."""
    named = bool(before.name) and before.name == named_after(before.data.train)
    return put(recipe, "name", "") if named and recipe.data.train != before.data.train else recipe
