"""Answers: the same alone and in a batch, ended at the end of turn, without the prompt."""

from __future__ import annotations

from typing import Any

import pytest

from core.dataset.sample import Message
from core.engine.generate import generate, prompt_ids, stop_ids
from core.engine.load import hardware, load_base, load_tokenizer
from core.engine.template import Template, use_template
from core.paths import SAMPLE_DATA
from core.recipe.recipe import Model

BASE = Model(path=str(SAMPLE_DATA / "tiny_base"))


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any, Template]:
    tokenizer = load_tokenizer(BASE)
    return load_base(BASE, hardware(BASE, "cpu")).eval(), tokenizer, use_template(tokenizer, "")


def _prompts(tokenizer: Any, template: Template) -> list[list[int]]:
    questions = ("Why?", "Return the current working directory as a string, please.", "Open the file")
    return [prompt_ids([Message("user", question)], tokenizer, template) for question in questions]


def test_answers_in_a_batch_are_those_of_each_prompt_alone(loaded: tuple[Any, Any, Template]) -> None:
    model, tokenizer, template = loaded
    prompts = _prompts(tokenizer, template)
    stops = stop_ids(model, tokenizer, template)
    together = generate(model, tokenizer, prompts, stops=stops, max_new_tokens=24)
    alone = [generate(model, tokenizer, [prompt], stops=stops, max_new_tokens=24)[0] for prompt in prompts]
    assert together == alone
    assert all(answer.text for answer in together)


def test_an_answer_ends_with_its_turn_or_at_the_limit(loaded: tuple[Any, Any, Template]) -> None:
    model, tokenizer, template = loaded
    stops = stop_ids(model, tokenizer, template)
    assert tokenizer.convert_tokens_to_ids(template.stop) in stops
    prompt = _prompts(tokenizer, template)[1]
    (whole,) = generate(model, tokenizer, [prompt], stops=stops, max_new_tokens=200)
    assert whole.ended
    assert whole.tokens < 200
    assert template.stop not in whole.text
    (cut,) = generate(model, tokenizer, [prompt], stops=stops, max_new_tokens=3)
    assert not cut.ended
    assert cut.tokens == 3
    assert whole.text.startswith(cut.text)


def test_generation_can_be_ended_between_two_tokens(loaded: tuple[Any, Any, Template]) -> None:
    model, tokenizer, template = loaded
    calls = 0

    def tick(done: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        generate(model, tokenizer, _prompts(tokenizer, template), stops=[], max_new_tokens=50, tick=tick)
    assert calls == 3
