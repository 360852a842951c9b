"""Rows that answer the same prompt in different ways."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from core.dataset.checks.base import Check, Context, Flag, SetProperty
from core.dataset.checks.first_rows import FirstRows
from core.dataset.item import Item
from core.units import percent

if TYPE_CHECKING:
    from core.dataset.near.corpus import Corpus

_NO_DIGITS = bytes(code for code in range(256) if code not in b"0123456789")
_MARKS = b"\"',;?"
_LAST = b" .:"
_END = " .!?:;"
_SHORT = 60
"""Characters of an answer that is another one as soon as it differs; longer ones may be said in other words."""

_ALIKE = 0.6


class ConflictingAnswers(Check):
    """Another answer to a prompt that an earlier row has.

    Prompts are compared normalized and without quotes, commas and question marks; with the system prompt, earlier turns
    and tools; those with media are not compared. Pairs conflict where one prefers what the other rejects, rated answers
    where one is good and bad. With a near-duplicate search, near prompts with the same numbers are compared as well:
    those of near-duplicates, and all prompts with answers of at most 60 characters.
    """

    name = "conflicting_answers"
    title = "conflicting answers"
    help = (
        "Another row has the same or nearly the same prompt but a different answer: the examples contradict each other."
    )
    example = '`{"prompt": "Is it open?", "completion": "yes"}` and `{"prompt": "Is it open", "completion": "no"}`'
    advice = (
        "Keep the right answer and drop the others. Keep them all if the prompt has several good answers. If most rows "
        "share a prompt, this is reported once for the dataset, not per row."
    )
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._first = FirstRows()
        self._seen = 0
        # Rows that repeat a prompt, the first row that has it, and whether the answer is another.
        self._rows = array("L")
        self._of = array("L")
        self._differs = array("B")
        # For each row, where a search runs: its answer, the numbers in its prompt, and where the prompt ends.
        self._answers = array("q")
        self._numbers = array("q")
        self._prompt_ends = array("l")
        self._prompts: Corpus | None = None

    def inspect(self, item: Item) -> Flag | None:
        """Notes prompt and answer; which rows conflict shows at the end, since the first of them does as well."""
        found = _parts(item)
        if self.context.near is not None:
            while len(self._answers) < item.row:
                self._note(None, b"")
            self._note(found, b"" if found is None else found[2])
            self._take_prompt(item)
        if found is None:
            return None
        self._seen += 1
        key, answer, _, _ = found
        first, other = self._first.put(key, item.row, answer)
        if first != item.row:
            self._rows.append(item.row)
            self._of.append(first)
            self._differs.append(answer != other)
        return None

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Flags every row of a prompt with several answers, unless most rows are such; then those that are near."""
        flagged = self._conflicting()
        if not self.is_property(len(flagged), self._seen):
            for row, other in flagged.items():
                yield row, self.flag(f"same prompt as row {other + 1:,}, different answer")
        for row, other, similarity in self._near():
            if row not in flagged:
                flagged[row] = other
                yield (
                    row,
                    self.flag(
                        f"{percent(similarity)} similar to row {other + 1:,}, different answer", similarity=similarity
                    ),
                )

    def properties(self) -> Iterator[SetProperty]:
        """How many rows share their prompts, where those are most."""
        rows = len(self._conflicting())
        if self.is_property(rows, self._seen):
            said = f"{rows:,} of {self._seen:,} rows share a prompt with a row that has a different answer"
            yield SetProperty(self.name, said, rows)

    def _conflicting(self) -> dict[int, int]:
        """Each row of a prompt with several answers, and another row of that prompt."""
        conflicts: dict[int, int] = {}
        for row, first, differs in zip(self._rows, self._of, self._differs, strict=True):
            if differs:
                conflicts.setdefault(first, row)
        found = dict(conflicts)
        for row, first, differs in zip(self._rows, self._of, self._differs, strict=True):
            if first in conflicts:
                found[row] = first if differs else conflicts[first]
        return dict(sorted(found.items()))

    def _note(self, found: tuple[int, int, bytes, int] | None, prompt: bytes) -> None:
        self._answers.append(0 if found is None else found[1])
        self._numbers.append(0 if found is None else hash(prompt.translate(None, _NO_DIGITS)))
        self._prompt_ends.append(-1 if found is None else found[3])

    def _take_prompt(self, item: Item) -> None:
        """Keeps the prompt of a row with a short answer: whole texts that are near have answers that are, mostly."""
        from core.dataset.near.corpus import Corpus

        end = self._prompt_ends[item.row]
        if self.context.near is None or end <= 0 or len(item.normalized) - end > _SHORT:
            return
        if self._prompts is None:
            self._prompts = Corpus(self.context.near.folder)
        self._prompts.add(item.row, item.normalized[:end], item.content)

    def _near(self) -> Iterator[tuple[int, int, float]]:
        """Pairs of rows that are near: the prompts are, and the answers are not."""
        from core.dataset.near.search import find_clusters

        near = self.context.near
        if near is None:
            return
        for cluster in near.result.clusters:
            for drop in cluster.drop:
                if self._differ(drop.row, drop.because_of) and self._other_answer(drop.row, drop.because_of):
                    yield drop.row, drop.because_of, drop.similarity
                    yield drop.because_of, drop.row, drop.similarity
        if self._prompts is None:
            return
        try:
            self._prompts.settle()
            for cluster in find_clusters(self._prompts, near.options, tick=near.tick):
                for drop in cluster.drop:
                    if self._differ(drop.row, drop.because_of):
                        yield drop.row, drop.because_of, drop.similarity
                        yield drop.because_of, drop.row, drop.similarity
        finally:
            self._prompts.close()

    def _differ(self, row: int, other: int) -> bool:
        """Whether two rows with near prompts have other answers, and the same numbers in their prompts."""
        if max(row, other) >= len(self._answers) or min(self._prompt_ends[row], self._prompt_ends[other]) < 0:
            return False
        return self._answers[row] != self._answers[other] and self._numbers[row] == self._numbers[other]

    def _other_answer(self, row: int, other: int) -> bool:
        """Whether the prompts of two rows are near, and their answers say other things."""
        from core.dataset.near.exact import jaccard

        near = self.context.near
        if near is None:
            return False
        if near.options.fields == "prompt":
            return True
        if near.options.fields == "answer":
            return False
        (asked, said), (asked_there, said_there) = (
            (text[: self._prompt_ends[number]], text[self._prompt_ends[number] :].strip())
            for number, text in ((row, near.text(row)), (other, near.text(other)))
        )
        if jaccard(asked, asked_there) < near.options.threshold and asked != asked_there:
            return False
        return min(len(said), len(said_there)) <= _SHORT or jaccard(said, said_there) < _ALIKE


def _parts(item: Item) -> tuple[int, int, bytes, int] | None:
    """Hashes of a row's prompt and answer, the prompt, and where it ends in the text; -1 for rated answers."""
    sample = item.sample
    if sample is None or sample.kind == "text":
        return None
    turns = sample.messages
    if sample.kind == "messages":
        if not turns or turns[-1].role != "assistant":
            return None
        turns = turns[:-1]
    roles = [turn.role for turn in turns if not turn.media]
    if "user" not in roles or len(roles) < len(turns):
        return None
    end, text = item.ends[len(turns) - 1], item.normalized
    prompt = item.encoded[:end] if text.isascii() else text[:end].encode("utf-8", "surrogatepass")
    about: Any = prompt.translate(None, _MARKS).rstrip(_LAST)
    if not about:
        return None
    if sample.tools or len(roles) > 1:
        about = (about, *roles, str(sample.tools))
    if sample.kind == "messages":
        return hash(about), hash(text[end:].strip(_END)), prompt, end
    then = item.ends[len(turns) + len(sample.chosen) - 1] if sample.chosen else end
    chosen, rejected = hash(text[end:then].strip(_END)), hash(text[then:].strip(_END))
    if sample.kind == "kto":
        return hash((about, chosen)), hash(bool(sample.label)), prompt, -1
    if chosen == rejected:
        return None
    return hash((about, min(chosen, rejected), max(chosen, rejected))), chosen, prompt, -1
