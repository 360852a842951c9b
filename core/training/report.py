"""What the trainer does, as lines in the job's folder, and what viewers ask, as flags for the trainer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from core.engine.worker import Worker, WorkerStopped
from core.jobs import requests
from core.recipe.tasks import LOSS
from core.runs.checkpoint import Checkpoint
from core.training.in_step import StepAbandoned
from core.training.movement import METRIC

if TYPE_CHECKING:
    from core.training.in_step import InStep
    from core.training.movement import WeightMovement


class Throughput:
    """How fast it goes: tokens a second and the seconds that are left.

    Time spent evaluating and saving is no training time; evaluations that are still to come count towards the end.

    Args:
        tokens: seen before the start, in the part of the run that this one resumes.
    """

    def __init__(self, *, tokens: float = 0) -> None:
        self._mark = time.monotonic()
        self._busy = 0.0
        self._tokens = tokens
        self._steps: deque[float] = deque(maxlen=50)
        self._evaluations: deque[float] = deque(maxlen=5)

    def resume(self) -> None:
        """Training continues after something else took time."""
        self._mark = time.monotonic()

    def stepped(self) -> None:
        """One optimizer step is done."""
        now = time.monotonic()
        self._steps.append(now - self._mark)
        self._busy += now - self._mark
        self._mark = now

    def evaluated(self, seconds: float) -> None:
        """One evaluation is done."""
        self._evaluations.append(seconds)

    def tokens_per_second(self, tokens: float) -> float | None:
        """Tokens in the steps since the last call over their time; None where no time has passed.

        Args:
            tokens: seen since the start, padding excluded.
        """
        speed = (tokens - self._tokens) / self._busy if self._busy > 0 else None
        self._tokens, self._busy = tokens, 0.0
        return speed

    def eta(self, steps: int, evaluations: int) -> float | None:
        """Seconds to the end for so many steps and evaluations to come; None before the first step."""
        if not self._steps:
            return None
        one_evaluation = sum(self._evaluations) / len(self._evaluations) if self._evaluations else 0.0
        return steps * sum(self._steps) / len(self._steps) + evaluations * one_evaluation


class Reporter(TrainerCallback):
    """Writes metrics and progress, and passes requests on.

    Its cost is held under 1% of a step of 25 ms by `make bench`: a line is one write, the status is written once a
    second, the requests are looked at five times a second.

    Args:
        worker: the job's folder.
        resumed: what the run resumes from.
    """

    def __init__(self, worker: Worker, *, resumed: Checkpoint | None = None) -> None:
        self._worker = worker
        self._pace = Throughput(tokens=0 if resumed is None else resumed.tokens)
        self._begun = False
        self._evaluating_since: float | None = None
        self._predicted = 0
        self.stopping = False
        self.in_step: InStep | None = None
        self.movement: WeightMovement | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Says that the steps begin."""
        words = ""
        if args.eval_on_start:
            words = f"Repeating the interrupted evaluation of step {state.global_step:,}."
            words = words if state.global_step else "Measuring the base model on the eval set."
        self._worker.phase(
            "evaluating" if args.eval_on_start else "training", words, step=state.global_step, of=state.max_steps
        )
        self._pace.resume()

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Says that it trains, after the first evaluation."""
        if not self._begun and args.eval_on_start:
            self._worker.phase("training", "", step=state.global_step, of=state.max_steps)
        self._begun = True
        self._pace.resume()

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keeps what a request in the middle of the step needs."""
        if self.in_step is not None:
            self.in_step.step_begins()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Counts the step and answers requests."""
        self._pace.stepped()
        if state.global_step >= state.max_steps:
            control.should_log = True  # the last steps, where their number is no multiple of `log_every`
        self._worker.progress(state.global_step, state.max_steps)
        for name in self._worker.asked():
            if name == requests.STOP_NOW:
                raise self._now(state)
            control.should_save = True
            if name == requests.STOP:
                self.stopping = True
                control.should_training_stop = True
                # An evaluation that is due begins, and ends at its first batch: so the random numbers continue as if
                # it had been made, and the checkpoint says that it has to be made up for.

    def rested(self) -> None:
        """Something else than training took time."""
        self._pace.resume()

    def between_steps(self, state: TrainerState, control: TrainerControl, save: Callable[[], None]) -> None:
        """Holds while the run is paused; where it is to stop then, it does without another step."""
        if not self._worker.hold_if_asked(f"at step {state.global_step:,} of {state.max_steps:,}", save):
            return
        self._pace.resume()
        names = self._worker.asked()
        if requests.STOP_NOW in names:
            raise self._now(state)
        if requests.STOP in names:
            self.stopping = True
            control.should_training_stop = True
            save()

    def on_substep_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Answers requests between the batches of a step; what was made of this step is forgotten at a stop."""
        names = self._worker.asked()
        if not names:
            return
        if requests.STOP_NOW in names:
            raise self._now(state)
        save = self.in_step.save if self.in_step is not None and state.global_step else None
        if self._worker.hold_if_asked(f"in step {state.global_step + 1:,} of {state.max_steps:,}", save):
            self._pace.resume()
            names = self._worker.asked()
            if requests.STOP_NOW in names:
                raise self._now(state)
        if requests.STOP in names and save is None:
            raise WorkerStopped("Stopped on request during the first step. There was nothing to save.")
        if save is not None and {requests.SAVE, requests.STOP} & set(names):
            save()
        if requests.STOP in names and self.in_step is not None:
            self.stopping = True
            self.in_step.back_to_last_step()
            control.should_training_stop = True

    def within(self, state: TrainerState, *, evaluating: bool) -> None:
        """Answers requests inside a step or an evaluation that generates.

        Raises:
            StepAbandoned: the run is to stop; the last whole step is saved.
            WorkerStopped: it is to stop, and there is nothing to save, or what is interrupted is an evaluation.
        """
        names = self._worker.asked()
        if not names:
            return
        save = None
        if self.in_step is not None and state.global_step:
            save = self.in_step.save_evaluating if evaluating else self.in_step.save
        where = "during an evaluation" if evaluating else f"in step {state.global_step + 1:,} of {state.max_steps:,}"
        if self._worker.hold_if_asked(where, save):
            self._pace.resume()
            names = self._worker.asked()
        if requests.STOP_NOW in names:
            raise self._now(state)
        if save is not None and requests.SAVE in names and requests.STOP not in names:
            save()
        if requests.STOP not in names:
            return
        if save is None:
            raise WorkerStopped("Stopped on request during the first step. There was nothing to save.")
        self.stopping = True
        if evaluating:
            self._evaluating_since = None
            raise WorkerStopped("Stopped on request during an evaluation.")
        assert self.in_step is not None, "there is something to save"
        save()
        self.in_step.back_to_last_step()
        raise StepAbandoned

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Notes the progress of an evaluation, and ends it if somebody wants the run to stop."""
        if self._evaluating_since is None:
            self._evaluating_since = time.monotonic()
            self._predicted = 0
        self._predicted += 1
        self._worker.progress(state.global_step, state.max_steps, f"Evaluating: batch {self._predicted:,}.")
        save = self.in_step.save_evaluating if self.in_step is not None and state.global_step else None
        if self._worker.hold_if_asked("during an evaluation", save):
            self._evaluating_since = time.monotonic()
        names = self._worker.asked()
        if requests.STOP_NOW in names:
            raise self._now(state)
        if requests.SAVE in names and requests.STOP not in names and save is not None:
            save()
        if requests.STOP in names:
            self.stopping = True
            self._evaluating_since = None
            raise WorkerStopped("Stopped on request before the first step. There was nothing to save.")

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """An evaluation is done."""
        if self._evaluating_since is not None:
            self._pace.evaluated(time.monotonic() - self._evaluating_since)
        self._evaluating_since = None
        self._pace.resume()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """A checkpoint is written: answers whoever had requested it."""
        if requests.SAVE in self._worker.asked():
            self._worker.done(requests.SAVE, f"Checkpoint {state.global_step} saved, as requested.")
        self._pace.resume()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Writes one line of metrics, on the rank that speaks; all of them know the losses."""
        if logs is None:
            return
        line: dict[str, Any] = {"step": state.global_step, **logs}
        if LOSS in line:
            line["tokens_per_second"] = _rounded(self._pace.tokens_per_second(logs.get("num_tokens", 0.0)))
            line["eta_seconds"] = _rounded(self._eta(args, state))
            moved = self.movement
            if moved is not None and moved.due(state.global_step, args.logging_steps, state.max_steps):
                line[METRIC] = _rounded(moved.share(), 4)
        self._worker.metric(line)

    def _eta(self, args: TrainingArguments, state: TrainerState) -> float | None:
        left = state.max_steps - state.global_step
        every = state.eval_steps if args.eval_strategy == "steps" else 0
        return self._pace.eta(left, -(-left // int(every)) if every else 0)

    def _now(self, state: TrainerState) -> WorkerStopped:
        return WorkerStopped(
            f"Stopped immediately on request at step {state.global_step:,} of {state.max_steps:,}.", now=True
        )


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)
