"""What TRL's ORPO and CPO trainers lack compared with the others, so that `DurableTrainer` works with them too."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from core.engine.answer_pairs import collate
from core.recipe.tasks import EVAL_LOSS, LOSS
from core.training.durable import DurableTrainer
from core.training.tasks import DEFAULT, TaskScript, pair_row


class AnswerPairsTrainer(DurableTrainer):
    """Gets pairs as tokens, counts them, and guards evaluations.

    `class OddsRatioTrainer(AnswerPairsTrainer, ORPOTrainer)`: these trainers tokenize each dataset in their
    constructor, keep what they log under another name, count no tokens, and evaluate without `compute_loss`.
    """

    def __init__(self, **arguments: Any) -> None:
        train_rows, eval_rows = arguments.pop("train_dataset"), arguments.pop("eval_dataset")
        self._total_train_tokens = 0
        super().__init__(
            train_dataset=_Tokenized(train_rows),
            eval_dataset=None if eval_rows is None else _Tokenized(eval_rows),
            **arguments,
        )
        self.train_dataset, self.eval_dataset = train_rows, eval_rows
        self.data_collator = partial(collate, pad_token_id=self.processing_class.pad_token_id)

    @property
    def _metrics(self) -> Any:
        """What is gathered for the next line, by `train` and `eval`; the other trainers' name for it."""
        return self._stored_metrics

    def compute_loss(self, model: Any, inputs: Any, *arguments: Any, **names: Any) -> Any:
        """TRL's loss; counts the tokens that it is computed from."""
        tokens = sum(inputs[f"{answer}_attention_mask"].sum() for answer in ("chosen", "rejected"))
        self._total_train_tokens += int(self.accelerator.gather(tokens).sum().item())
        return super().compute_loss(model, inputs, *arguments, **names)

    def prediction_step(self, *arguments: Any, **names: Any) -> Any:
        """TRL's evaluation of one batch; ends the run if its loss is not finite."""
        found = super().prediction_step(*arguments, **names)
        value = float(found[0])
        if not math.isfinite(value):
            self.on_not_finite(EVAL_LOSS, value)
            self._guard.loss(value, self.state.global_step)
        return found

    def log(self, logs: dict[str, float], *arguments: Any, **names: Any) -> None:
        """A line of metrics, with the tokens so far as the other trainers log them."""
        if LOSS in logs:
            logs["num_tokens"] = self._total_train_tokens
        super().log(logs, *arguments, **names)


class _Tokenized:
    """A dataset that is tokenized already: what TRL maps over it changes nothing."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> Any:
        return self._rows[place]

    def map(self, *_: Any, **__: Any) -> _Tokenized:
        """Itself."""
        return self


SCRIPT = TaskScript(pair_row, lambda recipe, kinds: {"remove_unused_columns": DEFAULT}, renders_tools=False)
"""In a plain script these trainers find out by themselves which columns they need."""
