"""The runs that are drawn over the one that the live screen shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.clean import clean_line
from core.jobs.folder import JobFolder
from core.jobs.follow import Follower, Update
from core.jobs.runs import RunInfo
from core.recipe.tasks import task_named
from tui.charts.plot import Curve
from tui.live.axes import along
from tui.live.metrics import headline_words
from tui.live.run import LiveRun
from tui.telling_names import telling_names
from tui.train.run import RunSource
from tui.widgets.pick_menu import MenuItem, Picked, PickMenu

MOST = 5
"""Runs that are overlaid at most."""

STYLES = ("third", "fourth", "fifth", "sixth", "seventh")


@dataclass
class Overlay:
    """A run that is overlaid: read like the screen's own, by the same thread."""

    source: RunSource
    letter: str = ""
    name: str = ""
    live: LiveRun = field(default_factory=LiveRun)


class Overlays:
    """Which runs are overlaid, and their curves. One can be pinned: it stays when another run is shown."""

    def __init__(self) -> None:
        """Make it; no run is overlaid."""
        self.runs: list[Overlay] = []
        self._pinned: Path | None = None
        self._names: dict[str, str] = {}

    @property
    def sources(self) -> Sequence[RunSource]:
        """What has to be read for them."""
        return [run.source for run in self.runs]

    @property
    def words(self) -> str:
        """How many there are; "" for none."""
        pinned = " The pinned one stays when you open another run." if self._pinned else ""
        return f"{len(self.runs)} overlaid.{pinned}" if self.runs else ""

    def begin(self, shown: Path | None) -> None:
        """Another run is shown: only the pinned one stays beside it."""
        self.runs = [run for run in self.runs if run.source.folder == self._pinned != shown]

    def take(self, source: RunSource, update: Update) -> bool:
        """Take in what was read of one; returns whether it has new metrics."""
        for run in self.runs:
            if run.source is source:
                known = len(run.live.names)
                other = run.live.headline != source.headline
                run.live.judge_by(source.headline)
                run.live.add(update)
                return other or len(run.live.names) != known
        return False

    def smooth_as(self, smoothing: str) -> None:
        """Smooth their headline metrics by an amount, a name of `SMOOTHING`."""
        for run in self.runs:
            run.live.smooth_as(smoothing)

    # -- choosing -------------------------------------------------------------------------------------------

    def menu(self, runs: Sequence[RunInfo]) -> PickMenu:
        """What to choose from.

        Args:
            runs: those of the workspace, without the one that is shown.
        """
        self._names = {str(run.folder): run.name for run in runs}
        return PickMenu(
            "draw over this run",
            [MenuItem(str(run.folder), clean_line(run.id, 44), _run_words(run)) for run in runs],
            [str(run.source.folder) for run in self.runs],
            noun="runs",
            most=MOST,
            pinned=str(self._pinned or ""),
        )

    def choose(self, picked: Picked) -> None:
        """Overlay what was picked."""
        known = {str(run.source.folder): run for run in self.runs}
        names = telling_names([(self._names.get(key, ""), Path(key).name) for key in picked.keys])
        self.runs = []
        for letter, key, name in zip("abcdefghij", picked.keys, names, strict=False):
            run = known.get(key) or Overlay(_source(Path(key)))
            run.letter, run.name = letter, name
            self.runs.append(run)
        self._pinned = Path(picked.pinned) if picked.pinned else None

    # -- drawing --------------------------------------------------------------------------------------------

    def curves(self, metric: str, axis: str) -> Iterable[Curve]:
        """Their curves of a metric, over what x counts; a pinned run has its evaluation drawn as well."""
        for number, run in enumerate(self.runs):
            live, places, style = run.live, along(run.live, axis), STYLES[number % len(STYLES)]
            series = live.to_be_drawn(metric)
            pinned = run.source.folder == self._pinned
            if pinned and len(live.series(f"eval_{metric}")):
                evaluated = live.series(f"eval_{metric}")
                yield Curve("eval", evaluated, "marked", style, legend=False, letter=run.letter, along=places)
            name = f"{run.name} (pinned)" if pinned else run.name
            yield Curve(name, series, "line", style, letter=run.letter, along=places)


def _source(folder: Path) -> RunSource:
    return RunSource(folder, Follower(JobFolder(folder), gpu_bytes=0, log_bytes=0))


def _run_words(run: RunInfo) -> str:
    evaluated = run.newest.get(task_named(run.task).headline.eval_metric)
    return run.state + ("" if evaluated is None else f"  eval {headline_words(evaluated).strip()}")
