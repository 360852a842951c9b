"""The curated view of a run as encoded samples: read line by line, encoded, and held in Arrow."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from core.dataset.flag_names import CONTROL_TOKENS, NOT_RENDERED
from core.dataset.rendered import loss_words
from core.dataset.sample import Sample
from core.engine.columns import EncodedBlock, column_codes
from core.engine.encode import encode
from core.engine.encoded import Encoded, EncodingSettings
from core.engine.rendered import PartsRefused
from core.errors import BadInput
from core.units import rows_with

_BLOCK = 1_000
"""Samples that become one block of Arrow memory."""

_NAMED = 20
"""Samples that an event names one by one; more are only counted."""

_LOST_NAMED = 5
"""Samples of which a sentence says what they lose."""


@dataclass(frozen=True, slots=True)
class ViewRow:
    """One line of a curated view: the sample, its key, its number among the rows of the source, and whether the user
    has kept the row by hand.
    """

    key: str
    row: int
    sample: Sample
    kept: bool = False


@dataclass(slots=True)
class EncodingSummary:
    """What encoding has found out about a whole view.

    Attributes:
        samples: how many were read.
        kept: how many carry loss and are trained on.
        tokens: in the kept ones, after the cut.
        trained_tokens: of those, how many carry loss.
        chunked: samples whose long text became several chunks.
        sequences: what the kept samples are trained as; more than `kept` where texts were chunked.
        cut: samples that lost tokens to the max length.
        cut_texts: how many of those are plain text, which chunks would keep whole.
        lost_tokens: how many they lost.
        without_loss: rows without a single trained token; left out, as TRL leaves them out.
        cut_away: of those, the ones whose answer lay wholly beyond the max length.
        refused: row and reason of samples that the template could not render; left out.
        not_rendered: row and what is lost of samples that would be trained on without something that they hold.
        left_not_rendered: rows left out because of that, where the recipe drops them.
        context_lost: rows that lose something from context only.
        control_tokens: rows left out because special tokens stand in their text.
        control_kept: how many rows with such tokens are trained on.
        reduced: how many samples were trained without something that the user has named.
        each: for each sample in turn its tokens after the cut and how many of them carry loss; 0 and 0 of one that is
            left out.
    """

    samples: int = 0
    kept: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    chunked: int = 0
    sequences: int = 0
    cut: int = 0
    cut_texts: int = 0
    lost_tokens: int = 0
    without_loss: list[int] = field(default_factory=list)
    cut_away: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    not_rendered: list[tuple[int, str]] = field(default_factory=list)
    left_not_rendered: list[int] = field(default_factory=list)
    context_lost: list[int] = field(default_factory=list)
    control_tokens: list[int] = field(default_factory=list)
    control_kept: int = 0
    reduced: int = 0
    each: array[int] = field(default_factory=lambda: array("I"))

    def add(self, row: ViewRow, encoded: Encoded, settings: EncodingSettings) -> bool:
        """Counts one encoded sample.

        Returns:
            Whether it is trained on.
        """
        self.samples += 1
        self.reduced += encoded.reduced
        dropped = "" if row.kept else settings.drops(encoded)
        # Before packing TRL drops nothing that has an answer, even where the cut will take it.
        keep = not dropped and (encoded.carries_loss or (settings.packing != "none" and encoded.lost_trained > 0))
        if dropped:
            (self.control_tokens if dropped == CONTROL_TOKENS else self.left_not_rendered).append(row.row)
        else:
            self._look(row, encoded)
        if keep:
            self.kept += 1
            self.sequences += len(encoded.rows)
            self.tokens += encoded.tokens
            self.trained_tokens += encoded.trained_tokens
        self.each.extend((encoded.tokens, encoded.trained_tokens) if keep else (0, 0))
        return keep

    def _look(self, row: ViewRow, encoded: Encoded) -> None:
        """Notes what is odd about a sample that no flag drops."""
        self.chunked += len(encoded.rows) > 1
        if encoded.lost_tokens:
            self.cut += 1
            self.cut_texts += row.sample.kind == "text"
            self.lost_tokens += encoded.lost_tokens
        if encoded.not_rendered:
            self.not_rendered.append((row.row, loss_words(encoded.not_rendered)))
        elif encoded.context_lost:
            self.context_lost.append(row.row)
        if not encoded.carries_loss:
            self.without_loss.append(row.row)
            self.cut_away += encoded.lost_trained > 0
        self.control_kept += bool(encoded.control_tokens)

    def refuse(self, row: ViewRow, error: BadInput, settings: EncodingSettings) -> None:
        """Counts one sample that could not be encoded."""
        self.samples += 1
        self.refused.append((row.row, str(error)))
        if isinstance(error, PartsRefused) and NOT_RENDERED not in settings.drop_flags:
            self.not_rendered.append((row.row, loss_words(error.losses)))
        self.each.extend((0, 0))

    def join(self, later: EncodingSummary) -> None:
        """Adds what was found in the samples that follow."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(later, each.name)
            if isinstance(mine, int):
                setattr(self, each.name, mine + theirs)
            else:
                mine.extend(theirs)

    def to_json(self) -> dict[str, Any]:
        """All but `each`, which is long."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "each"}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], each: array[int]) -> EncodingSummary:
        """The inverse of `to_json`."""
        pairs = {
            name: [tuple(pair) if isinstance(pair, list) else pair for pair in found]
            for name, found in value.items()
            if isinstance(found, list)
        }
        return cls(**{**value, **pairs}, each=each)

    def alerts(self) -> list[tuple[str, dict[str, Any]]]:
        """What a person must know before training: sentences, each with its numbers and rows (from 0)."""
        found: list[tuple[str, dict[str, Any]]] = []
        if self.without_loss:
            sentence = f"Dropped {_count(self.without_loss)} without trained tokens"
            sentence += f" (answers beyond max length: {self.cut_away:,})." if self.cut_away else "."
            found.append((sentence, {"count": len(self.without_loss), "rows": self.without_loss[:_NAMED]}))
        if self.refused:
            rows = [row for row, _ in self.refused]
            sentence = f"Dropped {_count(rows)} that cannot be tokenized. The first: {self.refused[0][1]}"
            found.append((sentence, {"count": len(rows), "rows": rows[:_NAMED]}))
        if self.control_tokens:
            sentence = f"Dropped {_count(self.control_tokens)} with the tokenizer's special tokens in the text "
            sentence += "(flag control_tokens). To train on a row, keep it on Data."
            found.append((sentence, {"count": len(self.control_tokens), "rows": self.control_tokens[:_NAMED]}))
        if self.control_kept:
            verb = "contains" if self.control_kept == 1 else "contain"
            samples = "1 sample" if self.control_kept == 1 else f"{self.control_kept:,} samples"
            sentence = f"{samples} {verb} the tokenizer's special tokens, which are trained on as control tokens."
            found.append((sentence, {"count": self.control_kept}))
        if self.left_not_rendered:
            sentence = f"Dropped {_count(self.left_not_rendered)} that the chat template does not fully render "
            sentence += "(flag not_rendered)."
            found.append((sentence, {"count": len(self.left_not_rendered), "rows": self.left_not_rendered[:_NAMED]}))
        if self.context_lost:
            verb = "loses" if len(self.context_lost) == 1 else "lose"
            sentence = f"{_count(self.context_lost)} {verb} context, such as earlier reasoning, because "
            sentence += "the chat template does not render it. The trained answers are complete."
            found.append((sentence, {"count": len(self.context_lost), "rows": self.context_lost[:_NAMED]}))
        if self.cut:
            verb = "is" if self.cut == 1 else "are"
            sentence = f"{self.cut:,} of {self.samples:,} samples {verb} truncated at max length: "
            sentence += f"{self.lost_tokens:,} tokens are lost."
            if self.cut_texts:
                texts = "1 is plain text" if self.cut_texts == 1 else f"{self.cut_texts:,} are plain text"
                sentence += f" {texts}: data.chunk_text would train on all of it, in chunks."
            found.append((sentence, {"count": self.cut, "lost_tokens": self.lost_tokens}))
        return found


def _count(rows: list[int]) -> str:
    return "1 sample" if len(rows) == 1 else f"{len(rows):,} samples"


def not_rendered_words(rows: list[tuple[int, str]]) -> str:
    """Which rows lose what they would train, as a sentence without a full stop; rows count from 1 in it.

    Args:
        rows: row (from 0) and what is lost.
    """
    what = "1 sample" if len(rows) == 1 else f"{len(rows):,} samples"
    named = rows_with(rows[:_LOST_NAMED])
    more = f"; and {len(rows) - _LOST_NAMED:,} more" if len(rows) > _LOST_NAMED else ""
    return f"The chat template does not fully render {what} ({named}{more})"


def flags_of_view(data: Path) -> list[str] | None:
    """The flags whose rows a run's view was built without; None where its manifest does not say."""
    try:
        found = json.loads((data / "manifest.json").read_bytes())["drop_flags"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return [str(name) for name in found] if isinstance(found, list) else None


def read_view(path: Path) -> Iterator[ViewRow]:
    """The rows of a curated view, one by one.

    Raises:
        BadInput: the file is missing, or a line is not what a curated view holds.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise BadInput(f"Cannot read the run's data: {error.strerror}", where=str(path)) from error
    with stream:
        for number, line in enumerate(stream, start=1):
            yield view_row(line, f"{path}:{number}")


def view_row(line: bytes, where: str) -> ViewRow:
    """The row in a line of a curated view.

    Raises:
        BadInput: the line is not what a curated view holds; names `where`.
    """
    try:
        value = json.loads(line)
        sample = Sample.from_json(value["sample"])
        return ViewRow(value["key"], int(value["row"]), sample, bool(value.get("kept")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"This line is not a sample of a curated view ({error})",
            where=where,
            do="Start the run again from its recipe",
        ) from error


def encode_view(
    rows: Iterable[ViewRow], tokenizer: Any, settings: EncodingSettings, *, seen: Callable[[int], None] = lambda _: None
) -> tuple[Any, EncodingSummary]:
    """The samples of a view as the dataset for the trainer, encoded in this process.

    Args:
        rows: of the curated view.
        tokenizer: of the model, or its plain form.
        settings: template, max length, and what carries loss.
        seen: called with how many rows are done, every hundred; may raise to end it.

    Returns:
        A `datasets.Dataset` with the columns of the task, in the order of the view, and the facts about it.

    Raises:
        BadInput: for what no single sample is to blame for, such as a template without marks.
    """
    import pyarrow as pa
    from datasets import Dataset

    codes = column_codes(settings, 2**31)
    blocks = [EncodedBlock(codes)]
    facts = EncodingSummary()
    for kept in encoded_rows(rows, tokenizer, settings, facts, seen):
        if len(blocks[-1]) >= _BLOCK:
            blocks.append(EncodedBlock(codes))
        blocks[-1].extend(kept.rows)
    return Dataset(pa.Table.from_batches([block.batch() for block in blocks])), facts


def encoded_rows(
    rows: Iterable[ViewRow],
    tokenizer: Any,
    settings: EncodingSettings,
    facts: EncodingSummary,
    seen: Callable[[int], None] = lambda _: None,
) -> Iterator[Encoded]:
    """The samples that are trained on, one at a time, each counted in `facts`; so are those that are left out.

    Raises:
        BadInput: for what no single sample is to blame for, such as a template without marks.
    """
    for place, row in enumerate(rows):
        if place % 100 == 0:
            seen(place)
        try:
            encoded = encode(row.sample, tokenizer, settings)
        except BadInput as error:
            if error.where:  # the model's or the recipe's fault, the same for every sample
                raise
            facts.refuse(row, error, settings)
            continue
        if facts.add(row, encoded, settings):
            yield encoded
