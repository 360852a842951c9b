"""The tokens of every row of a dataset, as a job: `python -m core.training.measure_job FOLDER`.

The rows come from `core.dataset.view.normal_rows`, a child in the viewer's interpreter: this one may lack what
reads data files. The facts go to the cache as they are found, and a later job continues where this one was stopped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from core.dataset.sample import Sample
from core.errors import BadInput, TunedeckError
from core.jobs import files, requests
from core.jobs.folder import JobFolder
from core.jobs.launch import DATA_PYTHON, clean_environment
from core.jobs.small_job import end_of
from core.jobs.titles import COUNTING
from core.recipe.recipe import from_json
from core.runs.token_facts import RowTokens, TokenFacts, TokenFactsWriter, edit_digest

_PERIOD = 0.25
"""Seconds after which what was measured is written."""


class _Stopped(Exception):
    """A viewer asked for it."""


def main(argv: Sequence[str]) -> int:
    """The worker; `job.json` has the payload of `run`.

    Returns:
        The exit code: 0 done, 1 failed, 2 recipe or data cannot be used, 3 stopped on request.
    """
    words = "Counting tokens was stopped; what was counted is kept."
    return end_of(argv, "core.training.measure_job", run, stopped=_Stopped, words=words)


def run(folder: JobFolder, payload: Mapping[str, Any]) -> None:
    """Measures into a cache.

    Args:
        folder: the job's folder.
        payload: `recipe` as JSON with absolute paths, `cache`: the cache's folder, `about`: see `TokenFactsWriter`,
            `question`: which data, see `core.dataset.view.normal_rows`. The variable `DATA_PYTHON` names the
            interpreter that reads them; a file could name any program.

    Raises:
        TunedeckError: recipe, model or data cannot be used, or the cache cannot be written.
    """
    folder.write_status(phase="Loading the tokenizer")
    from core.engine.encoded import EncodingSettings
    from core.engine.load import load_tokenizer
    from core.engine.template import use_template

    recipe = from_json(payload["recipe"])
    tokenizer = load_tokenizer(recipe.model)
    settings = EncodingSettings.of(recipe, use_template(tokenizer, recipe.model.chat_template))
    cache = Path(payload["cache"])
    try:
        writer = TokenFactsWriter(cache, payload["about"])
    except OSError as fault:
        raise TunedeckError(f"Cannot write the token counts: {files.reason(fault, cache)}", where=str(cache)) from fault
    with closing(writer):
        measured = {facts.row: facts.edit for facts in TokenFacts(cache).rows() if facts.edit}
        question = {**payload["question"], "start": writer.count, "again": sorted(measured)}
        with _rows(os.environ.get(DATA_PYTHON) or sys.executable, question) as rows:
            entries = int(next(rows, {}).get("entries", 0))
            _measure(folder, rows, entries, writer, measured, (tokenizer, settings))
        writer.finish()
    folder.append_event("phase", f"Counted the tokens of {writer.count:,} rows.")
    folder.write_status(phase="done")


def _measure(
    folder: JobFolder,
    rows: Iterator[dict[str, Any]],
    entries: int,
    writer: TokenFactsWriter,
    measured: Mapping[int, int],
    encoder: tuple[Any, Any],
) -> None:
    gathered: list[tuple[RowTokens, Mapping[str, str]]] = []
    written = time.monotonic()
    start = writer.count
    for value in rows:
        facts, note = _facts(value, encoder)
        if facts.row >= start or measured.get(facts.row, 0) != facts.edit:
            gathered.append((facts, note))
        if (now := time.monotonic()) - written > _PERIOD:
            writer.add(gathered)
            gathered, written = [], now
            folder.write_progress(facts.row + 1, entries, phase=COUNTING, unit="rows")
            if any(name != requests.SAVE for name in requests.pending(folder)):
                raise _Stopped
    writer.add(gathered)


def _facts(value: dict[str, Any], encoder: tuple[Any, Any]) -> tuple[RowTokens, Mapping[str, str]]:
    from core.engine.samples import ViewRow
    from core.training.measure import measure

    number = int(value["row"])
    if value["sample"] is None:
        return RowTokens(number, state="unreadable"), {}
    (found,) = measure([ViewRow("", number, Sample.from_json(value["sample"]))], *encoder)
    edit = edit_digest(value["sample"]) if value.get("edited") else 0
    facts = RowTokens(
        number,
        found.tokens,
        found.trained,
        found.lost,
        found.lost_trained,
        "refused" if found.problem else "measured",
        edit,
        bool(found.not_rendered),
        bool(found.context_lost),
        bool(found.control),
    )
    kind = "text" if found.text and found.lost else ""
    note = {
        "problem": found.problem,
        "lost_text": found.lost_text,
        "kind": kind,
        "not_rendered": found.not_rendered,
        "control": found.control,
    }
    return facts, {name: words for name, words in note.items() if words}


@contextmanager
def _rows(python: str, question: Mapping[str, Any]) -> Iterator[Iterator[dict[str, Any]]]:
    """The lines of the child that reads the data; it ends with this process, for nobody reads its pipe any more.

    Raises:
        BadInput: it has ended early, with its own reason.
    """
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [python, "-m", "core.dataset.view.normal_rows"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=clean_environment(),
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(files.encode(question) + b"\n")
            child.stdin.close()
            yield map(json.loads, child.stdout)
        except BaseException:
            child.kill()
            raise
        finally:
            child.stdout.close()
            code = child.wait()
        if code:
            errors.seek(0)
            reason = errors.read().decode("utf-8", "replace").strip().splitlines()
            raise BadInput(reason[-1] if reason else f"Cannot read the data (exit code {code})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
