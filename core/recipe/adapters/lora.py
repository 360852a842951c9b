"""LoRA: small matrices beside frozen weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters.adapter import Adapter, MemoryTerms, PeftConfig, Rates, base_is_quantized
from core.recipe.declare import Problem

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe


def _lora_config(recipe: Recipe) -> PeftConfig:
    lora = recipe.lora
    arguments = {
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": "all-linear" if lora.targets == ("all-linear",) else list(lora.targets),
        "use_rslora": lora.variant == "rslora",
        "use_dora": lora.variant == "dora",
        "modules_to_save": list(lora.modules_to_save) or None,
        "task_type": "CAUSAL_LM",
    }
    return PeftConfig("LoraConfig", arguments)


def _lora_parameters(recipe: Recipe, shape: ModelShape) -> int:
    lora = recipe.lora
    adapted = shape.targeted(lora.targets)
    factors = sum(lora.rank * (module.inputs + module.outputs) for module in adapted)
    magnitudes = sum(module.outputs for module in adapted) if lora.variant == "dora" else 0
    experts = sum(lora.rank * one.parts * one.count * one.sides for one in shape.targeted_experts(lora.targets))
    return factors + magnitudes + experts + shape.whole_modules(lora.modules_to_save)


def _lora_terms(recipe: Recipe, shape: ModelShape, width: int) -> MemoryTerms:
    lora = recipe.lora
    inputs = sum(module.inputs for module in shape.targeted(lora.targets)) / max(1, shape.layers)
    return MemoryTerms(
        # peft keeps adapters in float32 beside 16-bit weights; trl casts them to bfloat16 beside quantized ones.
        width=2 if base_is_quantized(recipe, shape) else 4,
        saved_width=4,
        layer=int(inputs * (5.8 if lora.dropout else 1.8)),  # dropout keeps a mask and a copy of each input
        head="lm_head" in lora.modules_to_save,
    )


def _lora_over_quantized(recipe: Recipe, quantization: str) -> Problem | None:
    if recipe.lora.variant == "dora" and quantization == "int8":
        return Problem("lora.variant", "dora cannot train on an int8 base. Use nf4, or set the variant to plain.")
    return None


LORA = Adapter(
    kind="lora",
    meaning="a small adapter on top of the frozen model; with quantization this is QLoRA",
    whole=False,
    section="lora",
    peft_config=_lora_config,
    parameters=_lora_parameters,
    memory_terms=_lora_terms,
    over_quantized=_lora_over_quantized,
    folder="adapter",
    weights="adapter_model.safetensors",
    library="peft",
    tags=("lora",),
    made="LoRA adapter for",
    rates=Rates("LoRA", above=4.0, below=0.1),
    less_memory=("The adapter takes the most memory. Use a smaller rank or fewer target modules.", "lora.rank"),
)
