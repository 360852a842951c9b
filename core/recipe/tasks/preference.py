"""Preference pairs, compared with the base model."""

from __future__ import annotations

from core.recipe.tasks.task import EVAL_LOSS, LOSS, TOKEN_METRICS, Headline, Limit, Task

DPO = Task(
    name="dpo",
    meaning="preference pairs: make the chosen answer more likely than the rejected one, relative to the base model",
    title="DPO",
    module="preference",
    samples=("preference",),
    wants="preference pairs: a prompt with a chosen and a rejected answer",
    sections=("dpo",),
    encoder="pairs",
    measure="pairs",
    columns={"prompt_ids": "tokens", "chosen_ids": "tokens", "rejected_ids": "tokens"},
    metrics={
        "rewards/margins": "reward margin",
        "rewards/accuracies": "reward accuracy",
        "rewards/chosen": "chosen reward",
        "rewards/rejected": "rejected reward",
        "logps/chosen": "chosen log-prob",
        "logps/rejected": "rejected log-prob",
        **TOKEN_METRICS,
    },
    headline=Headline(LOSS, EVAL_LOSS, "lower", "DPO loss", "", per_token=False),
    virtual_tokens=True,
    rates={"lora": (5e-6, 2e-5), "full": (5e-7, 5e-6)},
    sequences=2,
    reference=True,
    reference_freed_by="dpo.precompute_ref_log_probs",
    dropout=False,
    supports=("data.truncation", "training.activation_offloading"),
    scores={"rewards/accuracies": "higher", "rewards/margins": "higher", "rewards/chosen": "higher"},
    refuses=(
        Limit("data.packing", "DPO compares whole pairs and cannot pack them. Set packing to none.", accepts=("none",)),
        Limit(
            "data.loss_on",
            "DPO trains on answers, never on the prompt. Set this to answers.",
            accepts=("answers",),
        ),
        Limit(
            "training.group_by_length",
            "DPO cannot group batches by length because each sample is a pair. Set this to no.",
            accepts=(False,),
        ),
        Limit(
            "training.parallel",
            "Full DPO needs the whole base model as a reference on each GPU, which fsdp cannot shard "
            "here. Use ddp, or set the method to lora.",
            accepts=("ddp",),
            given={"method": "full"},
        ),
    ),
)
