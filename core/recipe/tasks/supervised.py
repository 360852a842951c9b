"""Supervised fine-tuning: answers in the data, or text."""

from __future__ import annotations

from core.recipe.tasks.task import EVAL_LOSS, LOSS, TOKEN_METRICS, Headline, Task

ACCURACY = Headline("mean_token_accuracy", "eval_mean_token_accuracy", "higher", "token accuracy", "", per_token=False)
"""The share of trained tokens that the model ranks first: shows progress when the loss does not."""

SFT = Task(
    name="sft",
    meaning="supervised fine-tuning: learn to give the answers in the data, or to continue its text",
    title="SFT",
    module="supervised",
    samples=("messages", "text", "preference", "kto"),
    wants="conversations, plain text, or the good answers of preference data",
    unused={
        "preference": "SFT trains on the chosen answers of preference pairs and ignores the rejected ones. "
        "Set the task to dpo to train on both.",
        "kto": "SFT trains on the answers labeled good and ignores the bad ones. Set the task to kto to train on both.",
    },
    sections=("sft",),
    encoder="talks",
    measure="scores",
    columns={"input_ids": "tokens", "labels": "tokens"},
    plain=True,
    marks=True,
    metrics=TOKEN_METRICS,
    headline=Headline(LOSS, EVAL_LOSS, "lower", "loss", "nats per token", per_token=True),
    virtual_tokens=True,
    # Its loss weighs a token by its probability, so it rises while rare tokens become likelier.
    headlines=(("sft.loss_type", "dft", ACCURACY),),
    rates={"lora": (1e-4, 5e-4), "full": (1e-5, 5e-5)},
    supports=(
        "data.packing",
        "data.chunk_text",
        "data.loss_on",
        "data.truncation",
        "training.group_by_length",
        "training.activation_offloading",
    ),
    scores={"mean_token_accuracy": "higher"},
)
