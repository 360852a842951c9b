"""Saving and opening a recipe: asks for a file name if needed and reports the outcome."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.message import Message

from core.clean import clean_line
from core.errors import BadInput
from tui.recipe.desk import RecipeEditor
from tui.widgets.path_prompt import PathPrompt

_SAVE = "enter saves the recipe and replaces an existing file · esc cancels"
_OPEN = "enter opens it (undo brings back the current recipe) · esc cancels"


class RecipePrompt(PathPrompt):
    """The question for a recipe's file; a wrong answer stays for correction, with the reason below it."""

    class Done(Message):
        """A recipe was saved or opened, or could not be saved to the file it has."""

        def __init__(self, words: str, *, opened: bool = False) -> None:
            self.words = words
            self.opened = opened
            super().__init__()

    def save(self, desk: RecipeEditor, *, elsewhere: bool = False) -> None:
        """Save to the recipe's file; ask for one where it has none, as that of a run, or where it should be another."""
        path = desk.files.own
        if path is None or elsewhere:
            self._desk = desk
            self.ask("save", "save the recipe as", _SAVE, desk.file_name)
            return
        try:
            desk.save(path)
        except BadInput as error:
            self.post_message(self.Done(str(error)))
        else:
            self.post_message(self.Done(f"Saved to {path}"))

    def open(self, desk: RecipeEditor) -> None:
        """Ask for the file to open."""
        self._desk = desk
        self.ask("open", "open a recipe", _OPEN)

    @on(PathPrompt.Answered)
    def _take(self, event: PathPrompt.Answered) -> None:
        event.stop()
        try:
            words = self._save_to(event.path) if event.purpose == "save" else self._open_from(event.path)
        except BadInput as error:
            self.say(clean_line(str(error), 400))
            return
        self.close()
        self.post_message(self.Done(words, opened=event.purpose == "open"))

    def _save_to(self, path: Path) -> str:
        self._desk.save(path)
        return f"Saved to {path}"

    def _open_from(self, path: Path) -> str:
        return self._desk.load(path) or f"Opened {path}"
