"""What 4-bit base weights need beside loading."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_WIDE = (torch.float32, torch.float16, torch.bfloat16)

_ROWS = 32
"""Rows that bitsandbytes packs together for a CPU."""


def in_four_bits(model: Any) -> bool:
    """Whether bitsandbytes holds layers of a model in 4 bits, because the recipe says so or because it is stored so."""
    return bool(getattr(model, "is_loaded_in_4bit", False))


def is_quantized(model: Any) -> bool:
    """Whether a model's weights are quantized, by whatever method."""
    return bool(getattr(model, "is_quantized", False))


def compute_in(model: Any, dtype: torch.dtype) -> None:
    """Brings a model that bitsandbytes had stored quantized into the precision of this run.

    Transformers leaves embedding, norms and head of such a model as they are stored, and has its layers compute in what
    the checkpoint names: bfloat16, say, on a GPU that has none.

    Args:
        model: as it was loaded.
        dtype: of all weights that are not quantized, and of the arithmetic.
    """
    from bitsandbytes.nn import Linear4bit

    wide = {*(model._keep_in_fp32_modules or ()), *(model._keep_in_fp32_modules_strict or ())}
    for name, weight in model.named_parameters():
        # Packed weights are of classes of their own, and may have a floating type as well.
        if type(weight) is torch.nn.Parameter and weight.dtype in _WIDE and wide.isdisjoint(name.split(".")):
            weight.data = weight.data.to(dtype)
    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            layer.compute_dtype = dtype


def only_pack_what_fits(model: Any) -> None:
    """Keeps bitsandbytes from packing 4-bit layers whose shape it cannot pack, which ends in an exception.

    It does so on CPUs with AVX512-BF16, at the first evaluation. Layers that fit are packed as always.

    Args:
        model: with 4-bit layers, on a CPU.
    """
    from bitsandbytes.nn import Linear4bit

    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            rows, columns = layer.out_features, layer.in_features
            if rows % _ROWS or columns % layer.weight.blocksize:
                layer.support_avx512bf16_for_cpu = False


def pack_as_evaluation_does(model: Any) -> None:
    """Brings the base of a resumed run into the form that it trained on, which is that of after the first evaluation.

    Without this a run on such a CPU would continue with weights that differ in their last bits.

    Args:
        model: with 4-bit layers.
    """
    training = model.training
    model.eval()
    with torch.no_grad():
        model(input_ids=torch.zeros((1, 1), dtype=torch.long, device=model.device))
    model.train(training)


@contextmanager
def base_unchanged(model: Any) -> Iterator[None]:
    """Keeps saving from changing the base that the next step trains on.

    On CPUs with AVX512-BF16, bitsandbytes repacks 4-bit weights for evaluation, and packs them back with loss as soon
    as anybody reads a state dict. So a checkpoint would change the losses after it.

    Args:
        model: with 4-bit layers, or without.
    """
    from bitsandbytes.nn import Linear4bit

    held = [
        (layer, layer.weight.data, copy.copy(layer.weight.quant_state))
        for layer in model.modules()
        if isinstance(layer, Linear4bit) and layer.weight.quant_state is not None
    ]
    try:
        yield
    finally:
        for layer, data, state in held:
            layer.weight.data = data
            layer.weight.quant_state = state
            layer.quant_state = state
