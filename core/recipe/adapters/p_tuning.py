"""P-tuning: embeddings before the prompt that a small network makes while training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters import soft_prompt
from core.recipe.adapters.adapter import Adapter, PeftConfig, Rates

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe


def _config(recipe: Recipe) -> PeftConfig:
    soft = recipe.soft_prompt
    arguments = {
        "num_virtual_tokens": soft.tokens,
        "encoder_reparameterization_type": soft.encoder.upper(),
        "encoder_hidden_size": soft.encoder_size,
        "encoder_num_layers": soft.encoder_layers if soft.encoder == "lstm" else 2,
        "encoder_dropout": soft.dropout if soft.encoder == "lstm" else 0.0,
        "task_type": "CAUSAL_LM",
    }
    return PeftConfig("PromptEncoderConfig", arguments)


def _parameters(recipe: Recipe, shape: ModelShape) -> int:
    soft, wide, inner = recipe.soft_prompt, shape.hidden, recipe.soft_prompt.encoder_size
    if soft.encoder == "mlp":
        made = (wide * inner + inner) + (inner * inner + inner) + (inner * wide + wide)
        return soft.tokens * wide + made
    inputs = [wide, *(2 * inner for _ in range(soft.encoder_layers - 1))]
    recurrent = sum(2 * (4 * inner * (into + inner) + 8 * inner) for into in inputs)  # both directions
    return soft.tokens * wide + recurrent + (4 * inner * inner + 2 * inner) + (2 * inner * wide + wide)


P_TUNING = Adapter(
    kind="p_tuning",
    meaning="P-tuning: vectors before every prompt that a small network generates during training",
    whole=False,
    section=soft_prompt.SECTION,
    fields=("tokens", "encoder", "encoder_size", "encoder_layers", "dropout"),
    peft_config=_config,
    parameters=_parameters,
    memory_terms=soft_prompt.terms,
    over_quantized=soft_prompt.over_quantized,
    folder="adapter",
    weights="adapter_model.safetensors",
    library="peft",
    tags=("p-tuning",),
    made="P-tuning adapter for",
    rates=Rates("P-tuning", above=10.0, below=0.1, times=5.0),
    less_memory=soft_prompt.LESS_MEMORY,
    peft_type="P_TUNING",
    limits=soft_prompt.LIMITS,
    title="P-tuning",
    source="arXiv 2103.10385",
    exact=False,
)
