"""What a chat template does in training and in use: does it train the stop, begin a text once, prompt as a server does?

Rendered with jinja2 on a few small talks, in milliseconds, without torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import util
from pathlib import Path
from typing import Any

from core.recipe.model_shape import marks_answers
from core.recipe.rules.template import CLOSE, OPEN, marked_text

_USER, _ANSWER, _NEXT, _SYSTEM = "first question", "first answer", "second question", "be brief"
_TURN = [{"role": "user", "content": _USER}]
_ANSWERED = [*_TURN, {"role": "assistant", "content": _ANSWER}]
_TALK = [*_ANSWERED, {"role": "user", "content": _NEXT}, {"role": "assistant", "content": "second answer"}]
_WITH_SYSTEM = [{"role": "system", "content": _SYSTEM}, *_ANSWERED]


@dataclass(frozen=True, slots=True)
class TemplateUse:
    """What was found; None where the template does not tell.

    Attributes:
        stop: the token that ends an answer, "" where none was seen.
        stop_trained: whether that token is inside the marks of the answer.
        begins: how often the token that begins a text stands in a rendered talk; None where the model has none.
        adds_begin: whether the tokenizer adds one by itself to plain text.
        system: `yes`; `refused`; or `dropped`, where the rendered text does not have it.
        prompt_kept: whether a prompt as a server renders it is the beginning of what is trained.
        prompt_end: what a server's prompt ends with and the trained text does not continue from; "" where it does.
        think: what stands between prompt and answer in training: a think block, empty or not; "" for none.
    """

    stop: str = ""
    stop_trained: bool | None = None
    begins: int | None = None
    adds_begin: bool = False
    system: str = "yes"
    prompt_kept: bool = True
    prompt_end: str = ""
    think: str = ""


def template_use(
    template: str, folder: Path, *, begin: str, end: str, added: Mapping[str, int] | None = None
) -> TemplateUse | None:
    """Looks at a template; None where jinja2 is not installed, or it refuses a plain talk.

    Args:
        template: its text.
        folder: of the model, whose tokenizer says whether it adds a beginning.
        begin: the token that begins a text, or "".
        end: the token that ends one, or "".
        added: the control tokens of the tokenizer.
    """
    if not template or util.find_spec("jinja2") is None:
        return None
    return _looked(template, begin, end, tuple(sorted(added or ())), _adds_begin(folder))


@lru_cache(maxsize=32)
def _looked(template: str, begin: str, end: str, added: tuple[str, ...], adds_begin: bool) -> TemplateUse | None:
    given: dict[str, Any] = {"bos_token": begin, "eos_token": end, "add_generation_prompt": False}
    talk, answered = (marked_text(template, each, **given) for each in (_TALK, _ANSWERED))
    prompt = marked_text(template, _TURN, **{**given, "add_generation_prompt": True})
    if talk is None or answered is None or prompt is None:
        return None
    plain, asked = _plain(answered), _plain(prompt)
    stop = _stop(_plain(talk), (*added, end))
    trained = None
    if stop and marks_answers(template):
        marked = talk.partition(OPEN)[2].partition(CLOSE)[0]
        trained = stop in marked.partition(_ANSWER)[2]
    with_system = marked_text(template, _WITH_SYSTEM, **given)
    system = "refused" if with_system is None else "yes" if _SYSTEM in with_system else "dropped"
    between = plain.partition(_USER)[2].partition(_ANSWER)[0]
    return TemplateUse(
        stop,
        trained,
        _plain(talk).count(begin) if begin else None,
        adds_begin,
        system,
        plain.startswith(asked),
        "" if plain.startswith(asked) else _differs(asked, plain),
        _think(between),
    )


def _plain(text: str) -> str:
    return text.replace(OPEN, "").replace(CLOSE, "")


def _stop(talk: str, tokens: tuple[str, ...]) -> str:
    """The control token that follows an answer's last word."""
    after = talk.partition(_ANSWER)[2].partition(_NEXT)[0]
    found = [(after.index(token), -len(token), token) for token in tokens if token and token in after]
    return min(found)[2] if found else ""


def _differs(asked: str, trained: str) -> str:
    """The end of a prompt from the control token on with which the trained text becomes another."""
    same = next((n for n, (one, other) in enumerate(zip(asked, trained, strict=False)) if one != other), len(trained))
    return asked[max(0, asked.rfind("<", 0, same + 1)) :]


def _think(between: str) -> str:
    start = between.find("<think>")
    return between[start:].strip() if start >= 0 else ""


def _adds_begin(folder: Path) -> bool:
    """Whether the tokenizer puts its beginning before plain text."""
    try:
        said = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(said, Mapping) and said.get("add_bos_token") is True
