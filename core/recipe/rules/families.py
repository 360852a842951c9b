"""What a model's family rules out: kinds that cannot be trained, layers that cannot be adapted, packing. No files."""

from __future__ import annotations

from collections.abc import Iterator

from core import units
from core.clean import clean_line
from core.recipe import quantized
from core.recipe.adapters import adapter_of
from core.recipe.adapters.lora import LORA
from core.recipe.adapters.lora import reach as lora_reach
from core.recipe.declare import Problem
from core.recipe.families import refusal
from core.recipe.model_shape import ModelShape
from core.recipe.recipe import Recipe

_BRIEF = {
    "encoder": "not a causal model",
    "encoder-decoder": "encoder-decoder",
    "hears": "a speech model",
    "other": "not a language model",
}
_MANY = 4
"""Names that a sentence lists."""


def check(recipe: Recipe, shape: ModelShape) -> Iterator[Problem]:
    """Every problem that a recipe has with the kind of its model.

    Args:
        recipe: the recipe.
        shape: of its model.
    """
    refused = [*_kind(recipe, shape), *_stored(shape)]
    yield from refused
    if any(problem.severity == "error" for problem in refused):
        return  # all else would be about a model that is not going to be trained
    yield from _packing(recipe, shape)
    if not adapter_of(recipe).whole:
        yield from _layers(recipe, shape)
        if adapter_of(recipe).section == LORA.section:
            yield from _experts(recipe, shape)
    yield from _quantized_experts(recipe, shape)


def _kind(recipe: Recipe, shape: ModelShape) -> Iterator[Problem]:
    name, kind = clean_line(shape.model_type or shape.architecture, 60), shape.family.kind
    if not shape.model_type:
        words = "config.json has no model_type, so transformers cannot load the model. Use the original config.json."
        yield Problem("model.path", words, brief="no model_type")
    elif kind == "unknown":
        yield from _unknown(recipe, shape, name)
    elif words := refusal(shape.family):
        yield Problem("model.path", words, brief=_BRIEF.get(kind, "not its own loss"))


def _unknown(recipe: Recipe, shape: ModelShape, name: str) -> Iterator[Problem]:
    if shape.own_code and not recipe.model.trust_remote_code:
        words = (
            f"transformers has no model type {name}: the model needs the Python code that comes with it (auto_map). "
            "Read that code, then set Trust remote code to yes, or use a model that transformers supports."
        )
        yield Problem("model.path", words, brief="needs its own code")
    else:
        words = (
            f"This version does not know model type {name}, so its layers are counted by name only. If transformers "
            "does not know it either, the run will fail when it loads the model."
        )
        yield Problem("model.path", words, "warn", "unknown model type")


def _stored(shape: ModelShape) -> Iterator[Problem]:
    if not quantized.can_be_trained_on(shape.quantized):
        words = quantized.refusal(shape.quantized, clean_line(shape.base, 100))
        yield Problem("model.path", words, brief=f"{quantized.title_of(shape.quantized)} weights")
        return
    if shape.experts_packed:
        instead = (
            f"the 16-bit model {clean_line(shape.base, 100)}" if shape.base else "16-bit weights of the same model"
        )
        words = (
            "The experts are stored one by one in 4 or 8 bits, but transformers keeps all experts of a layer in one "
            f"16-bit weight and cannot load them. Use {instead}."
        )
        yield Problem("model.path", words, brief="quantized experts")
        return
    if shape.unpacked:
        words = (
            f"config.json says that bitsandbytes has quantized the weights, but they are stored as {shape.dtype}: they "
            "cannot be loaded that way. Remove quantization_config from config.json, and set quantization here."
        )
        yield Problem("model.path", words, brief="not quantized")
        return
    if shape.odd_sizes:
        name, size = next(iter(shape.odd_sizes.items()))
        stored = f" The weight files have {shape.layers_stored} layers." if shape.layers_stored else ""
        words = (
            f"config.json says {name} is {size}, which is impossible.{stored} Use the weights and config.json of "
            "the same model."
        )
        yield Problem("model.path", words, brief=f"{name} {size}")
        return
    if shape.headless:
        words = (
            "The weights have no output layer (lm_head), and config.json does not tie it to the embedding: this is an "
            "embedding or classification model. Use the weights of the language model."
        )
        yield Problem("model.path", words, brief="no output layer")
    more = shape.layers_stored - shape.layers
    if shape.layers and shape.layers_stored and more < 0:
        words = (
            f"config.json lists {shape.layers} layers, but the weight files have {shape.layers_stored}. Use the "
            "weights and config.json of the same model."
        )
        yield Problem("model.path", words, brief="layers missing")
    elif shape.layers and more > shape.extra_layers:
        words = (
            f"The weight files have {shape.layers_stored} layers, but config.json lists {shape.layers}: the rest would "
            "not be loaded. Set num_hidden_layers in config.json, or use the weights and config.json of the same "
            "model."
        )
        yield Problem("model.path", words, brief="unused weights")


def _packing(recipe: Recipe, shape: ModelShape) -> Iterator[Problem]:
    if shape.family.recurrent and recipe.data.packing != "none":
        words = (
            f"{clean_line(shape.model_type, 60)} has layers that carry a state from token to token (state-space or "
            "linear attention), so packed samples would leak into each other. Set packing to none."
        )
        yield Problem("data.packing", words, brief="leaks between samples")


def _layers(recipe: Recipe, shape: ModelShape) -> Iterator[Problem]:
    reach = adapter_of(recipe).reach(recipe)
    if reach is None:
        return
    targets = reach.targets
    routers = {name.rpartition(".")[2] for name in shape.routers}
    if named := [name for name in targets if name.rpartition(".")[2] in routers]:
        words = f"{clean_line(named[0], 60)} is the router, which chooses the experts; it cannot have an adapter."
        yield Problem(reach.path, f"{words} Remove it.", brief="the router")
    refused = {module.name.rpartition(".")[2] for module in shape.reached(reach)} & set(shape.family.refused)
    if refused:
        rest = [name for name in shape.target_names if name not in shape.family.refused]
        words = (
            f"peft cannot adapt {', '.join(sorted(refused))} in {clean_line(shape.model_type, 60)} models. "
            f"Use {', '.join(rest)}."
        )
        yield Problem(reach.path, words, brief=f"not {', '.join(sorted(refused))}")


def _experts(recipe: Recipe, shape: ModelShape) -> Iterator[Problem]:
    if not shape.expert_parameters:
        return
    lora = recipe.lora
    adapted = shape.reached_experts(lora_reach(recipe))
    attention = [name for name in shape.target_names if name in ("q_proj", "k_proj", "v_proj", "o_proj")]
    others = f"target only other layers, such as {', '.join(attention)}" if attention else "target only other layers"
    if adapted and lora.dropout:
        words = f"peft does not support dropout on fused experts. Set dropout to 0, or {others}."
        yield Problem("lora.dropout", words, brief="not with experts")
    if adapted and lora.variant == "dora":
        words = f"peft does not support dora on fused experts. Set the variant to plain, or {others}."
        yield Problem("lora.variant", words, brief="not with experts")
    for fused, layers in shape.family.fused.items():
        named = [layer for layer in layers if any(target.rpartition(".")[2] == layer for target in lora.targets)]
        if named and len(named) < len(layers) and any(one.name == fused for one in shape.fused):
            words = f"{' and '.join(layers)} of the experts are one weight in this model. Target both or neither."
            yield Problem("lora.targets", words, brief="name both")
    share = f"{shape.expert_parameters / max(1, shape.parameters):.0%} of the parameters"
    if not adapted:
        why = "" if shape.fused else "peft cannot adapt them in this model, so "
        words = f"The experts ({share}) have no adapter: {why}only the other layers are trained."
        yield Problem("lora.targets", words, "warn", "experts not adapted")
    elif passed := sorted({module.name.rpartition(".")[2] for module in shape.passed_over(lora.targets)}):
        words = (
            f"{len(shape.passed_over(lora.targets))} layers outside the experts ({', '.join(passed[:_MANY])}) get no "
            "adapter, because peft mistakes them for experts."
        )
        yield Problem("lora.targets", words, "warn", "some not adapted")


def _quantized_experts(recipe: Recipe, shape: ModelShape) -> Iterator[Problem]:
    if recipe.model.quantization == "none" or not shape.expert_parameters or shape.quantized:
        return
    size = units.gib(2 * shape.expert_parameters)
    words = (
        f"{recipe.model.quantization} does not quantize the experts: they stay in 16 bits and need {size}. Only the "
        "other layers are quantized."
    )
    yield Problem("model.quantization", words, "warn", "not the experts")
