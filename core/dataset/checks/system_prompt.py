"""Rows whose system prompt is not that of nearly all others."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator

from core.dataset.checks.base import ROWS_OF_A_SET, Check, Context, Flag, SetProperty
from core.dataset.item import Item

_MAJORITY = 0.8
_MANY = 0.1


class SystemPromptDiffers(Check):
    """Another system prompt than at least four fifths of the rows have, or none where they have one."""

    name = "system_prompt"
    title = "other system prompt"
    help = "Most rows share a system prompt that this row lacks or replaces, so what it teaches may not carry over."
    example = "99 rows with a system prompt, one without"
    advice = (
        "Use one system prompt, or keep several on purpose and use the same ones at inference. If more than a tenth of "
        "the rows differ, this is reported once for the dataset, not per row."
    )
    severity = "note"
    remembers = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._rows = array("L")
        self._prompts = array("q")

    def inspect(self, item: Item) -> Flag | None:
        """Notes the prompt; the verdict needs all of them."""
        if item.sample is not None and item.sample.kind != "text":
            first = item.sample.messages[:1]
            prompt = first[0].content.strip() if first and first[0].role == "system" else ""
            self._rows.append(item.row)
            self._prompts.append(hash(prompt) if prompt else 0)
        return None

    def finish(self) -> Iterator[tuple[int, Flag]]:
        """Flags the rows outside the majority, if there is one and they are few."""
        usual, times = self._usual()
        if times < _MAJORITY * len(self._rows) or self._are_many(times):
            return
        share = f"{times:,} of {len(self._rows):,} rows"
        for row, prompt in zip(self._rows, self._prompts, strict=True):
            if prompt == usual:
                continue
            if not usual:
                yield row, self.flag(f"has a system prompt; {share} have none")
            elif not prompt:
                yield row, self.flag(f"no system prompt; {share} share one")
            else:
                yield row, self.flag(f"not the system prompt of {share}")

    def properties(self) -> Iterator[SetProperty]:
        """How the rows divide where there is no single system prompt that nearly all have."""
        usual, times = self._usual()
        if not self._are_many(times):
            return
        different = len(set(self._prompts)) - (0 in self._prompts)
        many = f"{different:,} system prompts" if different > 1 else "one system prompt"
        said = f"{many} in {len(self._rows):,} rows; {times:,} rows {'share one' if usual else 'have none'}"
        yield SetProperty(self.name, said, len(self._rows) - times)

    def _usual(self) -> tuple[int, int]:
        """The commonest system prompt, as its hash (0 for none), and its rows."""
        return Counter(self._prompts).most_common(1)[0] if len(self._rows) >= ROWS_OF_A_SET else (0, 0)

    def _are_many(self, times: int) -> bool:
        """Whether so many rows have another system prompt that it is a property of the set."""
        return bool(times) and self.is_property(len(self._rows) - times, len(self._rows), _MANY)
