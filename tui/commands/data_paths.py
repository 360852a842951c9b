"""From the words of a command line to files: `-` is standard input, kept in the workspace."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from core.dataset.piped import NAME, take_in
from core.errors import BadInput
from core.units import size


def data_paths(words: Sequence[str | Path], workspace: Path) -> list[Path]:
    """The files and folders that are meant.

    Args:
        words: paths, or `-`.
        workspace: the folder that holds `.tunedeck`.

    Raises:
        BadInput: standard input is named but nothing is piped into it.
        TunedeckError: it cannot be kept.
    """
    if sum(str(word) == NAME for word in words) > 1:
        raise BadInput("standard input can be read once only", where=NAME)
    return [_piped(workspace) if str(word) == NAME else Path(word) for word in words]


def _piped(workspace: Path) -> Path:
    if sys.stdin is None or sys.stdin.isatty():
        raise BadInput("standard input is the terminal, so there is nothing to read", do="cat data.jsonl | tunedeck -")
    live = sys.stderr.isatty()

    def progress(taken: int) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[Kreading standard input  {size(taken)}")
            sys.stderr.flush()

    path = take_in(workspace, sys.stdin.buffer, progress)
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
