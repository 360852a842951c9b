"""Workbooks and zips: unpacked by a process with limits, and the copy kept in the user's cache while it is in use."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.dataset.files.readers import Reader
from core.dataset.files.unpack import CONVERT, MEMORY, MOST_BYTES, SECONDS, UNPACK, too_much_memory
from core.dataset.records import BadLine, Row
from core.errors import BadInput
from core.paths import cache_dir

_VERSION = 1
_KEPT = 3
_FRESH = 7 * 86_400.0
_LEFT_FREE = 256 * 2**20
"""Copies that stay whatever their age, seconds since its last use after which another goes, bytes that stay free."""

_ABOUT = "about.json"
_BUILDING = "building-"
_WORKER = "core.dataset.files.unpack"
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """What unpacking may take.

    Attributes:
        memory: bytes of address space.
        seconds: by the clock.
        bytes: of the copy.
    """

    memory: int = MEMORY
    seconds: int = SECONDS
    bytes: int = MOST_BYTES


class InsideReader:
    """The rows of a copy, as rows of the file that it was unpacked from.

    Args:
        reader: of the copy.
        path: the file.
        container: what is read, in words.
    """

    def __init__(self, reader: Reader, path: Path, container: str) -> None:
        self._reader = reader
        self.files: tuple[Path, ...] = (path,)
        self.container = container

    @property
    def count(self) -> int:
        """Entries known so far."""
        return self._reader.count

    @property
    def complete(self) -> bool:
        """Whether all entries are known."""
        return self._reader.complete

    def extend(self, budget: float | None = None) -> bool:
        """As the copy's reader."""
        return self._reader.extend(budget)

    def row(self, entry: int) -> Row:
        """The row, in its line of the file inside, or the row of its sheet."""
        return replace(self._reader.row(entry), file=self.files[0])

    def ready(self, entry: int) -> bool:
        """As the copy's reader."""
        return self._reader.ready(entry)

    def size(self, entry: int) -> int:
        """As the copy's reader."""
        return self._reader.size(entry)

    def faults(self) -> list[BadLine]:
        """Those of the copy."""
        return [replace(fault, file=self.files[0]) for fault in self._reader.faults()]

    def release(self) -> None:
        """Closes the copy until the next read."""
        self._reader.release()


def open_inside(
    path: Path,
    inside: str,
    open_copy: Callable[[Path], Reader],
    request: dict[str, Any],
    limits: UnpackLimits = UnpackLimits(),
) -> Reader:
    """Opens a sheet of a workbook or a file of a zip.

    Args:
        path: the workbook or zip.
        inside: the sheet or file in it; "" for the only one, of several sheets the first that has rows.
        open_copy: opens what was unpacked.
        request: `suffixes` and `other`, by which a zip's data files are told from others.
        limits: what unpacking may take.

    Raises:
        BadInput: it cannot be unpacked within the limits, or what is meant inside it is not clear; names what there is.
    """
    about = _unpacked(path, inside, request, limits)
    copy = Path(about["copy"])
    name = about["inside"]
    others = about["others"]
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    beside = f", not {', '.join(map(repr, others[:_SHOWN]))}{more}" if others else ""
    try:
        reader = open_copy(copy)
    except BadInput as fault:
        where = f"{path}:{name}" + fault.where.removeprefix(str(copy))
        raise BadInput(fault.what, where=where, do=fault.do) from None
    what = "Excel, sheet" if about["kind"] == "excel" else f"{reader.container} in a zip,"
    return InsideReader(reader, path, f"{what} {name!r}{beside}")


def _unpacked(path: Path, inside: str, request: dict[str, Any], limits: UnpackLimits) -> dict[str, Any]:
    """What is known of the copy, unpacked first where it is not there yet."""
    from hashlib import blake2b

    folder = cache_dir() / "unpacked"
    found = path.stat()
    key = [_VERSION, os.path.abspath(path), found.st_size, found.st_mtime_ns, inside]
    place = folder / blake2b(json.dumps(key).encode(), digest_size=12).hexdigest()
    about = _kept(place)
    if about is not None:
        return about
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(folder)
        room = shutil.disk_usage(folder).free - _LEFT_FREE
        building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=folder))
    except OSError as fault:
        raise BadInput(
            f"no unpacked copy can be written: {fault.strerror}", where=str(folder), do="Set XDG_CACHE_HOME elsewhere"
        ) from None
    try:
        answer = _run(path, inside, {**request, "out": str(building / "data")}, limits, max(2**20, room))
        answer["copy"] = os.path.basename(answer["copy"])
        (building / _ABOUT).write_text(json.dumps(answer), encoding="utf-8")
        try:
            building.rename(place)
        except OSError:  # another process was first
            if (about := _kept(place)) is None:
                raise
            return about
    except OSError as fault:
        raise BadInput(f"no unpacked copy can be written: {fault.strerror}", where=str(folder)) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return {**answer, "copy": str(place / answer["copy"])}


def _kept(place: Path) -> dict[str, Any] | None:
    """What is known of a copy that is there; it counts as used from now."""
    try:
        about: dict[str, Any] = json.loads((place / _ABOUT).read_text(encoding="utf-8"))
        about["copy"] = str(place / about["copy"])
        os.stat(about["copy"])
        os.utime(place)
    except (OSError, ValueError, KeyError):
        return None
    return about


def _run(path: Path, inside: str, request: dict[str, Any], limits: UnpackLimits, room: int) -> dict[str, Any]:
    from core.jobs.launch import clean_environment

    whole = {
        **request,
        "path": os.path.abspath(path),
        "inside": inside,
        "memory": limits.memory,
        "seconds": limits.seconds,
        "bytes": min(limits.bytes, room),
    }
    command = [sys.executable, "-m", _WORKER, json.dumps(whole)]
    slow = BadInput(f"not unpacked within {limits.seconds} seconds", where=str(path), do=CONVERT)
    try:
        done = subprocess.run(
            command,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise slow from None
    if done.returncode == -signal.SIGXCPU or (done.returncode == -signal.SIGKILL and not done.stdout):
        raise slow
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        # Libraries end the process where memory is refused to them.
        raise BadInput(too_much_memory(limits.memory), where=str(path), do=CONVERT) from None
    if "error" in answer:
        if limits.bytes > room and "MiB" in answer["error"] and answer.get("do") == UNPACK:
            answer["error"] += ", which is more than the disk has room for"
        raise BadInput(answer["error"], where=str(path), do=answer.get("do", ""))
    return answer


def _sweep(folder: Path) -> None:
    """Removes copies that have not been used for a while, and what an interrupted process has left."""
    found = sorted(((_used(each), each) for each in folder.iterdir()), reverse=True)
    copies = [each for each in found if not each[1].name.startswith(_BUILDING)]
    left = [each for each in found if each[1].name.startswith(_BUILDING)]
    for used, each in (*copies[_KEPT:], *left):
        if time.time() - used >= _FRESH:
            shutil.rmtree(each, ignore_errors=True)


def _used(place: Path) -> float:
    try:
        return place.stat().st_mtime
    except OSError:
        return time.time()
