"""Messages to the live screen: from the thread that reads its run, and from its panes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from core.jobs.follow import Update
    from core.verdict import Verdict
    from tui.train.run import RunSource


class SampledRead(Message):
    """Some records from everywhere in a long run: its picture, until all of it is read."""

    def __init__(self, source: RunSource, update: Update) -> None:
        super().__init__()
        self.source = source
        self.update = update


class RunRead(Message):
    """A run's folder was read, of the screen's own run or of one that is overlaid.

    Attributes:
        taken: to be set by whoever takes in what was read. While there is more to read, the reader waits for it.
    """

    def __init__(self, source: RunSource, update: Update, verdict: Verdict | None, read: float) -> None:
        super().__init__()
        self.source = source
        self.update = update
        self.verdict = verdict
        self.read = read
        self.taken = threading.Event()


class Overlaid(Message):
    """Other runs are overlaid from now on: they have to be read."""


class LogShown(Message):
    """The log was shown or hidden: there is more or less room for all else."""


class RequestNotice(Message):
    """What came of a key, to be shown where questions are asked."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
