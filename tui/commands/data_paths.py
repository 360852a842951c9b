"""From the words of a command line to files: `-` is standard input, `org/name` a data set of the hub."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from core.dataset.files.hub import HubName, fetch
from core.dataset.files.piped import NAME, take_in
from core.dataset.scan.old_copies import sweep_piped
from core.errors import BadInput, TunedeckError
from core.units import size


def data_paths(words: Sequence[str | Path], workspace: Path) -> list[Path]:
    """The files and folders that are meant.

    Args:
        words: paths, `-`, or names of the hub.
        workspace: the folder that holds `.tunedeck`.

    Raises:
        BadInput: standard input is named but nothing is piped into it; a data set of the hub cannot be fetched.
        TunedeckError: what comes cannot be kept.
    """
    if sum(str(word) == NAME for word in words) > 1:
        raise BadInput("standard input can be read once only", where=NAME)
    return [_path(str(word), workspace) for word in words]


def _path(word: str, workspace: Path) -> Path:
    if word == NAME:
        return _piped(workspace)
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
        raise BadInput("standard input is the terminal, so there is nothing to read", do="cat data.jsonl | tunedeck -")
    live = sys.stderr.isatty()

    def progress(taken: int) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[Kreading standard input  {size(taken)}")
            sys.stderr.flush()

    path = take_in(workspace, sys.stdin.buffer, progress)
    with contextlib.suppress(TunedeckError):  # who reads new data does not care for old copies
        sweep_piped(workspace)
    if live:
        sys.stderr.write("\r\x1b[K")
    return path


def take_keys_from_terminal() -> None:
    """Makes the terminal standard input again, after data came through it.

    Raises:
        BadInput: this process has no terminal.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        raise BadInput(
            "the data came through standard input, and there is no terminal to take keys from",
            do="Use `tunedeck scan -` here",
        ) from None
    os.dup2(terminal, 0)
    os.close(terminal)
