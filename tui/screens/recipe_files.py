"""The recipe on disk: its file, and the draft from which an app that was killed goes on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from core.clean import clean_line
from core.errors import BadInput
from core.paths import hidden_dir
from core.recipe.recipe import Recipe
from core.recipe.yamlfile import load, save


class RecipeFiles:
    """Where the recipe of a form lies, what was saved last, and the draft of what was not.

    Attributes:
        path: the recipe's file, None until it has one.
        saved: the recipe as it is in that file, paths absolute.
    """

    def __init__(self, workspace: Path, path: Path | None) -> None:
        self._workspace = workspace
        self.path = path
        self.saved: Recipe | None = None

    @property
    def draft(self) -> Path:
        """One draft for each named file, and one for the recipe that has no file yet."""
        name = f"draft-{self.path.stem}.yaml" if self.path else "draft.yaml"
        return hidden_dir(self._workspace) / name

    @property
    def name(self) -> str:
        """The file's name, for headings."""
        return clean_line(self.path.name, 40) if self.path else "new recipe"

    def begin(self, recipe: Recipe) -> tuple[Recipe, str]:
        """The recipe to begin with, and a sentence where a draft of an earlier sitting was found, else "".

        A draft goes on where no recipe was named; beside a named one it is put aside and told of.

        Args:
            recipe: as it was named, or the defaults.
        """
        if self.path is not None:
            self.saved = recipe
        try:
            kept = datetime.fromtimestamp(self.draft.stat().st_mtime)
        except OSError:
            return recipe, ""
        try:
            draft = load(self.draft)
        except BadInput as error:
            aside = self._put_aside("unreadable")
            return recipe, f"The draft of an earlier sitting cannot be read; it was kept as {aside}. {error}"
        if draft == recipe:
            return recipe, ""
        if self.path is None and recipe == Recipe():
            return draft, f"Your unsaved recipe {_when(kept)} is back. ctrl+n begins an empty one."
        aside = self._put_aside("earlier")
        return recipe, f"Unsaved changes {_when(kept)} were found; ctrl+o opens them: {aside}"

    def save(self, recipe: Recipe, path: Path) -> None:
        """Write the recipe to its file and make that the recipe's.

        Raises:
            BadInput: it cannot be written; the old file and the draft are still there.
        """
        if path.is_dir():
            raise BadInput("This is a folder", where=str(path), do="Name a file, such as recipe.yaml")
        save(recipe, path)
        draft = self.draft
        self.path, self.saved = path, recipe
        for old in {draft, self.draft}:
            old.unlink(missing_ok=True)

    def load(self, path: Path) -> Recipe:
        """The recipe of another file, which becomes the recipe's.

        Raises:
            BadInput: with file and line; nothing has changed.
        """
        recipe = load(path)
        self.path, self.saved = path, recipe
        return recipe

    def _put_aside(self, why: str) -> Path:
        """Rename the draft, so that the next one does not replace it; its name in the workspace."""
        aside = self.draft.with_suffix(f".{why}.yaml")
        try:
            self.draft.replace(aside)
        except OSError:
            aside = self.draft
        return aside.relative_to(self._workspace)


def keep_draft(recipe: Recipe, saved: Recipe | None, draft: Path) -> str:
    """Write the draft of a recipe, or drop it where it says nothing new. May be called in a thread.

    Args:
        recipe: as it stands in the form.
        saved: as it is in its file, None where it has none.
        draft: the draft's file.

    Returns:
        A sentence if that fails (a full disk, a folder that is not writable), else "".
    """
    try:
        if recipe == (saved or Recipe()):
            draft.unlink(missing_ok=True)
            return ""
        draft.parent.mkdir(parents=True, exist_ok=True)
        save(recipe, draft, portable=False)
    except BadInput as error:
        return f"The draft cannot be kept. {error}"
    except OSError as error:
        return f"The draft cannot be kept in {draft.parent}: {error.strerror}."
    return ""


def _when(kept: datetime) -> str:
    day = "" if kept.date() == datetime.now().date() else f"{kept:%Y-%m-%d} "
    return f"of {day}{kept:%H:%M}"
