"""Fine-tune language models on a GPU server, in the terminal.

`tunedeck` opens the app, `tunedeck tickets.jsonl` opens it on a dataset, `tunedeck recipe.yaml` on a recipe, and
`tunedeck demo` shows everything on the sample data. If a run is active, `tunedeck` shows it live.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import BadInput
from core.paths import RECIPE_SUFFIXES

if TYPE_CHECKING:
    import argparse

    from tui.session import Session

NO_SCREEN = ("", "dumb", "unknown")
"""Values of `TERM` of terminals that cannot show a full screen."""


def add_files(parser: argparse.ArgumentParser) -> None:
    """Declare what may be opened."""
    parser.add_argument(
        "data",
        nargs="*",
        metavar="FILE",
        help="Data files, folders of them, a Hub dataset ID (org/name), - for standard input, or a recipe (.yaml).",
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the app."""
    parser.add_argument(
        "--eval", action="append", default=[], metavar="FILE", help="Separate eval file; can be repeated."
    )
    parser.add_argument("--recipe", metavar="RECIPE.yaml", help="Open this recipe on the Recipe screen.")
    parser.add_argument(
        "--encoding", default="", metavar="NAME", help="Encoding of data files that are not UTF-8, such as cp1252."
    )
    add_screen_options(parser)


def add_screen_options(parser: argparse.ArgumentParser) -> None:
    """Declare what changes how the app is shown."""
    parser.add_argument("--theme", metavar="NAME", help="Theme: dark, light, terminal, or one of your own.")
    parser.add_argument(
        "--low-bandwidth", action="store_true", help="Send as few bytes as possible: fewer updates, 256 colors."
    )
    parser.add_argument(
        "--no-mouse", action="store_true", help="Leave the mouse to the terminal, so that it can select text."
    )


def run(arguments: argparse.Namespace) -> int:
    """Open the app on what the command line names."""
    data = [Path(name) for name in arguments.data]
    recipes = [path for path in data if path.suffix.lower() in RECIPE_SUFFIXES and _is_recipe(path)]
    recipe = Path(arguments.recipe) if arguments.recipe else None
    if recipes and (recipe is not None or len(recipes) > 1):
        named = ", ".join(str(path) for path in (*([recipe] if recipe else []), *recipes))
        raise BadInput(f"Only one recipe can be opened, got {named}", do="Give just one")
    return run_app(
        [path for path in data if path not in recipes],
        eval_data=[Path(name) for name in arguments.eval],
        recipe=recipe or next(iter(recipes), None),
        encoding=arguments.encoding,
        theme=arguments.theme,
        low_bandwidth=arguments.low_bandwidth,
        mouse=not arguments.no_mouse,
    )


def _is_recipe(path: Path) -> bool:
    from core.recipe.yamlfile import is_recipe

    return is_recipe(path)


def run_app(
    data: list[Path],
    *,
    eval_data: list[Path] | None = None,
    recipe: Path | None = None,
    run: Path | None = None,
    encoding: str = "",
    theme: str | None = None,
    low_bandwidth: bool = False,
    mouse: bool = True,
    start: str = "",
) -> int:
    """Run the app in this terminal until the user leaves.

    Args:
        data: files or folders of the dataset; `-` is standard input.
        eval_data: separate eval files.
        recipe: a recipe to open on the Recipe screen; its data is opened if none is named.
        run: a run to attach to. Without data, recipe and run, the newest active run of this workspace.
        encoding: of data files that are not UTF-8.
        theme: a theme's name.
        low_bandwidth: whether to send as few bytes to the terminal as possible.
        mouse: whether the terminal reports the mouse; `mouse = false` in the settings turns it off as well.
        start: the screen to begin with; by default Train for a run, Recipe for a recipe, else Data.

    Returns:
        The exit code.

    Raises:
        BadInput: no terminal, one that has no full screen, or a file that does not exist.
    """
    workspace = Path.cwd()
    _refuse_missing((*data, *(eval_data or ())))
    if sys.stdout.isatty() and os.environ.get("TERM", "") in NO_SCREEN:
        raise BadInput(
            f"This terminal cannot show a full screen (TERM={os.environ.get('TERM', '')})",
            do="If it can, run `TERM=xterm-256color tunedeck`. Otherwise use `tunedeck scan`, `train` or `tail`; "
            "`tunedeck --help` lists them",
        )
    if sys.stdout.isatty() and any(str(path) == "-" for path in data):
        from tui.commands.data_paths import data_paths, take_keys_from_terminal

        data = data_paths(data, workspace)
        take_keys_from_terminal()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput(
            "The app needs a terminal, and standard input or output is not one",
            do="Use `tunedeck scan`, `train` or `tail` here; `tunedeck --help` lists all commands",
        )
    if not sys.stderr.isatty():  # Textual draws on it
        raise BadInput("The app draws on standard error, which is not a terminal", do="Run it again without `2>`")
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
    if encoding:
        session.columns = {**session.columns, "encoding": encoding}
    _refuse_missing((*session.data, *session.eval_data))
    session.run = run
    if run is None and not data and recipe is None:
        session.run = _active_run(workspace)
    start = start or ("train" if session.run is not None else "recipe" if recipe is not None else "data")
    app = TunedeckApp(session, start=start, theme=theme)
    signal.signal(signal.SIGTERM, lambda *_: app.call_later(app.exit, 143))
    code = app.run(mouse=mouse and session.settings.mouse)
    _say_if_active(session)
    if app.return_code:
        return int(app.return_code)
    return code or 0


def _refuse_missing(paths: Iterable[Path]) -> None:
    from core.dataset.files.inside import is_inside

    for path in paths:
        if str(path) != "-" and not path.exists() and not _on_hub(path) and not is_inside(path):
            raise _not_found(path)


def _not_found(path: Path) -> BadInput:
    from core.nearest import nearest, nearest_file
    from tui.commands.table import COMMANDS

    word = str(path)
    if word in COMMANDS:
        do = f"The command comes first: `tunedeck {word} ...`"
    elif near := ("" if path.suffix else nearest(word, COMMANDS)) or nearest_file(path):
        do = f"Did you mean `{near}`?"
    else:
        do = "`tunedeck --help` lists the commands"
    return BadInput("Not a file, folder or command", where=word, do=do)


def _on_hub(path: Path) -> bool:
    from core.dataset.files.hub import HubName

    return HubName.parse(str(path)) is not None


def _say_if_active(session: Session) -> None:
    """Remind whoever leaves the app that the run keeps running, or stays paused."""
    if session.run is None:
        return
    from core.jobs.folder import JobFolder
    from core.jobs.state import standing
    from tui.commands.output import say
    from tui.commands.which_run import ACTIVE
    from tui.run_words import run_outlives

    state = standing(JobFolder(session.run)).state
    if state in ACTIVE:
        say(f"{session.run.name} {run_outlives(state)}. `tunedeck` shows it live, `tunedeck stop` saves and stops it.")


def _open_recipe(session: Session) -> None:
    recipe = session.recipe
    if not session.data:
        session.data = tuple(Path(path) for path in recipe.data.train)
    if not session.eval_data:
        session.eval_data = tuple(Path(path) for path in recipe.data.eval)
    session.format = recipe.data.format
    session.columns = dict(recipe.data.columns)
    session.eval_format = recipe.data.eval_format
    session.eval_columns = dict(recipe.data.eval_columns)


def _active_run(workspace: Path) -> Path | None:
    """The newest run that has not ended, if any: whoever comes back lands on its live screen."""
    if not os.path.isdir(workspace / "runs"):
        return None
    from core.jobs.runs import list_runs

    active = {"queued", "starting", "running", "paused", "stopping"}
    return next((run.folder for run in list_runs(workspace) if run.state in active), None)
