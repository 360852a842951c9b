"""The answers of a workspace on disk, so that the questions are asked once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from core.errors import BadInput, TunedeckError
from core.jobs import files
from core.paths import hidden_dir
from core.runs.advice.questions import Answers, read_answers

_NAME = "advice.json"


def read_kept(workspace: Path) -> Answers | None:
    """The answers that were kept; empty ones where the questions were skipped; None where they were never shown."""
    found = files.read_json(str(hidden_dir(workspace) / _NAME))
    if found is None:
        return None
    try:
        return read_answers(found)
    except BadInput:  # of another version
        return Answers()


def keep(workspace: Path, answers: Answers) -> None:
    """Keeps the answers; where the folder cannot be written, they are asked for again next time."""
    with suppress(OSError, TunedeckError):
        folder = hidden_dir(workspace)
        folder.mkdir(parents=True, exist_ok=True)
        files.replace(str(folder / _NAME), files.encode(answers.to_json()), durable=False)
