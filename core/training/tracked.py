"""The live tensor bytes of a computation, counted at each operation, and their peak."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_BLOCK = 512
"""Bytes that CUDA's allocator rounds a tensor up to; a CPU's rounds to 64."""


def _unpacked(arguments: tuple[Any, ...]) -> int:
    """What bitsandbytes unpacks while it multiplies with a 4-bit matrix: the whole matrix, as wide as the input."""
    return int(prod(arguments[2]) * arguments[0].element_size())


_WORKSPACE: dict[str, Callable[[tuple[Any, ...]], int]] = {"bitsandbytes::gemm_4bit": _unpacked}
"""Bytes that an operation needs only while it runs, and which no tensor shows."""


class MemoryTracker(TorchDispatchMode):
    """While active, follows every tensor that an operation makes, until its memory is released.

    Works on real tensors of a CPU and on fake ones. What an operation needs only inside itself is not seen, except for
    `_WORKSPACE`.

    Attributes:
        live: bytes of all tensors that are alive.
        peak: the highest `live` since the start, or since `reset`.
    """

    def __init__(self, block: int = _BLOCK) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._block = block
        self._sizes: dict[int, int] = {}
        self._known: dict[int, weakref.ref[Any]] = {}

    def reset(self) -> None:
        """Starts a new peak from what is alive now."""
        self.peak = self.live

    def add(self, tensors: Iterable[Any]) -> None:
        """Follows tensors that were made before."""
        for tensor in tensors:
            self._follow(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operation and follows what comes out of it."""
        found = self.compute(func, args, kwargs or {})
        if func.namespace == "bitsandbytes" and (extra := _WORKSPACE.get(func.name())) is not None:
            self.peak = max(self.peak, self.live + extra(args))
        if isinstance(found, torch.Tensor):
            self._follow(found)
        elif isinstance(found, tuple | list):
            for tensor in tree_leaves(found):
                if isinstance(tensor, torch.Tensor):
                    self._follow(tensor)
        return found

    def compute(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the operation gives."""
        return func(*args, **kwargs)

    def _follow(self, tensor: Any) -> None:
        try:
            storage = tensor.untyped_storage()
        except NotImplementedError:  # a sparse tensor
            return
        key, size = id(storage), -(-storage.nbytes() // self._block) * self._block
        if key in self._known:
            if size != (before := self._sizes[key]):  # it was resized
                self._sizes[key] = size
                self._grow(size - before)
            return
        self._sizes[key] = size

        def released(_: Any) -> None:
            del self._known[key]
            self.live -= self._sizes.pop(key)

        self._known[key] = weakref.ref(storage, released)
        self._grow(size)

    def _grow(self, size: int) -> None:
        self.live += size
        self.peak = max(self.peak, self.live)
