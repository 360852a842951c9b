"""Training on rated answers: TRL's KTO trainer on prompts with an answer and its label, as tokens."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset
from trl import KTOConfig, KTOTrainer

from core.recipe.adapters import adapter_of
from core.recipe.rating_balance import RatingBalance
from core.recipe.recipe import Recipe
from core.training.durable import DurableTrainer
from core.training.reference import reference
from core.training.tasks import TaskScript, TaskTraining, pair_row


class MismatchedAnswers(Dataset[dict[str, Any]]):
    """Rated answers, each with the answer to another prompt of its batch, from which the KL term is estimated.

    TRL writes these answers into a second copy of the dataset; here each is read when its batch is made.

    Args:
        rows: a `datasets.Dataset` in the order of training.
        size: samples of a batch. Within each, answers move on by one: the first prompt gets the last answer.
    """

    def __init__(self, rows: Any, size: int) -> None:
        self._rows = rows
        self._answers = rows.select_columns(["completion_ids"])
        self._size = size

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return self.__getitems__([place])[0]

    def __getitems__(self, places: list[int]) -> list[dict[str, Any]]:
        """The rows at several places; torch's loader asks for a whole batch."""
        rows = self._rows.__getitems__(places)
        others = self._answers.__getitems__(list(map(self._before, places)))
        return [{**row, "KL_completion_ids": other["completion_ids"]} for row, other in zip(rows, others, strict=True)]

    def _before(self, place: int) -> int:
        first = place - place % self._size
        return place - 1 if place > first else min(first + self._size, len(self._rows)) - 1


class RatedTrainer(DurableTrainer, KTOTrainer):
    """TRL's KTO trainer, made durable.

    It trains in a fixed order, because the KL term of an answer depends on the others in its batch; that order is
    drawn once from the seed, since files often list all good answers before all bad ones.
    """

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        """The samples in their order: `core.engine.rated` has made the tokens that TRL would make here."""
        rows = dataset.shuffle(seed=args.seed, keep_in_memory=True)
        return MismatchedAnswers(rows, args.per_device_train_batch_size) if self.calculate_KL else rows


def settings(recipe: Recipe) -> dict[str, Any]:
    """Arguments of `KTOConfig` beyond those that all tasks share."""
    kto = recipe.kto
    return {
        "beta": kto.beta,
        "loss_type": kto.loss_type,
        "desirable_weight": kto.desirable_weight,
        "undesirable_weight": kto.undesirable_weight,
        "train_sampling_strategy": "sequential",
    }


def _plain_row(recipe: Recipe, kinds: frozenset[str]) -> str:
    if "preference" in kinds:
        return pair_row(recipe, kinds)
    return '{"prompt": turns(sample["messages"]), "completion": turns(sample["chosen"]), "label": sample["label"]}'


def _not_expressed(recipe: Recipe, kinds: frozenset[str]) -> list[str]:
    if kinds <= {"kto"}:
        return []
    more = " Rated answers among them fail there." if "kto" in kinds else ""
    return [f"Pairs: TRL lists the chosen answers of 1,000 pairs before their rejected ones; we shuffle them.{more}"]


SCRIPT = TaskScript(
    _plain_row,
    order=lambda recipe: f".shuffle(seed={recipe.training.seed})",
    models=lambda recipe: {"ref_model": "load_model()"} if adapter_of(recipe).whole else {},
    not_expressed=_not_expressed,
)


def notes(recipe: Recipe, rows: Any) -> list[str]:
    """Whether the weights make up for unequal numbers of good and bad answers."""
    labels = rows["label"]
    good = sum(labels)
    problem = RatingBalance(good, len(labels) - good).problem(recipe)
    return [problem] if problem else []


TRAINING = TaskTraining(RatedTrainer, KTOConfig, settings, reference, notes=notes, script=SCRIPT)
