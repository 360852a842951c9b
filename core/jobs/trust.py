"""What this user has agreed to: workspaces to act in, and the commands and model code that recipes name.

A workspace is a folder like any other: it can be copied, cloned, unpacked or shared. So nothing that lies in one can
say that it is to be trusted; the user's yes is kept in the user's own state folder, one small file for each thing.
Looking is free. Whatever starts, resumes, picks up or reports a run asks here first. Standard library only: keepers and
workers ask as well.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.clean import clean_line
from core.errors import BadInput, TunedeckError
from core.jobs import files
from core.jobs.access import owner, owner_id, refuse_foreign
from core.jobs.folder import JobFolder
from core.paths import runs_dir, state_dir

WORKSPACE = "workspace"
FOREIGN = "workspace-of-another-user"
COMMAND = "command"
CODE = "code"
FILE = "file"


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """One thing that needs the user's yes once.

    Attributes:
        kind: `WORKSPACE`, `FOREIGN`, `COMMAND`, `CODE` or `FILE`.
        text: the folder, the exact command or address, the model, or the SHA-256 of a file.
        name: of a file, where it lies: its contents are what was allowed, under whatever name.
    """

    kind: str
    text: str
    name: str = ""

    @property
    def agreed(self) -> bool:
        """Whether this user has said yes to exactly this."""
        return self._file.exists()

    def agree(self) -> None:
        """Remembers that this user said yes.

        Raises:
            TunedeckError: the user's state folder cannot be written.
        """
        if self.agreed:
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.replace(os.fspath(self._file), self.text.encode("utf-8", "surrogateescape") + b"\n", durable=True)
        except OSError as error:
            raise TunedeckError(
                f"Cannot save what you allowed: {error.strerror}",
                where=os.fspath(self._file.parent),
                do="Set XDG_STATE_HOME to a folder that you can write to",
            ) from error

    @property
    def _file(self) -> Path:
        import hashlib  # OpenSSL: not for keepers, unless there is something to ask

        digest = hashlib.sha256(self.text.encode("utf-8", "surrogateescape")).hexdigest()
        return state_dir() / "agreed" / self.kind / digest

    @property
    def question(self) -> str:
        """What is wanted, as a sentence without its full stop, with the exact text."""
        shown = clean_line(self.text)
        if self.kind == COMMAND and is_address(self.text):
            return f"When the run ends, its results would be sent to an address that you have not allowed yet: {shown}"
        if self.kind == COMMAND:
            return f"When the run ends, it would run a command that you have not allowed yet: {shown}"
        if self.kind == CODE:
            return f"The model comes with Python code that would run as you; you have not allowed it yet: {shown}"
        if self.kind == FILE:
            return (
                "A Python file scores the answers, in its own process but as you; you have not allowed its current "
                f"contents: {clean_line(self.name)} (SHA-256 {self.text[:16]}…)"
            )
        if self.kind == FOREIGN:
            return f"This workspace belongs to {owner(self.text)}, not to you: {shown}"
        return f"You have not started a run in this workspace before, or it was copied here: {shown}"

    @property
    def how(self) -> str:
        """How to say yes on the command line."""
        if self.kind in (WORKSPACE, FOREIGN):
            return f"If you trust the runs in it: tunedeck trust {shlex.quote(self.text)}"
        return f"Read it first; --allow-{self.kind} allows exactly this from now on"


class NotAgreed(BadInput):
    """Something needs the user's yes first.

    Attributes:
        asks: what, each to be agreed to.
    """

    def __init__(self, asks: Sequence[ConsentRequest]) -> None:
        self.asks = tuple(asks)
        what = ". ".join(ask.question for ask in self.asks)
        super().__init__(what, do=". ".join(dict.fromkeys(ask.how for ask in self.asks)))


def is_address(target: str) -> bool:
    """Whether a notification target is an address rather than a command."""
    return target.startswith(("http://", "https://"))


def refuse_without_yes(asks: Iterable[ConsentRequest]) -> None:
    """Refuses what was not agreed to.

    Raises:
        NotAgreed: naming all that was not.
    """
    if missing := [ask for ask in asks if not ask.agreed]:
        raise NotAgreed(missing)


def workspace_ask(workspace: Path) -> ConsentRequest:
    """The yes that a workspace needs; one that belongs to another user needs a separate yes."""
    path = os.path.realpath(workspace)
    return ConsentRequest(WORKSPACE if owner_id(path) in (None, os.geteuid()) else FOREIGN, path)


def start_ask(workspace: Path) -> ConsentRequest | None:
    """The yes that a start in a workspace needs, None where the start itself is the user's word.

    It is in the user's own folder, in which nothing was started yet, so that nobody's runs come along with it.
    """
    ask = workspace_ask(workspace)
    if ask.agreed:
        return None
    return ask if ask.kind == FOREIGN or _has_runs(workspace) else None


def refusal(folder: JobFolder) -> BadInput | None:
    """Why a run may not be started, resumed or notified of by this user; None if it may.

    Its workspace must be known, and the run's own folder and `job.json` must belong to this user.
    """
    ask = workspace_ask(folder.path.parents[1])
    if not ask.agreed:
        return NotAgreed([ask])
    try:
        refuse_foreign(folder)
    except BadInput as error:
        return error
    return None


def refuse_run(folder: JobFolder) -> None:
    """Refuses a run of another user, or in a workspace that is not known.

    Raises:
        NotAgreed: the workspace is not known.
        BadInput: the run belongs to another user.
    """
    error = refusal(folder)
    if error is not None:
        raise error


def _has_runs(workspace: Path) -> bool:
    """Whether runs lie in a workspace."""
    try:
        with os.scandir(runs_dir(workspace)) as entries:
            return any(os.path.exists(f"{entry.path}/job.json") for entry in entries)
    except OSError:
        return False
