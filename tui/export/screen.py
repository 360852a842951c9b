"""Export: the adapter, its folder, how to load it, and a copy of it elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual import events, on, work
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from core.clean import clean, clean_line
from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.runs import run_info
from core.runs.artifacts import (
    SCORES_ONLY,
    SavedAdapter,
    copy_adapter,
    limits_of,
    loading_code,
    read_adapter,
    title_of,
    whole_model_words,
)
from core.units import size
from tui.actions import Command, declare
from tui.screens.base import StepScreen
from tui.widgets.path_prompt import PathPrompt
from tui.widgets.wrap import wrap

_COPY = "In an existing folder, a new folder named after the run is created. enter copies, esc cancels."


class ExportScreen(StepScreen):
    """The question: how do I use this adapter elsewhere?"""

    STEP = "export"
    CSS_PATH = "export.tcss"
    AUTO_FOCUS = "#how"
    BINDINGS = declare(
        "export",
        Command(
            "export.copy_adapter",
            "w",
            "ask_copy",
            "copy to folder",
            "Copy the adapter to another folder.",
            1,
        ),
        Command(
            "export.copy_path",
            "y",
            "copy_path",
            "copy path",
            "Copy the adapter's path to the clipboard.",
            2,
            shared="copy",
        ),
        Command("export.copy_code", "Y", "copy_code", "copy code", "Copy the Python code that loads the adapter.", 3),
    )

    def __init__(self) -> None:
        """Make the screen; the adapter is read when the screen is shown."""
        super().__init__()
        self._adapter: SavedAdapter | None = None
        self._step: int | None = None
        self._copying = False

    def compose_body(self) -> Iterable[Widget]:
        """What it is, the field for a copy, how to load it."""
        yield Static("", id="what", markup=False)
        yield PathPrompt(self.session.workspace, id="target")
        with VerticalScroll(id="how"):
            yield Static("", id="code", markup=False)

    def on_mount(self) -> None:
        """Titles."""
        self.query_one("#how").border_title = "load it with PEFT (Python)"

    def on_screen_resume(self) -> None:
        """Read the adapter of the session's run again."""
        super().on_screen_resume()
        self._read()

    @work(thread=True, exclusive=True, group="adapter")
    def _read(self) -> None:
        run = self.session.run
        adapter: SavedAdapter | None = None
        step: int | None = None
        words = "No run selected. Start one on Recipe (2, F5) or pick one on Runs (6)."
        if run is not None:
            try:
                adapter, step = read_adapter(run), run_info(JobFolder(run)).step
                missing = (
                    f"{clean_line(run.name)} has no adapter yet. It is saved when training finishes or is stopped."
                )
                words = clean(whole_model_words(run)) or missing
            except BadInput as error:
                words = str(error)
        self.from_thread(self._take, adapter, step, words)

    def _take(self, adapter: SavedAdapter | None, step: int | None, words: str) -> None:
        self._adapter = adapter
        what = self.query_one("#what", Static)
        self._step = step
        what.update(Content(words))
        self._show()
        self.query_one("#how").display = adapter is not None
        if adapter is not None:
            self.query_one("#code", Static).update(Content(loading_code(adapter)))
        self.refresh_bindings()

    def _show(self) -> None:
        """What the adapter is, wrapped to the width of the screen."""
        if self._adapter is not None:
            self.query_one("#what", Static).update(_describe(self._adapter, self._step, self.size.width - 2))

    def on_resize(self, event: events.Resize) -> None:
        """Wrap it again."""
        super().on_resize(event)
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Everything here needs an adapter; the question for a folder comes first."""
        if action in ("ask_copy", "copy_path", "copy_code"):
            return self._adapter is not None and not self.query_one(PathPrompt).display
        return True

    def action_copy_path(self) -> None:
        """Send the path to the clipboard."""
        self._clip(str(self._adapter.folder) if self._adapter else "")

    def action_copy_code(self) -> None:
        """Send the loading code to the clipboard."""
        self._clip(loading_code(self._adapter) if self._adapter else "")

    def _clip(self, text: str) -> None:
        self.app.copy_to_clipboard(text)
        self.notify("Sent to your terminal's clipboard.", markup=False)

    def action_ask_copy(self) -> None:
        """Ask where to."""
        self.query_one(PathPrompt).ask("copy", "copy the adapter to folder", _COPY)
        self.refresh_bindings()

    @on(PathPrompt.Cancelled)
    def _leave_field(self) -> None:
        self.set_focus(None)
        self.refresh_bindings()

    @on(PathPrompt.Answered)
    def _copy(self, event: PathPrompt.Answered) -> None:
        if self._adapter is not None and not self._copying:
            self._copying = True
            self._copy_to(self._adapter, event.path)

    @work(thread=True, group="copy")
    def _copy_to(self, adapter: SavedAdapter, target: Path) -> None:
        try:
            copied = copy_adapter(adapter, target)
        except BadInput as error:
            self.from_thread(self._copied, "", str(error))
        else:
            self.from_thread(self._copied, f"Copied to {copied}")

    def _copied(self, words: str, fault: str = "") -> None:
        """Show the result; a wrong answer stays for correction."""
        self._copying = False
        prompt = self.query_one(PathPrompt)
        if fault:
            prompt.say(clean_line(fault, 400))
            return
        prompt.close()
        self._leave_field()
        self.notify(clean_line(words, 400), markup=False)


_LABEL = 9
"""Cells of the names of the facts and the gap after them."""


def _describe(adapter: SavedAdapter, run_step: int | None, width: int) -> Content:
    """The facts of an adapter, each value below itself where it wraps."""
    kind = title_of(adapter)
    shape = f"{kind} rank {adapter.rank}, alpha {adapter.alpha:g}" if adapter.rank else kind
    places = f" on {', '.join(clean_line(name) for name in adapter.targets)}" if adapter.targets else ""
    limits = limits_of(adapter)
    files = ", ".join(f"{clean_line(name)} {size(length)}" for name, length in adapter.files[:3])
    files += ", …" if len(adapter.files) > 3 else ""
    facts = (
        ("adapter", clean_line(str(adapter.folder))),
        ("base", clean_line(adapter.base_model)),
        ("type", f"{shape}{places}"),
        *([("use", limits)] if limits else []),
        ("weights", adapter.weights.words(run_step) if adapter.weights else "unknown step"),
        *([("from", clean_line(adapter.started))] if adapter.started else []),
        ("files", f"{size(adapter.size)} in {len(adapter.files)} files: {files}"),
    )
    if adapter.scores:
        facts = (*facts, ("not for", SCORES_ONLY))
    lines = []
    for label, value in facts:
        rows = [value[start:end] for start, end in wrap(value, max(20, width - _LABEL))]
        lines.append(Content.assemble((f"{label:<{_LABEL}}", "bold"), f"\n{' ' * _LABEL}".join(rows)))
    return Content("\n").join(lines)
