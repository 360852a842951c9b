"""What every training run adds to TRL's trainer: checkpoints that are whole, an exact resume, requests, no NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import SCHEDULER_NAME
from transformers.trainer_pt_utils import nested_gather
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from core import units
from core.engine.quantized import base_unchanged, in_four_bits, pack_as_evaluation_does
from core.engine.short_memory import short_of
from core.engine.worker import Worker, WorkerStopped
from core.errors import BadInput
from core.jobs import folder as folders
from core.jobs.files import tree_size
from core.recipe.adapters import adapter_of
from core.recipe.best_metric import best_metric
from core.recipe.recipe import Recipe, to_json
from core.recipe.schedule import steps_of
from core.recipe.schedulers import DECAY_STEPS, SCHEDULERS
from core.recipe.tasks import EVAL_LOSS, LOSS
from core.runs.checkpoint import Checkpoint, is_longer, read, refuse_damaged, seal
from core.runs.origin import Started
from core.training.adapter_start import loraplus, plus_ratio
from core.training.effects import check_liger
from core.training.finite import Guard, NotFinite
from core.training.in_step import InStep
from core.training.loading import named
from core.training.rank_saving import RankSaving
from core.training.saving import drop_old, load_trained, save_trained, saved_bytes, write_whole
from core.training.sharded import keep_dropout, let_go


class DurableTrainer(Trainer):
    """A mixin before any of TRL's trainers, which then keeps its arithmetic and does a few things more.

    `class PreferenceTrainer(DurableTrainer, DPOTrainer)`: each `super()` here is TRL's own method there.

    It ends at the first number that is none, writes checkpoints whole and waits for a full disk, puts one off while the
    run's folder cannot be reached, resumes from one as if it had never ended, can be interrupted while it evaluates,
    and reports nothing to the network.

    Attributes:
        before_steps: called when a run begins, before its first evaluation; not when it is resumed.
        between_steps: called after each step, with what writes a checkpoint.
        on_not_finite: called with a value that is not finite and its key in the metrics, before the run ends.
        short_in_evaluation: whether memory was short in an evaluation.
        begun: what the run was started from, where that is not the bare base model.
    """

    def __init__(self, *, worker: Worker, guard: Guard, recipe: Recipe, **arguments: Any) -> None:
        self._worker = worker
        self._guard = guard
        self._recipe = recipe
        self._in_four_bits = in_four_bits(arguments["model"])
        self._evaluation_due = False
        self._epoch_random = torch.random.get_rng_state()
        self._resumed: Checkpoint | None = None
        self._over = False
        self._longer = False
        self._put_off = False
        self._reported = 0
        self._ranks = RankSaving(worker, recipe)
        self.in_step = InStep(self)
        self.short_in_evaluation = False
        self.begun: Started | None = None
        self.on_not_finite: Callable[[str, float], None] = lambda key, value: None
        self.before_steps: Callable[[], None] = lambda: None
        self.between_steps: Callable[[Callable[[], None]], None] = lambda save: None
        super().__init__(**arguments)
        self.add_callback(_Points(self._started, self._epoch_begins))

    def resume_from(self, checkpoint: Checkpoint) -> None:
        """Trains on from a checkpoint; one of the last step is loaded as it is."""
        self._resumed = checkpoint
        self._guard.good_checkpoint = f"checkpoints/{checkpoint.path.name}"
        self._longer = is_longer(checkpoint, self._recipe)
        self._over = not self._longer and (checkpoint.step >= checkpoint.of or self._ended_early(checkpoint))
        if not self._over or self._ranks.sharded:  # a model is shared out where a training begins, and only there
            try:
                self.train(resume_from_checkpoint=str(checkpoint.path))
            except _EndedEarly:
                self.control.should_training_stop = True
            return
        self.load_weights(checkpoint.path)
        self.state = TrainerState.load_from_json(str(checkpoint.path / "trainer_state.json"))
        if checkpoint.evaluation_due and self.eval_dataset is not None:
            self.evaluate()

    def _ended_early(self, checkpoint: Checkpoint) -> bool:
        """Whether the run had ended by itself at a checkpoint, and was only interrupted before it was saved."""
        patience = self._recipe.training.early_stopping
        return 0 < patience <= checkpoint.without_gain and not checkpoint.evaluation_due

    def load_weights(self, checkpoint: Path) -> None:
        """Puts a checkpoint's weights into the model, and nothing else of it."""
        if self._ranks.sharded:
            let_go(self.model)
        self._load_from_checkpoint(str(checkpoint))

    def _load_from_checkpoint(self, *arguments: Any, **names: Any) -> None:
        """PEFT makes 16-bit adapters 32-bit when it loads them; they become again what they were."""
        if not adapter_of(self._recipe).exact:
            load_trained(self.model, Path(arguments[0]))
            return
        types = {name: weight.dtype for name, weight in self.model.named_parameters()}
        with nullcontext() if self._ranks.sharded or self._resumed is None else named(str(self._resumed.path)):
            super()._load_from_checkpoint(*arguments, **names)
        for name, weight in self.model.named_parameters():
            if weight.dtype != types[name]:
                weight.data = weight.data.to(types[name])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with nullcontext() if self._ranks.sharded or checkpoint is None else named(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None and self._longer:
            self._follow_longer_schedule()

    def _follow_longer_schedule(self) -> None:
        """The rate of the next step is that of the longer run's schedule: the checkpoint's own may be 0 by now."""
        scheduler: Any = getattr(self.lr_scheduler, "scheduler", self.lr_scheduler)
        rates = [
            base * rate(scheduler.last_epoch)
            for base, rate in zip(
                getattr(scheduler, "base_lrs", ()), getattr(scheduler, "lr_lambdas", ()), strict=False
            )
        ]
        for group, rate in zip(scheduler.optimizer.param_groups, rates, strict=False):
            group["lr"] = rate
        if rates:
            scheduler._last_lr = rates

    def _started(self) -> None:
        """What a checkpoint of the trainer's own does not hold: what was gathered for the next line of metrics."""
        if self._ranks.sharded:
            keep_dropout(self.model)
        if self._recipe.training.liger:
            check_liger(self.model)
        checkpoint = self._resumed
        if checkpoint is None:
            self.before_steps()
            return
        if self._in_four_bits and self.eval_dataset is not None:
            pack_as_evaluation_does(self.model)
        self.state.compute_steps(self.args, self.state.max_steps)  # these may have changed since
        self._tr_loss.fill_(checkpoint.unlogged["loss"])
        self._globalstep_last_logged = checkpoint.unlogged["since"]
        self._metrics["train"].update(checkpoint.unlogged["metrics"])
        self._total_train_tokens = checkpoint.tokens

    def _epoch_begins(self) -> None:
        """The order of an epoch's samples hangs on the generator's state at its start."""
        checkpoint, self._resumed = self._resumed, None
        if checkpoint is not None and (self._over or self.control.should_training_stop):
            raise _EndedEarly  # maybe by the evaluation that was made up for: the loop would make one step more
        if checkpoint is not None and checkpoint.position:
            state = bytearray.fromhex(checkpoint.epoch_random)
            torch.random.set_rng_state(torch.frombuffer(state, dtype=torch.uint8))
        elif checkpoint is not None:
            self._load_rng_state(str(checkpoint.path))
        self._epoch_random = torch.random.get_rng_state()
        self.in_step.epoch_begins(whole=checkpoint is None or not checkpoint.position)

    def _send_telemetry(self) -> None:
        pass

    def create_model_card(self, *arguments: Any, **names: Any) -> None:
        """Nothing: the card is written once, beside the adapter."""

    def compute_loss(self, model: Any, inputs: Any, *arguments: Any, **names: Any) -> Any:
        """TRL's loss; ends the run before the backward pass if it is not finite."""
        loss = super().compute_loss(model, inputs, *arguments, **names)
        value = float(
            (loss[0] if isinstance(loss, tuple) else loss).detach()
        )  # TRL has waited for this forward pass already, for its entropy
        if not math.isfinite(value):
            training = self.model.training
            self.on_not_finite(LOSS if training else EVAL_LOSS, value)
            self._guard.loss(value, self.state.global_step + training)
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        try:
            self._guard.gradient(float(norm), self.state.global_step + 1)
        except NotFinite:
            self.on_not_finite("grad_norm", float(norm))
            raise
        return norm

    def evaluate(self, *arguments: Any, **names: Any) -> dict[str, float]:
        """TRL's evaluation; one that is interrupted gives no metrics, and the trained state is still saved."""
        try:
            with self._worker.during("evaluating"):
                metrics: dict[str, float] = super().evaluate(*arguments, **names)
        except WorkerStopped as stopped:
            if stopped.now or self._resumed is not None or self.state.global_step == 0:
                raise
            self._evaluation_due = True
            self._metrics["eval"].clear()
            self.control.should_evaluate = False
            self.control.should_save = True
            self.control.should_training_stop = True
            return {}
        except Exception as error:
            self.short_in_evaluation = bool(short_of(error))
            raise
        if self._resumed is not None and self.state.global_step:
            self._determine_best_metric(metrics, None)  # the trainer does so for its regular evaluations alone
        return metrics

    def _evaluate(self, trial: Any, ignore_keys_for_eval: Any, skip_scheduler: bool = False) -> dict[str, float]:
        """TRL's evaluation on the way, after which a schedule that follows it takes its step.

        Not after one that was interrupted; the resumed run makes up for the evaluation, and for that step.
        """
        made_up = self._resumed is not None and self.state.global_step > 0
        metrics: dict[str, float] = super()._evaluate(trial, ignore_keys_for_eval, skip_scheduler=True)
        follows = SCHEDULERS[self._recipe.training.scheduler].follows_eval
        if follows and metrics and (made_up or not skip_scheduler):
            self.lr_scheduler.step(metrics[best_metric(self._recipe).name])
        return metrics

    def create_optimizer(self, model: Any = None) -> Any:
        """The trainer's; for LoRA+ with a learning rate of its own for each half of the adapter."""
        made = getattr(self, "optimizer", None)
        if made is None and (ratio := plus_ratio(self._recipe)):
            self.optimizer = loraplus(self, ratio)
        return super().create_optimizer(model)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """TRL's schedule; a decay phase that is a share of all steps is counted now that these are known."""
        given = self.args.lr_scheduler_kwargs
        if given and DECAY_STEPS in given:
            self.args.lr_scheduler_kwargs = {**given, DECAY_STEPS: steps_of(given[DECAY_STEPS], num_training_steps)}
        return super().create_scheduler(num_training_steps, optimizer)

    def set_initial_training_values(self, args: Any, dataloader: Any) -> Any:
        """The steps of the run; per epoch becomes so many steps, at which a resumed run evaluates and saves as well."""
        values = super().set_initial_training_values(args, dataloader)
        steps = values[1]
        if args.eval_strategy == "epoch":
            args.eval_strategy, args.eval_steps = IntervalStrategy.STEPS, steps
        if args.save_strategy == "epoch":
            args.save_strategy, args.save_steps = SaveStrategy.STEPS, steps
        return values

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Whether an evaluation was the best so far; if the best is to be kept, it becomes a checkpoint."""
        measured = best_metric(self._recipe).name in metrics
        if not measured or not super()._determine_best_metric(metrics, trial):
            return False
        self.state.best_global_step = self.state.global_step
        if self._recipe.training.keep_best:
            self.control.should_save = True
        return True

    def beside(self) -> Any:
        """What a step of this task changes besides what every step does; `put_beside` brings it back."""
        return None

    def put_beside(self, found: Any) -> None:
        """The inverse of `beside`."""

    def _gather_beside(self) -> None:
        """Before a checkpoint is written, on all ranks."""

    def _write_beside(self, folder: Path) -> None:
        """Writes what a checkpoint of this task holds besides, on the rank that writes."""

    @property
    def tokens_seen(self) -> int:
        """Tokens of all steps so far."""
        return int(self._total_train_tokens)

    def _maybe_log_save_evaluate(self, tr_loss: Any, grad_norm: Any, *arguments: Any, **names: Any) -> None:
        if self._put_off and self._worker.reachable():
            self.control.should_save = True
        went_on = not self.control.should_training_stop
        super()._maybe_log_save_evaluate(tr_loss, grad_norm, *arguments, **names)
        if went_on and self.control.should_training_stop and not self._evaluation_due:
            self._log_rest(
                tr_loss, grad_norm, *arguments, **names
            )  # an early stop: nobody knew that this step is the last
        elif not went_on:
            self._report_rest(tr_loss, grad_norm)
        if not self.control.should_training_stop:
            self.between_steps(self._save_now)

    def _log_rest(self, *arguments: Any, **names: Any) -> None:
        """Logs the steps since the last multiple of `log_every`, and nothing else."""
        self.control.should_log, self.control.should_evaluate, self.control.should_save = True, False, False
        super()._maybe_log_save_evaluate(*arguments, **names)

    def _report_rest(self, tr_loss: Any, grad_norm: Any) -> None:
        """Writes the loss of those steps where the run was asked to stop; a resumed one logs them as if it had not."""
        step, since = self.state.global_step, self._globalstep_last_logged
        if step <= max(since, self._reported):
            return
        self._reported = step
        line = {
            "step": step,
            LOSS: nested_gather(tr_loss, self.args.parallel_mode).mean().item() / (step - since),
            "grad_norm": None if grad_norm is None else float(grad_norm),
            "learning_rate": self._get_learning_rate(),
            "epoch": self.state.epoch,
        }
        self._worker.metric({name: value for name, value in line.items() if value is not None})

    def _save_now(self) -> None:
        self._save_checkpoint(self.model_wrapped, None)
        self.callback_handler.on_save(self.args, self.state, self.control)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        with self._worker.during("saving"):
            self._write_checkpoint(model, trial)

    def _write_checkpoint(self, model: Any, trial: Any) -> None:
        step = self.state.global_step
        checkpoints = self._worker.folder.checkpoints
        target = checkpoints / f"checkpoint-{step}"
        if _is_whole(target):
            return
        self._guard.weights(self.model, step)
        if self._may_wait() and not self._worker.reachable():
            if not self._put_off:
                words = f"Checkpoint {step:,} postponed: the run's folder cannot be reached. Training continues."
                self._worker.event("alert", words, step=step)
            self._put_off = True
            return
        self._put_off = False
        began = time.monotonic()
        self._ranks.gather(self, self._own_facts())
        self._gather_beside()

        def write(folder: Path) -> None:
            # The trainer makes a folder of its own in the one that it is given; what it wrote there is moved up.
            self.args.output_dir = str(folder)
            written = folder / target.name
            try:
                with base_unchanged(self.model) if self._in_four_bits else nullcontext(), self._ranks.writing(self):
                    if self._ranks.sharded:
                        written.mkdir(parents=True)
                        self._ranks.write_parts(self, written)
                    super(DurableTrainer, self)._save_checkpoint(model, trial)
                if not adapter_of(self._recipe).exact:
                    save_trained(self.model, written)
                for entry in written.iterdir():
                    entry.rename(folder / entry.name)
                written.rmdir()
                self._write_beside(folder)
                seal(folder, self._facts())
            finally:
                self.args.output_dir = str(self._worker.folder.checkpoints)

        if self.args.should_save:
            patience = folders.GONE_AFTER if self._ends() else None
            needs = saved_bytes(self.model, self.optimizer)
            write_whole(self._worker, target, write, needs=needs, patience=patience)
            self._ranks.written()
            training = self._recipe.training
            best = self.state.best_global_step if training.keep_best else None
            with suppress(OSError):  # then those are dropped after the next one
                drop_old(self._worker.folder.checkpoints, training.keep_checkpoints, best)
        elif self._ranks.sharded:
            self._ranks.help_write(self)
        self._ranks.barrier()
        seconds = time.monotonic() - began
        size = tree_size(self._worker.folder.checkpoints / target.name)
        self._guard.good_checkpoint = f"checkpoints/{target.name}"
        only = ", weights only: it cannot be resumed" if self._recipe.training.save_only_model else ""
        self._worker.event(
            "checkpoint",
            f"Checkpoint {step} saved ({units.size(size)}, {seconds:.1f} s{only}).",
            step=step,
            path=f"checkpoints/{target.name}",
            bytes=size,
            seconds=round(seconds, 3),
        )

    def _may_wait(self) -> bool:
        """Whether a later step's checkpoint will do as well: not the last one's, nor that of the best step."""
        best = self._recipe.training.keep_best and self.state.best_global_step == self.state.global_step
        return not best and not self._ends()

    def _ends(self) -> bool:
        """Whether no step comes after this one."""
        return self.control.should_training_stop or self.state.global_step >= self.state.max_steps

    def save_model(self, *arguments: Any, **names: Any) -> None:
        """As the trainer does; of a model that is shared out, the ranks have written the weights already."""
        if not self._ranks.sharded:
            super().save_model(*arguments, **names)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self._ranks.sharded:
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER_NAME)
        else:
            super()._save_optimizer_and_scheduler(output_dir)

    def store_flos(self) -> None:
        """As the trainer does; but while one rank writes for all, there is nobody to add up with."""
        if not self._ranks.alone_now:
            super().store_flos()

    def _save_rng_state(self, output_dir: str) -> None:
        if not self._ranks.write_random(Path(output_dir)):
            super()._save_rng_state(output_dir)

    def save_random(self, folder: str) -> None:
        """Writes the states of this rank's generators into a folder, as the trainer does."""
        super()._save_rng_state(folder)

    def _facts(self) -> dict[str, Any]:
        """What `core.runs.checkpoint.read` needs besides the trainer's own files."""
        return {
            "recipe": to_json(self._recipe),
            "samples": len(self.train_dataset),
            "samples_per_step": self.get_total_train_batch_size(self.args),
            "tokens": self.tokens_seen,
            "evaluation_due": self._evaluation_due,
            **self._own_facts(),
            "ranks": self._ranks.facts,
            "weights_only": self._recipe.training.save_only_model,
        }

    def _own_facts(self) -> dict[str, Any]:
        """What each rank has of its own."""
        return {
            "unlogged": {
                "loss": self._tr_loss.item(),
                "since": self._globalstep_last_logged,
                "metrics": dict(self._metrics["train"]),
            },
            "epoch_random": bytes(self._epoch_random.numpy()).hex(),
        }


class _EndedEarly(Exception):
    """The training was over before the first step of this process."""


class _Points(TrainerCallback):
    """Calls back at two points of the loop at which the trainer has no method of its own."""

    def __init__(self, started: Callable[[], None], epoch_begins: Callable[[], None]) -> None:
        self._started = started
        self._epoch_begins = epoch_begins

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """After a checkpoint was loaded, before the first evaluation."""
        self._started()

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Before the samples of an epoch are put in order."""
        self._epoch_begins()


def _is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint of this very step is there already, every byte of it."""
    try:
        read(checkpoint)
        refuse_damaged(checkpoint)
    except BadInput:
        return False
    return True
