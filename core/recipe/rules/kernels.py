"""What is wrong with how a recipe computes: kernels, compilation and memory settings that the place cannot do."""

from __future__ import annotations

from collections.abc import Iterator

from core.recipe.declare import Problem
from core.recipe.devices import is_sharded
from core.recipe.optimizers import OPTIMIZERS
from core.recipe.recipe import Recipe

_FLASH = ("flash_attention_2", "flash_attention_3")


def check(recipe: Recipe) -> Iterator[Problem]:
    """Every problem that holds on any device."""
    attention, training = recipe.model.attention, recipe.training
    if recipe.model.dtype == "float32" and attention in _FLASH:
        yield Problem("model.attention", f"{attention} only computes in 16 bits. Use auto.")
    if training.compile != "none" and recipe.model.quantization != "none":
        words = f"torch.compile is not supported on {recipe.model.quantization} weights here. Set it to none, or set "
        yield Problem("training.compile", f"{words}quantization to none.", brief="not on quantized weights")
    if training.compile != "none" and is_sharded(recipe):
        yield Problem("training.compile", "torch.compile is not supported with fsdp here. Set it to none, or use ddp.")
    if training.save_only_model and is_sharded(recipe):
        words = "Under fsdp, checkpoints are sharded and always include the optimizer. Set this to no, or use ddp."
        yield Problem("training.save_only_model", words, brief="not with fsdp")


def on_a_cpu(recipe: Recipe) -> Iterator[Problem]:
    """Every setting that needs a GPU, or does nothing without one."""
    attention, training = recipe.model.attention, recipe.training
    if attention in (*_FLASH, "flex_attention"):
        yield Problem("model.attention", f"{attention} needs a GPU. Use auto.")
    if OPTIMIZERS[training.optimizer].paged:
        yield Problem("training.optimizer", "Paged optimizers need a GPU. Use adamw_torch_fused.")
    if training.liger:
        yield Problem("training.liger", "Liger kernels need a GPU (Triton). Set this to no.")
    if training.compile != "none":
        yield Problem("training.compile", "torch.compile needs a GPU here. Set this to none.")
    if training.tf32:
        yield Problem("training.tf32", "TF32 is a mode of NVIDIA GPUs, Ampere and newer. Set this to no.")
    if training.activation_offloading:
        words = "On a CPU, activations are in RAM already, so there is nothing to offload. Set this to no."
        yield Problem("training.activation_offloading", words, brief="needs a GPU")
    if training.expandable_segments:
        words = "This is a setting of the GPU memory allocator and does nothing on a CPU. Set this to no."
        yield Problem("training.expandable_segments", words, brief="needs a GPU")


def packages(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    """What has to be installed for it: the field, the module, and what `pip install` calls it."""
    attention, training = recipe.model.attention, recipe.training
    if attention == "flash_attention_2":
        yield "model.attention", "flash_attn", "flash-attn"
    if attention == "flash_attention_3":
        yield "model.attention", "flash_attn_interface", "flash_attn_3"
    if training.liger:
        yield "training.liger", "liger_kernel", "liger-kernel"
    if training.compile != "none" or attention == "flex_attention":
        yield "training.compile" if training.compile != "none" else "model.attention", "triton", "triton"
