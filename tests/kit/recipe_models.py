"""Model folders for tests: real config.json and safetensors headers, weights of zeros where a file is needed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.recipe.model_files import Tensor
from core.recipe.model_shape import ModelShape, shape_of

_BYTES = {"F32": 4, "BF16": 2, "F16": 2}

LLAMA_3_1_8B = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}
QWEN_2_5_7B = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
}
QWEN_2_5_05B = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": True,
}
TINY = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}


def tensors_of(config: Mapping[str, Any], dtype: str = "BF16") -> dict[str, Tensor]:
    """The tensors of a Llama or Qwen2 with these sizes, named as transformers stores them."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    head = hidden // config["num_attention_heads"]
    small = head * config["num_key_value_heads"]
    tensors = {
        "model.embed_tokens.weight": Tensor(dtype, (config["vocab_size"], hidden)),
        "model.norm.weight": Tensor(dtype, (hidden,)),
    }
    if not config["tie_word_embeddings"]:
        tensors["lm_head.weight"] = Tensor(dtype, (config["vocab_size"], hidden))
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        for name, rows in (("q", hidden), ("k", small), ("v", small)):
            tensors[f"{at}.self_attn.{name}_proj.weight"] = Tensor(dtype, (rows, hidden))
            if config["model_type"] == "qwen2":
                tensors[f"{at}.self_attn.{name}_proj.bias"] = Tensor(dtype, (rows,))
        tensors[f"{at}.self_attn.o_proj.weight"] = Tensor(dtype, (hidden, hidden))
        tensors[f"{at}.mlp.gate_proj.weight"] = Tensor(dtype, (inner, hidden))
        tensors[f"{at}.mlp.up_proj.weight"] = Tensor(dtype, (inner, hidden))
        tensors[f"{at}.mlp.down_proj.weight"] = Tensor(dtype, (hidden, inner))
        tensors[f"{at}.input_layernorm.weight"] = Tensor(dtype, (hidden,))
        tensors[f"{at}.post_attention_layernorm.weight"] = Tensor(dtype, (hidden,))
    return tensors


def shape_from(config: Mapping[str, Any], **known: Any) -> ModelShape:
    """The shape of a model with these sizes, without any file."""
    return shape_of(config, tensors_of(config), **known)


def write_weights(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """A real safetensors file of zeros."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        size = math.prod(tensor.shape) * _BYTES[tensor.dtype]
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))


def write_model(folder: Path, *, template: str = "", config: Mapping[str, Any] = TINY, weights: bool = True) -> Path:
    """A model folder: config, tokenizer files and, if wanted, weights of zeros."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(dict(config)))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template} if template else {}))
    if weights:
        write_weights(folder / "model.safetensors", tensors_of(config))
    return folder
