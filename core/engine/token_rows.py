"""Rows of the embedding: room for added tokens, and an output layer that TRL's loss can read beside trained rows."""

from __future__ import annotations

from typing import Any


def make_rows(model: Any, needed: int) -> None:
    """Makes room for added tokens: each new row is the mean of those there are, on every machine and at every start.

    Args:
        model: as it was loaded.
        needed: tokens of the tokenizer.
    """
    before = model.get_input_embeddings().weight.shape[0]
    if needed <= before:
        return
    model.resize_token_embeddings(needed, mean_resizing=False)
    for end in (model.get_input_embeddings(), model.get_output_embeddings()):
        if end is not None:
            mean = end.weight.data[:before].float().mean(dim=0)
            end.weight.data[before:] = mean.to(end.weight.dtype)


def readable_head(model: Any) -> None:
    """Gives an output layer with trained rows the bias that TRL's fused loss asks for; peft's wrapper has only weights.

    Args:
        model: with its adapter.
    """
    head = model.get_output_embeddings()
    if getattr(head, "token_adapter", None) is not None and not hasattr(head, "bias"):
        head.bias = getattr(head.token_adapter.get_base_layer(), "bias", None)
