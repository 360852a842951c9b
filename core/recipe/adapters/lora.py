"""LoRA: small matrices beside frozen weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters.adapter import Adapter, MemoryTerms, PeftConfig, Rates, base_is_quantized
from core.recipe.adapters.reach import Reach
from core.recipe.declare import Problem
from core.recipe.target_names import names_one

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe


_INITS: dict[str, bool | str] = {"default": True, "gaussian": "gaussian", "orthogonal": "orthogonal"}
"""What peft calls the ways to start; the others by their own names."""

RESIDUAL = ("pissa", "olora")
"""Ways to start that take a part out of the base model's weights, so that these are no longer the base model's."""


def reach(recipe: Recipe) -> Reach:
    """What LoRA adapts."""
    lora = recipe.lora
    return Reach(
        "lora.targets",
        lora.targets,
        exclude=lora.exclude,
        layers=lora.layers,
        experts=True,
        parameters=lora.parameters,
        whole=lora.modules_to_save,
    )


def _config(recipe: Recipe) -> PeftConfig:
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
        "init_lora_weights": _INITS.get(lora.init, lora.init),
        "ensure_weight_tying": lora.ensure_weight_tying,
    }
    return PeftConfig("LoraConfig", arguments)


def rank_of(recipe: Recipe, layer: str) -> int:
    """The rank of a layer's adapter: the first pattern that names it counts."""
    return next(
        (one.rank for one in recipe.lora.patterns if one.rank and names_one(layer, (one.modules,))), recipe.lora.rank
    )


def token_rows(recipe: Recipe) -> tuple[str, ...]:
    """The tokens whose rows of the embedding are trained."""
    return tuple(dict.fromkeys((*recipe.lora.trained_tokens, *recipe.model.added_tokens)))


def _parameters(recipe: Recipe, shape: ModelShape) -> int:
    lora, reached = recipe.lora, reach(recipe)
    adapted = shape.reached(reached)
    factors = sum(rank_of(recipe, module.name) * (module.inputs + module.outputs) for module in adapted)
    magnitudes = sum(module.outputs for module in adapted) if lora.variant == "dora" else 0
    experts = sum(lora.rank * one.parts * one.count * one.sides for one in shape.experts_by_layers(reached))
    experts += sum(lora.rank * one.count * one.sides for one in shape.experts_by_name(reached.parameters))
    # A tied output layer reads the same rows.
    rows = len(token_rows(recipe)) * shape.hidden * (1 if shape.tied else 2)
    return (
        rows + factors + magnitudes + experts + shape.whole_modules(lora.modules_to_save, tied=lora.ensure_weight_tying)
    )


def _terms(recipe: Recipe, shape: ModelShape, width: int) -> MemoryTerms:
    lora = recipe.lora
    inputs = sum(module.inputs for module in shape.reached(reach(recipe))) / max(1, shape.layers)
    return MemoryTerms(
        # peft keeps adapters in float32 beside 16-bit weights; trl casts them to bfloat16 beside quantized ones.
        width=2 if base_is_quantized(recipe, shape) else 4,
        saved_width=4,
        layer=int(inputs * (5.8 if lora.dropout else 1.8)),  # dropout keeps a mask and a copy of each input
        head="lm_head" in lora.modules_to_save,
    )


def _over_quantized(recipe: Recipe, quantization: str) -> Problem | None:
    lora = recipe.lora
    if lora.variant == "dora" and quantization == "int8":
        return Problem("lora.variant", "dora cannot train on an int8 base. Use nf4, or set the variant to plain.")
    if lora.init in RESIDUAL and quantization != "none":
        words = (
            f"{lora.init} moves part of the base weights into the adapter, and the rest would be quantized again: "
            "the adapter would no longer match the base model. Use eva, or set quantization to none."
        )
        return Problem("lora.init", words, brief="not quantized")
    if lora.init == "orthogonal" and quantization != "none":
        words = "orthogonal starts in the type of the base model's weights, which quantized ones do not have. "
        return Problem("lora.init", f"{words}Use gaussian, or set quantization to none.", brief="not quantized")
    return None


LORA = Adapter(
    kind="lora",
    meaning="a small adapter on top of the frozen model; with quantization this is QLoRA",
    whole=False,
    section="lora",
    peft_config=_config,
    parameters=_parameters,
    memory_terms=_terms,
    over_quantized=_over_quantized,
    folder="adapter",
    weights="adapter_model.safetensors",
    library="peft",
    tags=("lora",),
    made="LoRA adapter for",
    rates=Rates("LoRA", above=4.0, below=0.1),
    less_memory=("The adapter takes the most memory. Use a smaller rank or fewer target modules.", "lora.rank"),
    peft_type="LORA",
    title="LoRA",
    shards=True,
    source="arXiv 2106.09685",
    reach=reach,
    merges=("none", "nf4", "int8"),
)
