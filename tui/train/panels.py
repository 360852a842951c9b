"""The panels beside the loss: which metrics they show, how each is written, and where they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.containers import Container

from core.clean import clean_line
from core.recipe.tasks import TASKS
from core.units import short_count, significant
from tui.train.live_run import LiveRun
from tui.train.words import rate_words
from tui.widgets.chart import Chart

MOST = 6
"""Panels that are shown at once; the large chart takes any further one."""

PANELS_FROM = "110 columns and 36 rows"
"""The terminal's size from which there are any: the classes `-wide` and `-tall` of the screens."""

ROWS_ALONE, ROWS = 9, 7
"""Rows of a panel where there is room to spare, and where there is not."""

USUAL = (
    "learning_rate",
    "grad_norm",
    "tokens_per_second",
    # Of later tasks first: what a task logs besides is what all of them do.
    *dict.fromkeys(metric for task in reversed(list(TASKS.values())) for metric in task.metrics),
)
"""Metrics that have a panel without being asked for, where the run logs them."""

_TITLES = {
    "loss": "loss",
    "learning_rate": "learning rate",
    "grad_norm": "gradient norm",
    "tokens_per_second": "tokens/s",
    "num_tokens": "tokens seen",
    **{metric: title for task in TASKS.values() for metric, title in task.metrics.items()},
}

_WRITERS: dict[str, Callable[[float], str]] = {
    "learning_rate": rate_words,
    "tokens_per_second": short_count,
    "num_tokens": short_count,
}

_FROM_ZERO = ("grad_norm", "tokens_per_second")
_FROM_ZERO_UNITS = (" %", " GiB", " W")


def title_of(metric: str) -> str:
    """What a metric is called on the screen."""
    return _TITLES.get(metric, clean_line(metric, 40))


def writer_of(metric: str) -> Callable[[float], str]:
    """How its values are written."""
    return _WRITERS.get(metric, significant)


def from_zero(metric: str) -> bool:
    """Whether its axis begins at 0 however high its values lie."""
    return metric in _FROM_ZERO or metric.endswith(_FROM_ZERO_UNITS)


def metrics_of(run: LiveRun) -> list[str]:
    """The metrics of a run; those of the evaluation stand with those of training, where there are any."""
    names = set(run.names)
    return [name for name in run.names if not (name.startswith("eval_") and name.removeprefix("eval_") in names)]


def usual_panels(run: LiveRun) -> list[str]:
    """The metrics that have a panel without being asked for."""
    found = [name for name in USUAL if name in run.names]
    return found or list(USUAL[:3])


class Panels(Container):
    """Small charts in up to two rows of three."""

    DEFAULT_CSS = """
    Panels { layout: grid; grid-size: 3; grid-gutter: 0; }
    Panels > Chart { height: 100%; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._height = 0
        self._charts: list[Chart] = []

    @property
    def charts(self) -> list[Chart]:
        """The charts that were made so far, those that are hidden now among them."""
        return self._charts

    def show(self, metrics: Sequence[str], rows: int = 2) -> list[tuple[str, Chart]]:
        """Give each of the first metrics a panel; returns which has which. Without room for panels there is none.

        Args:
            metrics: what is to be shown, the most wanted first.
            rows: rows of panels for which there is room.
        """
        given = list(metrics[: min(MOST, 3 * rows)]) if self.display else []
        new = [Chart("", []) for _ in range(len(given) - len(self._charts))]  # a start without panels pays for none
        if new:
            self._charts += new
            self.mount_all(new)
        for number, chart in enumerate(self._charts):
            chart.display = number < len(given)
        for metric, chart in zip(given, self._charts, strict=False):
            chart.describe(title_of(metric), writer_of(metric), from_zero=from_zero(metric))
        taken = -(-len(given) // 3)
        height = taken * (ROWS_ALONE if rows > taken else ROWS)
        if height != self._height:
            self._height = height
            self.styles.height = height
            self.styles.grid_size_rows = max(1, taken)
        return list(zip(given, self._charts, strict=False))
