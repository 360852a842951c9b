"""Deleting a run from the Runs screen: the question, which says what is deleted; for threads: folders may be large."""

from __future__ import annotations

from core.clean import clean_line
from core.errors import TunedeckError
from core.jobs.folder import JobFolder
from core.jobs.remove import contents, remove
from core.jobs.runs import RunInfo
from core.units import size
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
        words = "Press x to remove it from the queue first" if run.state == "queued" else "Stop it first"
        return [[(f"{name} is {run.state}. {words}.", "warning")]], False
    from core.runs.pipeline_queue import need_words

    found = contents(JobFolder(run.folder))
    if found.link is not None:
        words = f"Only the link is deleted; the run stays in {clean_line(str(found.link), 200)}."
        return [[(f"Delete the link {name}? ", "strong"), (words, "text")]], True
    if run.read_only:
        return [[(f"{name} is read-only for you: {run.read_only}.", "warning")]], False
    words = f"{size(found.bytes)} will be deleted permanently: {', '.join(found.words())}."
    words = f"{words} {need_words(JobFolder(run.folder))}".rstrip()
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
