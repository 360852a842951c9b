"""What the kinds share whose settings are in the section `adapter`: PEFT's smaller methods, and bottleneck layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.recipe.adapters.adapter import Adapter, MemoryTerms, PeftConfig, Rates, base_is_quantized
from core.recipe.adapters.reach import Reach
from core.recipe.declare import Problem

if TYPE_CHECKING:
    from core.recipe.model_shape import LinearModule, ModelShape
    from core.recipe.recipe import Recipe

SECTION = "adapter"

LESS_MEMORY = ("The activations take the most memory. Use fewer target modules.", "adapter.targets")


def reach_from(*usual: str, linear: bool = True) -> Callable[[Recipe], Reach]:
    """What a kind adapts: the recipe's targets, or the kind's usual ones."""

    def reach(recipe: Recipe) -> Reach:
        own = recipe.adapter
        return Reach(
            "adapter.targets",
            own.targets or usual,
            exclude=own.exclude,
            layers=own.layers,
            whole=own.modules_to_save,
            linear=linear,
        )

    return reach


def counted(
    reach: Callable[[Recipe], Reach], each: Callable[[Recipe, LinearModule], int]
) -> Callable[[Recipe, ModelShape], int]:
    """The number of trained parameters from that of one adapted layer."""

    def parameters(recipe: Recipe, shape: ModelShape) -> int:
        reached = reach(recipe)
        return sum(each(recipe, module) for module in shape.reached(reached)) + shape.whole_modules(reached.whole)

    return parameters


def terms_of(
    reach: Callable[[Recipe], Reach], bytes_of: Callable[[Recipe, LinearModule], float]
) -> Callable[[Recipe, ModelShape, int], MemoryTerms]:
    """The memory of a kind, from the bytes per token that one adapted layer keeps for the backward pass."""

    def terms(recipe: Recipe, shape: ModelShape, width: int) -> MemoryTerms:
        kept = sum(bytes_of(recipe, module) for module in shape.reached(reach(recipe))) / max(1, shape.layers)
        trained = 2 if base_is_quantized(recipe, shape) else 4
        head = "lm_head" in reach(recipe).whole
        return MemoryTerms(width=trained, saved_width=4, layer=int(kept), head=head)

    return terms


def arguments_of(reach: Reach, **more: Any) -> dict[str, Any]:
    """Arguments that peft's configurations have in common."""
    return {
        "target_modules": "all-linear" if reach.targets == ("all-linear",) else list(reach.targets),
        "modules_to_save": list(reach.whole) or None,
        "task_type": "CAUSAL_LM",
        **more,
    }


def any_base(recipe: Recipe, quantization: str) -> Problem | None:
    """It trains on any base model, quantized or not."""
    return None


def unquantized_only(title: str) -> Callable[[Recipe, str], Problem | None]:
    """It only trains on 16-bit or 32-bit weights: with quantized ones, trl casts it to bfloat16, where it fails."""

    def refused(recipe: Recipe, quantization: str) -> Problem | None:
        if quantization == "none":
            return None
        words = (
            f"{title} cannot train on {quantization} weights: its own become bfloat16 there and no longer match "
            "what the layers compute. Set quantization to none, or use lora."
        )
        return Problem("model.quantization", words, brief="not quantized")

    return refused


def tuned_layers(
    title: str,
    meaning: str,
    config: str,
    arguments: Callable[[Recipe], dict[str, Any]],
    each: Callable[[Recipe, LinearModule], int],
    *,
    source: str,
    size: str = "rank",
    choosable: tuple[str, ...] = ("targets", "exclude", "layers"),
    quantized: bool = True,
    times: float = 1.0,
) -> Adapter:
    """A kind of PEFT's that changes linear layers and can be merged into them.

    Args:
        title: its name in sentences; in lower case its `method`, in upper case its PEFT type.
        meaning: what the form says about it.
        config: PEFT's configuration class.
        arguments: what that takes beside targets and whole modules.
        each: trained parameters of one adapted layer.
        source: the paper.
        size: the field that says how large it is.
        choosable: the fields that say which layers it adapts.
        quantized: whether it trains over quantized weights, and merges into them.
        times: as of `Rates`.
    """
    kind, reach = title.lower(), reach_from("all-linear")
    return Adapter(
        kind=kind,
        meaning=meaning,
        whole=False,
        section=SECTION,
        fields=(*choosable, size, "modules_to_save"),
        peft_config=lambda recipe: PeftConfig(config, arguments_of(reach(recipe), **arguments(recipe))),
        parameters=counted(reach, each),
        memory_terms=terms_of(reach, lambda recipe, module: 4.0 * module.inputs),
        over_quantized=any_base if quantized else unquantized_only(title),
        folder="adapter",
        weights="adapter_model.safetensors",
        library="peft",
        tags=(kind,),
        made=f"{title} adapter for",
        rates=Rates(title, above=10.0, below=0.1, times=times),
        less_memory=LESS_MEMORY,
        peft_type=title.upper(),
        limits="Servers such as vLLM load only LoRA adapters: merge it into the model to serve it.",
        title=title,
        source=source,
        reach=reach,
        merges=("none", "nf4", "int8") if quantized else ("none",),
    )
