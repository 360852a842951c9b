"""Held-out prompts for both models, and what the comparison comes to, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.dataset.sample import Message
from core.engine.encode import supervised_turns
from core.engine.generate import Generated, prompt_ids
from core.engine.samples import ViewRow
from core.engine.template import Template
from core.errors import BadInput

_TEXT_PROMPT = 64
"""Tokens of a plain text that both models continue; at most half of it."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A held-out sample without its last answer.

    Attributes:
        key: of the row.
        messages: the turns before the answer, as JSON.
        reference: the sample's own answer.
        ids: the tokens that the models get.
    """

    key: str
    messages: list[dict[str, Any]]
    reference: str
    ids: list[int]


def held_out_prompts(
    rows: Iterable[ViewRow], wanted: int, tokenizer: Any, template: Template, *, max_length: int
) -> list[Prompt]:
    """The first so many samples that have a question and an answer.

    Args:
        rows: of the eval half of the view.
        wanted: how many prompts.
        tokenizer: of the model.
        template: the chat template.
        max_length: tokens of a prompt; of a longer one its end is kept.
    """
    found: list[Prompt] = []
    for row in rows:
        if len(found) >= wanted:
            break
        prompt = _prompt(row, tokenizer, template)
        if prompt is not None:
            found.append(Prompt(prompt.key, prompt.messages, prompt.reference, prompt.ids[-max_length:]))
    return found


def _prompt(row: ViewRow, tokenizer: Any, template: Template) -> Prompt | None:
    sample = row.sample
    if sample.kind == "text":
        return _beginning(row, tokenizer)
    try:
        turns = supervised_turns(sample)
    except BadInput:
        return None
    answers = [place for place, turn in enumerate(turns) if turn.role == "assistant"]
    if not answers or answers[-1] == 0 or not template.text:
        return None
    before = turns[: answers[-1]]
    try:
        ids = prompt_ids(before, tokenizer, template, sample.tools)
    except (ValueError, TypeError, KeyError):
        return None
    except Exception as error:
        from jinja2 import TemplateError

        if not isinstance(error, TemplateError):
            raise
        return None
    return Prompt(row.key, [turn.to_json() for turn in before], turns[answers[-1]].content, ids)


def _beginning(row: ViewRow, tokenizer: Any) -> Prompt | None:
    ids = list(tokenizer(text=row.sample.text)["input_ids"])
    size = min(_TEXT_PROMPT, len(ids) // 2)
    if size == 0:
        return None
    beginning = tokenizer.decode(ids[:size], skip_special_tokens=True)
    rest = tokenizer.decode(ids[size:], skip_special_tokens=True)
    return Prompt(row.key, [Message("user", beginning).to_json()], rest, ids[:size])


def findings(
    base_loss: float | None, tuned_loss: float | None, base: list[Generated], tuned: list[Generated]
) -> list[str]:
    """What a person must not miss: each a sentence. Empty where the tuned model did better and differs."""
    found = []
    if base_loss is not None and tuned_loss is not None and not tuned_loss < base_loss:
        found.append(
            f"The tuned model is no better on held-out samples: eval loss {tuned_loss:.3f}, the base has "
            f"{base_loss:.3f}. Fewer epochs, a lower learning rate or more samples may help."
        )
    same = sum(one.text == other.text for one, other in zip(base, tuned, strict=True))
    if base and same == len(base):
        found.append(
            f"The tuned model answers all {len(base)} prompts exactly as the base does: "
            "the training has changed nothing that shows. A higher learning rate or more steps may help."
        )
    endless = sum(not answer.ended for answer in tuned)
    if tuned and endless * 2 > len(tuned):
        found.append(
            f"The tuned model did not end its turn in {endless} of {len(tuned)} answers: it was cut at the limit. "
            "Raise evaluation.max_new_tokens, or look whether the end of an answer is trained."
        )
    return found
