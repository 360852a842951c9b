"""Which chat template a recipe ends up with, and whether it marks the answers; no torch, jinja2 where it is there."""

from __future__ import annotations

import json
import sys
import time
from functools import lru_cache
from importlib import util
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.dataset.rendered import RenderTalk
from core.errors import BadInput
from core.jobs.launch import worker_python
from core.recipe import templates
from core.recipe.model_shape import ModelShape, marks_answers
from core.recipe.recipe import Recipe
from core.recipe.tasks import TASKS
from core.recipe.templates.marks import marked

REFUSALS = (TypeError, ValueError, ArithmeticError, RecursionError, AttributeError, LookupError)
"""What the rendering of a template raises besides jinja2's own errors."""


def _talk(*turns: str) -> list[dict[str, str]]:
    return [dict(zip(("role", "content"), turn.split(), strict=True)) for turn in turns]


_TALKS = (_talk("user one", "assistant two", "user three"), _talk("system zero", "user one", "assistant two"))
_SPECIAL = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}


def template_text(chosen: str, shape: ModelShape) -> str:
    """The text of the template that `model.chat_template` chooses; "" where the model has none, or none is wanted.

    Raises:
        BadInput: neither the name of a shipped template nor a readable file.
    """
    if not chosen:
        return shape.template
    if chosen == templates.NO_TEMPLATE:
        return ""
    if chosen in templates.names():
        return templates.text(chosen)
    try:
        return Path(chosen).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            "There is no such chat template",
            where=clean_line(chosen),
            do=f"Use a .jinja file, none, or one of {', '.join(templates.names())}",
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


def training_template(recipe: Recipe, shape: ModelShape) -> str:
    """The text of the template that training renders with, as `core.engine.template.use_template` finds it.

    Returns:
        "" where only the worker can tell.

    Raises:
        BadInput: as `template_text`.
    """
    own = template_text(recipe.model.chat_template, shape)
    if not own or recipe.model.chat_template or marks_answers(own) or not TASKS[recipe.task].marks:
        return own
    if util.find_spec("trl") is None or worker_python() != sys.executable:
        return ""
    if form := _training_form(own):
        return form
    if known := marked(own):
        return known.text
    twin = marked_twin(own)
    return templates.text(twin) if twin else ""


@lru_cache(maxsize=16)
def _training_form(template: str) -> str:
    """TRL's training form of a template that it ships, read from its files, or ""."""
    spec = util.find_spec("trl")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        for file in sorted(Path(place, "chat_templates").glob("*.jinja")):
            trained = file.with_name(f"{file.stem}_training.jinja")
            try:
                if trained.exists() and file.read_text(encoding="utf-8") == template:
                    return trained.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
    return ""


def talk_renderer(template: str, begin: str = "", end: str = "") -> RenderTalk | None:
    """How a template renders talks; None where jinja2 is not installed: then only the worker can tell.

    Args:
        template: its text.
        begin: the token that begins a text, or "".
        end: the token that ends one, or "".
    """
    if util.find_spec("jinja2") is None:
        return None
    named = {"bos_token": begin or _SPECIAL["bos_token"], "eos_token": end or _SPECIAL["eos_token"]}

    def render(talk: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> tuple[str | None, None]:
        return _render(template, talk, tools=tools, add_generation_prompt=False, **named), None

    return render


def _render(template: str, talk: list[dict[str, Any]], **given: Any) -> str | None:
    """A talk through a template, as transformers sets jinja2 up; None where the template refuses it."""
    from jinja2 import TemplateError

    try:
        return _rendered(template, talk, **given)
    except (TemplateError, *REFUSALS):
        return None


def _rendered(template: str, talk: list[dict[str, Any]], *, marks: bool = False, **given: Any) -> str:
    values = {**_SPECIAL, "add_generation_prompt": talk[-1]["role"] == "user" if talk else False, **given}
    text: str = _compiled(template, marks).render(messages=talk, **values)
    return text


def why_it_refuses(template: str) -> str:
    """Why a template cannot render a question with its answer, which no run can do without; "" if it can.

    Always "" where jinja2 is not installed: then only the worker can tell.
    """
    if util.find_spec("jinja2") is None:
        return ""
    from jinja2 import TemplateError

    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    try:
        _rendered(template, talk)
    except (TemplateError, *REFUSALS) as error:
        return clean_line(str(error) or type(error).__name__, 200).rstrip(".")
    return ""


OPEN, CLOSE = "\ue000", "\ue001"
"""What stands for the marks around an answer in `marked_text`: characters of no text."""


def marked_text(template: str, talk: list[dict[str, Any]], **given: Any) -> str | None:
    """A talk through a template, with `OPEN` and `CLOSE` around what it marks as answers; None where it refuses it.

    Args:
        template: its text.
        talk: turns as the template takes them.
        given: variables of the template: `bos_token`, `add_generation_prompt`.
    """
    from jinja2 import TemplateError

    try:
        return _rendered(template, talk, marks=True, **given)
    except (TemplateError, *REFUSALS):
        return None


@lru_cache(maxsize=32)
def _compiled(template: str, marks: bool) -> Any:
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """The marks around answers: what is inside is rendered as it is."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            """The body of a `generation` block."""
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            if marks:
                first, last = (nodes.Output([nodes.TemplateData(mark)]) for mark in (OPEN, CLOSE))
                body = [first, *body, last]
            return nodes.Scope(body).set_lineno(line)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def as_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **_: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = as_json
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = time.strftime
    return environment.from_string(template)
