"""Which chat template turns turns into text, and what it says about the answers in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.clean import clean_line
from core.dataset.sample import Message
from core.errors import BadInput
from core.recipe import templates
from core.recipe.rules.template import REFUSALS
from core.recipe.templates.marks import marked

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
        plain: whether no template is wanted: prompt and completion are joined as plain text.
        like: the template that the model is asked with, where `text` was only found to render a few talks as it
            does: then each sample must be compared. Else "".
    """

    text: str
    origin: str
    marks_answers: bool
    stop: str
    stop_trained: bool
    prompt_kept: bool
    like: str = ""
    plain: bool = False

    def require(self) -> None:
        """Makes sure that there is a template.

        Raises:
            BadInput: the model has none.
        """
        if not self.text:
            raise BadInput(
                "The model has no chat template, so chat samples cannot be tokenized",
                where="model.chat_template",
                do="Choose a built-in one, such as chatml; or none, which joins prompt and completion as plain text",
            )


def as_template_turn(turn: Message) -> dict[str, Any]:
    """A turn in the form of a chat template."""
    return turn.for_template()


def tokenize(tokenizer: Any, talk: list[dict[str, Any]], tools: Any, **options: Any) -> Any:
    """A conversation as tokens.

    Args:
        tokenizer: of the model.
        talk: turns as the template takes them.
        tools: as the template takes them, or None.
        options: of `apply_chat_template`; without `chat_template` it is the tokenizer's own.

    Raises:
        BadInput: the template refuses the conversation.
    """
    return _applied(tokenizer, talk, tools, tokenize=True, return_dict=True, **options)


def render(tokenizer: Any, talk: list[dict[str, Any]], tools: Any, **options: Any) -> str:
    """A conversation as text; arguments and errors as `tokenize`."""
    text: str = _applied(tokenizer, talk, tools, tokenize=False, **options)
    return text


def _applied(tokenizer: Any, talk: list[dict[str, Any]], tools: Any, **options: Any) -> Any:
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(talk, tools=tools, **options)
    except (TemplateError, *REFUSALS) as error:
        if "TextEncodeInput" in str(error):  # what tokenizers says of it
            what = "A text contains a lone surrogate (such as \\ud800), which is not a character"
            raise BadInput(what, do="Fix the text, or drop the row") from error
        raise BadInput(
            f"The chat template rejects the sample: {clean_line(str(error), 200)}",
            do="Fix the sample (roles, order of turns, tool calls), or choose another template",
        ) from error


def use_template(tokenizer: Any, chosen: str) -> Template:
    """Finds the template and, if it is not the model's own, gives it to the tokenizer (and so to the adapter).

    A model's own template without marks is trained with one that renders the same text and has them, from TRL's or
    ours, where there is one; the tokenizer keeps its own.

    Args:
        tokenizer: of the model.
        chosen: the recipe's `model.chat_template`: "", the name of a shipped one, a file, or `none`.

    Raises:
        BadInput: there is no such template, or it cannot be read.
    """
    if chosen == templates.NO_TEMPLATE:
        tokenizer.chat_template = None  # a server must not find one that the model was not trained with
        return Template("", "none: prompt and completion are plain text", False, "", True, True, plain=True)
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
    trained = _training_form(tokenizer)
    if trained:
        return _facts(tokenizer, trained, "TRL's training form of the model's own")
    own_marked = marked(own)
    if own_marked is not None and _encloses_answers(tokenizer, own_marked.text):
        found = _facts(
            tokenizer, own_marked.text, f"the model's own ({own_marked.family}), with marks around its answers"
        )
        return found if own_marked.exact else replace(found, like=own)
    twin = _shipped_twin(tokenizer, own)
    if twin:
        origin = f"the built-in template {twin}, which renders the same text as the model's own"
        return replace(_facts(tokenizer, templates.text(twin), origin), like=own)
    return _facts(tokenizer, own, "the model's own, which does not mark its answers")


def _read(chosen: str) -> tuple[str, str]:
    if chosen in templates.names():
        return templates.text(chosen), f"the built-in template {chosen}"
    try:
        return Path(chosen).read_text(encoding="utf-8"), f"the file {chosen}"
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            "No such chat template",
            where=chosen,
            do=f"Give a .jinja file or one of {', '.join(templates.names())}, or leave it empty for the model's own",
        ) from error


def _training_form(tokenizer: Any) -> str:
    from trl.chat_template_utils import get_training_chat_template

    try:
        return get_training_chat_template(tokenizer) or ""
    except ValueError:  # TRL knows the model's template by the letter, or not at all
        return ""


def _shipped_twin(tokenizer: Any, own: str) -> str:
    wanted = _render(tokenizer, own)
    same = (name for name in templates.names() if wanted and _render(tokenizer, templates.text(name)) == wanted)
    return next(same, "")


def _encloses_answers(tokenizer: Any, text: str) -> bool:
    """Whether the marks of a template are around each answer and its end, and around nothing else."""
    from jinja2 import TemplateError
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        (rendered,), (spans,) = render_jinja_template(
            conversations=[list(_PROBE)],
            chat_template=text,
            return_assistant_tokens_mask=True,
            **tokenizer.special_tokens_map,
        )
    except (TemplateError, *REFUSALS):
        return False
    answers = [turn["content"] for turn in _PROBE if turn["role"] == "assistant"]
    found = [rendered[start:end].strip() for start, end in spans if rendered[start:end].strip()]
    return len(found) == len(answers) and all(map(str.startswith, found, answers))


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
    except (TemplateError, *REFUSALS):
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
    except (TemplateError, *REFUSALS) as error:
        raise BadInput(
            f"The chat template cannot render a plain conversation: {error}",
            where=origin,
            do="Choose another template",
        ) from error
    stop = stop_token(tokenizer, text)
    trained = [
        token for token, marked in zip(whole["input_ids"], whole.get("assistant_masks", ()), strict=False) if marked
    ]
    return Template(
        text, origin, marks, stop, bool(stop) and stop in _spelled(tokenizer, trained), answered.startswith(prompt)
    )


def _spelled(tokenizer: Any, ids: list[int]) -> set[str]:
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
