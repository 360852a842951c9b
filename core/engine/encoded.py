"""What encoding makes of a sample: the trainer's row, and the token sequences that the model computes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from core.dataset.flag_names import CONTROL_TOKENS, NOT_RENDERED
from core.dataset.rendered import LostPart
from core.engine.template import Template
from core.recipe.recipe import Recipe, why_without_effect
from core.recipe.tasks import TASKS
from core.recipe.tasks.task import ColumnKind

MASKED = -100
"""The label of a token that carries no loss."""


@dataclass(frozen=True, slots=True)
class EncodingSettings:
    """What decides the tokens and labels of a sample, beside the tokenizer.

    Attributes:
        template: the chat template.
        max_length: tokens after which a sequence is cut.
        loss_on: `answers` or `everything`.
        packing: `none`, `bfd`, `bfd_split` or `wrapped`; the last two cut nothing off.
        task: a name of `core.recipe.tasks.TASKS`.
        chunk_text: whether a text longer than the max length becomes several sequences instead of being cut.
        train_without: parts of a sample that the user trains without, see `core.dataset.without.without`.
        keeps_end: whether the end of what is longer is kept, instead of the beginning.
        drop_flags: the flags from tokens whose rows are left out: `control_tokens`, `not_rendered`.
    """

    template: Template
    max_length: int
    loss_on: str = "answers"
    packing: str = "none"
    task: str = "sft"
    chunk_text: bool = False
    train_without: tuple[str, ...] = ()
    drop_flags: tuple[str, ...] = ()
    keeps_end: bool = False

    @classmethod
    def of(cls, recipe: Recipe, template: Template, *, drop_flags: Iterable[str] | None = None) -> EncodingSettings:
        """The settings of a recipe.

        Args:
            recipe: the recipe.
            template: of the model.
            drop_flags: those that the view was built with; None for those of the recipe.
        """
        data = recipe.data
        drops = data.drop_flags if drop_flags is None else drop_flags
        return cls(
            template,
            data.max_length,
            data.loss_on,
            data.packing,
            recipe.task,
            data.chunk_text,
            tuple(sorted(data.train_without)),
            tuple(sorted({CONTROL_TOKENS, NOT_RENDERED}.intersection(drops))),
            keeps_end=data.truncation == "keep_end" and not why_without_effect(recipe, "data.truncation"),
        )

    def to_json(self) -> dict[str, Any]:
        """All of it, for another process and for keys; `from_json(to_json(s)) == s`."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EncodingSettings:
        """The inverse of `to_json`."""
        tuples = {name: tuple(found) for name, found in value.items() if isinstance(found, list)}
        return cls(**{**value, **tuples, "template": Template(**value["template"])})

    @property
    def cuts(self) -> bool:
        """Whether tokens beyond the max length are lost."""
        return self.packing in ("none", "bfd")

    def drops(self, encoded: Encoded) -> str:
        """The flag for which a sample is left out unless the user has kept it, or ""."""
        if encoded.control_tokens and CONTROL_TOKENS in self.drop_flags:
            return CONTROL_TOKENS
        return NOT_RENDERED if encoded.not_rendered and NOT_RENDERED in self.drop_flags else ""

    @property
    def columns(self) -> Mapping[str, ColumnKind]:
        """What the trainer's dataset holds of each sample, and as what."""
        return TASKS[self.task].columns


def carrying(labels: list[int]) -> int:
    """How many labels carry loss."""
    return len(labels) - labels.count(MASKED)


def labels_of(ids: list[int], mask: list[int]) -> list[int]:
    """The token ids where the mask is 1, else `MASKED`; both have the same length."""
    labels = [MASKED] * len(ids)
    stop = 0
    while (start := _find(mask, 1, stop)) < len(mask):
        stop = _find(mask, 0, start)
        labels[start:stop] = ids[start:stop]
    return labels


def _find(mask: list[int], bit: int, start: int) -> int:
    try:
        return mask.index(bit, start)
    except ValueError:
        return len(mask)


@dataclass(frozen=True, slots=True)
class Sequence:
    """One sequence of tokens as the model gets it.

    Attributes:
        input_ids: token ids, cut at the max length.
        labels: the same length; the token id where it carries loss, else `MASKED`.
        lost_tokens: tokens that the cut took away.
        lost_trained: how many of those would have carried loss.
        text: the rendered text before the cut; only where it was asked for.
        offsets: for each token before the cut, its start and end character in `text`; only where asked for.
        answer: the part of the sample that it ends with: `chosen` or `rejected`; "" for a whole conversation or text.
        first_kept: how many tokens the cut took away before the first one of `input_ids`.
    """

    input_ids: list[int]
    labels: list[int]
    lost_tokens: int = 0
    lost_trained: int = 0
    text: str = ""
    offsets: tuple[tuple[int, int], ...] = ()
    answer: str = ""
    first_kept: int = 0

    @property
    def trained_tokens(self) -> int:
        """Tokens that carry loss. The first token of a sequence is never predicted, so it does not count."""
        first = self.labels[:1] not in ([], [MASKED])
        return carrying(self.labels) - first

    @property
    def total(self) -> int:
        """Tokens before the cut."""
        return len(self.input_ids) + self.lost_tokens

    def chunks(self, length: int) -> tuple[Sequence, ...]:
        """The sequence in pieces of at most `length` tokens, in order, without overlap: each token is in one of them.

        No piece but a whole sequence has a single token, which could not be trained: the piece before it gives one up.
        The text and the offsets of each piece are its own.
        """
        whole = len(self.input_ids)
        edges = [*range(0, max(whole, 1), length), whole]
        if len(edges) > 2 and edges[-1] - edges[-2] == 1:
            edges[-2] -= 1
        pieces = []
        begin = 0
        for start, end in pairwise(edges):
            offsets = self.offsets[start:end]
            stop = max((last for _, last in offsets), default=begin)
            pieces.append(
                Sequence(
                    self.input_ids[start:end],
                    self.labels[start:end],
                    text=self.text[begin:stop],
                    offsets=tuple((max(first, begin) - begin, max(last, begin) - begin) for first, last in offsets),
                )
            )
            begin = max(begin, stop)
        return tuple(pieces)

    def cut(self, length: int, *, keeps_end: bool = False) -> Sequence:
        """The sequence up to a length, with what that takes away: at its end, or at its beginning."""
        over = len(self.input_ids) - length
        if over <= 0:
            return self
        kept, lost = (slice(over, None), slice(over)) if keeps_end else (slice(length), slice(length, None))
        return Sequence(
            input_ids=self.input_ids[kept],
            labels=self.labels[kept],
            lost_tokens=over,
            lost_trained=carrying(self.labels[lost]),
            first_kept=over if keeps_end else 0,
            text=self.text,
            offsets=self.offsets,
            answer=self.answer,
        )


@dataclass(frozen=True, slots=True)
class Encoded:
    """A sample as tokens.

    Attributes:
        rows: what the trainer's dataset holds of it, by column: one row, or several of a long text or a pair.
        sequences: what the model computes for it: one, one for each chunk, or one for each answer of a pair.
        parts: tokens of each part before the cut, where a sample has parts: `prompt`, `chosen`, `rejected`.
        losses: what the sample holds and the rendered text does not.
        control_tokens: special tokens of the tokenizer that stand in the sample's texts.
        reduced: whether the sample held something that the user trains without.
        generated: whether the model writes the answer while it trains: then no token of the sample carries loss, and it
            stays in the dataset.
    """

    rows: tuple[Mapping[str, Any], ...]
    sequences: tuple[Sequence, ...]
    parts: Mapping[str, int]
    losses: tuple[LostPart, ...] = ()
    control_tokens: tuple[str, ...] = ()
    reduced: bool = False
    generated: bool = False

    @property
    def not_rendered(self) -> tuple[LostPart, ...]:
        """What is lost from what is trained."""
        return tuple(loss for loss in self.losses if loss.trained)

    @property
    def context_lost(self) -> tuple[LostPart, ...]:
        """What is lost from context only."""
        return tuple(loss for loss in self.losses if not loss.trained)

    @property
    def tokens(self) -> int:
        """Tokens after the cut, in all sequences."""
        return sum(len(sequence.input_ids) for sequence in self.sequences)

    @property
    def trained_tokens(self) -> int:
        """Tokens that carry loss, in all sequences."""
        return sum(sequence.trained_tokens for sequence in self.sequences)

    @property
    def lost_tokens(self) -> int:
        """Tokens that the cut took away, in all sequences."""
        return sum(sequence.lost_tokens for sequence in self.sequences)

    @property
    def lost_trained(self) -> int:
        """How many of those would have carried loss."""
        return sum(sequence.lost_trained for sequence in self.sequences)

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence before the cut: what a max length has to hold."""
        return max(sequence.total for sequence in self.sequences)

    @property
    def carries_loss(self) -> bool:
        """Whether it stays in the dataset: TRL leaves out what the mask or the cut left without a label."""
        return self.generated or any(carrying(sequence.labels) for sequence in self.sequences)
