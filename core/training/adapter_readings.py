"""What can be read of an adapter in a built trainer: its modules and tensors, as the fields' witnesses ask for them.

Each function takes the trainer and the recipe and returns every value that it finds, like those of
`core.training.readings`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from core.recipe.adapters import adapter_of
from core.recipe.families import family_of
from core.recipe.recipe import Recipe
from core.recipe.target_names import chosen, names_one, number_of
from core.training.embeddings import embedding_weights

NAME = "default"
"""The adapter's name in peft's dictionaries."""


def lora_ranks(trainer: Any, recipe: Recipe) -> set[Any]:
    """The ranks of the adapter's factors."""
    return {module.r[NAME] for _, module in _lora_layers(trainer.model)}


def lora_scales(trainer: Any, recipe: Recipe) -> set[Any]:
    """The factors by which its updates are multiplied."""
    return {module.scaling[NAME] for _, module in _lora_layers(trainer.model)}


def lora_dropouts(trainer: Any, recipe: Recipe) -> set[Any]:
    """The shares of its inputs that are zeroed."""
    found = [module.lora_dropout[NAME] for _, module in _lora_layers(trainer.model) if NAME in module.lora_dropout]
    return {getattr(module, "p", 0.0) for module in found}


def lora_variants(trainer: Any, recipe: Recipe) -> set[Any]:
    """How its updates are computed."""
    layers = [module for _, module in _lora_layers(trainer.model)]
    dora = any(NAME in getattr(module, "lora_magnitude_vector", {}) for module in layers)
    by_root = any(
        math.isclose(module.scaling[NAME], module.lora_alpha[NAME] / math.sqrt(module.r[NAME])) for module in layers
    )
    return {name for name, found in (("dora", dora), ("rslora", by_root), ("plain", not dora)) if found}


def lora_targets(trainer: Any, recipe: Recipe) -> set[Any]:
    """The targets of the recipe, where each of them names an adapted layer."""
    return _all_named(recipe.lora.targets, [*_expert_names(trainer.model), *_adapted(trainer.model)])


def lora_excluded(trainer: Any, recipe: Recipe) -> set[Any]:
    """The layers that get no adapter, where none of them has one."""
    return _none_named(recipe.lora.exclude, _adapted(trainer.model))


def lora_layers(trainer: Any, recipe: Recipe) -> set[Any]:
    """Whether only the chosen transformer layers have adapters."""
    return _inside(trainer.model, recipe.lora.layers)


def lora_parameters(trainer: Any, recipe: Recipe) -> set[Any]:
    """The expert weights of the recipe, where each of them has an adapter."""
    return _all_named(recipe.lora.parameters, list(_parameters(trainer.model)))


def lora_patterns(trainer: Any, recipe: Recipe) -> set[Any]:
    """The rank patterns of the recipe, where each is the rank and alpha of a layer."""
    layers = list(_lora_layers(trainer.model))

    def found(pattern: Any) -> bool:
        meant = [module for name, module in layers if names_one(name, (pattern.modules,))]
        return any(
            (not pattern.rank or module.r[NAME] == pattern.rank)
            and (not pattern.alpha or module.lora_alpha[NAME] == pattern.alpha)
            for module in meant
        )

    return {recipe.lora.patterns} if all(found(pattern) for pattern in recipe.lora.patterns) else set()


def lora_inits(trainer: Any, recipe: Recipe) -> set[Any]:
    """How the adapter's factors look at the start; `eva` only where the data was read, or a checkpoint is loaded."""
    from peft.tuners.lora.layer import ParamWrapper

    if getattr(trainer, "initialized", "") == recipe.lora.init:
        return {recipe.lora.init}
    found: set[Any] = set()
    for _, module in _lora_layers(trainer.model):
        if isinstance(module, ParamWrapper) or NAME not in module.lora_A:
            continue
        down, up = (factor[NAME].weight.detach().float() for factor in (module.lora_A, module.lora_B))
        if up.any():
            found.add("orthogonal")
        elif abs(float(down.std()) * module.r[NAME] - 1) < abs(float(down.std()) * math.sqrt(3 * down.shape[1]) - 1):
            found.add("gaussian")
        else:
            found.add("default")
    return found


def loraplus_ratios(trainer: Any, recipe: Recipe) -> set[Any]:
    """The learning rates of the optimizer's groups, divided by the lowest; those of the embeddings alone aside."""
    own = set(embedding_weights(trainer.model))
    groups = [group for group in trainer.create_optimizer().param_groups if not own.issuperset(group["params"])]
    trainer.optimizer = None  # the training makes its own, where the model has been prepared for it
    lowest = min((group["lr"] for group in groups), default=0.0)
    return {round(group["lr"] / lowest, 6) for group in groups if lowest}


def saved_modules(trainer: Any, recipe: Recipe) -> set[Any]:
    """The modules of the recipe that are trained whole, where each of them is."""
    from peft.utils import ModulesToSaveWrapper

    reach = adapter_of(recipe).reach(recipe)
    names = [_bare(name) for name, module in trainer.model.named_modules() if isinstance(module, ModulesToSaveWrapper)]
    return _all_named(() if reach is None else reach.whole, names)


def trained_tokens(trainer: Any, recipe: Recipe) -> set[Any]:
    """The tokens of the recipe, where the rows of all of them are trained."""
    return {recipe.lora.trained_tokens} if _rows_of(recipe.lora.trained_tokens, trainer) else set()


def added_tokens(trainer: Any, recipe: Recipe) -> set[Any]:
    """The added tokens, where the tokenizer and the embedding have them and their rows are trained."""
    tokens = recipe.model.added_tokens
    known = trainer.processing_class.get_vocab()
    embedding = trainer.model.get_input_embeddings()
    if not all(known.get(token, embedding.weight.shape[0]) < embedding.weight.shape[0] for token in tokens):
        return set()
    whole = embedding.weight.requires_grad and adapter_of(recipe).whole
    return {tokens} if whole or _rows_of(tokens, trainer) else set()


def _rows_of(tokens: tuple[str, ...], trainer: Any) -> bool:
    """Whether the rows of tokens are trained beside an adapter, or their whole embedding is."""
    from peft.utils import ModulesToSaveWrapper

    embedding = trainer.model.get_input_embeddings()
    if isinstance(embedding, ModulesToSaveWrapper):
        return True
    rows = getattr(getattr(embedding, "token_adapter", None), "token_indices", {}).get(NAME, ())
    known = trainer.processing_class.get_vocab()
    return all(known.get(token) in rows for token in tokens)


def tied_outputs(trainer: Any, recipe: Recipe) -> set[Any]:
    """Whether the embedding and the output layer that are trained are one weight."""
    ends = (trainer.model.get_input_embeddings(), trainer.model.get_output_embeddings())
    inner: list[Any] = [end.modules_to_save[NAME] if hasattr(end, "modules_to_save") else end for end in ends]
    return {None not in ends and inner[0].weight is inner[1].weight}


def adapter_targets(trainer: Any, recipe: Recipe) -> set[Any]:
    """The targets of the recipe, where each of them names an adapted layer."""
    return _all_named(recipe.adapter.targets, _adapted(trainer.model))


def adapter_excluded(trainer: Any, recipe: Recipe) -> set[Any]:
    """The layers that get no adapter, where none of them has one."""
    return _none_named(recipe.adapter.exclude, _adapted(trainer.model))


def adapter_layers(trainer: Any, recipe: Recipe) -> set[Any]:
    """Whether only the chosen transformer layers have adapters."""
    return _inside(trainer.model, recipe.adapter.layers)


def feedforward_layers(trainer: Any, recipe: Recipe) -> set[Any]:
    """The feed-forward modules of the recipe, where each of them has its inputs scaled."""
    names = [_bare(name) for name, module in trainer.model.named_modules() if getattr(module, "is_feedforward", False)]
    return _all_named(recipe.adapter.feedforward, names)


def peft_ranks(trainer: Any, recipe: Recipe) -> set[Any]:
    """The rank by which peft made the adapter."""
    return {trainer.model.peft_config[NAME].r}


def peft_blocks(trainer: Any, recipe: Recipe) -> set[Any]:
    """The block size by which peft made the adapter."""
    config = trainer.model.peft_config[NAME]
    return {getattr(config, "oft_block_size", None), getattr(config, "boft_block_size", None)}


def bottleneck_widths(trainer: Any, recipe: Recipe) -> set[Any]:
    """The widths of adapter layers."""
    return {layer.down.out_features for layer in _bottlenecks(trainer.model)}


def bottleneck_activations(trainer: Any, recipe: Recipe) -> set[Any]:
    """The functions in adapter layers."""
    return {layer.activation for layer in _bottlenecks(trainer.model)}


def virtual_tokens(trainer: Any, recipe: Recipe) -> set[Any]:
    """How many vectors are trained before the prompt."""
    return {trainer.model.prompt_encoder[NAME].embedding.weight.shape[0]}


def prompt_starts(trainer: Any, recipe: Recipe) -> set[Any]:
    """What the vectors are: rows of the model's embedding, or random numbers."""
    vectors = trainer.model.prompt_encoder[NAME].embedding.weight.detach().float()
    words = trainer.model.word_embeddings.weight.detach()
    first = words.to(vectors.device).float().sub(vectors[0]).abs().amax(dim=1).min()
    return {"vocabulary", "text"} if float(first) <= 1e-2 * float(vectors[0].abs().amax()) else {"random"}


def prompt_texts(trainer: Any, recipe: Recipe) -> set[Any]:
    """The starting text of the recipe, where the first vector is the embedding of its first token."""
    text = recipe.soft_prompt.text
    first = trainer.processing_class(text)["input_ids"][:1]
    vectors = trainer.model.prompt_encoder[NAME].embedding.weight.detach().float()
    word = trainer.model.word_embeddings.weight.detach()[first].float().to(vectors.device)
    return {text} if float((word - vectors[:1]).abs().amax()) <= 1e-2 * float(vectors[0].abs().amax()) else set()


def prefix_projections(trainer: Any, recipe: Recipe) -> set[Any]:
    """Whether a network makes the prefix."""
    return {hasattr(trainer.model.prompt_encoder[NAME], "transform")}


def prompt_encoders(trainer: Any, recipe: Recipe) -> set[Any]:
    """The network that makes the vectors."""
    return {"lstm" if hasattr(trainer.model.prompt_encoder[NAME], "lstm_head") else "mlp"}


def encoder_sizes(trainer: Any, recipe: Recipe) -> set[Any]:
    """The width of that network."""
    encoder = trainer.model.prompt_encoder[NAME]
    if hasattr(encoder, "lstm_head"):
        return {encoder.lstm_head.hidden_size}
    layers = getattr(encoder, "mlp_head", None) or getattr(encoder, "transform", None) or []
    return {layer.out_features for layer in list(layers)[:1]}


def encoder_layers(trainer: Any, recipe: Recipe) -> set[Any]:
    """The layers of the LSTM."""
    found = getattr(trainer.model.prompt_encoder[NAME], "lstm_head", None)
    return set() if found is None else {found.num_layers}


def encoder_dropouts(trainer: Any, recipe: Recipe) -> set[Any]:
    """The dropout of the LSTM."""
    found = getattr(trainer.model.prompt_encoder[NAME], "lstm_head", None)
    return set() if found is None else {found.dropout}


def trained_layers(trainer: Any, recipe: Recipe) -> set[Any]:
    """How many of the model's own transformer layers are trained."""
    trained = (name for name, weight in trainer.model.named_parameters() if weight.requires_grad)
    return {len({number for name in trained if (number := number_of(name)) is not None})}


def trained_heads(trainer: Any, recipe: Recipe) -> set[Any]:
    """Whether the output layer is trained."""
    head = trainer.model.get_output_embeddings()
    return {head is not None and head.weight.requires_grad}


def _lora_layers(model: Any) -> Iterator[tuple[str, Any]]:
    from peft.tuners.lora import LoraLayer

    for name, module in model.named_modules():
        if isinstance(module, LoraLayer) and NAME in module.r:
            yield _bare(name), module


def _bottlenecks(model: Any) -> Iterator[Any]:
    from core.engine.bottleneck import Bottleneck

    yield from (module for module in model.modules() if isinstance(module, Bottleneck))


def _adapted(model: Any) -> list[str]:
    """The names that adapted modules have in the base model."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [_bare(name) for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)]


def _parameters(model: Any) -> Iterator[str]:
    """The names that adapted expert weights have in the base model."""
    from peft.tuners.lora.layer import ParamWrapper

    for name, module in model.named_modules():
        if isinstance(module, ParamWrapper):
            yield f"{_bare(name)}.{module.parameter_name}"


def _expert_names(model: Any) -> Iterator[str]:
    """The names of the layers that adapted expert weights are fused from."""
    fused = family_of(model.config.to_dict()).fused
    for name in _parameters(model):
        where, _, parameter = name.rpartition(".")
        yield from (f"{where}.{layer}" for layer in fused.get(parameter, ()))


def _bare(name: str) -> str:
    """A module's name without what peft puts around it."""
    return name.removeprefix("base_model.model.").replace(".base_layer", "")


def _all_named(wanted: tuple[str, ...], names: list[str]) -> set[Any]:
    found = bool(names) and all(
        name == "all-linear" or any(names_one(each, (name,)) for each in names) for name in wanted
    )
    return {wanted} if found else set()


def _none_named(unwanted: tuple[str, ...], names: list[str]) -> set[Any]:
    return {unwanted} if names and not any(names_one(each, unwanted) for each in names) else set()


def _inside(model: Any, layers: tuple[str, ...]) -> set[Any]:
    numbers = {number_of(name) for name in _adapted(model)}
    meant = chosen(layers, model.config.get_text_config().num_hidden_layers)
    return {bool(numbers) and meant is not None and numbers <= meant}
