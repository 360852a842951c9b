"""The rewards of the recipe, tested on ten samples before the run: the scores, and which tell no answers apart."""

from __future__ import annotations

from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from core.clean import clean_line
from core.errors import TunedeckError
from core.recipe.recipe import Recipe
from tui.actions import Command, declare
from tui.widgets.key_bar import KeyBar

_TRYING = "Testing the rewards on ten samples of the training data ..."


class RewardTrialScreen(ModalScreen[None]):
    """A table over the form; the scores are computed in a separate process."""

    DEFAULT_CSS = """
    RewardTrialScreen { align: center middle; }
    RewardTrialScreen > VerticalScroll {
        width: 116; max-width: 100%; height: auto; max-height: 90%;
        border: round $accent; border-title-color: $accent; padding: 0 1; background: $surface;
        scrollbar-size-vertical: 1;
    }
    """

    BINDINGS = declare(
        "reward_trial",
        Command("reward_trial.scroll_down", "down,j,space,pagedown", "scroll(1)", "", "Scroll down.", shared="down"),
        Command("reward_trial.scroll_up", "up,k,backspace,pageup", "scroll(-1)", "", "Scroll up.", shared="up"),
        Command("reward_trial.again", "r", "again", "test again", "Test the rewards again.", 1),
        Command("reward_trial.close", "escape", "dismiss", "close", "Back to the form.", 2, "esc", shared="back"),
    )

    def __init__(self, recipe: Recipe, workspace: Path) -> None:
        """Make the screen.

        Args:
            recipe: with absolute paths; the user has allowed its files.
            workspace: where the column mapping of its data is kept.
        """
        super().__init__()
        self._recipe, self._workspace = recipe, workspace

    def compose(self) -> ComposeResult:
        """The box."""
        box = VerticalScroll(Static(_TRYING, id="scores", markup=False))
        box.border_title = "rewards on ten samples"
        yield box
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin."""
        self.action_again()

    def action_again(self) -> None:
        """Try them, as their files are now."""
        self.query_one("#scores", Static).update(_TRYING)
        self._try()

    @work(thread=True, exclusive=True, group="trial")
    def _try(self) -> None:
        from core.runs.reward_trial import trial_lines, try_rewards

        width = max(40, min(112, self.app.size.width - 6))
        try:
            lines = trial_lines(try_rewards(self._recipe, self._workspace), width)
        except TunedeckError as error:
            lines = [f"▲ {clean_line(str(error), 600)}"]
        self.app.call_from_thread(self._show, lines)

    def _show(self, lines: list[str]) -> None:
        if self.is_mounted:
            self.query_one("#scores", Static).update("\n".join(lines))

    def action_scroll(self, direction: int) -> None:
        """Scroll the table."""
        self.query_one(VerticalScroll).scroll_relative(y=direction * 3, animate=False)
