"""Data that come through a pipe: kept as a file of the workspace, because rows are read more than once."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from core.errors import BadInput, TunedeckError
from core.jobs.files import FILE_MODE, current_umask, no_more_files
from core.paths import hidden_dir
from core.units import size

NAME = "-"
"""What stands for standard input on the command line."""

_CHUNK = 2**20
_MOST = 256 * 2**30
_LEFT_FREE = 256 * 2**20
"""Bytes that are taken at most, and bytes that stay free on the disk: decisions must still find room."""

_LOOK_EVERY = 64 * 2**20


def take_in(workspace: str | Path, stream: BinaryIO, on_progress: Callable[[int], None] | None = None) -> Path:
    """Reads a pipe to its end into `.tunedeck/piped/`; equal data get the same file, so what was decided is found.

    Args:
        workspace: the folder that holds `.tunedeck`.
        stream: the pipe.
        on_progress: told the bytes read so far.

    Raises:
        BadInput: nothing came, or more than fits.
        TunedeckError: the file cannot be written.
    """
    folder = hidden_dir(Path(workspace)) / "piped"
    hashed = blake2b(digest_size=6)
    taken = looked = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix="reading-", delete=False) as file:
            try:
                room = _room(folder)
                while chunk := stream.read(_CHUNK):
                    if taken - looked >= _LOOK_EVERY:
                        room, looked = _room(folder), taken
                    if len(chunk) + taken - looked > room or taken > _MOST:
                        raise _too_much(taken, folder)
                    file.write(chunk)
                    hashed.update(chunk)
                    taken += len(chunk)
                    if on_progress is not None:
                        on_progress(taken)
                if not taken:
                    raise BadInput(
                        "nothing on standard input",
                        do="Pipe data into it: cat FILE | tunedeck scan -",
                    )
                file.flush()
                os.fchmod(file.fileno(), FILE_MODE & ~current_umask())
                path = folder / f"stdin-{hashed.hexdigest()}"
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as fault:
        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _too_much(taken, folder) from fault
        raise TunedeckError(f"standard input cannot be saved: {fault.strerror}", where=str(folder)) from fault
    return path


def _room(folder: Path) -> int:
    return shutil.disk_usage(folder).free - _LEFT_FREE


def _too_much(taken: int, folder: Path) -> BadInput:
    full = no_more_files(folder) or "Not enough disk space for standard input"
    return BadInput(
        f"{full}; the {size(taken)} read so far was removed",
        where=str(folder),
        do="Free some space, or save the data to a file elsewhere and open it",
    )
