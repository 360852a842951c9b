"""Prompts from held-out samples: each without its last answer, as the tokens that a model gets."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from core.dataset.sample import Message
from core.dataset.without import without
from core.engine.generate import prompt_ids
from core.engine.samples import ViewRow
from core.engine.talks import supervised_turns
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
    rows: Iterable[ViewRow],
    wanted: int,
    tokenizer: Any,
    template: Template,
    *,
    max_length: int,
    train_without: Collection[str] = (),
) -> list[Prompt]:
    """The first so many samples that have a question and an answer.

    Args:
        rows: of the eval half of the view.
        wanted: how many prompts.
        tokenizer: of the model.
        template: the chat template.
        max_length: tokens of a prompt; of a longer one its end is kept.
        train_without: parts that the training does without, `data.train_without`.
    """
    found: list[Prompt] = []
    for row in rows:
        if len(found) >= wanted:
            break
        prompt = _prompt(replace(row, sample=without(row.sample, train_without)), tokenizer, template)
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
    if not answers or answers[-1] == 0 or not (template.text or template.plain):
        return None
    before = turns[: answers[-1]]
    try:
        ids = prompt_ids(before, tokenizer, template, sample.tools)
    except (BadInput, ValueError, TypeError, KeyError):
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
