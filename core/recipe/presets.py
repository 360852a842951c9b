"""Named starting points: a few fields each, and the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.recipe.recipe import Recipe, put
from core.recipe.sections.dpo import DpoLoss
from core.recipe.values import Value


@dataclass(frozen=True, slots=True)
class Preset:
    """A partial recipe.

    Attributes:
        name: one or two words.
        reason: when to use it and what it does, one or two sentences.
        values: the fields that it sets, by dotted path; all others are unchanged.
    """

    name: str
    reason: str
    values: Mapping[str, Value]

    def apply(self, recipe: Recipe) -> Recipe:
        """The recipe with the preset's fields set."""
        for path, value in self.values.items():
            recipe = put(recipe, path, value)
        return recipe


PRESETS: tuple[Preset, ...] = (
    Preset(
        "pilot",
        "20 steps on your data. Shows speed, memory and whether the loss falls at all, before you spend a night on it.",
        {
            "training.max_steps": 20,
            "training.eval_every": 10.0,
            "training.save_every": 0.0,
            "training.log_every": 1,
            "evaluation.prompts": 5,
            "evaluation.max_new_tokens": 128,
        },
    ),
    Preset(
        "LoRA",
        "The usual starting point: all linear layers, rank 16, effective batch size 16. "
        "For models whose 16-bit weights fit.",
        {
            "method": "lora",
            "model.quantization": "none",
            "lora.rank": 16,
            "lora.alpha": 32.0,
            "lora.targets": ("all-linear",),
            "lora.variant": "plain",
            "training.learning_rate": 2e-4,
            "training.epochs": 2.0,
            "training.max_steps": 0,
            "training.batch_size": 4,
            "training.gradient_accumulation": 4,
            "training.activation_checkpointing": True,
        },
    ),
    Preset(
        "QLoRA",
        "For small GPUs: 4-bit weights, batch size 1, the same effective batch of 16. Needs a quarter of the memory "
        "for weights; steps are slower.",
        {
            "method": "lora",
            "model.quantization": "nf4",
            "model.double_quantization": True,
            "lora.rank": 16,
            "lora.alpha": 32.0,
            "lora.targets": ("all-linear",),
            "lora.variant": "plain",
            "training.learning_rate": 2e-4,
            "training.epochs": 2.0,
            "training.max_steps": 0,
            "training.batch_size": 1,
            "training.gradient_accumulation": 16,
            "training.optimizer": "paged_adamw_8bit",
            "training.activation_checkpointing": True,
        },
    ),
    Preset(
        "DPO",
        "For preference pairs (a chosen and a rejected answer): one epoch at a twentieth of the SFT learning rate. "
        "Start from a model that already answers in the right format.",
        {
            "task": "dpo",
            "dpo.beta": 0.1,
            "dpo.loss_type": (DpoLoss(),),
            "training.learning_rate": 1e-5,
            "training.epochs": 1.0,
            "training.max_steps": 0,
            "training.batch_size": 2,
            "training.gradient_accumulation": 8,
            "training.warmup": 0.1,
            "training.group_by_length": False,
        },
    ),
    Preset(
        "thorough",
        "For hard tasks with a few thousand samples or more: rank 64 with rslora, a lower learning rate, three epochs "
        "and twenty evaluations to catch overfitting.",
        {
            "method": "lora",
            "lora.rank": 64,
            "lora.alpha": 64.0,
            "lora.targets": ("all-linear",),
            "lora.variant": "rslora",
            "training.learning_rate": 1e-4,
            "training.epochs": 3.0,
            "training.max_steps": 0,
            "training.scheduler": "cosine",
            "training.eval_every": 0.05,
            "evaluation.prompts": 50,
        },
    ),
)
"""All presets, in the order of a menu."""
