"""Continued pretraining: text, every token of it."""

from __future__ import annotations

from core.recipe.tasks.task import EVAL_LOSS, LOSS, TOKEN_METRICS, Headline, Limit, Task

CPT = Task(
    name="cpt",
    meaning="continued pretraining: go on learning from plain text, with a learning rate of its own for the embeddings",
    title="CPT",
    module="continued",
    samples=("text",),
    wants="plain text",
    sections=("cpt",),
    encoder="talks",
    measure="scores",
    columns={"input_ids": "tokens", "labels": "tokens"},
    metrics=TOKEN_METRICS,
    headline=Headline(LOSS, EVAL_LOSS, "lower", "loss", "nats per token", per_token=True),
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
            "The embeddings have a learning rate of their own, which fsdp's sharded optimizer does not keep here. Use "
            "ddp.",
            accepts=("ddp",),
        ),
    ),
)
