"""Which chat template a recipe ends up with, and whether it marks the answers; no torch, jinja2 where it is there."""

from __future__ import annotations

from functools import lru_cache
from importlib import util
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.errors import BadInput
from core.recipe import templates
from core.recipe.model_shape import ModelShape, marks_answers


def _talk(*turns: str) -> list[dict[str, str]]:
    return [dict(zip(("role", "content"), turn.split(), strict=True)) for turn in turns]


_TALKS = (_talk("user one", "assistant two", "user three"), _talk("system zero", "user one", "assistant two"))
_SPECIAL = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}


def template_text(chosen: str, shape: ModelShape) -> str:
    """The text of the template that `model.chat_template` chooses; "" where the model has none of its own.

    Raises:
        BadInput: neither the name of a shipped template nor a readable file.
    """
    if not chosen:
        return shape.template
    if chosen in templates.names():
        return templates.text(chosen)
    try:
        return Path(chosen).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            "There is no such chat template",
            where=clean_line(chosen),
            do=f"Use a .jinja file or one of {', '.join(templates.names())}",
        ) from error


@lru_cache(maxsize=64)
def marked_twin(template: str) -> str:
    """The name of the shipped template that renders the same text and marks the answers, or "".

    Always "" where jinja2 is not installed: then only the worker can tell.
    """
    if not template or marks_answers(template) or util.find_spec("jinja2") is None:
        return ""
    wanted = [_render(template, talk) for talk in _TALKS]
    if wanted[0] is None:
        return ""
    for name in templates.names():
        if [_render(templates.text(name), talk) for talk in _TALKS] == wanted:
            return name
    return ""


def _render(template: str, talk: list[dict[str, str]]) -> str | None:
    """A talk through a template, as transformers sets jinja2 up; None where the template refuses it."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """The marks around answers: what is inside is rendered as it is."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            """The body of a `generation` block."""
            line = next(parser.stream).lineno
            return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True)).set_lineno(line)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.globals["raise_exception"] = refuse
    asked = talk[-1]["role"] == "user"
    try:
        return environment.from_string(template).render(messages=talk, add_generation_prompt=asked, **_SPECIAL)
    except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError):
        return None
