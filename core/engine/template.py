"""Which chat template turns turns into text, and what it says about the answers in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadInput

TEMPLATES = Path(__file__).resolve().parents[1] / "recipe" / "templates"
"""The templates that are shipped, `NAME.jinja`, all with generation markers."""

_MARKERS = re.compile(r"\{%-?\s*generation\s*-?%\}")
_PROBE = (
    {"role": "user", "content": "first question"},
    {"role": "assistant", "content": "first answer"},
    {"role": "user", "content": "second question"},
    {"role": "assistant", "content": "second answer"},
)


@dataclass(frozen=True, slots=True)
class Template:
    """A chat template as training uses it.

    Attributes:
        text: the Jinja source that training renders with, or "" for a model without one.
        origin: where it is from, in words.
        marks_answers: whether it marks the answers with `{% generation %}`.
        stop: the token that ends an answer, as text, or "" where none could be seen.
        stop_trained: whether that token is inside the marks, so that the model learns to stop.
        prompt_kept: whether a prompt is rendered alone as it is rendered before its answer.
    """

    text: str
    origin: str
    marks_answers: bool
    stop: str
    stop_trained: bool
    prompt_kept: bool


def use_template(tokenizer: Any, chosen: str) -> Template:
    """Finds the template and, if it is not the model's own, gives it to the tokenizer (and so to the adapter).

    A model's own template without marks is trained with one that renders the same text and has them, from TRL's or
    ours, where there is one; the tokenizer keeps its own.

    Args:
        tokenizer: of the model.
        chosen: the recipe's `model.chat_template`: "", the name of a shipped one, or a file.

    Raises:
        BadInput: there is no such template, or it cannot be read.
    """
    if chosen:
        text, origin = _read(chosen)
        tokenizer.chat_template = text
        return _facts(tokenizer, text, origin)
    own = tokenizer.chat_template
    if isinstance(own, dict):
        own = own.get("default", "")
    if not own:
        return Template("", "the model has no chat template", False, "", False, True)
    if _MARKERS.search(own):
        return _facts(tokenizer, own, "the model's own")
    marked = _marked_twin(tokenizer, own)
    if marked is None:
        return _facts(tokenizer, own, "the model's own, which does not mark its answers")
    return _facts(tokenizer, *marked)


def shipped() -> tuple[str, ...]:
    """The names of the templates that are shipped."""
    return tuple(sorted(path.stem for path in TEMPLATES.glob("*.jinja")))


def _read(chosen: str) -> tuple[str, str]:
    if chosen in shipped():
        return (TEMPLATES / f"{chosen}.jinja").read_text(encoding="utf-8"), f"the shipped template {chosen}"
    try:
        return Path(chosen).read_text(encoding="utf-8"), f"the file {chosen}"
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            "There is no such chat template",
            where=chosen,
            do=f"Give a .jinja file or one of {', '.join(shipped())}, or leave it empty for the model's own",
        ) from error


def _marked_twin(tokenizer: Any, own: str) -> tuple[str, str] | None:
    from trl.chat_template_utils import get_training_chat_template

    try:
        text = get_training_chat_template(tokenizer)
    except ValueError:
        text = None
    if text:
        return text, "TRL's training form of the model's own"
    wanted = _render(tokenizer, own)
    for name in shipped():
        text = (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
        if wanted and _render(tokenizer, text) == wanted:
            return text, f"the shipped template {name}, which renders as the model's own does"
    return None


def _render(tokenizer: Any, text: str) -> tuple[str, ...]:
    """How a template renders talks of several shapes; () where it refuses one of them."""
    from jinja2 import TemplateError

    talks = [_PROBE, ({"role": "system", "content": "be brief"}, *_PROBE), _PROBE[:3]]
    try:
        return tuple(
            tokenizer.apply_chat_template(
                list(talk), chat_template=text, tokenize=False, add_generation_prompt=talk[-1]["role"] == "user"
            )
            for talk in talks
        )
    except (TemplateError, TypeError, ValueError):
        return ()


def _facts(tokenizer: Any, text: str, origin: str) -> Template:
    from jinja2 import TemplateError

    marks = bool(_MARKERS.search(text))
    try:
        whole = tokenizer.apply_chat_template(
            list(_PROBE[:3]),
            chat_template=text,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=marks,
        )
        prompt = tokenizer.apply_chat_template(
            list(_PROBE[:1]), chat_template=text, tokenize=False, add_generation_prompt=True
        )
        answered = tokenizer.apply_chat_template(list(_PROBE[:2]), chat_template=text, tokenize=False)
    except (TemplateError, TypeError, ValueError) as error:
        raise BadInput(
            f"The chat template cannot render a plain talk: {error}",
            where=origin,
            do="Choose another template",
        ) from error
    stop = stop_token(tokenizer, text)
    trained = [
        token for token, marked in zip(whole["input_ids"], whole.get("assistant_masks", ()), strict=False) if marked
    ]
    return Template(
        text, origin, marks, stop, bool(stop) and stop in map_tokens(tokenizer, trained), answered.startswith(prompt)
    )


def map_tokens(tokenizer: Any, ids: list[int]) -> set[str]:
    """The tokens of some ids, as the vocabulary spells them."""
    return set(tokenizer.convert_ids_to_tokens(ids))


def stop_token(tokenizer: Any, text: str) -> str:
    """The added token that follows an answer's last word in the rendered talk, or ""."""
    rendered: str = tokenizer.apply_chat_template(list(_PROBE[:3]), chat_template=text, tokenize=False)
    after = rendered.partition(_PROBE[1]["content"])[2]
    added = {*tokenizer.get_added_vocab(), tokenizer.eos_token}
    found = [(after.index(token), -len(token), token) for token in added if token and token in after]
    between = min(found, default=None)
    if between is None or between[0] > len(after.partition(_PROBE[2]["content"])[0]):
        return ""
    return between[2]
