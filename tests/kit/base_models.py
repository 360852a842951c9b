"""Shapes of public base models, for forecasts without a network: the sizes in each model's `config.json` on the Hub.

Source of each: `https://huggingface.co/<ID>/blob/main/config.json`. `parameters` is the total that the Hub page shows
for its safetensors files, tied embeddings once: a check that the sizes are written down right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.recipe.model_files import Tensor
from core.recipe.model_shape import ModelShape, shape_of


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A public model.

    Attributes:
        name: its Hub model ID.
        parameters: how many it has.
        config: the sizes of its `config.json`.
    """

    name: str
    parameters: int
    config: Mapping[str, Any]

    @property
    def shape(self) -> ModelShape:
        """What the forecast needs."""
        return shape_of(self.config, _tensors(self.config), template="x")


def _llama(hidden: int, inner: int, layers: int, heads: int, head: int, *, tied: bool = False) -> dict[str, Any]:
    return _sizes("llama", hidden, inner, layers, heads, head, 128_256, 131_072, tied)


def _qwen3(hidden: int, inner: int, layers: int, heads: int, *, tied: bool = False) -> dict[str, Any]:
    return _sizes("qwen3", hidden, inner, layers, heads, 128, 151_936, 40_960, tied)


def _sizes(
    kind: str, hidden: int, inner: int, layers: int, heads: int, head: int, vocabulary: int, context: int, tied: bool
) -> dict[str, Any]:
    return {
        "model_type": kind,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "head_dim": head,
        "vocab_size": vocabulary,
        "max_position_embeddings": context,
        "tie_word_embeddings": tied,
    }


def _tensors(config: Mapping[str, Any]) -> dict[str, Tensor]:
    hidden, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    wide, narrow = head * config["num_attention_heads"], head * config["num_key_value_heads"]
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens": (config["vocab_size"], hidden),
        "model.norm": (hidden,),
    }
    if not config["tie_word_embeddings"]:
        shapes["lm_head"] = (config["vocab_size"], hidden)
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        for name, rows in (("q", wide), ("k", narrow), ("v", narrow)):
            shapes[f"{at}.self_attn.{name}_proj"] = (rows, hidden)
        shapes[f"{at}.self_attn.o_proj"] = (hidden, wide)
        for name in ("gate", "up"):
            shapes[f"{at}.mlp.{name}_proj"] = (inner, hidden)
        shapes[f"{at}.mlp.down_proj"] = (hidden, inner)
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{at}.{name}"] = (hidden,)
        if config["model_type"] == "qwen3":
            for name in ("q_norm", "k_norm"):
                shapes[f"{at}.self_attn.{name}"] = (head,)
    return {f"{name}.weight": Tensor("BF16", shape) for name, shape in shapes.items()}


BASE_MODELS = (
    BaseModel("Qwen/Qwen3-0.6B", 596_049_920, _qwen3(1024, 3072, 28, 16, tied=True)),
    BaseModel("meta-llama/Llama-3.2-1B-Instruct", 1_235_814_400, _llama(2048, 8192, 16, 32, 64, tied=True)),
    BaseModel("Qwen/Qwen3-1.7B", 1_720_574_976, _qwen3(2048, 6144, 28, 16, tied=True)),
    BaseModel("meta-llama/Llama-3.2-3B-Instruct", 3_212_749_824, _llama(3072, 8192, 28, 24, 128, tied=True)),
    BaseModel("Qwen/Qwen3-4B", 4_022_468_096, _qwen3(2560, 9728, 36, 32, tied=True)),
    BaseModel(
        "mistralai/Mistral-7B-Instruct-v0.3",
        7_248_023_552,
        _sizes("mistral", 4096, 14_336, 32, 32, 128, 32_768, 32_768, False),
    ),
    BaseModel("meta-llama/Llama-3.1-8B-Instruct", 8_030_261_248, _llama(4096, 14_336, 32, 32, 128)),
    BaseModel("Qwen/Qwen3-8B", 8_190_735_360, _qwen3(4096, 12_288, 36, 32)),
    BaseModel("Qwen/Qwen3-14B", 14_768_307_200, _qwen3(5120, 17_408, 40, 40)),
    BaseModel("Qwen/Qwen3-32B", 32_762_123_264, _qwen3(5120, 25_600, 64, 64)),
    BaseModel("meta-llama/Llama-3.3-70B-Instruct", 70_553_706_496, _llama(8192, 28_672, 80, 64, 128)),
)
"""From small to large."""
