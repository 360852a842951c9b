"""Prompt tuning: trained embeddings before the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.adapters import soft_prompt
from core.recipe.adapters.adapter import Adapter, PeftConfig, Rates

if TYPE_CHECKING:
    from core.recipe.model_shape import ModelShape
    from core.recipe.recipe import Recipe


def _config(recipe: Recipe) -> PeftConfig:
    soft = recipe.soft_prompt
    started = {"random": "RANDOM", "vocabulary": "SAMPLE_VOCAB", "text": "TEXT"}[soft.start]
    text = {"prompt_tuning_init_text": soft.text, "tokenizer_name_or_path": recipe.model.path} if soft.text else {}
    arguments = {
        "num_virtual_tokens": soft.tokens,
        "prompt_tuning_init": started,
        **(text if started == "TEXT" else {}),
        "task_type": "CAUSAL_LM",
    }
    return PeftConfig("PromptTuningConfig", arguments)


def _parameters(recipe: Recipe, shape: ModelShape) -> int:
    return recipe.soft_prompt.tokens * shape.hidden


PROMPT = Adapter(
    kind="prompt",
    meaning="prompt tuning: a few trained vectors before every prompt; the smallest of all adapters",
    whole=False,
    section=soft_prompt.SECTION,
    fields=("tokens", "start", "text"),
    peft_config=_config,
    parameters=_parameters,
    memory_terms=soft_prompt.terms,
    over_quantized=soft_prompt.over_quantized,
    folder="adapter",
    weights="adapter_model.safetensors",
    library="peft",
    tags=("prompt-tuning",),
    made="Prompt tuning adapter for",
    rates=Rates("prompt tuning", above=10.0, below=0.1, times=30.0),
    less_memory=soft_prompt.LESS_MEMORY,
    peft_type="PROMPT_TUNING",
    limits=soft_prompt.LIMITS,
    title="Prompt tuning",
    source="arXiv 2104.08691",
)
