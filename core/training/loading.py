"""A checkpoint that is as long as it should be, and damaged all the same: said by its name, with what helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.clean import clean_line
from core.engine.short_memory import short_of
from core.errors import TunedeckError


@contextmanager
def named(checkpoint: str) -> Iterator[None]:
    """Gives what goes wrong while a checkpoint is loaded the checkpoint's name.

    Args:
        checkpoint: its folder.

    Raises:
        TunedeckError: one of its files is damaged.
    """
    try:
        yield
    except TunedeckError:
        raise
    except Exception as error:  # torch, pickle and safetensors have no error in common for a damaged file
        if short_of(error):
            raise
        # Only the first sentence: in the next ones torch advises to load pickles without its safeguard.
        words = clean_line(str(error).strip().partition("\n")[0].partition(". ")[0], 200).rstrip(".")
        raise TunedeckError(
            f"{Path(checkpoint).name} cannot be loaded: a file is damaged ({type(error).__name__}: {words})",
            where=checkpoint,
            do="Delete that folder: `tunedeck resume` then resumes from the checkpoint before it",
        ) from error
