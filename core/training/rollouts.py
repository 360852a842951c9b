"""What every task that generates adds to a durable trainer: prompts in TRL's form, requests during generation."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from safetensors.torch import load, save
from transformers import StoppingCriteriaList

from core.engine.rewards import NamedReward, RewardSetting
from core.engine.worker import LOOK_EVERY, Worker
from core.jobs import requests
from core.training.completions import CompletionLog
from core.training.durable import DurableTrainer
from core.training.in_step import RandomStates, StepAbandoned

_BUFFER = "rollouts-{}.safetensors"
"""In a checkpoint: the completions of a rank that are still to be trained on."""


class GeneratingTrainer(DurableTrainer):
    """A durable trainer before one of TRL's that generates: `class GroupTrainer(OnlineTrainer, GRPOTrainer)`.

    Completions are generated for several batches at once and kept until they are trained on. A checkpoint in the middle
    of that holds them, so that a resumed run trains on the same ones.

    Args:
        **arguments: those of `DurableTrainer` and of TRL's trainer.

    Attributes:
        within: called while a step or an evaluation computes, before each token, with whether it is an evaluation; may
            hold, save, or raise `StepAbandoned`.
    """

    def __init__(self, **arguments: Any) -> None:
        self._buffers: list[bytes] = []
        self._random_after: RandomStates | None = None
        self._evaluating = self._stepping = False
        self.within: Callable[[bool], None] = lambda evaluating: None
        for name in ("train_dataset", "eval_dataset"):
            if arguments.get(name) is not None:
                arguments[name] = arguments[name].with_transform(_as_trl)
        super().__init__(**arguments)
        self.in_step.keep_always()
        model = self.accelerator.unwrap_model(self.model)
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        inner.register_forward_pre_hook(lambda *_: self.tick())
        if self._worker.rank is not None:
            inner.generate = self._interruptible(inner.generate)

    # --- requests inside a step

    def tick(self) -> None:
        """Shows that it is alive and answers requests: before each token, and while a reward takes long.

        Ranks generate at their own pace, so they cannot agree here: see `_interruptible`.
        """
        if self._worker.rank is not None or not (self._stepping or self._evaluating):
            return
        step = self.state.global_step
        self._worker.progress(step, self.state.max_steps)
        self.within(self._evaluating)

    def _interruptible(self, generate: Callable[..., Any]) -> Callable[..., Any]:
        """Generation that every rank cuts short where somebody requests something; they agree once all have ended.

        What was generated is forgotten then, and generated again from the same random numbers if the run continues.
        """

        def generating(*arguments: Any, stopping_criteria: Any = None, **names: Any) -> Any:
            rank, before, passed = self._worker.rank, RandomStates.now(), frozenset[str]()
            while True:
                cut = _CutShort(self._worker, passed if self._stepping or self._evaluating else None)
                criteria = StoppingCriteriaList([*(stopping_criteria or ()), cut])
                found = generate(*arguments, stopping_criteria=criteria, **names)
                seen = [] if rank is None else rank.gather(sorted(cut.seen))
                if not any(seen):
                    return found
                passed |= frozenset(name for each in seen for name in each)
                self._worker.look_again()
                self.within(self._evaluating)
                before.put()

        return generating

    def train(self, *arguments: Any, **names: Any) -> Any:
        """As the trainer does; a step that is abandoned ends it as if it had not begun."""
        try:
            return super().train(*arguments, **names)
        except StepAbandoned:
            self.control.should_training_stop = True
            return None

    def training_step(self, *arguments: Any, **names: Any) -> Any:
        """As TRL's trainer; only inside it, and in evaluations, are requests answered."""
        self._stepping = True
        try:
            return super().training_step(*arguments, **names)
        finally:
            self._stepping = False

    def _generate_and_score_completions(self, *arguments: Any, **names: Any) -> Any:
        with self._worker.during("generating"):
            return super()._generate_and_score_completions(*arguments, **names)

    # --- what a checkpoint holds besides

    def beside(self) -> tuple[int, Any, int]:
        """See `DurableTrainer`: the completions that are trained on, and how many batches of them were."""
        return self._step, self._buffered_inputs, self.state.num_input_tokens_seen

    def put_beside(self, found: Any) -> None:
        """See `DurableTrainer`."""
        self._step, self._buffered_inputs, self.state.num_input_tokens_seen = found

    @property
    def _in_buffer(self) -> bool:
        """Whether completions are left that were generated and not yet trained on."""
        return bool(self._step % self._batches_generated)

    @property
    def _batches_generated(self) -> int:
        """How many batches are trained on with one generation."""
        return int(self.args.steps_per_generation * self.num_iterations)

    @property
    def tokens_seen(self) -> int:
        """See `DurableTrainer`."""
        return int(self.state.num_input_tokens_seen)

    def _own_facts(self) -> dict[str, Any]:
        return {**super()._own_facts(), "rollout": {"step": self._step, "buffered": self._in_buffer}}

    def _gather_beside(self) -> None:
        own = save(_flat(self._buffered_inputs)) if self._in_buffer else b""
        self._buffers = gather_object([own]) if self.accelerator.num_processes > 1 else [own]

    def _write_beside(self, folder: Path) -> None:
        for number, buffer in enumerate(self._buffers):
            if buffer:
                (folder / _BUFFER.format(number)).write_bytes(buffer)

    def _started(self) -> None:
        super()._started()
        if (checkpoint := self._resumed) is None:
            return
        found = checkpoint.rollout
        self._step = int(found.get("step", 0))
        if found.get("buffered"):
            buffer = (checkpoint.path / _BUFFER.format(self.accelerator.process_index)).read_bytes()
            self._buffered_inputs = _deep(load(buffer), self.accelerator.device)
        if (
            checkpoint.evaluation_due
        ):  # the evaluation that comes first draws from where it drew when it was interrupted
            self._load_rng_state(str(checkpoint.path))

    def _get_train_sampler(self, *arguments: Any, **names: Any) -> Any:
        """TRL's sampler draws each epoch's order from a generator of its own: those of the epochs done are drawn."""
        sampler = super()._get_train_sampler(*arguments, **names)
        if self._resumed is not None and sampler.shuffle:
            for _ in range(int(self._resumed.epoch + 1e-6)):
                torch.randperm(sampler.num_samples, generator=sampler.generator)
        return sampler

    def evaluate(self, *arguments: Any, **names: Any) -> dict[str, float]:
        """As `DurableTrainer`; it draws random numbers, so one that is interrupted is as if it had not begun."""
        before, self._evaluating = RandomStates.now(), True
        try:
            metrics = super().evaluate(*arguments, **names)
        finally:
            self._evaluating = False
        if self._evaluation_due:
            before.put()
        elif self._resumed is not None:
            self._random_after = RandomStates.now()
        return metrics

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if self._random_after is not None:
            self._random_after.put()
        else:
            super()._load_rng_state(checkpoint)


class OnlineTrainer(GeneratingTrainer):
    """One whose completions are scored by rewards.

    Args:
        rewards: what scores the completions.
        setting: where the rewards are computed; learns whom to call while they take long.
        completions: keeps some of the completions.
        **arguments: those of `GeneratingTrainer`.
    """

    def __init__(
        self, *, rewards: list[NamedReward], setting: RewardSetting, completions: CompletionLog, **arguments: Any
    ) -> None:
        self._completions = completions
        super().__init__(reward_funcs=list(rewards), **arguments)
        setting.tick = self.tick

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
        scores = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        start = self.accelerator.process_index * len(prompts)
        self._completions.add(
            step=self.state.global_step + self.model.training,
            held_out=not self.model.training,
            prompts=prompts,
            completions=completions,
            lengths=[len(ids) for ids in completion_ids_list],
            answers=[row.get("answer") for row in inputs],
            scores=scores[start : start + len(prompts)].tolist(),
        )
        return scores


class _CutShort:
    """Ends a generation where a request lies in the run's folder that was not there before.

    Args:
        worker: of this rank; each looks for itself.
        passed: requests that were answered already, or can only be answered later; None looks for none.
    """

    def __init__(self, worker: Worker, passed: frozenset[str] | None) -> None:
        self._worker, self._passed = worker, passed
        self._next = 0.0
        self.seen: set[str] = set()

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        now = time.monotonic()
        if self._passed is not None and now >= self._next:
            self._next = now + LOOK_EVERY
            self.seen |= set(requests.pending(self._worker.folder)) - {requests.RESUME} - self._passed
        return torch.full((len(input_ids),), bool(self.seen), device=input_ids.device)


def _as_trl(batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Rows of the encoded dataset as TRL's trainer wants them: the prompt, and further columns for the rewards."""
    rows = [json.loads(row) if isinstance(row, str) else row for row in batch["row"]]
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}


def _flat(batches: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return {
        f"{number}.{name}": value.detach().cpu().contiguous().clone()
        for number, batch in enumerate(batches)
        for name, value in batch.items()
        if value is not None
    }


def _deep(flat: Mapping[str, torch.Tensor], device: Any) -> list[dict[str, Any]]:
    batches: list[dict[str, Any]] = []
    for key in sorted(flat, key=lambda key: int(key.partition(".")[0])):
        number, _, name = key.partition(".")
        while len(batches) <= int(number):
            batches.append({})
        batches[int(number)][name] = flat[key].to(device)
    return batches
