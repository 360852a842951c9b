"""Whether this user may change a run, or only look at it; several people may share a workspace."""

from __future__ import annotations

import os

from core.errors import BadInput
from core.jobs.folder import JobFolder


def owner_id(path: str | os.PathLike[str]) -> int | None:
    """The user ID of the owner of a file or folder; None where there is none, or it cannot be looked at."""
    try:
        return os.stat(path).st_uid
    except OSError:
        return None


def owner(path: str | os.PathLike[str]) -> str:
    """The login name of the owner of a file or folder."""
    import pwd

    uid = owner_id(path)
    try:
        return "nobody" if uid is None else pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def read_only(folder: JobFolder) -> str:
    """Why this user can only look at a run, as the end of a sentence; "" where it can be stopped, saved and deleted.

    Whoever can write into its folder can: its owner, and with umask 002 the group of a shared workspace.
    """
    uid = owner_id(folder.path)
    if uid is None or (_writable(folder.path) and (_writable(folder.requests) or not folder.requests.exists())):
        return ""
    return "you cannot write to its folder" if uid == os.geteuid() else f"it belongs to {owner(folder.path)}"


def refuse_read_only(folder: JobFolder) -> None:
    """Refuses what this user may not do with a run, before anything is asked or written.

    Raises:
        BadInput: the run is read-only for this user; the sentence says whose it is.
    """
    if why := read_only(folder):
        raise BadInput(f"This run is read-only for you: {why}", where=folder.id)


def refuse_foreign(folder: JobFolder) -> None:
    """Refuses to start a run of another user again: what it runs comes from files that another user can change.

    Raises:
        BadInput: it is read-only for this user, or belongs to another one.
    """
    refuse_read_only(folder)
    for path in (folder.path, folder.job):
        if owner_id(path) not in (None, os.geteuid()):
            raise BadInput(
                f"This run belongs to {owner(path)}, not to you",
                where=folder.id,
                do="Only its owner can resume it; `tunedeck train` with its recipe.yaml starts your own run",
            )


def _writable(path: str | os.PathLike[str]) -> bool:
    return os.access(path, os.W_OK | os.X_OK, effective_ids=True)
