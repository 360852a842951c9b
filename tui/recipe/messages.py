"""What the threads of the recipe screen report; they touch no widget themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.message import Message

from core.jobs.trust import ConsentRequest
from core.recipe.model_library import LocalModel
from tui.recipe.facts import RecipeFacts


class FactsRead(Message):
    """The surroundings of the recipe have been looked up."""

    def __init__(self, facts: RecipeFacts) -> None:
        self.facts = facts
        super().__init__()


class ForecastEnded(Message):
    """An exact memory forecast has been computed and kept, or could not be."""


class Completed(Message):
    """A completion for the file name that is being typed into a field."""

    def __init__(self, key: str, text: str, rest: str) -> None:
        self.key = key
        self.text = text
        self.rest = rest
        super().__init__()


class ModelsFound(Message):
    """Models on this machine that were found so far.

    Attributes:
        models: in the order of a list.
        complete: whether these are all.
    """

    def __init__(self, models: Sequence[LocalModel], complete: bool) -> None:
        self.models = tuple(models)
        self.complete = complete
        super().__init__()


class RecipeNotice(Message):
    """Something to say in the line above the keys."""

    def __init__(self, words: str) -> None:
        self.words = words
        super().__init__()


class StartEnded(Message):
    """A run was started, or was not and why.

    Attributes:
        words: the reason, a sentence.
        path: the field that it is about, or "".
        folder: the run.
        asks: what the user has to allow first.
        confirm: what the user has to say yes to for this run alone, a sentence; or "".
    """

    def __init__(
        self,
        words: str = "",
        *,
        path: str = "",
        folder: Path | None = None,
        asks: tuple[ConsentRequest, ...] = (),
        confirm: str = "",
    ) -> None:
        self.words = words
        self.path = path
        self.folder = folder
        self.asks = asks
        self.confirm = confirm
        super().__init__()
