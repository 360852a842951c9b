"""Continued pretraining: text, every token of it."""

from __future__ import annotations

from core.recipe.tasks.supervised import SFT
from core.recipe.tasks.task import TOKEN_METRICS, Limit, Task

CPT = Task(
    name="cpt",
    meaning="continued pretraining: learn every token of plain text; embeddings can have their own learning rate",
    title="CPT",
    module="continued",
    samples=("text",),
    wants="plain text",
    sections=("cpt",),
    encoder="talks",
    measure="scores",
    columns={"input_ids": "tokens", "labels": "tokens"},
    metrics=TOKEN_METRICS,
    headline=SFT.headline,
    virtual_tokens=True,
    rates={"lora": (2e-5, 2e-4), "full": (5e-6, 5e-5)},
    defaults={
        "training.learning_rate": 5e-5,
        "training.epochs": 1.0,
        "data.packing": "bfd_split",
        "data.chunk_text": True,
    },
    supports=(
        "data.packing",
        "data.chunk_text",
        "data.truncation",
        "training.group_by_length",
        "training.activation_offloading",
    ),
    scores={"mean_token_accuracy": "higher"},
    refuses=(
        Limit(
            "training.parallel",
            "The embeddings have a separate learning rate, which fsdp's sharded optimizer does not keep here. Use ddp.",
            accepts=("ddp",),
        ),
    ),
)
