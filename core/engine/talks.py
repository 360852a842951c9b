"""A conversation or a text as one sequence of tokens with its labels: what supervised training learns from."""

from __future__ import annotations

from typing import Any

from core.dataset.rendered import LostPart
from core.dataset.sample import KINDS, Message, Sample
from core.engine.encoded import MASKED, Encoded, EncodingSettings, Sequence, labels_of
from core.engine.plain import encode_plain
from core.engine.rendered import rendered_check
from core.engine.template import Template, as_template_turn, tokenize
from core.errors import BadInput
from core.recipe.tasks import TASKS


def encode(sample: Sample, tokenizer: Any, settings: EncodingSettings, *, with_text: bool) -> Encoded:
    """Tokens and labels of one sample, as `core.engine.encode.encode`."""
    task = TASKS[settings.task]
    if sample.kind not in task.samples:
        raise BadInput(
            f"{task.title} trains on {task.wants}, not on {KINDS[sample.kind]}",
            do="Drop it, or set the task to sft",
        )
    if sample.kind == "text":
        whole = _encode_text(sample.text, tokenizer, with_text)
    elif settings.template.plain:
        everything = settings.loss_on == "everything"
        turns = supervised_turns(sample)
        whole = encode_plain(turns, sample.tools, tokenizer, everything=everything, with_text=with_text)
    else:
        whole = _encode_messages(sample, tokenizer, settings, with_text)
    if not settings.cuts:
        kept: tuple[Sequence, ...] = (whole,)
    elif settings.chunk_text and sample.kind == "text":
        kept = whole.chunks(settings.max_length)
    else:
        kept = (whole.cut(settings.max_length, keeps_end=settings.keeps_end),)
    return Encoded(tuple({"input_ids": each.input_ids, "labels": each.labels} for each in kept), kept, {})


def losses(sample: Sample, tokenizer: Any, settings: EncodingSettings) -> tuple[LostPart, ...]:
    """What the conversation holds and the rendered text does not."""
    if sample.kind == "text" or settings.template.plain:  # what is more than text is refused there
        return ()
    template, everything = settings.template, settings.loss_on == "everything"
    check = rendered_check(tokenizer, template.text, marks=template.marks_answers and not everything)
    return check.losses(supervised_turns(sample), sample.tools, everything=everything)


def stop_trained(settings: EncodingSettings) -> bool:
    """Whether the token that ends an answer carries loss."""
    return settings.template.stop_trained or settings.loss_on == "everything"


def _encode_text(text: str, tokenizer: Any, with_text: bool) -> Sequence:
    ended = text if text.endswith(tokenizer.eos_token) else text + tokenizer.eos_token
    encoding = tokenizer(text=ended, return_offsets_mapping=with_text)
    ids: list[int] = list(encoding["input_ids"])
    offsets = tuple(encoding["offset_mapping"]) if with_text else ()
    if len(ids) > 1 and ids[0] == ids[1] == tokenizer.bos_token_id:  # the text has one, and the tokenizer adds one
        ids, offsets = ids[1:], offsets[1:]
    return Sequence(ids, list(ids), text=ended if with_text else "", offsets=offsets)


def _encode_messages(sample: Sample, tokenizer: Any, settings: EncodingSettings, with_text: bool) -> Sequence:
    turns = supervised_turns(sample)
    template = settings.template
    muted = any(turn.role == "assistant" and (not turn.trained or turn.untrained) for turn in turns)
    masked = settings.loss_on == "answers" or muted
    template.require()
    if masked and not template.marks_answers:
        raise BadInput(
            "The chat template does not mark the answers with {% generation %}, so there is no loss mask",
            where="model.chat_template",
            do="Choose a built-in template, or set data.loss_on to everything",
        )
    talk = [as_template_turn(turn) for turn in turns]
    tools = list(sample.tools) or None
    rendered = tokenize(tokenizer, talk, tools, chat_template=template.text, return_assistant_tokens_mask=masked)
    if template.like:
        _same_text(tokenizer, talk, tools, template)
    ids: list[int] = list(rendered["input_ids"])
    labels = list(ids)
    if settings.loss_on == "answers":
        labels = labels_of(ids, rendered["assistant_masks"])
    if muted:
        _mute(labels, turns, tokenizer, talk, tools, template.text, rendered)
    if not with_text:
        return Sequence(ids, labels)
    text: str = tokenizer.apply_chat_template(talk, tools=tools, chat_template=template.text, tokenize=False)
    return Sequence(ids, labels, text=text, offsets=tuple(rendered.encodings[0].offsets))


def supervised_turns(sample: Sample) -> tuple[Message, ...]:
    """The conversation to learn from: the messages, or prompt and chosen answer of preference data.

    Raises:
        BadInput: the sample's answer is marked as a bad one.
    """
    if sample.kind == "kto" and not sample.label:
        raise BadInput("The answer is marked as bad, so supervised training must not learn it")
    if sample.kind == "messages":
        return sample.messages
    prompt = tuple(turn.muted() for turn in sample.messages)
    return (*prompt, *sample.chosen)


def _same_text(tokenizer: Any, talk: list[dict[str, Any]], tools: Any, template: Template) -> None:
    """Makes sure that the model is trained on the text that it will be asked with, tools and all."""
    trained, asked = (
        tokenizer.apply_chat_template(talk, tools=tools, chat_template=text, tokenize=False)
        for text in (template.text, template.like)
    )
    if trained != asked:
        raise BadInput(
            "The model's own chat template renders this sample differently from the one that marks its answers",
            do="Set model.chat_template to one that marks answers and supports tools and reasoning, or drop the sample",
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
    """Takes the loss off the turns, and the parts of turns, that the data says carry none."""
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
            "so it is unclear which turns to train on",
            do="Choose another template, or drop the sample",
        )
    offsets = rendered.encodings[0].offsets
    parted = any(turn.trained and turn.untrained for turn in answers)
    text = _rendered(tokenizer, talk, tools, template) if parted else ""
    for turn, (start, end) in zip(answers, spans[0], strict=True):
        for first, last in [(start, end)] if not turn.trained else _placed(turn, text[start:end], start):
            for place, (begins, ends) in enumerate(offsets):
                if begins < last and ends > first:
                    labels[place] = MASKED


def _rendered(tokenizer: Any, talk: list[dict[str, Any]], tools: Any, template: str) -> str:
    text: str = tokenizer.apply_chat_template(talk, tools=tools, chat_template=template, tokenize=False)
    return text


def _placed(turn: Message, answer: str, start: int) -> list[tuple[int, int]]:
    """The untrained spans of a turn's content as places in the rendered text.

    Args:
        turn: an answer.
        answer: what the template makes of it.
        start: where that begins in the rendered text.

    Raises:
        BadInput: the template changes the content, or has it several times, so that the spans have no place.
    """
    if not turn.untrained:
        return []
    content = turn.content.strip()
    before = len(turn.content) - len(turn.content.lstrip())
    found = answer.find(content)
    if found < 0 or (found > 0 and answer.find(content, found + 1) >= 0):
        raise BadInput(
            "The chat template changes the text of an answer that has train_detail spans, so the parts without loss "
            "cannot be found",
            do="Choose another template, or drop the sample",
        )
    place = start + found - before
    return [(place + first, place + last) for first, last in turn.untrained]


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
    batch: dict[str, Any] = collator(tokenizer)([dict(row) for sample in samples for row in sample.rows])
    return batch


def masks(encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[list[bool]]:
    """Which tokens carry loss: the labels that the collator hands to the model."""
    labels: list[list[int]] = collate([encoded], tokenizer)["labels"].tolist()
    pairs = zip(labels, encoded.sequences, strict=True)
    return [[label != MASKED for label in batch[: len(sequence.input_ids)]] for batch, sequence in pairs]
