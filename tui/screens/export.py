"""Export: what the adapter is, where it lies, how to load it; a copy for taking home."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from textual import on, work
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from core.clean import clean_line
from core.errors import BadInput
from core.results import Adapter, copy_adapter, loading_code, read_adapter
from core.units import size
from tui.actions import Command, declare
from tui.screens.base import StepScreen


class ExportScreen(StepScreen):
    """The question: how do I take this home?"""

    STEP = "export"
    CSS_PATH = "export.tcss"
    AUTO_FOCUS = "#how"
    BINDINGS = declare(
        "export",
        Command(
            "export.copy", "c", "ask_copy", "copy to a folder", "Copy the adapter's folder to a place of yours.", 1
        ),
        Command("export.path", "y", "copy_path", "copy path", "Copy the adapter's path to the clipboard.", 2),
        Command("export.code", "Y", "copy_code", "copy code", "Copy the Python that loads it to the clipboard.", 3),
        Command("export.leave", "escape", "leave_field", "", "Leave the field without copying."),
    )

    def __init__(self) -> None:
        """Make the screen; the adapter is read when the screen is shown."""
        super().__init__()
        self._adapter: Adapter | None = None

    def compose_body(self) -> Iterable[Widget]:
        """What it is, the field for a copy, how to load it."""
        yield Static("", id="what", markup=False)
        yield Input(placeholder="folder to copy the adapter to, enter copies, esc leaves", id="target")
        with VerticalScroll(id="how"):
            yield Static("", id="code", markup=False)

    def on_mount(self) -> None:
        """Titles."""
        self.query_one("#how").border_title = "load it with peft"

    def on_screen_resume(self) -> None:
        """Read the adapter of the session's run anew."""
        super().on_screen_resume()
        self._read()

    @work(thread=True, exclusive=True, group="adapter")
    def _read(self) -> None:
        run = self.session.run
        adapter: Adapter | None = None
        words = "No run is open. 2 Recipe starts one with F5, 6 Runs lists those that there are."
        if run is not None:
            try:
                adapter = read_adapter(run)
                words = f"{clean_line(run.name)} has no adapter yet. Training saves it when it ends or is stopped."
            except BadInput as error:
                words = str(error)
        self.from_thread(self._take, adapter, words)

    def _take(self, adapter: Adapter | None, words: str) -> None:
        self._adapter = adapter
        what = self.query_one("#what", Static)
        what.update(Content(words) if adapter is None else _describe(adapter))
        self.query_one("#how").display = adapter is not None
        if adapter is not None:
            self.query_one("#code", Static).update(Content(loading_code(adapter)))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Everything here needs an adapter."""
        if action in ("ask_copy", "copy_path", "copy_code"):
            return self._adapter is not None
        return True

    def action_copy_path(self) -> None:
        """Send the path to the clipboard."""
        self._clip(str(self._adapter.folder) if self._adapter else "")

    def action_copy_code(self) -> None:
        """Send the loading code to the clipboard."""
        self._clip(loading_code(self._adapter) if self._adapter else "")

    def _clip(self, text: str) -> None:
        self.app.copy_to_clipboard(text)
        self.notify("Sent to the clipboard (terminals without OSC 52 ignore that).", markup=False)

    def action_ask_copy(self) -> None:
        """Ask where to."""
        field = self.query_one("#target", Input)
        field.display = True
        field.focus()

    def action_leave_field(self) -> None:
        """Put the field away."""
        self.query_one("#target", Input).display = False
        self.set_focus(None)

    @on(Input.Submitted, "#target")
    def _copy(self, event: Input.Submitted) -> None:
        if self._adapter is not None and event.value.strip():
            self._copy_to(self._adapter, Path(os.path.expanduser(event.value.strip())))
        self.action_leave_field()

    @work(thread=True, group="copy")
    def _copy_to(self, adapter: Adapter, target: Path) -> None:
        try:
            copied = copy_adapter(adapter, self.session.workspace / target)
        except BadInput as error:
            self.from_thread(self.notify, str(error), severity="error", markup=False)
        else:
            self.from_thread(self.notify, f"Copied to {copied}", markup=False)


def _describe(adapter: Adapter) -> Content:
    shape = f"{adapter.kind} rank {adapter.rank}, alpha {adapter.alpha:g}" if adapter.rank else adapter.kind
    lines: list[str | tuple[str, str]] = [
        ("adapter  ", "bold"),
        f"{clean_line(str(adapter.folder))}\n",
        ("base     ", "bold"),
        f"{clean_line(adapter.base_model)}\n",
        ("shape    ", "bold"),
        f"{shape} on {', '.join(clean_line(name) for name in adapter.targets)}\n",
        ("files    ", "bold"),
        f"{size(adapter.size)} in {len(adapter.files)} files: ",
        ", ".join(f"{clean_line(name)} {size(length)}" for name, length in adapter.files[:3]),
    ]
    return Content.assemble(*lines)
