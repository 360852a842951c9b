"""The recipe on disk: its file, and the draft that restores an app that was closed or killed."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

from core import timestamps
from core.clean import clean_line
from core.errors import BadInput
from core.paths import hidden_dir
from core.recipe.recipe import Recipe
from core.recipe.yamlfile import load, save

_BELONGS = "Unsaved changes to "
"""What the first line of a draft begins with; the file's name follows as JSON."""


class RecipeFiles:
    """Where the recipe in the form comes from, what was saved last, and the draft of unsaved changes.

    The recipe of a run belongs to the run: here it is only a template, and nothing is ever written next to it.

    Attributes:
        path: the file that the recipe comes from, None until it has one.
        saved: the recipe as it is in that file, paths absolute.
        run: the name of the run that the file is the record of, or "".
    """

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self.take(None, None)

    def take(self, path: Path | None, saved: Recipe | None) -> None:
        """Make a file the recipe's."""
        self.path = path.absolute() if path else None
        self.saved = saved
        self.run = run_of(path) if path else ""

    @property
    def own(self) -> Path | None:
        """The file to save to, None if the user has to choose one."""
        return None if self.run else self.path

    @property
    def draft(self) -> Path:
        """One draft for each named file, and one for the recipe that has no file yet."""
        return draft_of(self._workspace, self.path)

    @property
    def name(self) -> str:
        """The file's name, for headings."""
        if self.run:
            return f"from run {self.run}"
        return clean_line(self.path.name, 40) if self.path else "new recipe"

    def begin(self, recipe: Recipe, path: Path | None, data: tuple[str, ...] = ()) -> tuple[Recipe, str]:
        """The recipe to start with, and a sentence if a draft from last time was found, else "".

        Args:
            recipe: the one that was opened, or the defaults: then the newest draft is restored, whatever its file.
            path: the file that was opened.
            data: the files of the dataset that is open. The draft of a recipe that has a file and trains on other data
                is kept until that recipe is opened, because this dataset would change it.
        """
        left = ""
        if path is not None or recipe != Recipe():
            self.take(path, recipe if path else None)
            return self._restored(recipe)
        for draft in self._drafts():
            owner = _owner(draft)
            if draft_of(self._workspace, owner) != draft:
                continue
            try:
                self.take(owner, load(owner) if owner else None)
            except BadInput:
                self.take(owner, None)
            found, words = self._restored(self.saved or Recipe())
            if words and owner is not None and data and found.data.train != data:
                left = left or (
                    words if found == self.saved else f"There are unsaved changes to {self._whose}. {self._how}"
                )
            elif words:
                return found, words
        self.take(None, None)
        return recipe, left

    def save(self, recipe: Recipe, path: Path) -> None:
        """Write the recipe to its file and make that the recipe's.

        Raises:
            BadInput: it cannot be written; the old file and the draft are still there.
        """
        if path.is_dir():
            raise BadInput("This is a folder", where=str(path), do="Enter a file name, such as recipe.yaml")
        if run_of(path):
            raise BadInput(
                "This is the folder of a run and cannot be changed", where=str(path.parent), do="Save it somewhere else"
            )
        save(recipe, path)
        draft = self.draft
        self.take(path, recipe)
        for old in {draft, self.draft}:
            old.unlink(missing_ok=True)

    def load(self, path: Path) -> tuple[Recipe, str]:
        """The recipe of another file, which becomes the recipe's, with the unsaved changes from last time.

        Raises:
            BadInput: with file and line; nothing has changed.
        """
        return self.begin(load(path), path)

    def free(self, name: str) -> str:
        """The name, numbered if the workspace has such a file already."""
        stem, number = name.removesuffix(".yaml"), 2
        while (self._workspace / name).exists():
            name, number = f"{stem}-{number}.yaml", number + 1
        return name

    def _drafts(self) -> list[Path]:
        found = [(_written(draft), draft) for draft in hidden_dir(self._workspace).glob("draft*.yaml")]
        return [draft for when, draft in sorted(found, reverse=True, key=lambda each: each[0] or 0) if when]

    def _restored(self, recipe: Recipe) -> tuple[Recipe, str]:
        """The recipe with the changes in its draft, if it has one that is newer than its file."""
        written = _written(self.draft)
        if written is None:
            return recipe, ""
        when = _when(written)
        try:
            draft = load(self.draft)
        except BadInput as error:
            aside = self._put_aside("unreadable")
            return recipe, f"The draft from last time cannot be read; it was kept as {aside}. {error}"
        if draft == recipe:
            return recipe, ""
        if self.path is None and recipe == Recipe():
            return draft, f"Restored your unsaved recipe {when}. Press ctrl+n for an empty one."
        if self.path is None or (_written(self.path) or 0) > written:
            aside = self._put_aside("earlier")
            return recipe, f"Found unsaved changes {when}. Open them with ctrl+o: {aside}"
        return draft, f"Restored your unsaved changes {when} to {self._whose}. Undo with ctrl+_."

    @property
    def _whose(self) -> str:
        return f"the recipe of run {self.run}" if self.run else clean_line(str(self.path), 200)

    @property
    def _how(self) -> str:
        return "Press 6 for the runs, then c to restore them." if self.run else "Open it with ctrl+o to restore them."

    def _put_aside(self, why: str) -> Path:
        """Rename the draft so that the next one does not replace it; returns its path in the workspace."""
        aside = self.draft.with_suffix(f".{why}.yaml")
        try:
            self.draft.replace(aside)
        except OSError:
            aside = self.draft
        return aside.relative_to(self._workspace)


def run_of(path: Path) -> str:
    """The name of the run whose folder a file is in, cleaned for headings; "" if it is in none."""
    for folder in path.resolve().parents:
        if (folder / "job.json").exists():
            return clean_line(folder.name, 60)
    return ""


def draft_of(workspace: Path, path: Path | None) -> Path:
    """The draft of a recipe's file, None for the recipe that has none. Files of one name have each their own."""
    if path is None:
        return hidden_dir(workspace) / "draft.yaml"
    where = hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:8]
    return hidden_dir(workspace) / f"draft-{path.stem[:60]}-{where}.yaml"


def keep_draft(workspace: Path, path: Path | None, recipe: Recipe, saved: Recipe | None) -> str:
    """Write the draft of a recipe, or drop it where it says nothing new. May be called in a thread.

    Args:
        workspace: where `.tunedeck` is.
        path: the recipe's file, None where it has none.
        recipe: as it is in the form.
        saved: as it is in its file, None where it has none.

    Returns:
        A sentence if it fails (full disk, folder not writable), else "".
    """
    draft = draft_of(workspace, path)
    try:
        if recipe == (saved or Recipe()):
            draft.unlink(missing_ok=True)
            return ""
        draft.parent.mkdir(parents=True, exist_ok=True)
        save(recipe, draft, portable=False, about=f"{_BELONGS}{json.dumps(str(path))}" if path else "")
    except BadInput as error:
        return f"Cannot save the draft. {error}"
    except OSError as error:
        return f"Cannot save the draft in {draft.parent}: {error.strerror}."
    return ""


def _owner(draft: Path) -> Path | None:
    """The file that a draft belongs to, None for that of a recipe without a file."""
    try:
        with draft.open(encoding="utf-8", errors="replace") as stream:
            line = stream.readline(10_000).removeprefix("# ")
        return Path(json.loads(line.removeprefix(_BELONGS))) if line.startswith(_BELONGS) else None
    except (OSError, ValueError):
        return None


def _written(path: Path) -> float | None:
    """When the file was written, None if it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _when(written: float) -> str:
    today = timestamps.same_day(written, time.time())
    return f"from {timestamps.text(written, '%H:%M' if today else '%Y-%m-%d %H:%M')}"
