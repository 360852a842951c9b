"""What a tokenizer rules out: more tokens than the embedding has rows, no end, control tokens that are none."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core import units
from core.clean import clean_line
from core.recipe.declare import Problem
from core.recipe.model_files import zero_rows
from core.recipe.model_shape import ModelShape
from core.recipe.tokenizer_files import TokenizerFacts

_CONTROL = re.compile(r"<\|[^|<>\s{}'\"]+\|>|<(?:start|end)_of_turn>|<\uff5c[^<>\s]+\uff5c>")
"""Control tokens as templates spell them; the last are DeepSeek's."""
_MANY = 3


def check(shape: ModelShape, facts: TokenizerFacts) -> Iterator[Problem]:
    """What is wrong with the tokenizer of a model, whatever is trained.

    Args:
        shape: of the model.
        facts: of its tokenizer.
    """
    if facts.fault:
        words = f"{facts.fault}. {facts.mend or 'Download or copy the tokenizer of the model again.'}"
        yield Problem("model.path", words, brief="broken tokenizer")
        return
    if facts.size and shape.embedding_rows and facts.size > shape.embedding_rows:
        words = (
            f"The tokenizer has {units.count(facts.size)} tokens, but the embedding has only "
            f"{units.count(shape.embedding_rows)} rows: a higher token ID would crash the run. Use the tokenizer that "
            "came with these weights, or weights whose embedding was resized."
        )
        yield Problem("model.path", words, brief="tokenizer too large")
    if facts.end == "":
        words = (
            "The tokenizer has no end-of-sequence (EOS) token, so the model could never learn to stop. Set eos_token "
            "in its tokenizer_config.json."
        )
        yield Problem("model.path", words, brief="no EOS token")
    elif not facts.end_known:
        words = (
            f"The end-of-sequence token {clean_line(facts.end or '', 40)} is not in the tokenizer's vocabulary. Set "
            "eos_token in tokenizer_config.json to a token that the model has."
        )
        yield Problem("model.path", words, brief="unknown EOS token")


def check_template(shape: ModelShape, facts: TokenizerFacts, template: str, name: str) -> Iterator[Problem]:
    """Whether the control tokens of a chat template are tokens of the model, and trained ones.

    Args:
        shape: of the model.
        facts: of its tokenizer.
        template: the Jinja source.
        name: what the recipe calls it, or "".
    """
    if not facts.ids:
        return
    wanted = list(dict.fromkeys(_CONTROL.findall(template)))
    missing = [token for token in wanted if token not in facts.ids]
    called = f"The template {name}" if name else "The chat template"
    end = clean_line(facts.end or "the end-of-sequence token", 40)
    if missing:
        listed = ", ".join(clean_line(token, 40) for token in missing[:_MANY])
        words = (
            f"{called} uses {listed}, which {'is not a token' if len(missing) == 1 else 'are not tokens'} of this "
            "model: each is split into several tokens, and no single token ends an answer. Use plain, which ends "
            f"answers with {end}."
        )
        yield Problem("model.chat_template", words, "warn", "not its tokens")
        return
    untrained = zero_rows(shape.folder, shape.embedding, [facts.ids[token] for token in wanted])
    if untrained:
        named = [token for token in wanted if facts.ids[token] in untrained]
        words = (
            f"{called} uses {', '.join(clean_line(token, 40) for token in named[:_MANY])}, whose embedding is zero: "
            f"this base model was never trained on {'it' if len(named) == 1 else 'them'}, and LoRA does not change it. "
            f"Use plain, which ends answers with {end}, or put embed_tokens and lm_head in Modules to save."
        )
        yield Problem("model.chat_template", words, "warn", "untrained tokens")
