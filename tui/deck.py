"""What screens know of the app: a protocol, so that the app may import the screens and not the other way round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from core.jobs.status import Status
    from tui.data.desk import OpenDataset
    from tui.seen import Press, Seen
    from tui.session import Session


class Deck(Protocol):
    """The app, as its screens see it.

    Attributes:
        session: what the screens share.
        run_words: the state of the session's run in a few words, for the header.
        seen: since when what can be decided about has been on the terminal.
    """

    session: Session
    run_words: str
    seen: Seen

    def show_run(self, folder: Path, *, step: str = "train") -> None:
        """Make a run the session's and go to a screen that shows it."""

    def load_recipe(self, path: Path) -> None:
        """Fill the form in from a recipe file; a file that is no recipe leaves the form as it is."""

    def open_duplicates(self, desk: OpenDataset, payload: Mapping[str, Any], then: Callable[[], object]) -> None:
        """Show the duplicates of an open dataset.

        Args:
            desk: the dataset.
            payload: what its scan was told.
            then: called when the screen is left.
        """

    def run_seen(self, state: str, status: Status) -> None:
        """The live screen has looked at the run; while it is shown, nobody else does."""

    def run_unseen(self) -> None:
        """The live screen is no longer shown."""

    def press(self) -> Press:
        """The key whose action is being done, for a decision that has to wait."""

    def action_redraw(self) -> None:
        """Redraw the whole terminal, after something else has written to it."""
