"""What `model.dtype` means on a device: the type that weights are held in, and the trainer's casts around them.

Where every weight is trained, bfloat16 weights lose most of a small update: they have 8 bits, and at a learning rate of
1e-5 an update is less than half a step for nearly all of them. Float32 weights under autocast (`mixed_...`) compute in
16 bits and keep the update; that is what plain TRL does with `bf16=True` and a float32 model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DeviceType = Literal["cuda", "cuda_fp16", "cpu"]
"""What a run computes on: a GPU with bfloat16 (Ampere and newer), one without (V100, T4), or the CPU."""

WeightType = Literal["float32", "bfloat16", "float16"]
Mixed = Literal["no", "bf16", "fp16"]


@dataclass(frozen=True, slots=True)
class Precision:
    """How a model is held and computed.

    Attributes:
        weights: the type that the weights are loaded in; those of an adapter may be wider.
        mixed: the trainer's autocast: `bf16`, `fp16` (with loss scaling) or `no`.
    """

    weights: WeightType
    mixed: Mixed

    @property
    def width(self) -> int:
        """Bytes of one weight."""
        return 4 if self.weights == "float32" else 2

    @property
    def compute_width(self) -> int:
        """Bytes of one number in a matrix product."""
        return 2 if self.mixed != "no" else self.width

    @property
    def masters(self) -> bool:
        """Whether weights are wider than what is computed with, so that autocast makes copies of them."""
        return self.width > self.compute_width


def precision_of(dtype: str, device: DeviceType, *, whole: bool) -> Precision:
    """What a value of `model.dtype` means.

    Args:
        dtype: the value.
        device: where it computes.
        whole: whether every weight is trained; float16 weights cannot be, so they are float32 then.
    """
    if dtype == "auto":
        dtype = {"cuda": "bfloat16", "cuda_fp16": "float16", "cpu": "float32"}[device]
    if dtype == "mixed_bfloat16":
        return Precision("float32", "bf16")
    if dtype == "mixed_float16":
        return Precision("float32", "fp16")
    if dtype == "bfloat16":
        return Precision("bfloat16", "bf16")
    if dtype == "float16":
        return Precision("float32" if whole else "float16", "fp16")
    return Precision("float32", "no")
