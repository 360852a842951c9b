"""What the chat template and the tokenizer make of a sample's parts: what is not rendered, and control tokens."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from core.dataset.control_text import ControlText
from core.dataset.rendered import AnswerSpans, LostPart, RenderedCheck
from core.dataset.sample import Sample
from core.engine.plain_tokenizer import special_added
from core.errors import BadInput


class PartsRefused(BadInput):
    """The template refuses a sample for parts without which it would take it.

    Args:
        error: what it says.
        losses: the parts.
    """

    def __init__(self, error: BadInput, losses: tuple[LostPart, ...]) -> None:
        super().__init__(error.what, where=error.where, do=error.do)
        self.losses = losses


@lru_cache(maxsize=16)
def rendered_check(tokenizer: Any, template: str, *, marks: bool) -> RenderedCheck:
    """Finds what a template does not render.

    Args:
        tokenizer: of the model.
        template: its text.
        marks: whether answers are marked, and only what is inside the marks is trained on.
    """

    def render(talk: list[dict[str, Any]], tools: Any) -> tuple[str | None, AnswerSpans | None]:
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            if not marks:
                return tokenizer.apply_chat_template(talk, tools=tools, chat_template=template, tokenize=False), None
            texts, spans = render_jinja_template(
                conversations=[talk],
                tools=tools,
                chat_template=template,
                return_assistant_tokens_mask=True,
                **tokenizer.special_tokens_map,
            )
        except (TemplateError, TypeError, ValueError, KeyError, IndexError, AttributeError):
            return None, None
        return texts[0], spans[0]

    return RenderedCheck(render)


@lru_cache(maxsize=16)
def _control_text(tokenizer: Any) -> ControlText:
    return ControlText(
        {*special_added(tokenizer), *tokenizer.all_special_tokens}, tokenizer.bos_token or "", tokenizer.eos_token or ""
    )


def control_tokens(sample: Sample, tokenizer: Any) -> tuple[str, ...]:
    """The tokenizer's special tokens that stand in the texts of a sample, each once, as they come."""
    return _control_text(tokenizer).of(sample)
