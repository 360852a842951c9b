"""Runs: every run of the workspace, past and present."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

from textual import on, work
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from core.clean import clean, clean_line
from core.jobs.folder import JobFolder
from core.jobs.queue import Queue
from core.verdict.run_list import RunLine, RunList
from tui.actions import Command, declare
from tui.runs.delete import delete, question
from tui.runs.extend import extend
from tui.runs.queue import PAUSED, RESUMED, any_waits, change_queue, queue_paused, release_run
from tui.runs.rows import COLUMNS, MOST, SORTS, cells, letters, listed, summary
from tui.screens.base import StepScreen
from tui.widgets.command_line import CommandLine
from tui.widgets.table import Table, TableCell
from tui.widgets.text_lines import StyledLine, TextLines

_LOOK_EVERY = 2.0
_SLICE = 0.2
"""Seconds of reading between two drawings of what was read."""
_NO_RUNS = "No runs here yet.\nOpen a dataset (1), fill in a recipe (2) and start it with F5."


class RunsScreen(StepScreen):
    """The question: what ran, what runs, how did it end?"""

    STEP = "runs"
    CSS_PATH = "runs.tcss"
    BINDINGS = declare(
        "runs",
        Command(
            "runs.open_run",
            "enter,o",
            "open_run",
            "open",
            "Open the run on Train.",
            3,
            "enter",
            shared="open,open other",
        ),
        Command("runs.toggle_mark", "space", "mark", "mark", "Mark the run for comparison, or unmark it.", 4),
        Command("runs.compare", "v", "compare", "compare", "Compare the marked runs: curves, results, recipes.", 3),
        Command("runs.explain_compare", "v", "say_marks", "", "Show how to compare runs.", aside=True),
        Command(
            "runs.filter",
            "slash",
            "filter",
            "filter",
            "List only matching runs.",
            5,
            "/",
            opens_line=True,
            shared="search",
        ),
        Command("runs.clone", "c", "open_recipe", "clone", "Fill in the form from the run's recipe, as a new run.", 6),
        Command(
            "runs.extend",
            "plus",
            "extend",
            "more epochs",
            "Train a finished run for more epochs, as a new run.",
            8,
            "+",
            opens_line=True,
        ),
        Command(
            "runs.delete",
            "D",
            "ask_delete",
            "delete",
            "Delete the run permanently. Lists what will be deleted and asks first.",
            7,
            shared="delete",
        ),
        Command("runs.next_order", "s", "sort", "sort", "Sort by date, best eval, duration, memory, name or state.", 8),
        Command("runs.show_recipe", "i", "details", "recipe", "Show the run's recipe and data, read-only.", 9),
        Command("runs.show_result", "r", "open_result", "result", "Show base and tuned answers side by side.", 9),
        Command("runs.show_adapter", "e", "open_export", "adapter", "Show the run's adapter and how to load it.", 10),
        Command(
            "runs.show_all",
            "escape",
            "all",
            "clear",
            "Clear the filter; press again to unmark all runs.",
            6,
            "esc",
            shared="back",
        ),
        Command(
            "runs.move_sooner",
            "shift+up",
            "move(-1)",
            "sooner",
            "Move a queued run one place forward.",
            5,
            decides=True,
        ),
        Command(
            "runs.move_later",
            "shift+down",
            "move(1)",
            "later",
            "Move a queued run one place back.",
            6,
            decides=True,
        ),
        Command(
            "runs.remove_from_queue",
            "x",
            "remove_from_queue",
            "remove from queue",
            "Remove a queued run from the queue.",
            5,
            decides=True,
        ),
        Command(
            "runs.release",
            "L",
            "release",
            "release",
            "Start a queued run of a pipeline without waiting for the run before it.",
            5,
            decides=True,
        ),
        Command(
            "runs.pause_queue", "h", "pause_queue(True)", "pause queue", "Start no queued run until you resume it.", 7
        ),
        Command("runs.resume_queue", "h", "pause_queue(False)", "resume queue", "Resume the queue.", 7, aside=True),
        Command(
            "runs.confirm",
            "y",
            "answer(True)",
            "yes, delete",
            "Yes, delete the run.",
            1,
            decides=True,
            answers=True,
        ),
        Command("runs.decline", "n,escape", "answer(False)", "no", "No, keep the run.", 2, answers=True),
    )

    def __init__(self) -> None:
        """Make the screen; the list is read when it is shown."""
        super().__init__()
        self._reading = self._again = self._used = False
        self._all: list[RunLine] = []
        self._runs: list[RunLine] = []
        self._paused = False
        self._words = ""
        self._sort = next(iter(SORTS))
        self._marked: dict[str, None] = {}
        self._asked: JobFolder | None = None
        self._said: list[StyledLine] = []

    def compose_body(self) -> Iterable[Widget]:
        """The table, or a sentence while there is nothing in it."""
        yield Table(COLUMNS, self._cells, id="runs")
        yield TextLines(id="detail")
        yield CommandLine()
        yield Static(_NO_RUNS, id="none", markup=False)

    def on_mount(self) -> None:
        """Look at the folders every two seconds while the screen is shown."""
        self._list = RunList(self.session.workspace)
        self.table.border_title = "runs"
        self.set_interval(_LOOK_EVERY, self._look)

    @property
    def table(self) -> Table:
        """The list."""
        return self.query_one(Table)

    def on_screen_resume(self) -> None:
        """Read the list at once, and resume a queue that a reboot has left."""
        super().on_screen_resume()
        self._used = False
        self._read()
        self._change(None)

    # --- reading

    def _look(self) -> None:
        if self.is_current:
            self._read()

    def _read(self) -> None:
        """Read the list, unless somebody does; then once more after that."""
        self._again = self._reading
        if not self._reading:
            self._reading = True
            self._work()

    @work(thread=True, group="runs")
    def _work(self) -> None:
        """Read the list, then what is not known of the runs in it, a slice at a time."""
        worker, workspace = get_current_worker(), self.session.workspace
        lines, more, moment = self._list.read(), True, time.monotonic()
        self._use(lines)
        paused = queue_paused(workspace) if any_waits(lines) else False
        while more and not worker.is_cancelled:
            self.from_thread(self._take, lines, paused)
            if time.monotonic() - moment > _LOOK_EVERY:
                lines, moment = self._list.read(), time.monotonic()
            lines, more = self._list.work(lines, _SLICE)
        self._list.save()
        if not worker.is_cancelled:
            self.from_thread(self._take, lines, paused)
            self.from_thread(self._read_all)

    def _use(self, lines: list[RunLine]) -> None:
        """Note that this workspace is used; of an empty one, say where runs are active. In the reading thread."""
        from core.jobs.workspaces import active_elsewhere, remember
        from tui.run_words import active_elsewhere_words

        if self._used:
            return
        self._used = True
        if lines:
            remember(self.session.workspace)
        elif words := active_elsewhere_words(active_elsewhere(self.session.workspace)):
            self.from_thread(self._hint, f"{_NO_RUNS}\n\n{clean(words)}\nStart tunedeck there to see them.")

    def _hint(self, words: str) -> None:
        for place in self.query("#none").results(Static):  # none, once the screen is gone
            place.update(words)

    def _read_all(self) -> None:
        self._reading = False
        if self._again:
            self._read()

    def _take(self, lines: list[RunLine], paused: bool) -> None:
        before = self._chosen
        self._all, self._paused = lines, paused
        known = {line.info.id for line in lines}
        self._marked = {name: None for name in self._marked if name in known}
        self.table.display = bool(lines)
        self.query_one("#none").display = not lines
        self._show()
        now = self._chosen
        if before is not None and now is not None and before.info.state != now.info.state:
            self._say([])  # a message or question about it may be out of date

    @property
    def asking(self) -> bool:
        """Whether a run is about to be deleted."""
        return self._asked is not None

    @property
    def aim(self) -> Hashable:
        """The run to be deleted, else the run under the cursor."""
        if self._asked is not None:
            return "delete", self._asked.path
        return "run", None if self._chosen is None else self._chosen.info.id

    def pictured(self) -> Iterable[Hashable]:
        """The runs in the list, and the run to be deleted."""
        return [("run", self._runs[row].info.id) for row in self.table.shown if row < len(self._runs)] + [self.aim]

    # --- drawing

    def _show(self, chosen: str | None = None) -> None:
        """Draw the list, the cursor on the run that it was on."""
        if chosen is None and self._chosen is not None:
            chosen = self._chosen.info.id
        self._runs = listed(self._all, self._words, self._sort)
        at = next((place for place, line in enumerate(self._runs) if line.info.id == chosen), self.table.cursor)
        self.table.show(len(self._runs), at)
        title = summary(self._all, len(self._runs), self._paused)
        self.table.border_title = f"{title}, {self._sort}"
        self._show_detail()
        self.refresh_bindings()

    def _cells(self, row: int) -> list[TableCell]:
        line = self._runs[row]
        return cells(line, letters(self._marked).get(line.info.id, ""))

    @property
    def _chosen(self) -> RunLine | None:
        row = self.table.cursor
        return self._runs[row] if 0 <= row < len(self._runs) else None

    @on(Table.Highlighted)
    def _highlighted(self) -> None:
        self._say([])

    def _say(self, lines: list[StyledLine], asked: JobFolder | None = None) -> None:
        """Show something below the list, in place of the last message or question, until the next key that acts."""
        self._asked, self._said = asked, lines
        self._show_detail()
        self.refresh_bindings()

    def _show_detail(self) -> None:
        """The last message or question, else the details of the run under the cursor."""
        detail, chosen = self.query_one("#detail", TextLines), self._chosen
        if self._said:
            detail.show(self._said)
        elif chosen is None:
            detail.show([[("No run matches. Press esc to list all runs.", "muted")]] if self._words else [])
        else:
            words = chosen.info.detail or chosen.verdict_text
            if chosen.info.read_only:
                words = f"Read-only for you: {chosen.info.read_only}. {words}".strip()
            model = f"  {clean_line(chosen.model, 60)}" if chosen.model else ""
            begun = chosen.info.starts_from
            model += f"  starts from {clean_line(begun, 80)}" if begun else ""
            of = chosen.adapter.words(chosen.info.step) if chosen.adapter is not None else ""
            adapter = f"  adapter: {of}" if of else ""
            facts: list[StyledLine] = [[(clean_line(chosen.info.id, 80), "text"), (model + adapter, "muted")]]
            detail.show(facts + ([[(clean_line(words, 400), "muted")]] if words else []))

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Everything here needs a run under the cursor, or one that waits, or a question."""
        chosen = self._chosen
        if action == "answer":
            return self._asked is not None
        if action == "extend":
            return chosen is not None and chosen.info.state == "finished" and chosen.info.kind == "training"
        if action == "release":
            return chosen is not None and chosen.info.state == "queued" and chosen.info.stage > 1
        if action in ("move", "remove_from_queue"):
            return chosen is not None and chosen.info.state == "queued"
        if action in ("open_result", "open_export", "mark") and chosen is not None and chosen.info.state == "queued":
            return False
        if action == "pause_queue":
            return any_waits(self._all) and parameters != (self._paused,)
        if action in ("compare", "say_marks"):
            return (len(self._marked) > 1) == (action == "compare") and bool(self._all)
        if action == "all":
            return bool(self._words or self._marked)
        if action in ("filter", "sort"):
            return len(self._all) > 1
        return chosen is not None if action.startswith(("open_", "mark", "ask_", "details")) else True

    def action_filter(self) -> None:
        """Filter the list by the words typed next."""
        help = "by name, state, verdict or model; enter applies, esc clears"
        self.query_one(CommandLine).ask("filter", help, self._filter, text=self._words, live=True)
        self._say([])

    def _filter(self, words: str) -> None:
        self._words = words
        self._show()

    def action_sort(self) -> None:
        """The next order."""
        names = list(SORTS)
        self._sort = names[(names.index(self._sort) + 1) % len(names)]
        self._said = []
        self._show()

    def action_all(self) -> None:
        """List all runs; else remove all marks."""
        if self._words:
            self._words = ""
        else:
            self._marked.clear()
        self._said = []
        self._show()

    def action_mark(self) -> None:
        """Mark or unmark the run under the cursor, and go to the next one."""
        if self._chosen is None:
            return
        name = self._chosen.info.id
        if name in self._marked:
            del self._marked[name]
        elif len(self._marked) == MOST:
            self.notify(f"At most {MOST} runs can be compared. Press space on a marked run to unmark it.")
            return
        else:
            self._marked[name] = None
        self._said = []
        self._show()
        self.table.action_move(1)

    def action_compare(self) -> None:
        """The marked runs, one beside the other."""
        from tui.runs.compare import CompareScreen

        known = {line.info.id: line for line in self._all}
        self.app.push_screen(CompareScreen([known[name] for name in self._marked]))

    def action_say_marks(self) -> None:
        """Say what a comparison needs."""
        have = "1 run" if self._marked else "No run"
        self._say([[(f"{have} marked. Mark 2 to {MOST} runs with space, then press v to compare them.", "warning")]])

    @work(thread=True, exclusive=True, group="delete")
    def action_ask_delete(self) -> None:
        """Ask, and say what will be deleted."""
        chosen = self._chosen
        if chosen is not None:
            self.from_thread(self._ask, JobFolder(chosen.info.folder), *question(chosen.info))

    def _ask(self, folder: JobFolder, lines: list[StyledLine], possible: bool) -> None:
        if self._chosen is not None and self._chosen.info.folder == folder.path:
            self._say(lines, folder if possible else None)

    def action_answer(self, yes: bool) -> None:
        """Delete it, or keep it."""
        folder = self._asked
        self._say([])
        if yes and folder is not None:
            self._delete(folder)

    @work(thread=True, group="delete")
    def _delete(self, folder: JobFolder) -> None:
        said = delete(folder)
        self.from_thread(self._deleted, folder, said)

    def _deleted(self, folder: JobFolder, fault: str) -> None:
        if fault:
            self.notify(clean_line(fault, 400), severity="error", markup=False)
        elif self.session.run == folder.path:
            self.session.run = None
            self.refresh_header()
        self._read()

    def action_move(self, by: int) -> None:
        """Another place in the queue."""
        chosen = self._chosen.info if self._chosen is not None else None
        if chosen is not None and chosen.place is not None:
            place = max(1, chosen.place + by)
            self._change(lambda queue: queue.move(chosen.id, place))

    def action_remove_from_queue(self) -> None:
        """Remove the run from the queue, and those of its pipeline that come after it."""
        chosen = self._chosen
        if chosen is None:
            return
        run = chosen.info
        after = [line for line in self._all if line.info.pipeline == run.pipeline and line.info.stage > run.stage]
        waiting = sum(line.info.state == "queued" for line in after) if run.pipeline else 0
        runs = f"{waiting} run{'s' * (waiting != 1)}"
        words = f"Removed it and the {runs} after it in its pipeline." if waiting else ""
        self._change(lambda queue: queue.remove(run.id), words)

    def action_extend(self) -> None:
        """Ask how much longer."""
        chosen = self._chosen
        if chosen is not None:
            folder = JobFolder(chosen.info.folder)
            help = "epochs, or `100 steps`; add `fresh` for a new optimizer and schedule; enter starts, esc cancels"
            self.query_one(CommandLine).ask("more epochs", help, lambda text: self._extend(folder, text), text="1")

    @work(thread=True, group="extend")
    def _extend(self, folder: JobFolder, text: str) -> None:
        made, words = extend(folder, text)
        if made is None:
            self.from_thread(self._say, [[(clean_line(words, 400), "warning")]] if words else [])
        else:
            self.from_thread(self.notify, clean_line(words, 400), markup=False)
            self.from_thread(self.deck.show_run, made.path)

    def action_release(self) -> None:
        """Let a run of a pipeline start now."""
        chosen = self._chosen
        if chosen is not None:
            folder = JobFolder(chosen.info.folder)
            words = "Released: it starts when its device is free, without waiting for the run before it."
            self._change(lambda queue: release_run(queue, folder), words)

    def action_pause_queue(self, paused: bool) -> None:
        """Pause or resume the queue."""
        self._change(lambda queue: queue.pause(paused), PAUSED if paused else RESUMED)

    @work(thread=True, group="queue")
    def _change(self, change: Callable[[Queue], object] | None, words: str = "") -> None:
        """Change the queue, then show `words` in place of the last message."""
        fault = change_queue(self.session.workspace, change)
        if fault:
            self.from_thread(self.notify, clean_line(fault, 400), severity="error", markup=False)
        if change is not None:
            self.from_thread(self._say, [[(words, "text")]] if words and not fault else [])
            self.from_thread(self._read)

    @on(Table.Chosen)
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
            self.deck.show_run(self._chosen.info.folder, step=step)

    def action_details(self) -> None:
        """The run's recipe and data, read-only."""
        from tui.run_details.screen import RunDetailsScreen

        if self._chosen is not None:
            self.app.push_screen(RunDetailsScreen(Path(self._chosen.info.folder), step="runs"))

    def action_open_recipe(self) -> None:
        """The run's recipe in the form, to change and start again."""
        if self._chosen is None:
            return
        path = Path(self._chosen.info.folder) / "recipe.yaml"
        if not path.exists():
            self.notify(f"No such file: {clean_line(str(path))}", severity="error", markup=False)
            return
        self.deck.load_recipe(path)
