"""Open the app, on a data set if one is named."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput

if TYPE_CHECKING:
    import argparse

    from tui.session import Session

NO_SCREEN = ("", "dumb", "unknown")
"""Values of `TERM` of terminals that cannot show a full screen."""


def add_screen_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of every command that opens the app: how it looks, and what goes over the wire."""
    parser.add_argument("--theme", metavar="NAME", help="dark, light, terminal, or a theme of your own")
    parser.add_argument(
        "--low-bandwidth", action="store_true", help="send as few bytes as possible: fewer updates, 256 colors"
    )
    parser.add_argument(
        "--no-mouse", action="store_true", help="leave the mouse to the terminal, so that it can select text"
    )


def open_app(words: list[str]) -> int:
    """Parse `[FILE ...] [--recipe YAML] [--eval FILE] [--theme NAME]` and run the app.

    Returns:
        The exit code.
    """
    import argparse

    from tui.commands.output import EXIT_BAD_INPUT, complain

    parser = argparse.ArgumentParser(prog="tunedeck", description="Open the app, on a data set if one is named.")
    parser.add_argument("data", nargs="*", metavar="FILE", help="a data file, or a folder of them; - is standard input")
    parser.add_argument("--eval", action="append", default=[], metavar="FILE", help="a held-out file of your own")
    parser.add_argument("--recipe", metavar="YAML", help="fill the form in from this recipe")
    add_screen_options(parser)
    arguments = parser.parse_args(words)
    try:
        return run_app(
            [Path(name) for name in arguments.data],
            eval_data=[Path(name) for name in arguments.eval],
            recipe=Path(arguments.recipe) if arguments.recipe else None,
            theme=arguments.theme,
            low_bandwidth=arguments.low_bandwidth,
            mouse=not arguments.no_mouse,
        )
    except BadInput as error:
        return complain(error, EXIT_BAD_INPUT)


def run_app(
    data: list[Path],
    *,
    eval_data: list[Path] | None = None,
    recipe: Path | None = None,
    run: Path | None = None,
    theme: str | None = None,
    low_bandwidth: bool = False,
    mouse: bool = True,
) -> int:
    """Run the app in this terminal until the user leaves.

    Args:
        data: files or folders of the data set; `-` is standard input.
        eval_data: held-out files.
        recipe: a recipe to fill the form in from; its data is opened if none is named.
        run: a run to attach to. Without data and run, a run that goes on in this workspace is attached to.
        theme: a theme's name.
        low_bandwidth: whether to send as few bytes to the terminal as possible.
        mouse: whether the terminal reports the mouse; `mouse = false` in the settings turns it off as well.

    Returns:
        The exit code.

    Raises:
        BadInput: no terminal, one that has no full screen, or a file that does not exist.
    """
    workspace = Path.cwd()
    _refuse_missing((*data, *(eval_data or ())))
    if sys.stdout.isatty() and any(str(path) == "-" for path in data):
        from tui.commands.data_paths import data_paths, take_keys_from_terminal

        data = data_paths(data, workspace)
        take_keys_from_terminal()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput(
            "the app needs a terminal, but standard input or output is not one",
            do="Use `tunedeck scan`, `train` or `tail` here; `tunedeck --help` lists them",
        )
    if os.environ.get("TERM", "") in NO_SCREEN:
        raise BadInput(
            f"this terminal cannot show a full screen (TERM={os.environ.get('TERM', '')})",
            do="If it can, run `TERM=xterm-256color tunedeck`. Otherwise use `tunedeck scan`, `train` or `tail`; "
            "`tunedeck --help` lists them",
        )
    if low_bandwidth:
        os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "256")  # read when Textual is imported
    gc.set_threshold(100_000, 20, 100)  # modules and widgets that come now all stay: looking at them takes 30 ms
    from tui.app import TunedeckApp
    from tui.session import Session
    from tui.settings import load_settings

    session = Session(workspace, tuple(data), tuple(eval_data or ()), recipe_path=recipe)
    session.low_bandwidth, session.settings = low_bandwidth, load_settings()
    if recipe is not None:
        _open_recipe(session)
    _refuse_missing((*session.data, *session.eval_data))
    start = "data"
    session.run = run
    if run is None and not data and recipe is None:
        session.run = _run_that_goes_on(workspace)
    if session.run is not None:
        start = "train"
    app = TunedeckApp(session, start=start, theme=theme)
    signal.signal(signal.SIGTERM, lambda *_: app.call_later(app.exit, 143))
    code = app.run(mouse=mouse and session.settings.mouse)
    _say_what_goes_on(session)
    if app.return_code:
        return int(app.return_code)
    return code or 0


def _refuse_missing(paths: Iterable[Path]) -> None:
    for path in paths:
        if str(path) != "-" and not path.exists() and not _on_hub(path):
            raise BadInput(
                "no such file or folder, and no command", where=str(path), do="`tunedeck --help` lists the commands"
            )


def _on_hub(path: Path) -> bool:
    from core.dataset.files.hub import HubName

    return HubName.parse(str(path)) is not None


def _say_what_goes_on(session: Session) -> None:
    """Whoever leaves the app hears that the run did not leave with it."""
    if session.run is None:
        return
    from core.jobs.folder import JobFolder
    from core.jobs.state import standing
    from tui.commands.output import say
    from tui.commands.which_run import ACTIVE

    if standing(JobFolder(session.run)).state in ACTIVE:
        say(f"{session.run.name} goes on. `tunedeck` here shows it live, `tunedeck stop` saves and ends it.")


def _open_recipe(session: Session) -> None:
    recipe = session.recipe
    if not session.data:
        session.data = tuple(Path(path) for path in recipe.data.train)
    if not session.eval_data:
        session.eval_data = tuple(Path(path) for path in recipe.data.eval)
    session.format = recipe.data.format
    session.columns = dict(recipe.data.columns)


def _run_that_goes_on(workspace: Path) -> Path | None:
    """The newest run that has not ended, if any: whoever comes back lands on its live screen."""
    if not os.path.isdir(workspace / "runs"):
        return None
    from core.jobs.runs import list_runs

    active = {"queued", "starting", "running", "paused", "stopping"}
    return next((run.folder for run in list_runs(workspace) if run.state in active), None)
