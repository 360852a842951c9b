"""Token facts of every sample of a view: `python -m core.training.measure RECIPE.json VIEW.jsonl OUT.jsonl [JOB]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import BadInput, TunedeckError
from core.jobs import files, requests
from core.jobs.ending import EXIT_STOPPED
from core.jobs.folder import JobFolder
from core.jobs.titles import COUNTING
from core.recipe.recipe import from_json

if TYPE_CHECKING:
    from core.engine.encoded import EncodingSettings
    from core.engine.samples import ViewRow


@dataclass(frozen=True, slots=True)
class Measured:
    """What training will make of one sample: of a pair, its two sequences together.

    Attributes:
        key: of the row.
        row: its number in the source, from 0.
        tokens: after the cut at the max length.
        trained: of those, how many carry loss.
        lost: tokens that the cut takes away.
        lost_trained: of those, how many would have carried loss.
        problem: a sentence if the sample cannot become tokens, else "".
        lost_text: what the cut takes away, on one line; of a long text its beginning and its end.
        longest: tokens of its longest sequence before the cut, which the max length has to hold.
        text: whether it is plain text, which chunks would keep whole.
        parts: tokens of each part before the cut (`prompt`, `chosen`, `rejected`); empty for a sample without parts.
        not_rendered: what it holds to train on that is not in the rendered text, in words; "" for nothing.
        context_lost: the same of its context alone.
        control: the special tokens in its text, in words, or "".
        left_out: the flag for which the training leaves it out, or "".
    """

    key: str
    row: int
    tokens: int = 0
    trained: int = 0
    lost: int = 0
    lost_trained: int = 0
    problem: str = ""
    lost_text: str = ""
    longest: int = 0
    text: bool = False
    parts: Mapping[str, int] = field(default_factory=dict)
    not_rendered: str = ""
    context_lost: str = ""
    control: str = ""
    left_out: str = ""


_SHOWN = 100
"""Characters of each end of a lost text."""
_LOOK_EVERY = 100
"""Samples between two looks at the requests."""


class _Stopped(Exception):
    """A viewer asked for it."""


def measure(rows: Iterable[ViewRow], tokenizer: Any, settings: EncodingSettings) -> Iterator[Measured]:
    """The tokens of samples, by the function that the training uses, one at a time.

    Args:
        rows: of a curated view.
        tokenizer: of the model.
        settings: template, max length, and what carries loss.

    Raises:
        BadInput: for what no single sample is to blame for, such as a template without marks.
    """
    from core.dataset.rendered import loss_words
    from core.engine.encode import encode
    from core.engine.rendered import PartsRefused

    for row in rows:
        try:
            encoded = encode(row.sample, tokenizer, settings)
        except BadInput as error:
            if error.where:
                raise
            lost = loss_words(error.losses) if isinstance(error, PartsRefused) else ""
            yield Measured(row.key, row.row, problem=str(error), not_rendered=lost)
            continue
        yield Measured(
            row.key,
            row.row,
            tokens=encoded.tokens,
            trained=encoded.trained_tokens,
            lost=encoded.lost_tokens,
            lost_trained=encoded.lost_trained,
            lost_text=_lost(row, tokenizer, settings) if encoded.lost_tokens else "",
            longest=encoded.longest,
            text=row.sample.kind == "text",
            parts=encoded.parts,
            not_rendered=loss_words(encoded.not_rendered),
            context_lost=loss_words(encoded.context_lost),
            control=", ".join(encoded.control_tokens),
            left_out="" if row.kept else settings.drops(encoded),
        )


def _lost(row: ViewRow, tokenizer: Any, settings: EncodingSettings) -> str:
    from core.engine.encode import encode
    from core.engine.pieces import lost_text

    encoded = encode(row.sample, tokenizer, settings, with_text=True)
    text = " / ".join(filter(None, map(lost_text, encoded.sequences)))
    if len(text) <= 2 * _SHOWN:
        return " ".join(text.split())
    return f"{' '.join(text[:_SHOWN].split())} … {' '.join(text[-_SHOWN:].split())}"


def _reported(facts: Iterator[Measured], job: JobFolder | None, view: Path) -> Iterator[Measured]:
    """The facts as they come; the job's status says how many there are of how many."""
    if job is None:
        yield from facts
        return
    with view.open("rb") as lines:
        of = sum(1 for _ in lines)
    job.write_status(phase=COUNTING, step=0, of=of, unit="samples")
    for done, each in enumerate(facts, 1):
        yield each
        job.write_progress(done, of)
        if done % _LOOK_EVERY == 0 and any(name != requests.SAVE for name in requests.pending(job)):
            raise _Stopped


def main(argv: Sequence[str]) -> int:
    """Writes one line of JSON a sample; the file appears when it is complete.

    Args:
        argv: the recipe as JSON, the view, the file to write; then the folder of the job that shows the progress.

    Returns:
        0, 2 with a sentence on stderr, or 3 where the job was stopped on request.
    """
    from core.engine.encoded import EncodingSettings
    from core.engine.load import load_tokenizer
    from core.engine.samples import read_view
    from core.engine.template import use_template

    try:
        if len(argv) not in (3, 4):
            raise BadInput("Expected the recipe as JSON, the view, the file to write, and the job's folder or nothing")
        recipe_file, view, out = (Path(word) for word in argv[:3])
        job = JobFolder(argv[3]) if argv[3:] else None
        try:
            recipe = from_json(json.loads(recipe_file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise BadInput(f"Cannot read the recipe ({error})", where=str(recipe_file)) from error
        tokenizer = load_tokenizer(recipe.model)
        settings = EncodingSettings.of(recipe, use_template(tokenizer, recipe.model.chat_template))
        facts = _reported(measure(read_view(view), tokenizer, settings), job, view)
        lines = b"".join(files.encode(asdict(fact)) + b"\n" for fact in facts)
        files.replace(str(out), lines, durable=False)
    except _Stopped:
        assert job is not None, "only a job's requests stop it"
        for name in requests.pending(job):
            requests.done(job, name, "Counting tokens was stopped.")
        return EXIT_STOPPED
    except TunedeckError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
