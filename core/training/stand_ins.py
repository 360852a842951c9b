"""Replacements for weights and GPU kernels when a step is only measured: real shapes, no real numbers.

Everything here is used by `core.training.forecast` alone, inside a FakeTensorMode.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, in_kernel_invocation_manager
from torch.utils._python_dispatch import _disable_current_modes

from core.recipe.precision import DeviceType
from core.recipe.recipe import Model
from core.training.tracked import MemoryTracker


class FakeStep(MemoryTracker):
    """Counts memory over fake tensors, and keeps small bookkeeping real: token IDs, masks, positions, the sampler.

    What involves no fake tensor is computed: whole numbers and what comes of them. Floating-point tensors from nothing
    (weights, buffers, zeros) are fake. So masks have their true shapes, and code that asks a number of a batch gets it.
    A number of a fake tensor, such as the loss, is 1.

    Torch's own dispatch of fake tensors takes 0.3 ms an operation; views, known shapes and operations in place take a
    shorter way here.

    Args:
        mode: the mode of torch around it.
        block: as for `MemoryTracker`.
    """

    def __init__(self, mode: FakeTensorMode, block: int) -> None:
        super().__init__(block)
        self._mode = mode
        self._kinds: dict[Any, str] = {}
        self._shapes: dict[Any, tuple[Any, ...]] = {}
        self._device = torch.device("cpu")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operation and follows what comes out of it."""
        if func is _DEVICE:  # torch's own code asks this before nearly every operation
            return args[0].fake_device if isinstance(args[0], FakeTensor) else self._device
        return super().__torch_dispatch__(func, types, args, kwargs)

    def compute(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The real result, the fake one, or a plain number for `.item()` of a fake tensor."""
        fake = real = False
        for each in _leaves(args, kwargs):
            if isinstance(each, FakeTensor):
                fake = True
                break
            real = real or isinstance(each, torch.Tensor)
        if fake:
            return self._of_fakes(func, args, kwargs)
        if real or not _floating(func, kwargs):
            with _disable_current_modes():
                return func(*args, **kwargs)
        return func(*args, **kwargs)

    def _of_fakes(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if (kind := self._kinds.get(func)) is None:
            kind = self._kinds[func] = _kind_of(func)
        if kind == "view" and isinstance(args[0], FakeTensor):
            with in_kernel_invocation_manager(self._mode):
                found = func(*args, **kwargs)
            return [self._faked(each) for each in found] if isinstance(found, list | tuple) else self._faked(found)
        if kind == "fresh":
            return self._fresh(func, args, kwargs)
        if kind == "in place" and isinstance(args[0], FakeTensor):
            return args[0]
        if kind == "lists in place":
            return None
        return self._special(func, args, kwargs)

    def _fresh(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """New tensors, of the shapes that the same operation on the same shapes had before."""
        try:
            key = (func, _described(args), _described(tuple(kwargs.items())))
            known = self._shapes.get(key)
        except TypeError:
            return func(*args, **kwargs)
        if known is None:
            found = func(*args, **kwargs)
            several = isinstance(found, tuple | list)
            outputs = tuple(found) if several else (found,)
            if all(each is None or isinstance(each, FakeTensor) for each in outputs):
                shapes = [None if each is None else (each.shape, each.stride(), each.dtype) for each in outputs]
                self._shapes[key] = (several, shapes)
            return found
        several, shapes = known
        made = [None if each is None else self._new(*each) for each in shapes]
        return tuple(made) if several else made[0]

    def _new(self, shape: Any, stride: Any, kind: torch.dtype) -> Any:
        with in_kernel_invocation_manager(self._mode):
            return self._faked(torch.empty_strided(shape, stride, dtype=kind, device="meta"))

    def _faked(self, tensor: Any) -> Any:
        return FakeTensor(self._mode, tensor, self._device)

    def _grouped(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The product with the matrix of each expert; torch's own shape function knows bfloat16 alone."""
        left, right = args[:2]
        kind = kwargs.get("out_dtype") or left.dtype
        if left.dim() == right.dim() == 2:  # a gradient of the experts
            experts = (args[2] if len(args) > 2 else kwargs["offs"]).shape[0]
            shape: tuple[int, ...] = (experts, left.shape[0], right.shape[1])
        elif left.dim() == right.dim():
            shape = (left.shape[0], left.shape[1], right.shape[2])
        else:
            shape = (left.shape[-2], right.shape[-1])
        stride = (shape[1] * shape[2], shape[2], 1) if len(shape) == 3 else (shape[1], 1)
        return self._new(shape, stride, kind)

    def _special(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = func.name()
        if name == "aten::_local_scalar_dense":
            kind = args[0].dtype
            return 1.0 if kind.is_floating_point else True if kind is torch.bool else 1
        if name == "aten::equal":
            return True
        if name == "aten::nonzero":
            return _every(args[0])
        if name == "aten::_grouped_mm":
            return self._grouped(args, kwargs)
        if name in ("aten::index.Tensor", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"):
            args = (args[0], _spread(args[1]), *args[2:])
        elif name == "bitsandbytes::int8_vectorwise_quant":
            return _quantized_rows(args[0])
        elif name == "bitsandbytes::int8_mixed_scaled_mm":
            inputs, rows = args[0], args[2].shape[0]
            return inputs.new_empty((*args[1].shape[:-1], rows)), inputs.new_empty((*args[1].shape[:-1], 0))
        return func(*args, **kwargs)


_DEVICE = torch.ops.prim.device.default

_OF_NUMBERS = frozenset(
    f"aten::{name}" for name in ("_local_scalar_dense", "equal", "nonzero", "index.Tensor", "index_put", "_grouped_mm")
) | frozenset(("bitsandbytes::int8_vectorwise_quant", "bitsandbytes::int8_mixed_scaled_mm"))
"""Operations whose result has a shape that depends on numbers, or is one."""

_RESHAPED = ("resize_", "set_", "t_", "transpose_", "squeeze_", "unsqueeze_", "as_strided_", "swapaxes_", "index_put_")
"""Operations in place after which a tensor has another shape, or whose indices are to be looked at."""


def _kind_of(func: Any) -> str:
    """How an operation is computed: `view`, `fresh`, `in place`, `lists in place`, or `` for torch's own way."""
    schema, name = func._schema, func.name()
    if name in _OF_NUMBERS:
        return ""
    written = [each for each in schema.arguments if each.alias_info is not None and each.alias_info.is_write]
    returned = [each.alias_info for each in schema.returns]
    if written:
        short = name.partition("::")[2].partition(".")[0]
        if short.endswith("_") and short.startswith(("_foreach", "_fused")):
            return "lists in place"
        first = written[0] is schema.arguments[0] or written[0].name == schema.arguments[0].name
        plain = len(written) == len(returned) == 1 and first
        return "in place" if plain and short.endswith("_") and short not in _RESHAPED else ""
    if any(each is not None for each in returned):
        return "view"
    return "fresh" if returned else ""


def _described(value: Any) -> Any:
    """What the shapes of a result depend on."""
    if isinstance(value, torch.Tensor):
        return (value.shape, value.stride(), value.dtype)
    if isinstance(value, tuple | list):
        return tuple(_described(each) for each in value)
    return (type(value), value)


def _leaves(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
    for each in (*args, *kwargs.values()):
        if isinstance(each, tuple | list):
            yield from each
        else:
            yield each


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Replaces an attribute of a module or class inside the block."""
    missing = object()
    before = getattr(owner, name, missing)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is missing:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


def _floating(func: Any, kwargs: dict[str, Any]) -> bool:
    """Whether an operation without tensors makes one of floating point."""
    kind = kwargs.get("dtype")
    if kind is None:
        return "arange" not in func.name() and "randperm" not in func.name() and "randint" not in func.name()
    return bool(kind.is_floating_point)


def _every(mask: Any) -> Any:
    """Positions of all entries, for a mask that nobody knows: an upper bound."""
    with _disable_current_modes():
        return torch.ones(mask.shape, dtype=torch.bool).nonzero()


def _spread(indices: Any) -> list[Any]:
    """The indices, a real mask as one index for each of its dimensions."""
    found: list[Any] = []
    for each in indices:
        if isinstance(each, torch.Tensor) and each.dtype is torch.bool and not isinstance(each, FakeTensor):
            with _disable_current_modes():
                found += each.nonzero(as_tuple=True)
        else:
            found.append(each)
    return found


def _quantized_rows(inputs: Any) -> tuple[Any, Any, Any]:
    """Rows in 8 bits, their scales, and no column with outliers."""
    rows = inputs.numel() // inputs.shape[-1]
    with _disable_current_modes():
        columns = torch.empty(0, dtype=torch.int64)
    return inputs.new_empty(inputs.shape, dtype=torch.int8), inputs.new_empty(rows, dtype=torch.float32), columns


# --- weights


def pack_linear(model: Any, settings: Model, compute: torch.dtype, kept: str = "") -> None:
    """Replaces linear layers by quantized ones, as transformers does when it loads a model.

    Args:
        model: of fake weights.
        settings: the recipe's model section.
        compute: the type of matrix products.
        kept: the name of a layer that is not quantized, besides the output layer; or "".
    """
    head = model.get_output_embeddings()
    make = _four_bits if settings.quantization == "nf4" else _eight_bits
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is torch.nn.Linear and layer is not head and name != kept:
                setattr(parent, name, make(layer, settings, compute))
    model.is_quantized = True
    model.is_loaded_in_4bit = settings.quantization == "nf4"
    model.is_loaded_in_8bit = settings.quantization == "int8"
    model.quantization_method = "bitsandbytes"
    model.hf_quantizer = _Quantizer()


class _Quantizer:
    """What the trainer asks of a quantized model."""

    is_trainable = True
    is_qat_trainable = False
    pre_quantized = False
    quantization_config = None


def _four_bits(layer: Any, settings: Model, compute: torch.dtype) -> Any:
    """A layer of bitsandbytes with packed weights of the right sizes; its own class would lose the fake tensor."""
    from bitsandbytes.functional import QuantState
    from bitsandbytes.nn import Linear4bit

    packed = Linear4bit.__new__(Linear4bit)
    torch.nn.Module.__init__(packed)
    packed.in_features, packed.out_features = layer.in_features, layer.out_features
    numbers = layer.in_features * layer.out_features
    weight = torch.nn.Parameter(_bytes_of(layer, ((numbers + 1) // 2, 1), torch.uint8), requires_grad=False)
    blocks = -(-numbers // 64)
    about: dict[str, Any] = {"shape": torch.Size((layer.out_features, layer.in_features)), "blocksize": 64}
    about |= {"quant_type": "nf4", "dtype": layer.weight.dtype, "code": torch.empty(16)}
    if settings.double_quantization:
        nested = QuantState(absmax=torch.empty(-(-blocks // 256)), blocksize=256, code=torch.empty(256))
        nested.dtype = torch.float32
        scales = _bytes_of(layer, (blocks,), torch.uint8)
        state = QuantState(absmax=scales, state2=nested, offset=torch.empty(()), **about)
    else:
        state = QuantState(absmax=torch.empty(blocks), **about)
    weight.quant_state, weight.compress_statistics = state, settings.double_quantization
    weight.quant_type, weight.blocksize = "nf4", 64
    weight.quant_storage, weight.bnb_quantized = torch.uint8, True
    packed.weight, packed.bias = weight, layer.bias
    packed.compute_dtype, packed.compute_type_is_set = compute, True
    packed.quant_state, packed.quant_storage = state, torch.uint8
    packed.support_avx512bf16_for_cpu = False
    return packed


def _eight_bits(layer: Any, settings: Model, compute: torch.dtype) -> Any:
    from bitsandbytes import MatmulLtState
    from bitsandbytes.nn import Linear8bitLt

    packed = Linear8bitLt.__new__(Linear8bitLt)
    torch.nn.Module.__init__(packed)
    packed.in_features, packed.out_features = layer.in_features, layer.out_features
    weight = torch.nn.Parameter(_bytes_of(layer, layer.weight.shape, torch.int8), requires_grad=False)
    scales = torch.empty(layer.out_features)
    weight.CB, weight.SCB, weight.has_fp16_weights = weight.data, scales, False
    packed.weight, packed.bias, packed.index = weight, layer.bias, None
    packed.state = MatmulLtState()
    packed.state.threshold, packed.state.has_fp16_weights = 6.0, False
    packed.state.CB, packed.state.SCB = weight.data, scales
    return packed


def _bytes_of(layer: Any, shape: Any, kind: torch.dtype) -> Any:
    """A fake tensor of whole numbers; made from nothing it would be a real one, of gigabytes."""
    return layer.weight.new_empty(shape, dtype=kind)


# --- kernels of a GPU


@contextmanager
def as_on(device: DeviceType, *, triton: bool = True) -> Iterator[None]:
    """Makes the step take the code paths of a device, although the fake tensors are on a CPU.

    Args:
        device: where the run would be.
        triton: whether the GPU's torch has Triton, which TRL computes the loss with; torch for Linux brings it.
    """
    with ExitStack() as stack:
        if device != "cpu":
            ampere = device == "cuda"
            stack.enter_context(replaced(torch.nn.functional, "scaled_dot_product_attention", _Attention(ampere)))
            if triton:
                stack.enter_context(_fused_loss())
        yield


class _Attention:
    """Torch's choice among its attention kernels on a GPU: flash, memory-efficient, or plain matrices."""

    def __init__(self, ampere: bool) -> None:
        self._ampere = ampere

    def __call__(
        self,
        query: Any,
        key: Any,
        value: Any,
        attn_mask: Any = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Any:
        aten = torch.ops.aten
        narrow = query.dtype in (torch.float16, torch.bfloat16)
        if attn_mask is None and narrow and self._ampere and query.shape[-1] <= 256:
            return aten._scaled_dot_product_flash_attention(
                query, key, value, dropout_p, is_causal, False, scale=scale
            )[0]
        grouped = key.shape[-3] != query.shape[-3]
        if not grouped and query.shape[-1] == value.shape[-1]:
            bias = None if attn_mask is None else _bias(attn_mask, query, key)
            return aten._scaled_dot_product_efficient_attention(
                query, key, value, bias, torch.is_grad_enabled(), dropout_p, is_causal, scale=scale
            )[0]
        return aten._scaled_dot_product_attention_math(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=grouped
        )[0]


def _bias(mask: Any, query: Any, key: Any) -> Any:
    """A mask for the memory-efficient kernel: as wide as the query, and each row a multiple of 16 bytes."""
    if mask.dtype is torch.bool:
        mask = query.new_zeros(mask.shape)
    length = mask.shape[-1]
    if length % 16:
        mask = torch.nn.functional.pad(mask, (0, 16 - length % 16))[..., :length]
    return mask.expand(*query.shape[:-2], query.shape[-2], key.shape[-2])


class _Launched:
    """A Triton kernel that was launched: it works in the tensors that it gets, and needs no others."""

    def __getitem__(self, grid: Any) -> Any:
        return lambda *arguments, **named: None


class _Triton:
    """What the loss asks of Triton itself."""

    @staticmethod
    def cdiv(a: int, b: int) -> int:
        """Division, rounded up."""
        return -(-a // b)


def _add_product(total: Any, a: Any, b: Any) -> None:
    """`total += a @ b` as CUDA does it, without copies of `a` and `b` in 32 bits."""
    total.add_(a.new_empty(()).float())


@contextmanager
def _fused_loss() -> Iterator[None]:
    """TRL's loss with its Triton kernels, which only scores positions that carry loss."""
    import trl.kernels.chunked_logprob as kernels
    import trl.trainer.utils as utils

    with ExitStack() as stack:
        for module in (kernels, utils):
            stack.enter_context(replaced(module, "_use_triton", lambda device: True))
        for name in ("_forward_kernel", "_backward_kernel"):
            stack.enter_context(replaced(kernels, name, _Launched()))
        stack.enter_context(replaced(kernels, "triton", _Triton))
        stack.enter_context(replaced(kernels, "_addmm_fp32", _add_product))
        yield
