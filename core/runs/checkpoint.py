"""A run's checkpoints on disk: which of them are complete, their steps, and which recipe fits them.

Standard library only: the worker that resumes from one and the viewer that shows it read it by the same code.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.jobs import files
from core.jobs.files import tree_size
from core.recipe.devices import ranks_of
from core.recipe.recipe import KNOBS, Recipe, from_json, get, put, to_json, why_without_effect
from core.recipe.tasks import headline_of
from core.recipe.values import Value, number_text
from core.runs.checksums import checksums
from core.units import count, short_count

NAME = "tunedeck.json"
"""The file that makes a trainer's folder a checkpoint of ours; written last, with sizes and SHA-256 of all others, and
at its end the SHA-256 of what stands before it. Checkpoints of earlier versions have sizes alone."""

_SEAL = re.compile(rb',"seal":"([0-9a-f]{64})"\}\s*\Z')
FROM_THE_START = "start"
"""In the place of a checkpoint's name in `job.json["payload"]["resume"]`: the run was killed before its first one."""
EVERY = 1 << 62
"""For `last_good`: the sums of a checkpoint of any size are checked."""
QUICKLY = 1 << 30
"""For `last_good`: those of a checkpoint that takes a second or two are, where somebody waits at a screen."""

BATCH_FILE = "batch_and_accumulation.json"
"""In a run's folder once the GPU's memory was not enough: the batches used since then."""

FREE = frozenset(
    {
        "name",
        "then",
        "training.batch_size",  # only together with the accumulation, see `misfits`
        "training.gradient_accumulation",
        "training.activation_checkpointing",
        "training.activation_offloading",
        "training.expandable_segments",
        "training.eval_strategy",
        "training.eval_every",
        "training.eval_batch_size",
        "training.save_strategy",
        "training.save_every",
        "training.save_only_model",
        "training.keep_checkpoints",
        "training.early_stopping",
        "training.early_stopping_threshold",
        "training.keep_best",
        "training.best_metric",
        "training.log_every",
        "training.devices",  # likewise: more of them make a larger batch
        "training.parallel",
        "training.cpu_threads",
    }
)
"""Fields that may change between a checkpoint and a run resumed from it; so may all of `FREE_SECTIONS`."""

_LENGTH = ("training.epochs", "training.max_steps")
"""Fields that may be raised when a run is resumed."""

FREE_SECTIONS = ("evaluation.", "reporting.", "samples.")


_EFFECTIVE = "training.batch_size times training.gradient_accumulation"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint.

    Attributes:
        path: its folder.
        step: optimizer steps done.
        of: steps in all.
        epoch: epochs done, a fraction.
        position: samples of the current epoch that have been trained on.
        samples: samples in an epoch.
        value: the task's headline metric as it was logged last, of training; None if there is none.
        learning_rate: of that same line.
        tokens: `num_tokens` so far.
        evaluation_due: whether the evaluation of this step was interrupted, so that it has to be made up for.
        without_gain: evaluations in a row that were no better than the best; 0 where nobody counted.
        recipe: what it was trained with.
        unlogged: what the trainer had gathered for its next line of metrics.
        epoch_random: state of torch's generator at the start of the epoch, as hexadecimal digits.
        rollout: of an online task, how many batches were trained on, and whether completions are left (`buffered`).
        ranks: of a run of several ranks, what each has of its own: `unlogged`, `epoch_random` and `rollout`.
        weights_only: whether it holds nothing but weights, so that no run can be resumed from it.
    """

    path: Path
    step: int
    of: int
    epoch: float
    position: int
    samples: int
    value: float | None
    learning_rate: float | None
    tokens: int
    evaluation_due: bool
    without_gain: int
    recipe: Recipe
    unlogged: Mapping[str, Any]
    epoch_random: str
    rollout: Mapping[str, Any] = field(default_factory=dict)
    ranks: tuple[Mapping[str, Any], ...] = ()
    weights_only: bool = False

    def of_rank(self, number: int) -> Checkpoint:
        """The checkpoint as this rank has to take it; one that was not there then takes what rank 0 had."""
        return replace(self, **self.ranks[number]) if number < len(self.ranks) else self


@dataclass(frozen=True, slots=True)
class Change:
    """A field that differs between a checkpoint and a recipe."""

    path: str
    then: Value
    now: Value

    def __str__(self) -> str:
        write = KNOBS[self.path].format if self.path in KNOBS else str
        return f"{self.path} is {write(self.now)} and was {write(self.then)}"


def seal(folder: Path, facts: Mapping[str, Any]) -> None:
    """Writes `NAME` into a checkpoint that is otherwise complete.

    Every file is on the disk before its sum counts; several are read at once, which takes about as long as to write
    them.

    Args:
        folder: the checkpoint.
        facts: see `read`.

    Raises:
        OSError: it cannot be written.
    """
    names = _file_names(folder)
    sizes = {name: (folder / name).stat().st_size for name in names}
    body = files.encode({"version": 1, **facts, "files": sizes, "sha256": checksums(folder, names, sync=True)})
    digest = hashlib.sha256(body).hexdigest()
    (folder / NAME).write_bytes(body[:-1] + f',"seal":"{digest}"}}'.encode())


def last_good(checkpoints: Path, check: int = 0) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint that a run can be resumed from, and a sentence for each newer one passed over.

    Args:
        checkpoints: their folder.
        check: bytes up to which a checkpoint's files are read and compared with its seal, see `EVERY` and `QUICKLY`.
    """
    passed: list[str] = []
    for path in newest_first(checkpoints):
        try:
            if tree_size(path) <= check:
                refuse_damaged(path)
            found = read(path)
            if not found.weights_only:
                return found, passed
            passed.append(
                f"Skipped {path.name}: it only has weights (training.save_only_model), and resuming also needs the "
                "optimizer"
            )
        except BadInput as error:
            passed.append(str(error))
    return None, passed


def refuse_damaged(path: Path) -> None:
    """Compares the files of a checkpoint with its seal. What was found out is remembered while the seal stays.

    Raises:
        BadInput: one of them is not what it was, or not there; the sentence names it.
    """
    sums = _sealed(path).get("sha256")
    manifest = os.stat(path / NAME)
    stamp = (os.fspath(path), manifest.st_ino, manifest.st_mtime_ns)
    if stamp not in _DAMAGED:
        wanted = sums if isinstance(sums, dict) else {}
        try:
            found = checksums(path, list(wanted))
        except OSError as error:
            raise BadInput(
                f"Skipped {path.name}: it cannot be read ({error.strerror})", where=os.fspath(path)
            ) from error
        _DAMAGED[stamp] = next((name for name, digest in wanted.items() if found[name] != digest), "")
    if name := _DAMAGED[stamp]:
        raise BadInput(
            f"Skipped {path.name}: it is damaged ({name} does not match its checksum)", where=os.fspath(path)
        )


_DAMAGED: dict[tuple[str, int, int], str] = {}
"""Of seals that were compared in this process: the file that is damaged, "" where none is."""


def newest_first(checkpoints: Path) -> list[Path]:
    """The folders `checkpoint-N`, those with the most steps first, whole or not."""
    numbered = [(path.name.rpartition("-")[2], path) for path in checkpoints.glob("checkpoint-*")]
    return [path for _, path in sorted(((int(n), path) for n, path in numbered if n.isdecimal()), reverse=True)]


def read(path: Path) -> Checkpoint:
    """One checkpoint.

    Raises:
        BadInput: it is not whole: a file is missing, empty or cut short, or it is another version's.
    """
    facts = _sealed(path)
    state = _object(path, "trainer_state.json")
    try:
        recipe = from_json(facts["recipe"])
        metric = headline_of(recipe).metric
        logged = [line for line in state["log_history"] if metric in line]
        step, samples, per_step = int(state["global_step"]), int(facts["samples"]), int(facts["samples_per_step"])
        return Checkpoint(
            path=path,
            step=step,
            of=int(state["max_steps"]),
            epoch=float(state["epoch"]),
            position=min(samples, step % -(-samples // per_step) * per_step),
            samples=samples,
            value=logged[-1][metric] if logged else None,
            learning_rate=logged[-1]["learning_rate"] if logged else None,
            tokens=int(facts["tokens"]),
            evaluation_due=bool(facts["evaluation_due"]),
            without_gain=_without_gain(state),
            recipe=recipe,
            unlogged=dict(facts["unlogged"]),
            epoch_random=str(facts["epoch_random"]),
            rollout=dict(facts.get("rollout", {})),
            ranks=tuple(facts.get("ranks", ())),
            weights_only=bool(facts.get("weights_only", False)),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise BadInput(f"Skipped {path.name}: it cannot be read ({error!r})", where=os.fspath(path)) from error


def is_whole(path: Path) -> bool:
    """Whether a checkpoint's files are all there, as long as they were when it was sealed, and not known as damaged."""
    try:
        _sealed(path)
        manifest = os.stat(path / NAME)
    except (BadInput, OSError):
        return False
    return not _DAMAGED.get((os.fspath(path), manifest.st_ino, manifest.st_mtime_ns))


def _sealed(path: Path) -> dict[str, Any]:
    facts = _object(path, NAME)
    whole = (path / NAME).read_bytes()
    seal_found = _SEAL.search(whole)
    if "sha256" in facts and (
        seal_found is None or hashlib.sha256(whole[: seal_found.start()] + b"}").hexdigest().encode() != seal_found[1]
    ):
        raise BadInput(
            f"Skipped {path.name}: it is damaged ({NAME} does not match its own seal)", where=os.fspath(path)
        )
    sizes = facts.get("files")
    for name, size in sizes.items() if isinstance(sizes, dict) else [(NAME, None)]:
        if not os.path.isfile(path / name) or (path / name).stat().st_size != size:
            raise BadInput(f"Skipped {path.name}: it is incomplete ({name})", where=os.fspath(path))
    return facts


def _without_gain(state: Mapping[str, Any]) -> int:
    counted = state.get("stateful_callbacks", {}).get("EarlyStopping")
    return int(counted["attributes"]["early_stopping_patience_counter"]) if counted else 0


def misfits(checkpoint: Checkpoint, recipe: Recipe) -> list[Change]:
    """The fields in which a recipe asks for another training than the checkpoint's; none if it fits.

    Batch size and accumulation may differ as long as their product does not.
    """
    found = [
        Change(path, get(checkpoint.recipe, path), get(recipe, path))
        for path in KNOBS
        if path not in FREE and not path.startswith(FREE_SECTIONS) and _applies(path, checkpoint.recipe, recipe)
    ]
    then, now = effective_batch(checkpoint.recipe), effective_batch(recipe)
    several = ranks_of(recipe) > 1 or ranks_of(checkpoint.recipe) > 1
    batch = [Change(_EFFECTIVE + (" times devices" if several else ""), then, now)]
    return [change for change in (*found, *batch) if change.then != change.now and not _longer(change)]


def is_longer(checkpoint: Checkpoint, recipe: Recipe) -> bool:
    """Whether a recipe trains for more steps than the checkpoint's run was to: its schedule is another then."""
    then, now = checkpoint.recipe.training, recipe.training
    return now.max_steps > (then.max_steps or checkpoint.of) or (not now.max_steps and now.epochs > then.epochs)


def _longer(change: Change) -> bool:
    """Whether a field only asks for more epochs or steps, with which a run can be resumed."""
    numbers = isinstance(change.then, int | float) and isinstance(change.now, int | float)
    return change.path in _LENGTH and numbers and change.now > change.then  # type: ignore[operator]


def _applies(path: str, *recipes: Recipe) -> bool:
    return not all(why_without_effect(recipe, path) for recipe in recipes)


def refuse_misfits(checkpoint: Checkpoint, recipe: Recipe) -> None:
    """Makes sure that a recipe fits a checkpoint.

    Raises:
        BadInput: it does not; the sentence names the differing fields.
    """
    changes = misfits(checkpoint, recipe)
    if changes:
        raise BadInput(
            f"The recipe does not fit {checkpoint.path.name}: {'; '.join(map(str, changes))}",
            do="Resume with the run's own recipe, or start a new run with this one",
        )


def where_it_stands(checkpoint: Checkpoint) -> str:
    """Step, headline metric, learning rate and data position of a checkpoint, in a line."""
    words = [f"step {count(checkpoint.step)} of {count(checkpoint.of)}"]
    if checkpoint.value is not None:
        words.append(f"{headline_of(checkpoint.recipe).title} {checkpoint.value:.4f}")
    if checkpoint.learning_rate is not None:
        words.append(f"learning rate {number_text(float(f'{checkpoint.learning_rate:.4g}'))}")
    words.append(f"epoch {checkpoint.epoch:.2f}, sample {count(checkpoint.position)} of {count(checkpoint.samples)}")
    words.append(f"{short_count(checkpoint.tokens)} tokens seen")
    return ", ".join(words)


def effective_batch(recipe: Recipe) -> int:
    """Samples in one optimizer step on all devices of a machine."""
    return recipe.training.batch_size * recipe.training.gradient_accumulation * ranks_of(recipe)


def with_batches(recipe: Recipe, batch_size: int, accumulation: int, eval_batch_size: int) -> Recipe:
    """The recipe with other batches."""
    found = put(recipe, "training.batch_size", batch_size)
    found = put(found, "training.gradient_accumulation", accumulation)
    return put(found, "training.eval_batch_size", eval_batch_size)


def keep_batches(run: Path, recipe: Recipe) -> None:
    """Writes the recipe's batches into the run's folder: they count from now on, also where no checkpoint has them.

    Raises:
        DiskFull: there is no room.
    """
    training = to_json(recipe)["training"]
    kept = {name: training[name] for name in ("batch_size", "gradient_accumulation", "eval_batch_size")}
    files.replace(os.fspath(run / BATCH_FILE), files.encode(kept), durable=True)


def settled(run: Path, recipe: Recipe, checkpoint: Checkpoint | None) -> Recipe:
    """The recipe with the batches that count: those after a lack of memory, else the checkpoint's, else its own."""
    kept = files.read_json(os.fspath(run / BATCH_FILE))
    if kept is not None:
        found = with_batches(recipe, kept["batch_size"], kept["gradient_accumulation"], kept["eval_batch_size"])
        if effective_batch(found) == effective_batch(recipe):
            return found
    if checkpoint is None:
        return recipe
    then = checkpoint.recipe.training
    return with_batches(recipe, then.batch_size, then.gradient_accumulation, recipe.training.eval_batch_size)


def _file_names(folder: Path) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(where, name), folder) for where, _, names in os.walk(folder) for name in names
    )


def _object(path: Path, name: str) -> dict[str, Any]:
    try:
        value = json.loads((path / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"Skipped {path.name}: no readable {name} in it", where=os.fspath(path)) from error
    if not isinstance(value, dict):
        raise BadInput(f"Skipped {path.name}: {name} is not a JSON object", where=os.fspath(path))
    return value
