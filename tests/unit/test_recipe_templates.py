"""Shipped chat templates render what the family's own renders, and mark the answers and their end of turn."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import CallBlock, Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import BadInput
from core.recipe import templates
from core.recipe.model_shape import marks_answers
from core.recipe.rules.template import marked_twin, template_text, why_it_refuses
from tests.kit.chat_talks import MISTRAL
from tests.kit.recipe_models import TINY, shape_from

_CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
    "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou "
    "are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + "
    "message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""Both as their models publish them; trl carries the others."""

_IN_TRL = {
    "llama3": "llama3",
    "llama3.1": "llama3_1",
    "qwen2.5": "qwen2_5",
    "gemma": "gemma",
    "phi3": "phi3",
    "gemma4": "gemma4_v5",
    "lfm2.5": "lfm2_2_5_v2",
}
_OF_FAMILIES = [name for name in templates.names() if name != "plain"]
_OPEN, _CLOSE = "\ue000", "\ue001"

_SYSTEM = {"role": "system", "content": "Be <brief>.\n\n"}
_TURNS = [
    {"role": "user", "content": "  Hi, “you”?\n"},
    {"role": "assistant", "content": "Yes.\n\n- one\n"},
    {"role": "user", "content": "Again 日本"},
    {"role": "assistant", "content": " <|im_end|> {{ x }}"},
]


class _Marks(Extension):
    """Shows where a `generation` block begins and ends."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller: Any) -> str:
        return f"{_OPEN}{caller()}{_CLOSE}"


@cache
def _compiled(template: str) -> Any:
    """A template, with jinja2 set up as transformers does."""

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[_Marks, loopcontrols])
    environment.globals["raise_exception"] = refuse
    return environment.from_string(template)


def render(template: str, talk: list[dict[str, str]], *, marked: bool = False, asked: bool = False) -> str:
    """A talk through a template."""
    text: str = _compiled(template).render(
        messages=talk, add_generation_prompt=asked, bos_token="<bos>", eos_token="<eos>", tools=None
    )
    return text if marked else text.replace(_OPEN, "").replace(_CLOSE, "")


def original(name: str) -> str:
    """The family's own template."""
    if name in _IN_TRL:
        trl = pytest.importorskip("trl", reason="the train extra is not installed")
        return (Path(trl.__file__).parent / "chat_templates" / f"{_IN_TRL[name]}.jinja").read_text()
    return {"chatml": _CHATML, "smollm2": _SMOLLM2, "mistral": MISTRAL["Mistral v3"]}[name]


@pytest.mark.parametrize("name", _OF_FAMILIES)
def test_a_shipped_template_renders_what_the_familys_own_renders(name: str) -> None:
    shipped, own = templates.text(name), original(name)
    checked = 0
    for count, asked, system in itertools.product(range(1, 5), (False, True), (False, True)):
        if name in ("gemma", "mistral") and system:
            continue  # the family has no system role, or none before an answer
        talk = [*([_SYSTEM] if system else []), *_TURNS[:count]]
        assert render(shipped, talk, asked=asked) == render(own, talk, asked=asked)
        checked += 1
    assert checked >= 8


@pytest.mark.parametrize("name", templates.names())
def test_a_shipped_template_marks_each_answer_with_its_end_and_nothing_else(name: str) -> None:
    text = render(templates.text(name), _TURNS, marked=True)
    parts = [piece.partition(_CLOSE)[0] for piece in text.split(_OPEN)[1:]]
    ends = {
        "llama3": "<|eot_id|>",
        "llama3.1": "<|eot_id|>",
        "gemma": "<end_of_turn>",
        "phi3": "<|end|>",
        "plain": "<eos>",
        "gemma4": "<turn|>",
        "lfm2.5": "<|im_end|>\n",
        "mistral": "<eos>",
    }
    end = ends.get(name, "<|im_end|>")
    trimmed = name in ("llama3", "llama3.1", "gemma", "gemma4", "mistral")
    before = " " if name == "mistral" else ""
    answers = [turn["content"] for turn in _TURNS if turn["role"] == "assistant"]
    assert parts == [before + (answer.strip() if trimmed else answer) + end for answer in answers]
    assert marks_answers(templates.text(name))


@pytest.mark.parametrize("name", ["gemma4", "lfm2.5", "llama3.1", "mistral", "qwen2.5"])
def test_a_template_that_cannot_render_tools_refuses_them(name: str) -> None:
    for turn in ({"role": "tool", "content": "4"}, {"role": "assistant", "content": "", "tool_calls": [{}]}):
        with pytest.raises(TemplateError, match="renders no tools"):
            render(templates.text(name), [*_TURNS[:1], turn])


@pytest.mark.parametrize("name", [name for name in _OF_FAMILIES if name not in ("lfm2.5", "mistral")])
def test_the_marked_twin_of_a_familys_own_template_is_found(name: str) -> None:
    assert marked_twin(original(name)) == name


def test_no_twin_is_made_up() -> None:
    assert marked_twin("") == ""
    assert marked_twin(templates.text("chatml")) == ""  # it marks its answers itself
    assert marked_twin("{% for m in messages %}{{ m.content }}{% endfor %}") == ""
    assert marked_twin("{% for m in messages %") == ""
    assert marked_twin("{{ raise_exception('never') }}") == ""


def test_the_chosen_template_is_a_shipped_one_a_file_or_the_models_own(tmp_path: Path) -> None:
    shape = shape_from(TINY, template="own")
    file = tmp_path / "mine.jinja"
    file.write_text("mine")
    assert template_text("", shape) == "own"
    assert template_text("chatml", shape) == templates.text("chatml")
    assert template_text(str(file), shape) == "mine"
    with pytest.raises(BadInput, match=r"There is no such chat template\. Use .*chatml"):
        template_text(str(tmp_path / "none.jinja"), shape)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{% for x %}", "expected token"),
        ("{{ 1 / 0 }}", "division"),
        ("{{ raise_exception('no such role') }}", "no such role"),
        ("{{ messages[5].content }}", "5"),
        ("{{ messages | nonsense }}", "nonsense"),
        (_CHATML, ""),
    ],
)
def test_a_template_that_renders_no_conversation_says_why(text: str, word: str) -> None:
    assert word in why_it_refuses(text)
    assert bool(word) == bool(why_it_refuses(text))
