"""Preference pairs without a reference model: ORPO, and CPO with SimPO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.recipe.tasks.task import EVAL_LOSS, LOSS, ColumnKind, Headline, Limit, Task, TaskMemory

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe

_COLUMNS: dict[str, ColumnKind] = {
    "chosen_input_ids": "tokens",
    "chosen_labels": "tokens",
    "rejected_input_ids": "tokens",
    "rejected_labels": "tokens",
}

_METRICS = {
    "rewards/margins": "reward margin",
    "rewards/accuracies": "reward accuracy",
    "rewards/chosen": "chosen reward",
    "rewards/rejected": "rejected reward",
    "logps/chosen": "chosen log-prob",
    "logps/rejected": "rejected log-prob",
    "nll_loss": "SFT loss",
}


def _memory(recipe: Recipe) -> TaskMemory:
    """These trainers hold all logits at once: with their gradient and what the losses keep of them in float32."""
    return TaskMemory(logits=17.5)


def _refuses(title: str) -> tuple[Limit, ...]:
    return (
        Limit(
            "data.packing",
            f"{title} compares whole pairs and cannot pack them. Set packing to none.",
            accepts=("none",),
        ),
        Limit(
            "data.loss_on",
            f"{title} compares answers, so this setting does not apply. Set it to answers.",
            accepts=("answers",),
        ),
        Limit(
            "training.group_by_length",
            f"{title} cannot group batches by length because each sample is a pair. Set this to no.",
            accepts=(False,),
        ),
    )


ORPO = Task(
    name="orpo",
    meaning="preference pairs in one stage, without a reference model: SFT on the chosen answer plus an odds ratio",
    title="ORPO",
    module="odds_ratio",
    samples=("preference",),
    wants="preference pairs: a prompt with a chosen and a rejected answer",
    sections=("orpo",),
    encoder="answer_pairs",
    measure="odds_ratio",
    columns=_COLUMNS,
    metrics={**_METRICS, "log_odds_ratio": "log odds ratio", "log_odds_chosen": "log odds of chosen"},
    headline=Headline(LOSS, EVAL_LOSS, "lower", "ORPO loss", "", per_token=False),
    # Full: the paper's 5e-6 to 8e-6; adapters take ten times that, as TRL's example does.
    rates={"lora": (8e-6, 8e-5), "full": (1e-6, 8e-6)},
    sequences=2,
    dropout=False,
    memory=_memory,
    scores={"rewards/accuracies": "higher", "rewards/margins": "higher", "nll_loss": "lower"},
    refuses=_refuses("ORPO"),
)

CPO = Task(
    name="cpo",
    meaning="preference pairs without a reference model: CPO, or SimPO with the loss type simpo",
    title="CPO",
    module="contrastive",
    samples=("preference",),
    wants="preference pairs: a prompt with a chosen and a rejected answer",
    sections=("cpo",),
    encoder="answer_pairs",
    measure="contrastive",
    columns=_COLUMNS,
    metrics=_METRICS,
    headline=Headline(LOSS, EVAL_LOSS, "lower", "CPO loss", "", per_token=False),
    # Full: SimPO's 3e-7 to 1e-6; CPO's own adapters were trained at 1e-4.
    rates={"lora": (5e-6, 1e-4), "full": (3e-7, 5e-6)},
    sequences=2,
    dropout=False,
    memory=_memory,
    scores={"rewards/accuracies": "higher", "rewards/margins": "higher", "nll_loss": "lower"},
    refuses=_refuses("CPO"),
)
