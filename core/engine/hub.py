"""Failures of loading, from a folder or from the hub, as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.clean import clean_line
from core.engine.short_memory import short_of
from core.engine.worker import WorkerStopped
from core.errors import BadInput, TunedeckError


@contextmanager
def explain(source: str, what: str) -> Iterator[None]:
    """Turns what transformers, safetensors and huggingface_hub raise into a sentence.

    Args:
        source: folder or Hub model ID.
        what: what was to be loaded: `model`, `tokenizer`.

    Raises:
        BadInput: instead of any of their errors.
    """
    try:
        yield
    except (TunedeckError, WorkerStopped):
        raise
    except Exception as error:  # the Rust of tokenizers raises bare ones, strict configurations their own
        if short_of(error):  # whoever loads knows what to make smaller
            raise
        raise _sentence(error, source, what) from error


def _sentence(error: BaseException, source: str, what: str) -> BadInput:
    from huggingface_hub import errors as hub

    chain = tuple(_chain(error))
    words = str(error)
    if any(isinstance(link, hub.GatedRepoError) for link in chain):
        return BadInput(
            "This model is gated: you must accept its terms first",
            where=source,
            do="Accept them on its Hub page, then run `hf auth login` here",
        )
    local = Path(source).exists()
    if "trust_remote_code" in words:
        return BadInput(
            "The model comes with its own Python code, which was not run",
            where=source,
            do="If you have read that code and trust it, set model.trust_remote_code",
        )
    if not local and any(isinstance(link, (hub.OfflineModeIsEnabled, hub.LocalEntryNotFoundError)) for link in chain):
        return BadInput(
            f"Cannot reach the Hub, and the {what} is not in the local cache",
            where=source,
            do="Check the network (and HF_HUB_OFFLINE), or give a local folder",
        )
    if not local and any(isinstance(link, (hub.RepositoryNotFoundError, hub.HFValidationError)) for link in chain):
        return BadInput(
            "No such folder, and no such model on the Hub (or it is private)",
            where=source,
            do="Check the spelling, or run `hf auth login` if the model is private",
        )
    if any(isinstance(link, hub.RevisionNotFoundError) for link in chain):
        return BadInput("The Hub model has no such revision", where=source, do="Check model.revision")
    if "size mismatch" in words or "mismatched" in words:
        return BadInput(
            "The weights do not match config.json: their shapes differ",
            where=source,
            do="Use the weights and config.json of the same model",
        )
    if isinstance(error, ImportError):
        return BadInput(f"The {what} needs a package that is missing: {_first(words)}", where=source)
    if not isinstance(error, OSError | ValueError | RuntimeError):  # what else says little by itself
        words = f"{type(error).__name__}: {words}"
    return BadInput(
        f"The {what} cannot be loaded: {_first(words)}",
        where=source,
        do="Check that the folder is complete" if local else "Check the name and the network, or give a local folder",
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first(words: str) -> str:
    """The first line, with the next where it only introduces that."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    said = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    return clean_line(said or "no reason given", 300).rstrip(".")
