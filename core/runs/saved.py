"""Which weights are in an adapter's or a model's folder: their step, and what was measured up to it.

`weights.json` is written together with the weights and is copied with their folder. The run's metrics cannot tell: they
continue when a run is resumed, and if it is then stopped without saving, the folder still holds the older weights.
Standard library only: the worker that writes it and the viewer that shows it share this code.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.jobs import files
from core.jobs.folder import JobFolder
from core.jobs.tail import Tail, objects, parser
from core.recipe.tasks import SFT, Headline, task_named
from core.runs.checksums import checksums
from core.units import count, significant

NAME = "weights.json"
_VERSIONS = (1, 2)
"""That are read; the last is written. Since 2 the task is named, and the metrics are those of its headline."""
_EVENTS = 1 << 18
"""Bytes at the end of `events.jsonl` that are read for runs whose folders have no `weights.json` yet."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What is known of saved weights.

    Attributes:
        step: the training step that they are of.
        saved_at_step: the step at which they were saved; a later one where the best were kept.
        of: steps of the run in all, None where that is not known.
        value: the task's headline metric as it was logged last up to `step`, of training.
        eval_value: the same on the eval set, measured after a step up to `step`.
        eval_step: the step at which it was measured.
        eval_first: the base model's.
        task: the name of the task.
        judged_by: the name on the eval set of the headline metric, where that is not the task's usual one.
    """

    step: int
    saved_at_step: int
    of: int | None = None
    value: float | None = None
    eval_value: float | None = None
    eval_step: int | None = None
    eval_first: float | None = None
    task: str = SFT.name
    judged_by: str = ""

    @property
    def headline(self) -> Headline:
        """The metric that its values are of."""
        return task_named(self.task).headline_by(self.judged_by)

    def metrics(self) -> dict[str, Any]:
        """What was measured, by the names of the metrics: `loss`, `eval_loss`, `eval_step`, `eval_loss_first`."""
        headline = self.headline
        return {
            headline.metric: self.value,
            headline.eval_metric: self.eval_value,
            "eval_step": self.eval_step,
            f"{headline.eval_metric}_first": self.eval_first,
        }

    def to_json(self) -> dict[str, Any]:
        """As JSON, for `from_json`."""
        place = {"task": self.task, "step": self.step, "saved_at_step": self.saved_at_step, "of": self.of}
        judged = {"judged_by": self.judged_by} if self.judged_by else {}
        return {**place, **judged, **self.metrics()}

    def words(self, run_step: int | None = None) -> str:
        """Step and headline metric: `step 624 of 1,500, eval loss 1.234 at step 600; the run continued to step 843`.

        Args:
            run_step: the last step of the run, where that is to be compared.
        """
        found = f"step {count(self.step)}" + (f" of {count(self.of)}" if self.of else "")
        if self.step != self.saved_at_step:
            found += f" (best up to step {count(self.saved_at_step)})"
        if self.eval_value is not None and self.eval_step is not None:
            at = "" if self.eval_step == self.step else f" at step {count(self.eval_step)}"
            found += f", {self.headline.eval_title} {significant(self.eval_value, 4)}{at}"
        if run_step is not None and run_step > self.saved_at_step:
            found += f"; the run continued to step {count(run_step)} without saving"
        return found


def weights_at(
    history: Iterable[Mapping[str, Any]],
    step: int,
    saved_at_step: int,
    of: int,
    task: str = SFT.name,
    headline: Headline | None = None,
) -> Weights:
    """What a trainer's log says of the weights of a step.

    Args:
        history: the trainer's `log_history`, of this start and of those before it.
        step: see `Weights`.
        saved_at_step: likewise.
        of: likewise.
        task: likewise.
        headline: the metric that says how the run goes; None for the task's usual one.
    """
    usual = task_named(task).headline
    headline = headline or usual
    past = [line for line in history if line.get("step", 0) <= step]
    trained = [line[headline.metric] for line in past if headline.metric in line]
    evaluated = [line for line in past if headline.eval_metric in line]
    after = [line for line in evaluated if line.get("step")]
    before = [line[headline.eval_metric] for line in evaluated if not line.get("step")]
    return Weights(
        step=step,
        saved_at_step=saved_at_step,
        of=of,
        value=trained[-1] if trained else None,
        eval_value=after[-1][headline.eval_metric] if after else None,
        eval_step=after[-1]["step"] if after else None,
        eval_first=before[0] if before else None,
        task=task,
        judged_by="" if headline == usual else headline.eval_metric,
    )


def write_weights(folder: Path, weights: Weights) -> None:
    """Writes `weights.json` into a folder that is otherwise complete, with the SHA-256 of the weights' files.

    Raises:
        OSError: it cannot be written.
    """
    sums = checksums(folder, sorted(path.name for path in folder.glob("*.safetensors")))
    (folder / NAME).write_bytes(files.encode({"version": _VERSIONS[-1], **weights.to_json(), "sha256": sums}))


def refuse_damaged_weights(folder: Path) -> None:
    """Compares the files of saved weights with what they were when they were saved; older runs do not say that.

    Raises:
        BadInput: one of them is not what it was, or not there; the sentence names it.
    """
    sums = (files.read_json(os.fspath(folder / NAME)) or {}).get("sha256")
    for name, digest in sums.items() if isinstance(sums, Mapping) else ():
        try:
            same = checksums(folder, [name])[name] == digest
        except OSError as error:
            raise BadInput(f"{name} cannot be read: {error.strerror}", where=os.fspath(folder)) from error
        if not same:
            raise BadInput(
                f"The saved weights are damaged: {name} does not match its checksum",
                where=os.fspath(folder),
                do="Copy it from a backup, or train again",
            )


def read_weights(folder: Path) -> Weights | None:
    """What is known of the weights in a folder; None where nothing says it.

    A run of an older version has left it in its events: the step alone, as the losses there are of the whole run.
    """
    said = files.read_json(os.fspath(folder / NAME))
    if said is None:
        return _by_events(folder.parent)
    return from_json(said) if said.get("version") in _VERSIONS else None


def from_json(said: Mapping[str, Any]) -> Weights | None:
    """The `Weights` from their `to_json`; None where the step is not told."""
    step, saved_at_step = _whole(said.get("step")), _whole(said.get("saved_at_step"))
    if step is None or saved_at_step is None:
        return None
    task = task_named(said.get("task"))
    judged_by = said.get("judged_by")
    headline = task.headline_by(judged_by)
    return Weights(
        step=step,
        saved_at_step=saved_at_step,
        of=_whole(said.get("of")),
        value=_number(said.get(headline.metric)),
        eval_value=_number(said.get(headline.eval_metric)),
        eval_step=_whole(said.get("eval_step")),
        eval_first=_number(said.get(f"{headline.eval_metric}_first")),
        task=task.name,
        judged_by=judged_by if isinstance(judged_by, str) else "",
    )


def _by_events(run: Path) -> Weights | None:
    lines = Tail(JobFolder(run).events, _EVENTS).read(_EVENTS)
    for event in reversed(objects(lines, parser())):
        if event.get("kind") == "summary":
            step, saved_at = _whole(event.get("saved_step")), _whole(event.get("steps"))
            return None if step is None or saved_at is None else Weights(step, saved_at)
    return None


def _whole(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
