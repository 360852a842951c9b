"""What the data screen hears from its threads."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from tui.data.desk import Desk
    from tui.data.news import News


class DataOpened(Message):
    """Opening a data set has come to an end, good or bad."""

    def __init__(self, paths: tuple[Path, ...], future: Future[Dataset]) -> None:
        self.paths = paths
        self.future = future
        super().__init__()


class Fetching(Message):
    """A data set of the hub is being fetched."""

    def __init__(self, words: str) -> None:
        self.words = words
        super().__init__()


class DeskNews(Message):
    """The index, the scan or the decisions of a data set have something to tell."""

    def __init__(self, desk: Desk, news: News) -> None:
        self.desk = desk
        self.news = news
        super().__init__()


class TemplateAnswered(Message):
    """The preview service has an answer, or is ready."""
