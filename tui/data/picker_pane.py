"""How a dataset comes onto the data screen: picked, and opened in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on

from core.clean import clean, clean_line
from core.errors import TunedeckError
from tui.data.messages import Fetching, NotOpened, Opened, OpenEnded
from tui.screens.pane import Pane

if TYPE_CHECKING:
    from core.dataset.dataset import Dataset
    from tui.widgets.file_picker import FilePicker


class PickerPane(Pane):
    """Offers files to open, and opens what was chosen there or named elsewhere; posts `Opened` or `NotOpened`."""

    NAME = "picker"

    def __init__(self) -> None:
        """Make the pane; nothing is offered yet."""
        super().__init__()
        self.display = False
        self._opening: Future[Dataset] | None = None

    @property
    def asking(self) -> bool:
        """Whether the user is asked what to open."""
        return bool(self.display)

    def offer(self) -> None:
        """Offer what lies here now."""
        picker = self._picker()
        picker.say("")
        if picker.is_mounted and not self.asking:
            picker.look_again()

    def _picker(self) -> FilePicker:
        """The file picker, made at first use: with a file on the command line it is not needed."""
        from tui.data.files import offered
        from tui.widgets.file_picker import FilePicker

        for picker in self.query(FilePicker):
            return picker
        workspace = self.session.workspace
        picker = FilePicker(
            workspace,
            lambda: offered(workspace),
            title="open a dataset",
            intro="JSONL, JSON, CSV, text, Parquet, Arrow or Excel; .gz, .zst, .zip; folders of them. "
            "Type a path or a Hub dataset ID (org/name).",
        )
        self.mount(picker)
        return picker

    def on_file_picker_picked(self, event: FilePicker.Picked) -> None:
        """Open what was chosen."""
        event.stop()
        self.open((event.path,))

    # -- opening --------------------------------------------------------------------------------------------

    def open(self, paths: tuple[Path, ...]) -> None:
        """Open files or folders, as the user has said they are to be read; a message follows."""
        self._wait_for(self._begin(paths), paths)

    def open_within(self, seconds: float, paths: tuple[Path, ...]) -> Dataset | None:
        """Open files or folders, and wait for them here.

        Args:
            seconds: for which it waits; nothing else is done meanwhile.
            paths: the dataset.

        Returns:
            The dataset, if it was there by then; else a message follows.
        """
        future = self._begin(paths)
        try:
            future.exception(timeout=seconds)
        except TimeoutError:
            self._wait_for(future, paths)
            return None
        return self._result(future)

    def _begin(self, paths: tuple[Path, ...]) -> Future[Dataset]:
        session = self.session
        said = (session.format, session.columns) if paths == session.data else ("auto", {})
        self._opening = _open(paths, *said, session.workspace, lambda words: self.post_message(Fetching(words)))
        return self._opening

    def _wait_for(self, future: Future[Dataset], paths: tuple[Path, ...]) -> None:
        self.line.rest(f"opening {clean_line(str(paths[0]), 200)} …", wrapped=True)
        future.add_done_callback(lambda done: self.post_message(OpenEnded(done)))

    def _result(self, future: Future[Dataset]) -> Dataset | None:
        """What was opened; where nothing was, the picker says why."""
        self.line.rest("")
        error = future.exception()
        if error is None:
            return future.result()
        if not isinstance(error, TunedeckError):
            raise error
        self.offer()
        self._picker().say(clean(str(error)))
        self.post_message(NotOpened())
        return None

    @on(OpenEnded)
    def _ended(self, event: OpenEnded) -> None:
        event.stop()
        if event.future is not self._opening:
            return  # something else was chosen meanwhile
        dataset = self._result(event.future)
        if dataset is not None:
            self.post_message(Opened(dataset))

    @on(Fetching)
    def _fetching(self, event: Fetching) -> None:
        event.stop()
        self.line.rest(clean_line(event.words, 300), wrapped=True)


def _open(
    paths: tuple[Path, ...],
    format: str,
    columns: Mapping[str, str],
    workspace: Path,
    on_progress: Callable[[str], object],
) -> Future[Dataset]:
    """Open in a thread: the probing of a large or odd file may take seconds.

    Not as a worker of Textual's, which would begin only when the first paint is no longer waited for.

    Args:
        paths: files or folders.
        format: the format that the user has chosen, or `auto`.
        columns: the columns that the user has named; with neither, what is kept in the workspace counts.
        workspace: the folder that holds `.tunedeck`.
        on_progress: called in the thread with the progress of a Hub download.
    """
    future: Future[Dataset] = Future()

    def work() -> None:
        from core.dataset.dataset import Dataset
        from core.dataset.mapping import Chosen

        try:
            found = [_local(path, workspace, on_progress) for path in paths]
            future.set_result(Dataset.open_as_said(found, Chosen(format, dict(columns)), workspace))
        except BaseException as error:  # handed on whole: whoever asks for the result gets it
            future.set_exception(error)

    threading.Thread(target=work, name="open data", daemon=True).start()
    return future


def _local(path: Path, workspace: Path, on_progress: Callable[[str], object]) -> Path:
    """The path itself, or the file of the Hub dataset that it names."""
    if path.exists():
        return path
    from core.dataset.files.hub import HubName, fetch

    inside = path.relative_to(workspace) if path.is_relative_to(workspace) else path
    name = HubName.parse(str(inside))
    return path if name is None else fetch(workspace, name, on_progress)
