"""Known templates get marks around their answers, and render as before: tools, calls, reasoning, systems."""

from __future__ import annotations

import itertools
import json
import re
from functools import cache
from typing import Any

import pytest
from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.recipe.templates.marks import digest_of, marked, normalized
from tests.kit.chat_talks import ALL_TALKS, CALLED, IN_TRL, MARKED_BY_ITSELF, MISTRAL, TOOLS, TURNS, end_of, of_trl
from tests.unit.test_recipe_templates import _CLOSE, _OPEN, _Marks

_ALL = [*IN_TRL, *MISTRAL]


def original(family: str) -> str:
    return MISTRAL[family] if family in MISTRAL else of_trl({**IN_TRL, **MARKED_BY_ITSELF}[family])


@cache
def compiled(template: str) -> Any:
    """A template as transformers sets jinja2 up, with the marks as characters."""

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[_Marks, loopcontrols])
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: "01 Jan 2026"
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
    return environment.from_string(template)


def render(template: str, talk: list[dict[str, Any]], **given: Any) -> str:
    """A talk through a template; what it refuses is its text as well."""
    values = {"bos_token": "<s>", "eos_token": "</s>", "tools": None, "add_generation_prompt": False, **given}
    try:
        text: str = compiled(template).render(messages=talk, **values)
    except (TemplateError, TypeError) as error:
        return f"refused: {error}"
    return text


def spans(text: str) -> list[str]:
    found = [piece.partition(_CLOSE)[0] for piece in text.split(_OPEN)[1:]]
    return [each for each in found if each]


@pytest.mark.parametrize("family", _ALL)
def test_a_marked_template_renders_every_talk_as_the_original(family: str) -> None:
    own = original(family)
    found = marked(own)
    assert found is not None
    assert found.exact == (family in IN_TRL)
    refused = 0
    for talk, asked, tools in itertools.product(ALL_TALKS, (False, True), (None, TOOLS)):
        before = render(own, talk, add_generation_prompt=asked, tools=tools)
        after = render(found.text, talk, add_generation_prompt=asked, tools=tools)
        assert after.replace(_OPEN, "").replace(_CLOSE, "") == before
        refused += before.startswith("refused")
    assert refused < len(ALL_TALKS) * 3


@pytest.mark.parametrize("family", [*_ALL, *MARKED_BY_ITSELF])
def test_each_answer_is_marked_with_its_end_and_nothing_else(family: str) -> None:
    found = marked(original(family))
    text = original(family) if family in MARKED_BY_ITSELF else found and found.text
    assert text
    answers = [turn["content"].strip() for turn in TURNS if turn["role"] == "assistant"]
    shown = spans(render(text, TURNS))
    assert [each.strip().removesuffix(end_of(family)).strip() for each in shown] == answers
    assert all(each.strip().endswith(end_of(family)) for each in shown)


@pytest.mark.parametrize("family", [*_ALL, *MARKED_BY_ITSELF])
def test_plain_talks_of_two_to_six_turns_keep_their_prefix(family: str) -> None:
    own = original(family)
    for count in range(2, 7):
        before, after = render(own, TURNS[: count - 1]), render(own, TURNS[:count])
        assert after.startswith(before)
        if TURNS[count - 1]["role"] == "assistant":
            assert after.startswith(render(own, TURNS[: count - 1], add_generation_prompt=True))


@pytest.mark.parametrize("family", [family for family in _ALL if family != "Mistral v1"])
def test_calls_are_marked_and_their_results_are_not(family: str) -> None:
    found = marked(original(family))
    assert found is not None
    text = render(found.text, CALLED, tools=TOOLS)
    shown = "".join(spans(text))
    assert "add" in shown
    assert "It is 4." in shown
    assert end_of(family) in shown
    unmarked = re.sub(f"{_OPEN}.*?{_CLOSE}", "", text, flags=re.S)
    assert ("Adds." in unmarked) == (family in IN_TRL)
    assert "Sure?" in unmarked
    assert '"x": "1"' not in unmarked
    assert not re.search(r"TOOL_RESULTS|ipython|response:add", shown)


def test_an_original_is_recognized_whatever_its_line_endings_and_no_other_is() -> None:
    own = of_trl("llama3_1")
    assert digest_of(f"\n{own}".replace("\n", "\r\n")) == digest_of(own)
    assert normalized(" a\r\nb ") == "a\nb"
    changed = marked(own.replace("26 Jul 2024", "1 Jan 2030"))
    assert changed is not None
    assert not changed.exact  # marked as well; then each sample is compared
    for other in ("", "{{ messages }}", of_trl("qwen3"), own.replace("<|eot_id|>", "<|eom_id|>")):
        assert marked(other) is None
