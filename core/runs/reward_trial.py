"""The rewards of a recipe, tried on ten samples of its dataset before a run. No torch: a process computes them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.clean import clean_line
from core.errors import BadInput, TunedeckError
from core.jobs.launch import worker_python
from core.paths import ROOT
from core.recipe.generation import kept_columns
from core.recipe.recipe import Recipe, to_json
from core.recipe.tasks import TASKS
from core.recipe.values import number_text

if TYPE_CHECKING:
    from core.dataset.sample import Sample

SAMPLES = 10
_LOOKED_AT = 2_000
_SECONDS = 600

_Scores = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class TriedReward:
    """What one reward gave.

    Attributes:
        name: of its chart.
        kind: of the reward.
        weight: what its scores are multiplied by.
        own: its scores of the data's own answers; None where it gave none.
        empty: its scores of empty answers.
        error: why it gave no scores, a sentence; "" where it did.
    """

    name: str
    kind: str
    weight: float
    own: _Scores
    empty: _Scores
    error: str

    @property
    def known(self) -> list[float]:
        """The scores of the data's own answers."""
        return [score for score in self.own if score is not None]

    @property
    def problem(self) -> str:
        """What is wrong with it, a sentence; "" where it tells answers apart."""
        if self.error:
            return self.error
        empty = [score for score in self.empty if score is not None]
        if not self.known:
            none = self.own and not empty
            return f"{self.name} gives no scores at all: every completion got None." if none else ""
        low, high = min(self.known), max(self.known)
        if len(self.known) > 1 and low == high and empty and min(empty) == max(empty) == low:
            return (
                f"{self.name} is constant here: {number_text(round(low, 4))} for the data's own answers and for "
                "an empty one. If the model's answers all score the same, nothing is learned from it."
            )
        if empty and high <= min(empty):
            return (
                f"{self.name} gives the data's own answers at most {number_text(round(high, 4))}, and an empty one "
                f"{number_text(round(min(empty), 4))}: it would teach the model to say nothing."
            )
        return ""


@dataclass(frozen=True, slots=True)
class RewardTrial:
    """All rewards of a recipe on a few samples.

    Attributes:
        rewards: in the recipe's order.
        samples: the beginning of each prompt and the data's own answer (None without one).
        answered: how many of the samples have an answer.
        of: how many samples there were.
    """

    rewards: tuple[TriedReward, ...]
    samples: tuple[tuple[str, str | None], ...]
    answered: int
    of: int

    @property
    def problems(self) -> list[str]:
        """What is wrong, a sentence for each reward that something is wrong with."""
        return [reward.problem for reward in self.rewards if reward.problem]

    def to_json(self) -> dict[str, Any]:
        """All of it, as `tunedeck rewards --json` prints it."""
        return {
            "rewards": [
                {
                    "name": each.name,
                    "kind": each.kind,
                    "weight": each.weight,
                    "own": list(each.own),
                    "empty": list(each.empty),
                    "problem": each.problem,
                }
                for each in self.rewards
            ],
            "samples": [{"prompt": prompt, "answer": answer} for prompt, answer in self.samples],
            "answered": self.answered,
            "of": self.of,
        }


def try_rewards(recipe: Recipe, workspace: Path) -> RewardTrial:
    """Tries the rewards of a recipe on ten samples of its data. Takes seconds.

    Args:
        recipe: with absolute paths.
        workspace: where the column mapping of the data is kept.

    Raises:
        BadInput: the task has no rewards, there is no data, or the samples are no prompts.
        TunedeckError: the process could not do it.
    """
    from core.recipe.mapped import with_mapping

    if not TASKS[recipe.task].generates:
        tasks = " or ".join(task.name for task in TASKS.values() if task.generates)
        raise BadInput(f"The task {recipe.task} has no rewards", where="task", do=f"Set the task to {tasks}")
    if not recipe.rewards:
        raise BadInput("No rewards yet", where="rewards", do="Add one, such as exact_match=1")
    if not recipe.data.train:
        raise BadInput("No training data yet", where="data.train", do="Enter a file or folder")
    samples = _samples(with_mapping(recipe, workspace))
    question = {"recipe": to_json(recipe), "samples": [sample.to_json() for sample in samples]}
    environment = {**os.environ, "PYTHONPATH": os.fspath(ROOT), "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [worker_python(), "-m", "core.engine.rewards.trial"],
            input=json.dumps(question).encode() + b"\n",
            capture_output=True,
            env=environment,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as end:
        raise TunedeckError(f"The rewards took over {_SECONDS // 60} minutes on {len(samples)} samples") from end
    if done.returncode:
        said = clean_line(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2], 400)
        raise BadInput(said or f"The rewards could not be tested (exit code {done.returncode})", where="rewards")
    return trial_of(json.loads(done.stdout.splitlines()[-1]))


def _samples(recipe: Recipe) -> list[Sample]:
    """Up to ten samples of the kinds that the task learns from, from all over the beginning of the data."""
    from core.dataset.dataset import Dataset
    from core.dataset.mapping import Chosen
    from core.dataset.records import Unreadable

    data, kinds, columns = recipe.data, TASKS[recipe.task].samples, kept_columns(recipe)
    dataset = Dataset.open(list(data.train), Chosen(data.format).named, dict(data.columns))
    missing = [name for name in columns if name not in dataset.recognition.all_columns]
    if missing and dataset.recognition.all_columns:
        known = clean_line(", ".join(dataset.recognition.all_columns), 300)
        raise BadInput(f"No column {missing[0]!r} in the data", where="rewards", do=f"Columns: {known}")
    found: list[Sample] = []
    entry = 0
    while entry < _LOOKED_AT and len(found) < SAMPLES:
        if entry >= dataset.count:
            if dataset.reader.complete:
                break
            dataset.reader.extend(0.02)
            continue
        row = dataset.row(entry)
        entry += 1
        try:
            sample = dataset.sample_of(row)
        except Unreadable:
            continue
        if sample.kind in kinds:
            value = row.value or {}
            found.append(replace(sample, columns={name: value.get(name) for name in columns}) if columns else sample)
    if not found:
        raise BadInput(f"No sample that {TASKS[recipe.task].title} can learn from", where=str(dataset.paths[0]))
    return found


def trial_of(value: Mapping[str, Any]) -> RewardTrial:
    """The trial from what `core.engine.rewards.trial` says of it."""
    rewards = tuple(
        TriedReward(
            str(each["name"]),
            str(each["kind"]),
            float(each["weight"]),
            tuple(each.get("own", ())),
            tuple(each.get("empty", ())),
            str(each["error"]),
        )
        for each in value["rewards"]
    )
    samples = tuple((str(each["prompt"]), each["answer"]) for each in value["samples"])
    return RewardTrial(rewards, samples, int(value["answered"]), int(value["of"]))


def trial_lines(trial: RewardTrial, width: int = 100) -> list[str]:
    """The trial as a table: each reward with its scores, then each sample. Safe to draw."""
    what = f"{trial.of} samples" if trial.of != 1 else "1 sample"
    if trial.answered == trial.of:
        lines = [f"{what}: scores of the data's own answers, and of an empty one"]
    elif trial.answered:
        lines = [f"{what}, {trial.answered} with an answer: scores of these, and of an empty one"]
    else:
        lines = [f"{what} without answers: only an empty answer can be scored before the run"]
    wide = max(6, *(len(reward.name) for reward in trial.rewards))
    lines += ["", f"{'reward':<{wide}}  {'weight':>6}  {'mean':>7}  {'lowest':>7}  {'highest':>7}  {'empty':>7}"]
    for reward in trial.rewards:
        lines.append(f"{reward.name:<{wide}}  {number_text(reward.weight):>6}  {_numbers(reward)}")
    lines += [f"▲ {clean_line(sentence, 600)}" for sentence in trial.problems]
    if trial.answered:
        names = "  ".join(f"{_short(reward.name):>9}" for reward in trial.rewards)
        room = max(20, width - 2 - 11 * len(trial.rewards))
        lines += ["", f"{names}  answer"]
        for place, (_, answer) in enumerate(trial.samples):
            scores = "  ".join(f"{_score(reward.own, place):>9}" for reward in trial.rewards)
            lines.append(f"{scores}  {clean_line(' '.join((answer or '').split()), room)}")
    return lines


def _numbers(reward: TriedReward) -> str:
    if reward.error:
        return "failed"
    empty = [score for score in reward.empty if score is not None]
    known = reward.known
    figures = [sum(known) / len(known), min(known), max(known)] if known else [None, None, None]
    return "  ".join(f"{_figure(value):>7}" for value in [*figures, sum(empty) / len(empty) if empty else None])


def _score(scores: Sequence[float | None], place: int) -> str:
    return _figure(scores[place]) if place < len(scores) else ""


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _short(name: str) -> str:
    return name if len(name) <= 9 else f"{name[:8]}…"
