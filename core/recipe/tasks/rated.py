"""Rated answers: good and bad ones, each on its own, compared with the base model."""

from __future__ import annotations

from core.recipe.tasks.task import EVAL_LOSS, LOSS, Headline, Limit, Task

KTO = Task(
    name="kto",
    meaning="rated answers: make good answers more likely and bad ones less likely, relative to the base model",
    title="KTO",
    module="rated",
    samples=("kto", "preference"),
    wants="rated answers (a prompt, an answer, and whether it is good), or preference pairs, split into one of each",
    sections=("kto",),
    encoder="rated",
    measure="rated",
    columns={"prompt_ids": "tokens", "completion_ids": "tokens", "label": "flag"},
    metrics={
        "rewards/margins": "reward margin",
        "rewards/chosen": "good reward",
        "rewards/rejected": "bad reward",
        "logps/chosen": "good log-prob",
        "logps/rejected": "bad log-prob",
        "kl": "KL from base",
        "entropy": "entropy",
    },
    headline=Headline(LOSS, EVAL_LOSS, "lower", "KTO loss", "", per_token=False),
    # Full: section 4 of the paper and TRL's script; adapters take ten times that, as with DPO.
    rates={"lora": (5e-6, 5e-5), "full": (5e-7, 5e-6)},
    sequences=1,
    dropout=False,
    reference=True,
    supports=("training.activation_offloading",),
    scores={"rewards/margins": "higher", "rewards/chosen": "higher"},
    answers={
        "good": "made more likely",
        "bad": "made less likely",
        "chosen": "made more likely",
        "rejected": "made less likely",
    },
    refuses=(
        Limit(
            "data.packing", "KTO compares whole answers and cannot pack them. Set packing to none.", accepts=("none",)
        ),
        Limit(
            "data.loss_on",
            "KTO trains on answers, never on the prompt. Set this to answers.",
            accepts=("answers",),
        ),
        Limit(
            "training.batch_size",
            "The loss type kto estimates its KL term from the other answers of a batch, so the batch size must be at "
            "least 2; 4 or more is better. Raise it and lower gradient accumulation, or use apo_zero_unpaired.",
            at_least=2,
            given={"kto.loss_type": "kto"},
        ),
        Limit(
            "training.group_by_length",
            "KTO trains in a fixed order, so it cannot group batches by length. Set this to no.",
            accepts=(False,),
        ),
        Limit(
            "training.parallel",
            "Full KTO needs the whole base model as a reference on each GPU, which fsdp cannot shard "
            "here. Use ddp, or set the method to lora.",
            accepts=("ddp",),
            given={"method": "full"},
        ),
    ),
)
