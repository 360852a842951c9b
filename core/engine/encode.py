"""One sample to tokens and labels: the only place where it happens.

Preview, counts, training and evaluation all go through `encode`, and what a batch looks like is decided by TRL's own
collator. The tokens and labels are those that TRL makes of the same sample, so the losses are equal to the last bit;
tests hold that. How a sample becomes the columns of a task's dataset is in one module each (`talks`, `pairs`).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast

from core.dataset.sample import Sample
from core.engine.encoded import Encoded, EncodingSettings

_FORMS = {
    ("input_ids", "labels"): "talks",
    ("prompt_ids", "chosen_ids", "rejected_ids"): "pairs",
}
"""Which module makes which columns."""


class Encoder(Protocol):
    """What such a module does."""

    def encode(self, sample: Sample, tokenizer: Any, settings: EncodingSettings, *, with_text: bool) -> Encoded:
        """Tokens and labels of one sample."""

    def masks(self, encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[list[bool]]:
        """For each sequence, which of its tokens carry loss in the batch that TRL's collator makes."""

    def stop_trained(self, settings: EncodingSettings) -> bool:
        """Whether the token that ends an answer carries loss."""


def encode(sample: Sample, tokenizer: Any, settings: EncodingSettings, *, with_text: bool = False) -> Encoded:
    """Tokens and labels of one sample.

    Args:
        sample: in the normal form.
        tokenizer: a fast tokenizer.
        settings: task, template, max length, and what carries loss.
        with_text: also keep the rendered text and each token's place in it, for a screen.

    Raises:
        BadInput: the task does not learn from such a sample, the template refuses it, or cannot mark its answers.
    """
    return _form(settings).encode(sample, tokenizer, settings, with_text=with_text)


def masks(encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[list[bool]]:
    """For each sequence, which of its tokens carry loss in the batch that TRL's collator makes."""
    return _form(settings).masks(encoded, tokenizer, settings)


def stop_trained(settings: EncodingSettings) -> bool:
    """Whether the token that ends an answer carries loss, so that the model learns to stop."""
    return _form(settings).stop_trained(settings)


def _form(settings: EncodingSettings) -> Encoder:
    return cast(Encoder, import_module(f"core.engine.{_FORMS[settings.columns]}"))
