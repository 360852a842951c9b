"""How a job's files are written and read: replaced whole, or one line appended by one write.

A job's folder may be deleted, or cannot be reached for a while, or its disk may fill up while the job runs. Each has an
error of its own here, so that a worker can tell them from its own faults. Nothing is ever written into a folder whose
`job.json` is gone: a half folder must not come back to life.
"""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.errors import TunedeckError

FILE_MODE = 0o666
"""The mode that every file of a workspace is created with; the umask decides what others get. With umask 002 and a
setgid folder a group shares a workspace; with 077 nobody else can read it."""

OUT_OF_INODES = "The disk is out of inodes: it has free space, but cannot hold any more files"

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOCK_PATIENCE = 1.0
"""Seconds to wait for a lock. Its holder needs microseconds: one that takes longer is stopped or hung."""
_LOOK_BACK = 1 << 16
"""Bytes before a file's end in which a line is looked for that may be there already."""


class DiskFull(TunedeckError):
    """The disk, or the user's quota on it, is full. Training can continue; only this write was lost."""


class Unreachable(TunedeckError):
    """A file cannot be reached or written now: permissions, a mount that does not answer, a folder that is away.

    That may be over in a moment: whoever runs a job keeps what it has to write until then, and continues.
    """


class JobGone(TunedeckError):
    """The job's folder was deleted or moved, and stays away. Whoever works in it stops, and writes nothing more."""


def encode(value: Any) -> bytes:
    """A value as JSON in UTF-8. Not-finite numbers become the strings `"nan"`, `"inf"`, `"-inf"`.

    Raises:
        TypeError: the value holds something that JSON has no form for.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")  # a lone surrogate becomes its JSON escape


def finite(value: Any) -> Any:
    """A value for JSON, with the strings `"nan"`, `"inf"`, `"-inf"` for the numbers that JSON has no form for."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def read_json(path: str) -> dict[str, Any] | None:
    """The object in a JSON file, or None where the file is missing, torn or holds something else."""
    try:
        with open(path, "rb") as file:
            value = json.loads(file.read())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def replace(path: str, data: bytes, *, durable: bool) -> None:
    """Replaces a file whole: a reader sees the old contents or the new, never half.

    Args:
        path: the file.
        data: its new contents.
        durable: also waits until the disk has it, which takes milliseconds: for what must outlive a power cut.

    Raises:
        DiskFull: there is no room; the old contents stay.
        JobGone: the folder does not exist any more.
    """
    # A name of the thread's own: where a file system has no locks, two threads of a worker may write at once.
    temporary = f"{path}.{os.getpid()}.{threading.get_native_id()}.tmp"
    with _explained(path):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                if durable:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
            if durable:
                sync(os.path.dirname(path) or os.curdir)
        except OSError:
            _remove(temporary)
            raise


def overwrite(path: str, data: bytes) -> None:
    """Writes over a file in place, which needs no new room: the last resort for an ending on a full disk."""
    with _explained(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, data, 0)
            os.ftruncate(descriptor, len(data))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(path: str) -> None:
    """Makes one folder inside a job's folder, if it is not there.

    Raises:
        DiskFull: there is no room.
        JobGone: the job's folder does not exist any more.
    """
    with _explained(path):
        try:
            os.mkdir(path)
        except FileExistsError:
            pass


def append_line(path: str, line: bytes, *, again: bool = False) -> None:
    """Appends one line by one write, so that the lines of several writers never mix.

    Where the last write was cut short by a full disk, the new line starts after a line end: one line is lost, not two.

    Args:
        path: the file, created if need be.
        line: without its line end, and without any inside.
        again: whether the same line may be there already: an earlier write has failed, and a file system that goes
            away just then may have taken it all the same.

    Raises:
        DiskFull: there is no room.
        JobGone: the folder does not exist any more.
        Unreachable: it cannot be written now.
    """
    with _explained(path):
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW  # a link could lead anywhere
        descriptor = os.open(path, flags, FILE_MODE)
        try:
            size = os.fstat(descriptor).st_size
            if again and line in os.pread(descriptor, _LOOK_BACK, max(0, size - _LOOK_BACK)).split(b"\n")[:-1]:
                return
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            data = (b"\n" if torn else b"") + line + b"\n"
            if os.write(descriptor, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)


@contextmanager
def locked(path: str, patience: float = _LOCK_PATIENCE) -> Iterator[None]:
    """Holds a lock file for a read-change-write of a moment.

    The lock is the kernel's (`flock`), so a writer that is killed cannot leave it behind. One that is stopped while
    it holds it is waited for a second only: a late heartbeat must not hang a training run.

    Args:
        path: of the lock file.
        patience: seconds to wait for another holder; after that the work is done without the lock.

    Raises:
        DiskFull: there is no room for the lock file.
        JobGone: the folder does not exist any more.
    """
    descriptor = open_lock(path)
    try:
        deadline = time.monotonic() + patience
        while not try_lock(descriptor) and time.monotonic() < deadline:
            time.sleep(0.001)
        yield
    finally:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child forked meanwhile holds the descriptor too
        except OSError:
            pass
        os.close(descriptor)


def open_lock(path: str | os.PathLike[str]) -> int:
    """The descriptor of a lock file, for `try_lock`; closing it gives the lock back.

    Raises:
        DiskFull: there is no room for the file.
        JobGone: its folder does not exist any more.
        Unreachable: it cannot be written.
    """
    with _explained(os.fspath(path)):
        # Never through a link; the umask decides who else may lock it.
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)


def try_lock(descriptor: int) -> bool:
    """Whether the lock is this descriptor's now.

    So it is where the file system has no locks (some mounts of Lustre and NFS), too: runs must start there as well, and
    whoever starts one looks at its state besides.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: there is nothing to wait for
    return True


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise gone(os.path.dirname(path)) from error
    except OSError as error:
        if error.errno in _FULL:
            out_of_inodes = no_more_files(os.path.dirname(path))
            raise DiskFull(
                out_of_inodes or "The disk is full, or your quota on it is used up",
                where=path,
                do=f"{'Delete some files' if out_of_inodes else 'Free some space'}. The run continues, but until "
                "then it cannot save anything",
            ) from error
        raise Unreachable(f"Cannot write: {error.strerror}", where=path) from error


def no_more_files(folder: str | os.PathLike[str]) -> str:
    """A clause on a disk that has space, but no inode for another file; "" for any other disk."""
    place = os.path.abspath(folder)
    while not os.path.isdir(place):  # one that is yet to be made
        place = os.path.dirname(place)
    try:
        found = os.statvfs(place)
    except OSError:
        return ""
    if found.f_files and not found.f_favail and found.f_bavail:  # some file systems count no inodes
        return OUT_OF_INODES
    return ""


def free_inodes(folder: str | os.PathLike[str]) -> int | None:
    """How many more files a disk can hold; None where it does not count them.

    Args:
        folder: one that exists.
    """
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_favail if found.f_files else None


def reason(error: OSError, folder: str | os.PathLike[str]) -> str:
    """Why something could not be written into a folder: the error's own words, or that the disk is out of inodes."""
    out_of_inodes = no_more_files(folder) if error.errno in _FULL else ""
    return f"{out_of_inodes[0].lower()}{out_of_inodes[1:]}" if out_of_inodes else error.strerror or str(error)


def gone(folder: str) -> JobGone:
    """The error that a job's folder is not there any more."""
    return JobGone(
        "The run's folder was deleted or moved to another disk while the run was active",
        where=folder,
        do="Nothing more is written there. Start the run again if you still need it",
    )


def tree_size(folder: str | os.PathLike[str]) -> int:
    """Bytes of all files in a folder, and in those in it; 0 if there is none."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(where, name)).st_size
            except OSError:
                continue
    return total


def sync_tree(folder: str | os.PathLike[str]) -> None:
    """Waits until the disk has all files of a folder, and of those in it.

    Raises:
        OSError: it cannot have them: a quota, or a network file system that is full, says so only now.
    """
    for where, _, names in os.walk(folder):
        for name in names:
            sync(os.path.join(where, name))
        sync(where)


def apply_umask(folder: str | os.PathLike[str]) -> None:
    """Gives every file of a folder, and of those in it, the mode of a file that is simply created there.

    Some writers make their files readable by their owner alone (safetensors does), so nobody else could serve them.
    The mode is read off a file made for this: asking for the umask would change it for all threads for a moment.

    Raises:
        OSError: there is no room for that file.
    """
    probe = os.path.join(folder, f".umask.{os.getpid()}")
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
        os.unlink(probe)
    for where, _, names in os.walk(folder):
        for name in names:
            os.chmod(os.path.join(where, name), mode)


def current_umask() -> int:
    """The umask of this process; asking the kernel by `os.umask` would change it for all threads for a moment."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            return next(int(line.split()[1], 8) for line in file if line.startswith("Umask:"))
    except (OSError, ValueError, StopIteration):
        mask = os.umask(0o022)
        os.umask(mask)
        return mask


def sync(path: str | os.PathLike[str]) -> None:
    """Waits until the disk has a file, or what a folder lists.

    Raises:
        OSError: it cannot have it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
