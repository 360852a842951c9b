"""Deleting a run from the Runs screen: the question, which says what goes; for threads, as folders may be large."""

from __future__ import annotations

from core.clean import clean_line
from core.errors import TunedeckError
from core.jobs.folder import JobFolder
from core.jobs.remove import contents, remove
from core.jobs.runs import RunInfo
from core.units import count, size
from tui.widgets.text_lines import StyledLine

_ENDINGS = ("finished", "stopped", "failed", "lost")


def question(run: RunInfo) -> tuple[list[StyledLine], bool]:
    """The question whether a run is to be deleted.

    Args:
        run: it.

    Returns:
        The question, or the reason why the run cannot be deleted; and whether it can.
    """
    name = clean_line(run.id, 60)
    if run.state not in _ENDINGS:
        words = "x takes it out of the queue, then it can be deleted" if run.state == "queued" else "stop it first"
        return [[(f"{name} is {run.state}: {words}.", "warning")]], False
    found = contents(JobFolder(run.folder))
    goes = []
    if found.checkpoints:
        goes.append(f"{count(found.checkpoints)} checkpoint{'s' * (found.checkpoints != 1)}")
    if found.trained:
        goes.append("the trained weights")
    if found.compared:
        goes.append("the comparison")
    words = f"{size(found.bytes)} go for good: {', '.join([*goes, 'metrics and log'])}."
    return [[(f"Delete {name}? ", "strong"), (words, "text")]], True


def delete(folder: JobFolder) -> str:
    """Delete a run.

    Returns:
        A sentence on what went wrong, or "".
    """
    try:
        remove(folder)
    except TunedeckError as error:
        return str(error)
    return ""
