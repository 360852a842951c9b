"""Distillation: the model answers, and a teacher's distribution of every token is learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.tasks.online import LENGTHS
from core.recipe.tasks.task import EVAL_LOSS, LOSS, Headline, Limit, Task, TaskMemory

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe


def _memory(recipe: Recipe) -> TaskMemory:
    teacher, training = recipe.distill.teacher, recipe.training
    return TaskMemory(
        length=recipe.data.max_length + recipe.distill.max_completion_length,
        beside=(teacher,) if teacher else (),
        heads=2,
        generated=training.batch_size * training.gradient_accumulation,
    )


DISTILL = Task(
    name="distill",
    meaning="distillation: the model answers prompts, and learns a teacher model's distribution for every token "
    "it wrote",
    title="distillation",
    module="distill",
    samples=("messages", "prompt", "text"),
    wants="prompts, with or without answers",
    unused={
        "messages": "The answers in the data are not used: the model writes its own, and the teacher judges each token."
    },
    sections=("distill",),
    encoder="asked",
    measure="taught",
    columns={"prompt_ids": "tokens", "row": "json"},
    metrics={**LENGTHS, "entropy": "entropy", "step_time": "seconds per step"},
    headline=Headline(LOSS, EVAL_LOSS, "lower", "divergence", "nats per token", per_token=False),
    rates={"lora": (1e-5, 2e-4), "full": (1e-6, 2e-5)},
    generates=True,
    memory=_memory,
    refuses=(
        Limit("data.packing", "Distillation answers one prompt at a time. Set packing to none.", accepts=("none",)),
        Limit(
            "data.loss_on",
            "Distillation trains on the answers that the model writes. Set this to answers.",
            accepts=("answers",),
        ),
        Limit(
            "data.chunk_text",
            "Distillation needs whole prompts. Set this to no; longer prompts are dropped.",
            accepts=(False,),
        ),
        Limit(
            "training.group_by_length",
            "Distillation generates for several batches at once and cannot group them by length. Set this to no.",
            accepts=(False,),
        ),
        Limit(
            "training.parallel",
            "Distillation generates with the whole model on each GPU, which fsdp cannot do here. Use ddp.",
            accepts=("ddp",),
        ),
    ),
)
