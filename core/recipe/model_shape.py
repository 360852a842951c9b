"""What a model is made of, from its config and the headers of its weights: sizes, exact counts, LoRA targets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from core.recipe import model_files, quantized
from core.recipe.adapters.reach import Reach
from core.recipe.families import Family, family_of, pattern
from core.recipe.model_files import Tensor
from core.recipe.target_names import chosen, is_pattern, names_one, number_of

_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "NF4": 0.5, "FP4": 0.5}
_DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64", "I8": "int8"}
_POSITIVE = (
    *("num_hidden_layers", "n_layer", "hidden_size", "n_embd", "num_attention_heads", "n_head", "intermediate_size"),
    *("num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings"),
)
"""Sizes of config.json that are at least 1 in every model that has them."""

_OF_QUANTIZED = re.compile(
    r"\.weight\.(absmax|quant_map|nested_absmax|nested_quant_map|quant_state\..+)$|\.(SCB|weight_format)$"
)
"""What bitsandbytes stores beside a matrix to unpack it with; no parameters."""
_BUFFERS = re.compile(r"(rotary_emb\.inv_freq|\.attn\.(masked_)?bias|\.attention\.(masked_)?bias)$")
_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks|block)\.(\d+)\.")
_GENERATION = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")


@dataclass(frozen=True, slots=True)
class LinearModule:
    """A linear layer that LoRA can adapt: its full name, and its inputs and outputs in features."""

    name: str
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class FusedExperts:
    """The experts of one layer, whose matrices transformers keeps in one weight that peft can adapt.

    Attributes:
        layer: where they are, `model.layers.0.mlp.experts`.
        name: of the weight, `gate_up_proj`.
        count: how many experts.
        sides: inputs and outputs of one expert's matrix, added up.
        parts: how many matrices are side by side in it, each with a rank of its own.
    """

    layer: str
    name: str
    count: int
    sides: int
    parts: int


@dataclass(frozen=True)
class ModelShape:
    """A model's sizes. Counts are exact: they are sums over the tensors' shapes.

    Attributes:
        folder: where it is.
        architecture: as config.json names it, `LlamaForCausalLM`, or "".
        model_type: `llama`, `qwen2`, ...
        layers, hidden, intermediate, heads, kv_heads, head_dim, vocabulary: the transformer's sizes.
        context: the longest input in tokens that it was built for, or 0 where config.json does not say.
        tied: whether the output layer is the embedding.
        parameters: all trainable numbers, tied ones once.
        embedding: name of the embedding of tokens, or "" where none was found.
        embedding_parameters: of these, in the embedding and the output layer.
        dtype: what most of the weights are stored as, `bfloat16`.
        stored_bytes: size of the weights on disk.
        quantized: how the stored weights are already quantized (`bitsandbytes`, `gptq`), or "".
        experts: experts a layer, 0 for a dense model.
        experts_per_token: how many of them compute each token.
        expert_inner: the inner width of one expert.
        linear: layers of the language model that LoRA can adapt, without the output layer and routers.
        matrices: shape of every weight matrix by its module's name.
        modules: how many numbers each module holds itself, by its name; without the modules inside it.
        template: its own chat template, or "".
        tokenizer: whether it has one.
        family: what kind of model it is.
        fused: its experts, where peft can adapt them.
        expert_parameters: numbers in its experts.
        experts_packed: whether the experts are stored in 4 or 8 bits.
        routers: names of the layers that choose experts.
        outside_parameters: numbers in parts that see or hear.
        layers_stored: layers in the weight files, 0 where their names do not tell.
        headless: whether config.json wants an output layer that the weights do not have.
        extra_layers: layers in the weight files that are meant to stay unused, such as those that predict ahead.
        own_code: whether it comes with Python code of its own.
        base: of quantized weights, the Hub ID of the model that they were made from; "" where it is not known.
        odd_sizes: sizes that config.json gives and no model can have, name and number: `{"num_hidden_layers": 0}`.
        unpacked: whether config.json says that bitsandbytes has quantized the weights, and no weight is.
    """

    folder: Path
    architecture: str
    model_type: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context: int
    tied: bool
    parameters: int
    embedding: str
    embedding_parameters: int
    dtype: str
    stored_bytes: int
    quantized: str
    experts: int
    experts_per_token: int
    expert_inner: int
    linear: tuple[LinearModule, ...]
    matrices: Mapping[str, tuple[int, ...]]
    modules: Mapping[str, int]
    template: str
    tokenizer: bool
    family: Family
    fused: tuple[FusedExperts, ...]
    expert_parameters: int
    experts_packed: bool
    routers: tuple[str, ...]
    outside_parameters: int
    layers_stored: int
    headless: bool
    extra_layers: int
    own_code: bool
    base: str
    odd_sizes: Mapping[str, int] = field(default_factory=dict)
    unpacked: bool = False

    @property
    def embedding_rows(self) -> int:
        """How many tokens the embedding has rows for, or 0 where none was found."""
        return self.matrices[self.embedding][0] if self.embedding else 0

    @cached_property
    def language_modules(self) -> Mapping[str, int]:
        """How many numbers each module of the language model holds itself, by its name."""
        inside = {name: self.family.role(pattern(f"{name}.weight").removesuffix(".weight")) for name in self.modules}
        return {name: count for name, count in self.modules.items() if inside[name] != "outside"}

    @property
    def final_norms(self) -> tuple[str, ...]:
        """Modules after the last layer, before the output layer: the final norm."""
        return tuple(
            name
            for name in self.language_modules
            if number_of(name) is None and self.family.role(name) not in ("embedding", "head", "other")
        )

    @property
    def marks_answers(self) -> bool:
        """Whether its own chat template marks the answers with `{% generation %}`."""
        return marks_answers(self.template)

    @property
    def target_names(self) -> tuple[str, ...]:
        """The last parts of the linear layers' names, in order of first appearance: `q_proj`, `k_proj`, ..."""
        return tuple(dict.fromkeys(module.name.rpartition(".")[2] for module in self.linear))

    def targeted(self, targets: Iterable[str]) -> tuple[LinearModule, ...]:
        """The linear layers that LoRA adapts, by peft's rule: `all-linear`, or names that a module's name ends on."""
        names = tuple(targets)
        if "all-linear" in names:
            return tuple(module for module in self.linear if not self._for_experts(module.name))
        return tuple(
            module for module in self.linear if _matches(module.name, names) and not self._for_experts(module.name)
        )

    def targeted_experts(self, targets: Iterable[str]) -> tuple[FusedExperts, ...]:
        """The fused experts that LoRA adapts, by peft's rule: their weights go by the names of the layers in them."""
        names = tuple(targets)
        every = "all-linear" in names
        taken = {
            fused
            for fused, layers in self.family.fused.items()
            if every or any(_matches(name, layers) for name in names)
        }
        return tuple(one for one in self.fused if one.name in taken)

    def reached(self, reach: Reach) -> tuple[LinearModule, ...]:
        """The linear layers that an adapter is put on."""
        if not reach.linear:
            return ()
        numbers = chosen(reach.layers, self.layers) if reach.layers else None
        return tuple(
            module
            for module in (self.targeted(reach.targets) if reach.experts else self._any_targeted(reach.targets))
            if not names_one(module.name, reach.exclude)
            and (numbers is None or number_of(module.name) in numbers)
            and not any(names_one(start, reach.whole) for start in _beginnings(module.name))
        )

    def reached_modules(self, reach: Reach) -> tuple[str, ...]:
        """The modules of the language model with weights of their own that an adapter is put on, linear or not."""
        numbers = chosen(reach.layers, self.layers) if reach.layers else None
        return tuple(
            name
            for name in self.language_modules
            if names_one(name, reach.targets)
            and not names_one(name, reach.exclude)
            and (numbers is None or number_of(name) in numbers)
        )

    def _any_targeted(self, targets: Sequence[str]) -> tuple[LinearModule, ...]:
        """The same for kinds that peft does not put on experts: a layer beside these may have the name of one."""
        every = "all-linear" in targets
        return tuple(module for module in self.linear if every or names_one(module.name, targets))

    def reached_experts(self, reach: Reach) -> tuple[FusedExperts, ...]:
        """The fused experts that an adapter is put on, by the names of their layers or of their weights."""
        return tuple(dict.fromkeys((*self.experts_by_layers(reach), *self.experts_by_name(reach.parameters))))

    def experts_by_layers(self, reach: Reach) -> tuple[FusedExperts, ...]:
        """Those that peft adapts by the names of the layers in them; each of these gets a rank of its own."""
        # Where targets are spelled out for peft, nothing is left that it would take for experts.
        return self.targeted_experts(reach.targets) if reach.experts and reach.plain else ()

    def experts_by_name(self, names: Iterable[str]) -> tuple[FusedExperts, ...]:
        """Those whose weights are named, `mlp.experts.gate_up_proj`: one rank for all that is in the weight."""
        wanted = tuple(map(_expert_name, names))
        return tuple(one for one in self.fused if names_one(f"{one.layer}.{one.name}", wanted))

    def missing_parameters(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names of weights to adapt that no fused experts have."""
        return tuple(name for name in names if not self.experts_by_name((name,)))

    def passed_over(self, targets: Iterable[str]) -> tuple[LinearModule, ...]:
        """Layers beside the experts that have the name of a target, and which peft does not adapt."""
        names = tuple(targets)
        return tuple(
            module
            for module in self.linear
            if self._for_experts(module.name) and ("all-linear" in names or _matches(module.name, names))
        )

    def missing_targets(self, targets: Iterable[str]) -> tuple[str, ...]:
        """Targets that name no linear layer of this model."""
        known = [module.name for module in self.linear] + [*self.routers]
        known += [f"experts.{name}" for one in self.fused for name in self.family.fused[one.name]]
        return tuple(
            name for name in targets if name != "all-linear" and not any(_matches(one, (name,)) for one in known)
        )

    def _for_experts(self, module: str) -> bool:
        """Whether peft takes the name of this layer for that of experts, which it adapts in its place."""
        return module.rpartition(".")[2] in self._expert_layers

    @cached_property
    def _expert_layers(self) -> frozenset[str]:
        return frozenset(layer for layers in self.family.fused.values() for layer in layers)

    def whole_modules(self, names: Iterable[str], *, tied: bool = False) -> int:
        """Numbers in the modules of these names, which peft trains whole beside an adapter (`modules_to_save`).

        Args:
            names: of the modules.
            tied: whether an output layer that is the embedding stays it (`ensure_weight_tying`).
        """
        wanted = tuple(names)
        saved = sum(count for name, count in self.modules.items() if _matches(name, wanted))
        # A tied output layer gets weights of its own there.
        apart = self._tied_head(wanted) and not (tied and names_one(self.embedding, wanted))
        return saved + (self.vocabulary * self.hidden if apart else 0)

    def missing_modules(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names of `modules_to_save` that no module with weights of its own has."""
        return tuple(
            name
            for name in names
            if not self._tied_head((name,)) and not any(_matches(module, (name,)) for module in self.modules)
        )

    def _tied_head(self, names: Sequence[str]) -> bool:
        """Whether the output layer is named, which has no weights in the files because it is the embedding."""
        stored = any(_matches(module, ("lm_head",)) for module in self.modules)
        return self.tied and "lm_head" in names and not stored


def marks_answers(template: str) -> bool:
    """Whether a chat template marks the assistant's words, so that loss can fall on answers alone."""
    return bool(_GENERATION.search(template))


def read_shape(path: str, revision: str = "") -> ModelShape:
    """The shape of a model on this machine; cheap enough for a form (kept until its files change).

    Args:
        path: a folder or a Hub model ID (looked up in the Hub cache, never on the network).
        revision: of a Hub model.

    Raises:
        NotDownloaded: a Hub model ID that is not in the cache.
        BadInput: what is wrong with the folder.
    """
    folder = model_files.find(path, revision)
    stamp = tuple(sorted((entry.name, entry.stat().st_mtime_ns) for entry in folder.iterdir() if entry.is_file()))
    return _read_shape(folder.resolve(), stamp)


@lru_cache(maxsize=64)
def _read_shape(folder: Path, stamp: tuple[tuple[str, int], ...]) -> ModelShape:
    config = model_files.read_config(folder)
    return shape_of(
        config,
        model_files.read_tensors(folder),
        folder=folder,
        template=model_files.read_template(folder),
        tokenizer=model_files.has_tokenizer(folder),
        base=quantized.base_of(folder, config) if quantized.method_of(config) else "",
    )


def shape_of(
    config: Mapping[str, Any],
    stored: Mapping[str, Tensor],
    *,
    folder: Path = Path(),
    template: str = "",
    tokenizer: bool = True,
    base: str = "",
) -> ModelShape:
    """The shape of a model from its `config.json` and the tensors that its weight files list."""
    family = family_of(config)
    on_disk = {name: tensor for name, tensor in stored.items() if not _BUFFERS.search(name)}
    tensors = {name: tensor for name, tensor in on_disk.items() if not _OF_QUANTIZED.search(name)}
    sizes = config["text_config"] if isinstance(config.get("text_config"), dict) else config
    hidden = _size(sizes, "hidden_size", "n_embd", "d_model")
    heads = _size(sizes, "num_attention_heads", "n_head") or 1
    roles = _roles(family, tensors)
    unloaded = {"buffer", "outside"} if family.text_only else {"buffer"}
    tensors = {name: tensor for name, tensor in tensors.items() if roles[name] not in unloaded}
    matrices = {
        name.removesuffix(".weight"): tensor.shape
        for name, tensor in tensors.items()
        if name.endswith(".weight") and len(tensor.shape) == 2
    }
    by_role = {
        role: {name: shape for name, shape in matrices.items() if roles[f"{name}.weight"] == role}
        for role in ("embedding", "head", "router", "transposed", "")
    }
    embeddings, heads_out = by_role["embedding"], by_role["head"]
    tied = bool(config.get("tie_word_embeddings", sizes.get("tie_word_embeddings", not heads_out)))
    outer = {**embeddings, **heads_out}
    repeated = sum(math.prod(shape) for shape in heads_out.values()) if tied and embeddings else 0
    linear = [
        LinearModule(family.loaded_name(name), inputs=shape[1], outputs=shape[0]) for name, shape in by_role[""].items()
    ]
    linear += [LinearModule(name, inputs=shape[0], outputs=shape[1]) for name, shape in by_role["transposed"].items()]
    return ModelShape(
        folder=folder,
        architecture=_architecture(config.get("architectures")),
        model_type=str(config.get("model_type", "")),
        layers=_size(sizes, "num_hidden_layers", "n_layer"),
        hidden=hidden,
        intermediate=_size(sizes, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden,
        heads=heads,
        kv_heads=_size(sizes, "num_key_value_heads") or heads,
        head_dim=_size(sizes, "head_dim") or hidden // heads,
        vocabulary=_size(sizes, "vocab_size") or max((shape[0] for shape in embeddings.values()), default=0),
        context=_size(sizes, "max_position_embeddings", "n_positions", "n_ctx"),
        tied=tied,
        parameters=sum(math.prod(tensor.shape) for tensor in tensors.values()) - repeated,
        embedding=max(embeddings, key=lambda name: embeddings[name][0], default=""),
        embedding_parameters=sum(math.prod(shape) for shape in outer.values()) - repeated,
        dtype=_main_dtype(tensors.values()),
        stored_bytes=int(sum(math.prod(t.shape) * _BYTES.get(t.dtype, 1) for t in on_disk.values())),
        quantized=quantized.method_of(config),
        experts=_size(sizes, "num_local_experts", "num_experts", "n_routed_experts"),
        experts_per_token=_size(sizes, "num_experts_per_tok", "num_experts_per_token", "moe_topk", "top_k") or 1,
        expert_inner=_size(sizes, "moe_intermediate_size", "intermediate_size", "ffn_dim"),
        linear=tuple(linear),
        matrices=matrices,
        modules=_by_module(family, tensors),
        template=template,
        tokenizer=tokenizer,
        family=family,
        fused=_fused(family, tensors, roles),
        expert_parameters=_numbers(tensors, roles, "experts"),
        experts_packed=any(
            tensor.dtype in ("NF4", "FP4", "I8") for name, tensor in tensors.items() if roles[name] == "experts"
        ),
        routers=tuple(by_role["router"]),
        outside_parameters=_numbers(tensors, roles, "outside"),
        layers_stored=_layers_stored(name for name in tensors if roles[name] != "outside"),
        headless=bool(embeddings) and not heads_out and config.get("tie_word_embeddings") is False,
        extra_layers=_size(sizes, "num_nextn_predict_layers", "num_mtp_layers", "mtp_num_hidden_layers"),
        own_code=bool(config.get("auto_map")),
        base=base,
        odd_sizes={name: sizes[name] for name in _POSITIVE if type(sizes.get(name)) is int and sizes[name] < 1},
        unpacked=quantized.method_of(config) == "bitsandbytes" and bool(on_disk) and not _is_packed(on_disk),
    )


def _is_packed(stored: Mapping[str, Tensor]) -> bool:
    """Whether any weight is in 4 or 8 bits, or has beside it what bitsandbytes writes."""
    return any(
        _OF_QUANTIZED.search(name) or tensor.dtype in ("NF4", "FP4", "I8", "U8") for name, tensor in stored.items()
    )


def _architecture(said: Any) -> str:
    return str(said[0]) if isinstance(said, list) and said else ""


def _by_module(family: Family, tensors: Mapping[str, Tensor]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, tensor in tensors.items():
        module = family.loaded_name(name.rpartition(".")[0])
        counts[module] = counts.get(module, 0) + math.prod(tensor.shape)
    return counts


def _roles(family: Family, names: Iterable[str]) -> dict[str, str]:
    """What each weight is; looked up once for all layers and experts that share a name."""
    found: dict[str, str] = {}
    roles: dict[str, str] = {}
    for name in names:
        shared = pattern(name.removesuffix(".weight"))
        if shared not in found:
            found[shared] = family.role(shared)
        roles[name] = found[shared]
    return roles


def _numbers(tensors: Mapping[str, Tensor], roles: Mapping[str, str], role: str) -> int:
    return sum(math.prod(tensor.shape) for name, tensor in tensors.items() if roles[name] == role)


def _layers_stored(names: Iterable[str]) -> int:
    numbers = [int(match[1]) for name in names if (match := _LAYER.search(name))]
    return max(numbers) + 1 if numbers else 0


def _fused(family: Family, tensors: Mapping[str, Tensor], roles: Mapping[str, str]) -> tuple[FusedExperts, ...]:
    """The experts of each layer as transformers fuses them, from matrices that are stored one by one."""
    found: dict[tuple[str, str], dict[str, list[tuple[int, ...]]]] = {}
    for name, tensor in tensors.items():
        if roles[name] != "experts" or len(tensor.shape) not in (2, 3):
            continue
        where, _, rest = name.removesuffix(".weight").rpartition(".experts.")
        leaf = rest.rpartition(".")[2]
        for fused, layers in family.fused.items():
            if leaf in layers or leaf == fused:
                found.setdefault((f"{where}.experts", fused), {}).setdefault(leaf, []).append(tensor.shape)
    experts = []
    for (layer, fused), by_leaf in found.items():
        shapes = [shapes[0] for shapes in by_leaf.values()]
        if len(shapes[0]) == 3:  # stored as they are kept
            count, sides = shapes[0][0], sum(shapes[0][1:])
        else:
            count = len(next(iter(by_leaf.values())))
            sides = shapes[0][1] + sum(shape[0] for shape in shapes)
        experts.append(FusedExperts(layer, fused, count, sides, len(family.fused[fused])))
    return tuple(experts)


def _matches(module: str, names: tuple[str, ...]) -> bool:
    return names_one(module, names)


def _expert_name(name: str) -> str:
    """The part of a weight's name that is the same in the files and once it is loaded: `experts.gate_up_proj`."""
    return name if is_pattern(name) else ".".join(name.split(".")[-2:])


def _beginnings(module: str) -> Iterable[str]:
    """The names of a module and of those that it is in."""
    parts = module.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))


def _size(config: Mapping[str, Any], *names: str) -> int:
    """The first of several names that the config gives a whole number for, else 0."""
    return next((config[name] for name in names if isinstance(config.get(name), int)), 0)


def _main_dtype(tensors: Iterable[Tensor]) -> str:
    weights: dict[str, int] = {}
    for tensor in tensors:
        weights[tensor.dtype] = weights.get(tensor.dtype, 0) + math.prod(tensor.shape)
    most = max(weights, key=lambda dtype: weights[dtype], default="")
    return _DTYPES.get(most, most.lower())
