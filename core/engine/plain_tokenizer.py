"""What encoding needs of a tokenizer, without transformers' tokenizer classes: loaded in a second, not in ten.

The tokens are those of the tokenizer that it was made of: the same Rust tokenizer and the same template renderer do the
work. Whoever makes one compares the first samples of both (`core.engine.encode_all`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


class Rendered(dict[str, Any]):
    """`input_ids` and, where asked for, `assistant_masks`, with the Rust encoding they come from.

    Attributes:
        encodings: the one encoding, as `BatchEncoding.encodings`.
    """

    def __init__(self, encoding: Any) -> None:
        super().__init__(input_ids=encoding.ids)
        self.encodings = [encoding]


@dataclass(frozen=True, eq=False)
class PlainTokenizer:
    """A tokenizer that renders and tokenizes one conversation or text at a time; it pads and truncates nothing.

    Attributes:
        backend_json: the Rust tokenizer, serialized.
        split_special_tokens: whether the text of a special token becomes plain tokens.
        chat_template: one template, several by name, or None, as `PreTrainedTokenizerBase.chat_template`.
        special_tokens_map: name to text of the special tokens that have a name.
        special_tokens: the text of every special token, with and without a name.
        ids: `eos_token_id`, `bos_token_id` and `pad_token_id`, None for one that is missing.
        length: entries of the vocabulary, added tokens included.
    """

    backend_json: str
    split_special_tokens: bool
    chat_template: str | dict[str, str] | None
    special_tokens_map: Mapping[str, str]
    special_tokens: tuple[str, ...]
    ids: Mapping[str, int | None]
    length: int

    @classmethod
    def of(cls, tokenizer: Any) -> PlainTokenizer | None:
        """The plain form of a fast tokenizer; None of one whose class tokenizes or renders in its own way."""
        from transformers import PreTrainedTokenizerBase
        from transformers.tokenization_utils_tokenizers import TokenizersBackend

        kind = type(tokenizer)
        usual = (
            isinstance(tokenizer, TokenizersBackend)
            and kind._encode_plus is TokenizersBackend._encode_plus
            and kind.apply_chat_template is PreTrainedTokenizerBase.apply_chat_template
            and kind.get_chat_template is PreTrainedTokenizerBase.get_chat_template
            and kind.__call__ is PreTrainedTokenizerBase.__call__
        )
        if not usual:
            return None
        return cls(
            tokenizer.backend_tokenizer.to_str(),
            bool(tokenizer.split_special_tokens),
            tokenizer.chat_template,
            dict(tokenizer.special_tokens_map),
            tuple(sorted({*special_added(tokenizer), *tokenizer.all_special_tokens})),
            {name: getattr(tokenizer, name) for name in ("eos_token_id", "bos_token_id", "pad_token_id")},
            len(tokenizer),
        )

    def to_json(self) -> dict[str, Any]:
        """All of it; `from_json(to_json(t)) == t`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PlainTokenizer:
        """The inverse of `to_json`."""
        return cls(**{**value, "special_tokens": tuple(value["special_tokens"])})

    def __len__(self) -> int:
        return self.length

    @property
    def all_special_tokens(self) -> list[str]:
        """The text of every special token."""
        return list(self.special_tokens)

    @property
    def added_tokens_decoder(self) -> Mapping[int, Any]:
        """Empty: the special ones among the added tokens are in `all_special_tokens`."""
        return {}

    @property
    def bos_token(self) -> str | None:
        """The text that begins a sequence."""
        return self.special_tokens_map.get("bos_token")

    @property
    def eos_token(self) -> str | None:
        """The text that ends a sequence."""
        return self.special_tokens_map.get("eos_token")

    @property
    def bos_token_id(self) -> int | None:
        """The id of the token that begins a sequence."""
        return self.ids["bos_token_id"]

    @property
    def eos_token_id(self) -> int | None:
        """The id of the token that ends a sequence."""
        return self.ids["eos_token_id"]

    @property
    def pad_token_id(self) -> int | None:
        """The id of the token that fills a batch up."""
        return self.ids["pad_token_id"]

    @cached_property
    def backend_tokenizer(self) -> Any:
        """The Rust tokenizer."""
        from tokenizers import Tokenizer

        backend = Tokenizer.from_str(self.backend_json)
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = self.split_special_tokens
        return backend

    def __call__(self, *, text: str, return_offsets_mapping: bool = False, add_special_tokens: bool = True) -> Rendered:
        """A text as tokens, with the special tokens that the tokenizer adds unless it is told not to."""
        rendered = Rendered(self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens))
        if return_offsets_mapping:
            rendered["offset_mapping"] = rendered.encodings[0].offsets
        return rendered

    def apply_chat_template(
        self,
        conversation: list[dict[str, Any]],
        *,
        tools: list[Any] | None = None,
        chat_template: str | None = None,
        tokenize: bool = True,
        add_generation_prompt: bool = False,
        continue_final_message: bool = False,
        return_assistant_tokens_mask: bool = False,
        return_dict: bool = True,
    ) -> Any:
        """As `PreTrainedTokenizerBase.apply_chat_template`: the text, or its tokens with the mask of the answers.

        Raises:
            ValueError: there is no template, or nothing to render.
        """
        from transformers.utils.chat_template_utils import render_jinja_template

        if not conversation:
            raise ValueError("Cannot apply chat template to an empty conversation. Provide at least one message.")
        turns = [{key: value for key, value in turn.items() if value is not None} for turn in conversation]
        (text,), spans = render_jinja_template(
            conversations=[turns],
            tools=tools,
            chat_template=self.get_chat_template(chat_template, tools),
            return_assistant_tokens_mask=return_assistant_tokens_mask,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=continue_final_message,
            **self.special_tokens_map,
        )
        if not tokenize:
            return text
        rendered = Rendered(self.backend_tokenizer.encode(text, add_special_tokens=False))
        if return_assistant_tokens_mask:
            rendered["assistant_masks"] = _mask(rendered.encodings[0], len(rendered["input_ids"]), spans[0])
        return rendered if return_dict else rendered["input_ids"]

    def get_chat_template(self, chat_template: str | None = None, tools: list[Any] | None = None) -> str:
        """As `PreTrainedTokenizerBase.get_chat_template`: the given template, or the tokenizer's own.

        Raises:
            ValueError: there is none.
        """
        own = self.chat_template
        if isinstance(own, dict):
            if chat_template is not None:
                return own.get(chat_template, chat_template)
            own = own["tool_use"] if tools is not None and "tool_use" in own else own.get("default")
        found = chat_template if chat_template is not None else own
        if found is None:
            raise ValueError("the tokenizer has no chat template")
        return found


def special_added(tokenizer: Any) -> set[str]:
    """The text of each special token among the added tokens of a tokenizer."""
    return {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}


def _mask(encoding: Any, length: int, spans: list[tuple[int, int]]) -> list[int]:
    """1 for each token of an answer, as transformers marks them: whole tokens from each span's first to its last."""
    mask = [0] * length
    for start, end in spans:
        first = encoding.char_to_token(start)
        if first is None:
            break
        last = encoding.char_to_token(end - 1)
        stop = last + 1 if last else length
        mask[first:stop] = [1] * (stop - first)
    return mask
