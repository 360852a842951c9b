"""The loss chart alone in a terminal: draws a run half way, then a step for each `n`, and ends at `x`."""

from __future__ import annotations

import math
import random
import sys

from textual.app import App, ComposeResult

from tui.charts.plot import Curve
from tui.charts.series import Series
from tui.charts.smooth import Smoothed
from tui.terminal.layer import frames
from tui.themes import load_themes
from tui.widgets.chart import Chart


class ChartApp(App[None]):
    """One chart."""

    BINDINGS = [("n", "step", "step"), ("x", "quit", "end")]

    def __init__(self, steps: int, of: int) -> None:
        super().__init__()
        for theme in load_themes()[0]:
            self.register_theme(theme)
        self.theme = "dark"
        frames(self)
        self._random = random.Random(1)
        self._of = of
        self._train, self._eval = Series(), Series()
        self._average = Smoothed(self._train, 25)
        self._chart = Chart(
            "loss",
            [
                Curve("train", self._train, "band", "band"),
                Curve("mean of 25", self._average.series, "line", "first"),
                Curve("eval", self._eval, "marked", "second"),
            ],
        )
        self._chart.set_end(of)
        for _ in range(steps):
            self._add()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The project's own variables, for the time before the theme is set."""
        return load_themes()[0][0].variables

    def compose(self) -> ComposeResult:
        """The chart alone."""
        yield self._chart

    def action_step(self) -> None:
        """One more step, as a run logs it."""
        self._add()
        self._chart.repaint()

    def _add(self) -> None:
        step = len(self._train) + 1
        value = 0.8 + 3 * math.exp(-6 * step / self._of) + self._random.gauss(0, 0.12)
        self._train.append(step, value)
        self._average.update()
        if step % (self._of // 20) == 0:
            self._eval.append(step, value + 0.1)


if __name__ == "__main__":
    ChartApp(int(sys.argv[1]), int(sys.argv[2])).run()
