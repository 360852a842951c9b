"""Runs: every run of the workspace, past and present."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.widget import Widget
from textual.widgets import DataTable, Static

from core.clean import clean_line
from core.jobs.queue import Queue
from core.jobs.runs import RunInfo, list_runs
from core.units import count, duration, significant
from tui.actions import Command, declare
from tui.screens.base import StepScreen
from tui.screens.runs_queue import any_waits, change_queue, queue_held
from tui.widgets.text_lines import TextLines

_COLUMNS = ("", "state", "run", "step", "loss", "eval", "took", "started")
_MARKS = {
    "running": "▶",
    "starting": "▶",
    "stopping": "▶",
    "paused": "‖",
    "queued": "·",
    "finished": "✓",
    "stopped": "■",
    "failed": "✗",
    "lost": "?",
}
"""A shape for each state; the word stands beside it."""


class RunsScreen(StepScreen):
    """The question: what ran, what runs, how did it end?"""

    STEP = "runs"
    CSS_PATH = "runs.tcss"
    BINDINGS = declare(
        "runs",
        Command("runs.open", "l,enter", "open_run", "live screen", "Open the run's live screen.", 1, "enter"),
        Command("runs.result", "r", "open_result", "result", "Compare base and tuned answers of the run.", 2),
        Command("runs.export", "e", "open_export", "adapter", "Show the run's adapter and how to load it.", 3),
        Command("runs.sooner", "shift+up", "move(-1)", "sooner", "Let a queued run start sooner.", 5, "⇧↑"),
        Command("runs.later", "shift+down", "move(1)", "later", "Let a queued run start later.", 6, "⇧↓"),
        Command("runs.out", "x", "take_out", "out of queue", "Take a run that waits out of the queue.", 5),
        Command("runs.hold", "h", "hold(True)", "hold queue", "Start nothing from the queue until h again.", 7),
        Command("runs.go_on", "h", "hold(False)", "go on", "Let the queue go on.", 7),
        Command("runs.recipe", "c", "open_recipe", "recipe", "Fill the form in from the run's recipe.", 4),
    )

    def __init__(self) -> None:
        """Make the screen; the list is read when it is shown."""
        super().__init__()
        self._runs: list[RunInfo] = []
        self._held = False

    def compose_body(self) -> Iterable[Widget]:
        """The table, or a sentence while there is nothing in it."""
        yield DataTable[Text](id="runs", cursor_type="row", zebra_stripes=False)
        yield TextLines(id="detail")
        yield Static(
            "No runs here yet. 1 opens data, 2 fills in a recipe, F5 there starts a run.", id="none", markup=False
        )

    def on_mount(self) -> None:
        """Columns, and a look at the folders every two seconds while the screen is shown."""
        table = self.query_one(DataTable)
        table.border_title = "runs"
        for title in _COLUMNS:
            table.add_column(title, key=title)
        self.set_interval(2.0, self._look)

    def on_screen_resume(self) -> None:
        """Read the list at once, and go on with a queue that a reboot has left."""
        super().on_screen_resume()
        self._read()
        self._change(None)

    def _look(self) -> None:
        if self.is_current:
            self._read()

    @work(thread=True, exclusive=True, group="runs")
    def _read(self) -> None:
        workspace = self.session.workspace
        runs = list_runs(workspace)
        self.app.call_from_thread(self._take, runs, queue_held(workspace) if any_waits(runs) else False)

    def _take(self, runs: list[RunInfo], held: bool) -> None:
        self._held = held
        table = self.query_one(DataTable)
        table.display = bool(runs)
        self.query_one("#none").display = not runs
        if [run.id for run in runs] != [run.id for run in self._runs]:
            chosen = self._chosen
            table.clear()
            for run in runs:
                table.add_row(*_cells(run), key=run.id)
            at = next((n for n, run in enumerate(runs) if chosen and run.id == chosen.id), 0)
            table.move_cursor(row=at, animate=False)
        else:
            for before, run in zip(self._runs, runs, strict=True):
                for title, old, new in zip(_COLUMNS, _cells(before), _cells(run), strict=True):
                    if old != new:
                        table.update_cell(run.id, title, new)
        going = sum(run.state in ("starting", "running", "paused", "stopping") for run in runs)
        table.border_title = f"{count(len(runs))} run{'s' * (len(runs) != 1)}" + (
            f", {going} going on" if going else ""
        )
        waiting = sum(run.state == "queued" for run in runs)
        if waiting:
            table.border_title += f", {waiting} queued" + (" and held" if held else "")
        self._runs = runs
        self._show_detail()
        self.refresh_bindings()

    @property
    def _chosen(self) -> RunInfo | None:
        row = self.query_one(DataTable).cursor_row
        return self._runs[row] if 0 <= row < len(self._runs) else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Everything here needs a run under the cursor, or one that waits."""
        chosen = self._chosen
        if action in ("move", "take_out"):
            return chosen is not None and chosen.state == "queued"
        if action in ("open_result", "open_export") and chosen is not None and chosen.state == "queued":
            return False
        if action == "hold":
            return any_waits(self._runs) and parameters != (self._held,)
        return bool(self._runs) if action.startswith("open_") else True

    @on(DataTable.RowHighlighted)
    def _highlighted(self) -> None:
        self._show_detail()
        self.refresh_bindings()

    def _show_detail(self) -> None:
        """What is to be said about the run under the cursor: why it failed, what it waits for."""
        words = self._chosen.detail if self._chosen is not None else ""
        self.query_one("#detail", TextLines).show([[(clean_line(words, 400), "muted")]] if words else [])

    def action_move(self, by: int) -> None:
        """Another place in the queue."""
        chosen = self._chosen
        if chosen is not None and chosen.place is not None:
            place = max(1, chosen.place + by)
            self._change(lambda queue: queue.move(chosen.id, place))

    def action_take_out(self) -> None:
        """Out of the queue."""
        chosen = self._chosen
        if chosen is not None:
            self._change(lambda queue: queue.remove(chosen.id))

    def action_hold(self, held: bool) -> None:
        """Hold the queue back, or let it go on."""
        self._change(lambda queue: queue.pause(held))

    @work(thread=True, group="queue")
    def _change(self, change: Callable[[Queue], None] | None) -> None:
        fault = change_queue(self.session.workspace, change)
        if fault:
            self.app.call_from_thread(self.notify, clean_line(fault, 400), severity="error", markup=False)
        if change is not None:
            self.app.call_from_thread(self._read)

    @on(DataTable.RowSelected)
    def _selected(self) -> None:
        self.action_open_run()

    def action_open_run(self) -> None:
        """The live screen."""
        self._go("train")

    def action_open_result(self) -> None:
        """The comparison."""
        self._go("evaluate")

    def action_open_export(self) -> None:
        """The adapter."""
        self._go("export")

    def _go(self, step: str) -> None:
        if self._chosen is not None:
            self.deck.show_run(self._chosen.folder, step=step)

    def action_open_recipe(self) -> None:
        """The run's recipe in the form, to change and start again."""
        if self._chosen is None:
            return
        path = Path(self._chosen.folder) / "recipe.yaml"
        if not path.exists():
            self.notify(f"{clean_line(str(path))} is not there.", severity="error", markup=False)
            return
        self.deck.load_recipe(path)


def _cells(run: RunInfo) -> tuple[Text, ...]:
    took = ""
    if run.ended or run.state in ("starting", "running", "paused", "stopping"):
        took = duration((run.ended or time.time()) - run.created)
    step = f"{count(run.step)} of {count(run.of)}" if run.step is not None and run.of else ""
    style = {"failed": "bold", "lost": "bold", "running": "bold"}.get(run.state, "")
    begun = time.strftime("%d %b %H:%M", time.localtime(run.created)) if run.created else ""
    return (
        Text(_MARKS.get(run.state, " "), style),
        Text(run.state if run.place is None else f"{run.state} {run.place}", style),
        Text(clean_line(run.id, 60)),
        Text(step),
        Text(significant(run.loss) if run.loss is not None else ""),
        Text(significant(run.eval_loss) if run.eval_loss is not None else ""),
        Text(took),
        Text(begun),
    )
