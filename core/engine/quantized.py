"""What 4-bit base weights need beside loading."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


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
