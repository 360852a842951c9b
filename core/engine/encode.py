"""One sample to tokens and labels: the only place where it happens.

Preview, counts, training and evaluation all go through `encode`, and what a batch looks like is decided by TRL's own
collator (`collator`). The tokens and labels are those that TRL makes of the same messages, so the losses are equal to
the last bit; a test holds that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.clean import clean_line
from core.dataset.sample import Message, Sample
from core.engine.template import Template
from core.errors import BadInput
from core.recipe.recipe import Data

MASKED = -100
"""The label of a token that carries no loss."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the tokens and labels of a sample, beside the tokenizer.

    Attributes:
        template: the chat template.
        max_length: tokens after which a sample is cut.
        loss_on: `answers` or `everything`.
        packing: `none`, `bfd`, `bfd_split` or `wrapped`; the last two cut nothing off.
    """

    template: Template
    max_length: int
    loss_on: str = "answers"
    packing: str = "none"

    @classmethod
    def of(cls, data: Data, template: Template) -> Settings:
        """The settings of a recipe."""
        return cls(template, data.max_length, data.loss_on, data.packing)

    @property
    def cuts(self) -> bool:
        """Whether tokens beyond the max length are lost."""
        return self.packing in ("none", "bfd")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A sample as the model gets it.

    Attributes:
        input_ids: token ids, cut at the max length.
        labels: the same length; the token id where it carries loss, else `MASKED`.
        lost_tokens: tokens that the cut took away.
        lost_trained: how many of those would have carried loss.
        text: the rendered text before the cut; only where it was asked for.
        offsets: for each token before the cut, its start and end character in `text`; only where asked for.
    """

    input_ids: list[int]
    labels: list[int]
    lost_tokens: int = 0
    lost_trained: int = 0
    text: str = ""
    offsets: tuple[tuple[int, int], ...] = ()

    @property
    def trained_tokens(self) -> int:
        """Tokens that carry loss. The first token of a sequence is never predicted, so it does not count."""
        return sum(label != MASKED for label in self.labels[1:])

    @property
    def carries_loss(self) -> bool:
        """Whether it stays in the data set: TRL leaves out what the mask or the cut left without a label."""
        return any(label != MASKED for label in self.labels)


def encode(sample: Sample, tokenizer: Any, settings: Settings, *, with_text: bool = False) -> Encoded:
    """Tokens and labels of one sample.

    Args:
        sample: in the normal form.
        tokenizer: a fast tokenizer.
        settings: template, max length, and what carries loss.
        with_text: also keep the rendered text and each token's place in it, for a screen.

    Raises:
        BadInput: the template refuses the sample, or cannot mark its answers.
    """
    if sample.kind == "text":
        whole = _encode_text(sample.text, tokenizer, with_text)
    else:
        whole = _encode_messages(sample, tokenizer, settings, with_text)
    length = settings.max_length
    if not settings.cuts or len(whole.input_ids) <= length:
        return whole
    return Encoded(
        input_ids=whole.input_ids[:length],
        labels=whole.labels[:length],
        lost_tokens=len(whole.input_ids) - length,
        lost_trained=sum(label != MASKED for label in whole.labels[length:]),
        text=whole.text,
        offsets=whole.offsets,
    )


def _encode_text(text: str, tokenizer: Any, with_text: bool) -> Encoded:
    ended = text if text.endswith(tokenizer.eos_token) else text + tokenizer.eos_token
    encoding = tokenizer(text=ended, return_offsets_mapping=with_text)
    ids: list[int] = list(encoding["input_ids"])
    offsets = tuple(encoding["offset_mapping"]) if with_text else ()
    if len(ids) > 1 and ids[0] == ids[1] == tokenizer.bos_token_id:  # the text has one, and the tokenizer adds one
        ids, offsets = ids[1:], offsets[1:]
    return Encoded(ids, list(ids), text=ended if with_text else "", offsets=offsets)


def _encode_messages(sample: Sample, tokenizer: Any, settings: Settings, with_text: bool) -> Encoded:
    turns = supervised_turns(sample)
    template = settings.template
    muted = any(turn.role == "assistant" and not turn.trained for turn in turns)
    masked = settings.loss_on == "answers" or muted
    if not template.text:
        raise BadInput(
            "The model has no chat template, so chat samples cannot become tokens",
            where="model.chat_template",
            do="Choose a shipped one, chatml for example",
        )
    if masked and not template.marks_answers:
        raise BadInput(
            "The chat template does not mark its answers with {% generation %}, so no loss mask can be made",
            where="model.chat_template",
            do="Choose a shipped template, or set data.loss_on to everything",
        )
    talk = [_plain(turn) for turn in turns]
    tools = list(sample.tools) or None
    rendered = _apply(tokenizer, talk, tools, template.text, masked)
    if template.like:
        _same_text(tokenizer, talk, tools, template)
    ids: list[int] = list(rendered["input_ids"])
    labels = list(ids)
    if settings.loss_on == "answers":
        labels = [token if bit else MASKED for token, bit in zip(ids, rendered["assistant_masks"], strict=True)]
    if muted:
        _mute(labels, turns, tokenizer, talk, tools, template.text, rendered)
    if not with_text:
        return Encoded(ids, labels)
    text: str = tokenizer.apply_chat_template(talk, tools=tools, chat_template=template.text, tokenize=False)
    return Encoded(ids, labels, text=text, offsets=tuple(rendered.encodings[0].offsets))


def supervised_turns(sample: Sample) -> tuple[Message, ...]:
    """The conversation to learn from: the messages, or prompt and chosen answer of preference data.

    Raises:
        BadInput: the sample's answer is marked as a bad one.
    """
    if sample.kind == "kto" and not sample.label:
        raise BadInput("The answer is marked as a bad one, which supervised training must not learn")
    if sample.kind == "messages":
        return sample.messages
    prompt = tuple(
        Message(turn.role, turn.content, turn.reasoning, turn.tool_calls, turn.name, trained=False)
        for turn in sample.messages
    )
    return (*prompt, *sample.chosen)


def _plain(turn: Message) -> dict[str, Any]:
    value = turn.to_json()
    value.pop("trained", None)
    return value


def _apply(tokenizer: Any, talk: list[dict[str, Any]], tools: Any, template: str, masked: bool) -> Any:
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(
            talk,
            tools=tools,
            chat_template=template,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=masked,
        )
    except (TemplateError, TypeError, ValueError, KeyError, IndexError) as error:
        raise BadInput(
            f"The chat template refuses the sample: {clean_line(str(error), 200)}",
            do="Correct the sample (roles, order of turns, tool calls), or choose another template",
        ) from error


def _same_text(tokenizer: Any, talk: list[dict[str, Any]], tools: Any, template: Template) -> None:
    """Makes sure that the model is trained on the text that it will be asked with, tools and all."""
    trained, asked = (
        tokenizer.apply_chat_template(talk, tools=tools, chat_template=text, tokenize=False)
        for text in (template.text, template.like)
    )
    if trained != asked:
        raise BadInput(
            "The model's own chat template renders this sample differently from the one that marks its answers",
            do="Set model.chat_template to one that marks answers and knows tools and reasoning, or leave it out",
        )


def _mute(
    labels: list[int],
    turns: tuple[Message, ...],
    tokenizer: Any,
    talk: list[dict[str, Any]],
    tools: Any,
    template: str,
    rendered: Any,
) -> None:
    """Takes the loss off the turns that the data says carry none."""
    from transformers.utils.chat_template_utils import render_jinja_template

    _, spans = render_jinja_template(
        conversations=[talk],
        tools=tools,
        chat_template=template,
        return_assistant_tokens_mask=True,
        **tokenizer.special_tokens_map,
    )
    answers = [turn for turn in turns if turn.role == "assistant"]
    if len(spans[0]) != len(answers):
        raise BadInput(
            f"The chat template marks {len(spans[0])} answers where the sample has {len(answers)}, "
            "so the turns without loss cannot be told apart",
            do="Choose another template, or leave the sample out",
        )
    encoding = rendered.encodings[0]
    for turn, (start, end) in zip(answers, spans[0], strict=True):
        if turn.trained:
            continue
        for place, (first, last) in enumerate(encoding.offsets):
            if first < end and last > start:
                labels[place] = MASKED


def collator(tokenizer: Any, *, packing: str = "none") -> Any:
    """TRL's collator as its trainer makes it: it pads with `MASKED` labels, or flattens packed sequences.

    Args:
        tokenizer: with a padding token.
        packing: the recipe's `data.packing`.
    """
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    return DataCollatorForLanguageModeling(
        pad_token_id=tokenizer.pad_token_id, padding_free=packing in ("bfd", "bfd_split")
    )


def collate(samples: list[Encoded], tokenizer: Any) -> dict[str, Any]:
    """Samples as the one batch that the model gets: each of its tensors is (samples, longest)."""
    rows = [{"input_ids": sample.input_ids, "labels": sample.labels} for sample in samples]
    batch: dict[str, Any] = collator(tokenizer)(rows)
    return batch
