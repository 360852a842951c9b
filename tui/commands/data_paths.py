"""From the arguments of a command line to files: `-` is standard input, `org/name` a dataset on the Hub."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from core.dataset.files.hub import HubName, fetch
from core.dataset.files.piped import NAME, take_in
from core.dataset.scan.old_copies import sweep_piped
from core.errors import BadInput, TunedeckError
from core.paths import RECIPE_SUFFIXES
from core.units import size


def data_paths(
    words: Sequence[str | Path], workspace: Path, *, piped_into: Callable[[], Path] | None = None
) -> list[Path]:
    """The files and folders that the arguments name.

    Args:
        words: paths, `-`, or Hub dataset IDs.
        workspace: the folder that holds `.tunedeck`; Hub datasets are downloaded into it.
        piped_into: gives another workspace for what comes from standard input.

    Raises:
        BadInput: standard input is named but nothing is piped into it; a Hub dataset cannot be downloaded.
        TunedeckError: what comes from standard input cannot be saved.
    """
    refuse_recipes(words)
    if sum(str(word) == NAME for word in words) > 1:
        raise BadInput("Standard input can be given only once", where=NAME)
    return [_path(str(word), workspace, piped_into or (lambda: workspace)) for word in words]


def refuse_recipes(words: Sequence[str | Path], *, option: str = "") -> None:
    """Say of a recipe among data files what it is.

    Args:
        words: what was named as data.
        option: the option of the command that takes a recipe, if it has one.

    Raises:
        BadInput: one is a recipe.
    """
    named = [Path(word) for word in words if Path(word).suffix.lower() in RECIPE_SUFFIXES]
    if not named:
        return
    from core.recipe.yamlfile import is_recipe

    if (wrong := next(filter(is_recipe, named), None)) is not None:
        quoted = shlex.quote(str(wrong))
        do = f"Write `{option} {quoted}`" if option else f"Train it with: tunedeck train {quoted}"
        raise BadInput(f"{wrong.name} is a recipe, not data", do=do)


def _path(word: str, workspace: Path, piped_into: Callable[[], Path]) -> Path:
    if word == NAME:
        return _piped(piped_into())
    name = HubName.parse(word)
    return Path(word) if name is None else _fetched(name, workspace)


def _fetched(name: HubName, workspace: Path) -> Path:
    live = sys.stderr.isatty()

    def on_progress(words: str) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[K{words}")
            sys.stderr.flush()

    try:
        return fetch(workspace, name, on_progress)
    finally:
        if live:
            sys.stderr.write("\r\x1b[K")


def _piped(workspace: Path) -> Path:
    if sys.stdin is None or sys.stdin.isatty():
        raise BadInput("Nothing is piped into standard input", do="Pipe data in: `cat data.jsonl | tunedeck -`")
    live = sys.stderr.isatty()

    def progress(taken: int) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[Kreading standard input  {size(taken)}")
            sys.stderr.flush()

    path = take_in(workspace, sys.stdin.buffer, progress)
    with contextlib.suppress(TunedeckError):  # a fault here must not stop new data from being read
        sweep_piped(workspace)
    if live:
        sys.stderr.write("\r\x1b[K")
    return path


def take_keys_from_terminal() -> None:
    """Make the terminal standard input again, after data came through it.

    Raises:
        BadInput: this process has no terminal.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        raise BadInput(
            "Standard input is data, and there is no terminal to read keys from",
            do="Use `tunedeck scan -` here",
        ) from None
    os.dup2(terminal, 0)
    os.close(terminal)
