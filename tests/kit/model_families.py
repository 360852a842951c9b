"""What the installed transformers makes of every model type: `python -m tests.kit.model_families` writes the list.

The list is `core/recipe/model_families.json`, which the form and the preflight read without torch. Each family that can
be trained is built on the meta device, with the sizes of its default configuration and few layers: so its modules are
the real ones and cost nothing.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
import transformers
from peft import LoraConfig, get_peft_model
from peft.tuners.tuners_utils import _check_lora_target_modules_mamba
from peft.utils import transformers_weight_conversion as conversion
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer
from transformers.core_model_loading import revert_weight_conversion
from transformers.models.auto import configuration_auto, modeling_auto
from transformers.pytorch_utils import Conv1D

from core.engine.loss_check import check_loss, name_experts
from core.errors import BadInput
from core.recipe import families as core_families
from core.recipe.families import FILE, pattern
from core.recipe.memory import trained_parameters
from core.recipe.model_files import Tensor
from core.recipe.model_shape import shape_of
from core.recipe.recipe import Recipe, put
from core.training.configuration import adapter_config
from tests.kit.training_runs import BASE

LAYERS = 4
"""How many layers a family is built with: hybrids alternate, and some leave the first ones dense."""

CAUSAL = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
PICTURES = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
_TO_TEXT = modeling_auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES
_RECURRENT = re.compile(
    r"Mamba|SSM|Delta(Net|Attention|Rule)|RecurrentBlock|Rwkv|xLSTM|ShortConv|Lightning|LinearAttention"
)
_ROUTER = re.compile(r"(^|\.)(gate|router|router\.\w+|gate\.\w+|classifier|wg)$")
_LAYERS_OF = ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers", "decoder_layers")
_PER_LAYER = ("layer_types", "layers_block_type", "mlp_layer_types", "no_rope_layers")


def small_config(model_type: str, *, layers: int = LAYERS) -> Any:
    """The default configuration of a family with few layers."""
    config = AutoConfig.for_model(model_type)
    for part in {id(each): each for each in (config, config.get_text_config())}.values():
        for name in _LAYERS_OF:
            if isinstance(getattr(part, name, None), int) and getattr(part, name) > layers:
                setattr(part, name, layers)
        for name in _PER_LAYER:
            value = getattr(part, name, None)
            if isinstance(value, list | tuple) and len(value) > layers:
                setattr(part, name, list(value)[:layers])
    return config


def build(config: Any) -> Any:
    """The model of a configuration, without memory."""
    auto = AutoModelForCausalLM if config.model_type in CAUSAL else AutoModelForImageTextToText
    with torch.device("meta"):
        return auto.from_config(config)


def built(model_type: str) -> Any:
    """The model of a family, or None where its default configuration describes none."""
    for layers in (LAYERS, 1_000):
        try:
            return build(small_config(model_type, layers=layers))
        except Exception:  # some default configurations are broken in a hundred ways: they have no layout then
            continue
    return None


def in_memory(model: Any) -> dict[str, torch.Tensor]:
    """The tensors of a model by the names that they have in it."""
    return {name: weight for name, weight in model.state_dict(keep_vars=True).items() if weight is not None}


_TINY = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model"), 64),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "n_inner", "intermediate_size_mlp"), 96),
    **dict.fromkeys(("num_attention_heads", "n_head", "num_heads"), 4),
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size"), 32),
    **dict.fromkeys(("max_position_embeddings", "n_positions"), 256),
    "num_key_value_heads": 2,
    "num_experts_per_tok": 2,
    "head_dim": 16,
    "sliding_window": 32,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "v_head_dim": 16,
    "n_group": 1,
    "topk_group": 1,
    "depth": 2,
    "mamba_n_heads": 4,
    "mamba_d_head": 32,
    "mamba_d_state": 8,
    "state_size": 8,
    "mamba_n_groups": 1,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}
_TINY_VISION = {
    **dict.fromkeys(("hidden_size", "embed_dim", "projection_dim"), 32),
    **dict.fromkeys(("num_hidden_layers", "depth", "num_attention_heads", "num_heads"), 2),
    "intermediate_size": 48,
    "image_size": 28,
    "out_hidden_size": 64,
}
_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id", "cls_token_id", "sep_token_id")


def tiny(model_type: str, *, vocabulary: int) -> Any:
    """A model of a family small enough to compute with, of random weights; or None where its sizes do not shrink so.

    Args:
        model_type: of the family.
        vocabulary: how many tokens it has.
    """
    config = small_config(model_type)
    text = config.get_text_config()
    for name, size in {**_TINY, "vocab_size": vocabulary}.items():
        before = getattr(text, name, None)
        if type(before) is int and before > size:
            setattr(text, name, size)
    for name in _TOKENS:
        if getattr(text, name, None) is not None:
            setattr(text, name, 2)
    senses = [part for name in _SENSES if (part := getattr(config, name, None)) is not None and part is not text]
    for part in senses:
        for name, size in _TINY_VISION.items():
            before = getattr(part, name, None)
            if type(before) is int and before > size:
                setattr(part, name, size)
    auto = AutoModelForCausalLM if model_type in CAUSAL else AutoModelForImageTextToText
    with torch.device("meta"):
        size = sum(weight.numel() for weight in auto.from_config(config).parameters())
    torch.manual_seed(0)
    return auto.from_config(config).float() if size < 200_000_000 else None


def fault(model_type: str) -> str:
    """Why text alone cannot train a family, where a small model of it shows that: a key of the list, or "".

    `misses_loss`: the loss that TRL trains is not the family's own. `needs_images`: it computes nothing without them.
    """
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    try:
        model = tiny(model_type, vocabulary=len(tokenizer))
        if model is None:
            return ""
        name_experts(model)
        ids = torch.arange(300, 317)[None]
        model.train()
        model(input_ids=ids, labels=ids, attention_mask=torch.ones_like(ids), use_cache=False)
    except Exception as error:  # sizes that do not go together: the worker looks at the real model
        return "needs_images" if re.search("pixel_values|mm_token_type_ids", str(error)) else ""
    try:
        check_loss(model, tokenizer)
    except BadInput:
        return "misses_loss"
    return ""


def on_disk(model: Any) -> dict[str, torch.Tensor]:
    """The tensors that `save_pretrained` would write; what is only renamed is the same object."""
    found: dict[str, torch.Tensor] = revert_weight_conversion(model, in_memory(model))
    return found


def language_prefix(model: Any) -> str:
    """Where the language model is in a model that also sees or hears; "" where it is the whole."""
    config = model.config
    if config.get_text_config() is config:
        return ""
    decoder = model.get_decoder()
    name: str = next((name for name, module in model.named_modules() if module is decoder), "")
    return name


def kind_of(model_type: str, config: Any) -> str:
    """`causal`, `multimodal`, `encoder`, `encoder-decoder` or `other`."""
    both = bool(getattr(config, "is_encoder_decoder", False))
    if model_type in _TO_TEXT.keys() - CAUSAL.keys() - PICTURES.keys() and not both:
        return "hears"
    if model_type in CAUSAL or model_type in PICTURES:
        if both or model_type in _SEQ2SEQ:
            return "encoder-decoder"
        masked = model_type in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES or model_type == "bert-generation"
        if (masked and getattr(config, "is_decoder", False) is False) or getattr(config, "attn_type", "") == "bi":
            return "encoder"
        if getattr(config, "causal", None) is False:
            return "encoder"
        sees = any(isinstance(getattr(config, name, None), object) and getattr(config, name, None) for name in _SENSES)
        return "multimodal" if sees or model_type not in CAUSAL else "causal"
    if model_type in _SEQ2SEQ or both:
        return "encoder-decoder"
    return "encoder" if model_type in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES else "other"


_SENSE = re.compile(r"vision|visual|image|audio|img|video")
_SENSES = ("vision_config", "audio_config", "image_config", "vq_config", "img_processor")
_SEQ2SEQ = modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES


def layout(model: Any) -> dict[str, Any]:
    """What the names of a family's weights mean, where the usual rules do not say it."""
    same: dict[int, str] = {}
    for name, weight in in_memory(model).items():
        same.setdefault(id(weight), name)
    tables = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Embedding)}
    linear = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear | Conv1D)}
    head, inside = model.get_output_embeddings(), language_prefix(model)
    text = model.config.get_text_config()
    sizes = [getattr(text, name, None) for name in ("num_local_experts", "num_experts", "n_routed_experts")]
    experts = next((size for size in sizes if size), 0)
    roles: dict[str, set[str]] = {}
    renamed: dict[str, str] = {}
    within: set[str] = set()
    numbers = {id(weight) for weight in model.parameters()}
    for name, weight in on_disk(model).items():
        if id(weight) in same and id(weight) not in numbers:
            roles.setdefault("buffer", set()).add(pattern(name))
            continue
        at = same.get(id(weight), "")
        module, stored = (at or name).removesuffix(".weight"), pattern(name.removesuffix(".weight"))
        found = linear.get(module)
        if weight.dim() in (2, 3) and found is None and ".experts." in f".{at or name}":
            role = "experts"
        elif inside and found is not head and not _is_inside(at, name, inside):
            role = "outside"
        elif not name.endswith(".weight") or weight.dim() != 2:
            continue
        elif found is head:
            role = "head"
        elif experts and min(weight.shape) == experts and _ROUTER.search(module):
            role = "router"
        elif found is None:
            role = "embedding" if module in tables else "other"
        else:
            role = "transposed" if isinstance(found, Conv1D) else ""
            if _leaf(module) != _leaf(stored) != "#":
                renamed[_tail(stored)] = _leaf(module)
        if role != "outside":
            within.add(stored)
        if role:
            roles.setdefault(role, set()).add(stored)
    roles["outside"] = {_shortest(name, within) for name in roles.get("outside", ())}
    told: dict[str, Any] = {
        role: sorted(names if role == "outside" else set(map(_tail, names))) for role, names in roles.items() if names
    }
    if renamed:
        told["renamed"] = dict(sorted(renamed.items()))
    if inside:
        told["language"] = inside
    if _recurrent(model.get_submodule(inside)):
        told["recurrent"] = True
    if refused := sorted({_leaf(name) for name in linear if _refused(model, _leaf(name))}):
        told["refused"] = refused
    return dict(sorted(told.items()))


def _is_inside(at: str, name: str, inside: str) -> bool:
    """Whether a weight is in the language model: by its name in memory, or on disk where it was put together."""
    return at.startswith(f"{inside}.") if at else not _SENSE.search(name)


def _refused(model: Any, leaf: str) -> bool:
    """Whether peft refuses to adapt layers of this name in such a model."""
    try:
        _check_lora_target_modules_mamba(LoraConfig(), model, leaf)
    except ValueError:
        return True
    return False


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]


def _tail(name: str) -> str:
    """A name without where the layers are: what follows the first number, or its last part."""
    return name.partition("#.")[2] or _leaf(name)


def _shortest(name: str, others: set[str]) -> str:
    """The shortest beginning of a name that no other has."""
    parts = name.split(".")
    starts = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return next(start for start in starts if not any(f"{other}.".startswith(f"{start}.") for other in others))


def _recurrent(language: Any) -> bool:
    """Whether a layer of it carries a state from token to token, which position ids do not reset."""
    classes = {name for name, one in vars(sys.modules[type(language).__module__]).items() if isinstance(one, type)}
    return any(map(_RECURRENT.search, classes)) or any(isinstance(one, torch.nn.Conv1d) for one in language.modules())


def _sees(model: Any) -> bool:
    return any(_SENSE.search(name) for name, _ in model.named_parameters())


def _converted(model_type: str) -> dict[str, list[str]]:
    """Names of layers that peft takes for the fused experts of such a model, by the fused weight that they become."""
    group = conversion._MODEL_TO_CONVERSION_PATTERN.get(model_type)
    names: Mapping[str, str] = conversion._MOE_TARGET_MODULE_MAPPING.get(group, {})
    found: dict[str, list[str]] = {}
    for name, fused in names.items():
        found.setdefault(fused, []).append(name)
    return found


def families() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every model type, and what the list says of it."""
    for model_type in sorted(configuration_auto.CONFIG_MAPPING_NAMES):
        try:
            config = AutoConfig.for_model(model_type)
        except Exception:  # a composite that has no default configuration
            config = None
        told: dict[str, Any] = {"kind": kind_of(model_type, config)}
        if told["kind"] in ("causal", "multimodal"):
            if converted := _converted(model_type):
                told["peft_experts"] = converted
            if (model := built(model_type)) is not None:
                told |= layout(model)
                if told["kind"] == "multimodal" and "language" not in told:
                    told |= {"kind": "other"} if _sees(model) else {"text_only": True}
        yield model_type, told


def counts(model: Any) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """All and trained parameters with LoRA on all layers: from the stored names alone, and of the real model with peft.

    None where such an adapter is refused. The list that is on disk is used.
    """
    recipe = put(Recipe(), "lora.dropout", 0.0)
    stored: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, weight in on_disk(model).items():
        if id(weight) not in seen:
            stored[name] = Tensor("BF16", tuple(weight.shape))
        seen.add(id(weight))
    shape = shape_of(json.loads(model.config.to_json_string()), stored)
    parameters = sum(weight.numel() for weight in model.parameters())
    try:
        config = adapter_config(recipe, model)
    except BadInput:
        return None
    with torch.device("meta"):
        adapted = get_peft_model(model, config)
    trained = sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad)
    return (shape.parameters, trained_parameters(recipe, shape)), (parameters, trained)


def inexact(model_type: str) -> bool:
    """Whether the names of a family's stored weights do not tell what will be trained."""
    model = built(model_type)
    both = None if model is None else counts(model)
    return both is not None and both[0] != both[1]


def write(found: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes the list as JSON, one family a line."""
    lines = [f"    {json.dumps(name)}: {json.dumps(told)}" for name, told in found.items()]
    head = f'{{\n  "transformers": {json.dumps(transformers.__version__)},\n  "families": {{\n'
    FILE.write_text(head + ",\n".join(lines) + "\n  }\n}\n", encoding="utf-8")
    core_families.families.cache_clear()
    core_families._family.cache_clear()


def main() -> int:
    """Makes the list, counts with it, and notes in it where that is not exact."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.ERROR)
    found = dict(families())
    write(found)
    for name, told in found.items():
        if told["kind"] in ("causal", "multimodal") and inexact(name):
            told["inexact"] = True
        if told["kind"] in ("causal", "multimodal") and (key := fault(name)):
            told[key] = True
    write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
