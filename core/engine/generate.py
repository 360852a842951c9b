"""Answers of a model to prompts: batched, padded on the left, ended by the template's own end of turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from core.dataset.sample import Message
from core.engine.plain import plain_prompt_ids
from core.engine.template import Template, as_template_turn


@dataclass(frozen=True, slots=True)
class Generated:
    """What a model answered.

    Attributes:
        text: the answer, special tokens and outer white space taken off.
        tokens: how many were generated, the end of turn included.
        ended: whether it ended its turn, rather than being cut at the limit.
        ids: its tokens, the end of turn included.
    """

    text: str
    tokens: int
    ended: bool
    ids: tuple[int, ...] = ()


def prompt_ids(
    turns: Sequence[Message], tokenizer: Any, template: Template, tools: Sequence[dict[str, Any]] = ()
) -> list[int]:
    """The tokens of a conversation up to where the model is to answer, as a server would make them.

    Raises:
        BadInput: without a chat template, the conversation is more than a prompt.
    """
    if template.plain:
        return plain_prompt_ids(turns, tools, tokenizer)
    talk = list(map(as_template_turn, turns))
    rendered = tokenizer.apply_chat_template(
        talk,
        tools=list(tools) or None,
        chat_template=template.text,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
    )
    return list(rendered["input_ids"])


def stop_ids(model: Any, tokenizer: Any, template: Template) -> list[int]:
    """Every token after which an answer is over: the tokenizer's end, the model's own, the template's end of turn."""
    own = model.generation_config.eos_token_id
    found = {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])}
    if template.stop:
        found.add(tokenizer.convert_tokens_to_ids(template.stop))
    return sorted(token for token in found if token is not None)


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    *,
    stops: Sequence[int],
    max_new_tokens: int,
    temperature: float = 0.0,
    batch_size: int = 8,
    tick: Callable[[int], None] = lambda done: None,
    agree: Callable[[Sequence[int]], list[int]] | None = None,
) -> list[Generated]:
    """Answers prompts; with temperature 0 the likeliest token each time.

    Args:
        model: a causal language model in evaluation mode, with or without an adapter.
        tokenizer: of the model, with a padding token.
        prompts: token ids of each prompt.
        stops: ids that end an answer.
        max_new_tokens: after which an answer is cut.
        temperature: above 0, tokens are drawn at random from the whole distribution.
        batch_size: prompts answered at once; those of like length together.
        tick: called after every token with the number of prompts that are done; may raise to end it.
        agree: where several processes compute one model together: gets the likeliest next tokens here and gives those
            that count for all. Else one of them could end its answers before the others, which then wait for ever.

    Returns:
        The answers, in the order of the prompts.
    """
    from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

    # A configuration of our own: the model's may carry sampling and penalties that would make two models incomparable.
    how = GenerationConfig(
        do_sample=temperature > 0,
        temperature=temperature if temperature > 0 else None,
        top_k=0 if temperature > 0 else None,
        top_p=1.0 if temperature > 0 else None,
        num_beams=1,
        repetition_penalty=1.0,
        max_new_tokens=max_new_tokens,
        eos_token_id=list(stops),
        pad_token_id=tokenizer.pad_token_id,
    )
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    answers: dict[int, Generated] = {}
    ended: list[Exception] = []
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        rows = [prompts[place] for place in places]
        longest = max(len(row) for row in rows)
        ids = torch.full((len(rows), longest), tokenizer.pad_token_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, longest - len(row) :] = torch.tensor(row)
            mask[place, longest - len(row) :] = 1

        def ticking(*_: Any, done: int = len(answers), size: int = len(rows), **__: Any) -> torch.Tensor:
            try:
                tick(done)
            except Exception as error:  # raised below: a model that is shared out must come to the end of its forward
                ended.append(error)
            return torch.full((size,), bool(ended), device=model.device)

        # Not inference_mode: what it caches could not be trained with afterwards.
        with torch.no_grad(), _without_router_loss(model):
            out = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                generation_config=how,
                stopping_criteria=StoppingCriteriaList([ticking]),
                synced_gpus=False,  # `agree` keeps the processes together; who has failed must not wait for others here
                logits_processor=LogitsProcessorList([_Agreed(agree)] if agree is not None else []),
            )
        if ended:
            raise ended[0]
        for place, row in zip(places, out[:, longest:].tolist(), strict=True):
            answers[place] = _read(row, tokenizer, set(stops))
    return [answers[place] for place in range(len(prompts))]


@contextmanager
def _without_router_loss(model: Any) -> Iterator[None]:
    """Keeps mixtures of experts from computing the routers' loss, which fails where a cache holds earlier tokens."""
    config = model.config.get_text_config()
    before = getattr(config, "output_router_logits", False)
    if before:
        config.output_router_logits = False
    try:
        yield
    finally:
        if before:
            config.output_router_logits = before


class _Agreed:
    """Leaves one choice for the next tokens: the one that counts for all processes."""

    def __init__(self, agree: Callable[[Sequence[int]], list[int]]) -> None:
        self._agree = agree

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        tokens = torch.tensor(self._agree(scores.argmax(dim=-1).tolist()), device=scores.device)
        return torch.full_like(scores, -torch.inf).scatter_(1, tokens[:, None], 0.0)


def _read(row: list[int], tokenizer: Any, stops: set[int]) -> Generated:
    end = next((place for place, token in enumerate(row) if token in stops), None)
    kept = row if end is None else row[:end]
    text: str = tokenizer.decode(kept, skip_special_tokens=True)
    length = len(kept) + (end is not None)
    return Generated(text.strip(), length, end is not None, tuple(row[:length]))
