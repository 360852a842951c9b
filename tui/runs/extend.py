"""More epochs for a finished run, from the Runs screen; for threads: checkpoints may be large."""

from __future__ import annotations

import re

from core.errors import TunedeckError
from core.jobs.folder import JobFolder

_AMOUNT = re.compile(r"\s*(fresh\s+)?(\d+(?:\.\d+)?)\s*(epochs?|steps?)?(?:[,\s]+(fresh))?\s*", re.IGNORECASE)


def extend(folder: JobFolder, text: str) -> tuple[JobFolder | None, str]:
    """Start a new run that continues a finished one.

    Args:
        folder: the finished run.
        text: what was typed: `2`, `100 steps`, `1 fresh`; nothing cancels.

    Returns:
        The new run, and what it does; or None, and why not.
    """
    from core.runs.extend import MoreSteps, extend_run, plan_extend

    if not text.strip():
        return None, ""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        return None, f"Write a number of epochs, `100 steps`, or `1 fresh`; got {text.strip()!r}."
    amount, in_steps = float(found[2]), (found[3] or "").lower().startswith("step")
    if in_steps and amount != int(amount):
        return None, "Steps are whole numbers."
    fresh = bool(found[1] or found[4])
    try:
        plan = plan_extend(folder, MoreSteps(0.0 if in_steps else amount, int(amount) if in_steps else 0, fresh))
        return extend_run(plan), plan.words
    except TunedeckError as error:
        return None, str(error)
