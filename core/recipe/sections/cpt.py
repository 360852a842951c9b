"""Continued pretraining: how fast the embeddings learn."""

from __future__ import annotations

from dataclasses import dataclass

from core.recipe.adapters import kinds_with, whole_methods, with_section
from core.recipe.conditions import filled
from core.recipe.declare import knob
from core.recipe.witness import reading


@dataclass(frozen=True, slots=True)
class Cpt:
    """Settings for continued pretraining; only used by the task cpt."""

    embedding_learning_rate: float = knob(
        5e-6,
        title="Embedding rate",
        help="The learning rate of the input embeddings and the output layer (embed_tokens, lm_head), if they are "
        "trained. With LoRA, list them under Modules to save; new words and languages need them.",
        consequence="A half to a tenth of the learning rate is common: if embeddings move too fast, old words go.",
        gt=0,
        lt=1,
        source="Unsloth, Continued LLM Pretraining (2024): 2 to 10 times smaller",
        when=(with_section("lora") & filled("lora.modules_to_save"))
        | (kinds_with("adapter.modules_to_save") & filled("adapter.modules_to_save"))
        | whole_methods(),
        witness=reading("embedding_rates"),
    )
