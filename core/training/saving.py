"""Checkpoints and the adapter on disk: whole or not at all; a full disk, or one that is away, is waited for."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core import units
from core.engine.worker import Worker, WorkerStopped
from core.errors import TunedeckError
from core.jobs.files import OUT_OF_INODES, apply_umask, sync, sync_tree, tree_size
from core.recipe.adapters import adapter_of
from core.recipe.recipe import Recipe
from core.recipe.tasks import TASKS
from core.runs.checkpoint import is_whole, newest_first
from core.runs.origin import Started
from core.runs.saved import Weights, write_weights
from core.training.adapter_start import fit_base
from core.training.loading import named
from core.units import significant

_FULL_WORDS = ("no space left on device", "os error 28", "quota exceeded", "os error 122", "disk is full")
_WRITER_WORDS = (
    "pytorchstreamwriter",
    "inline_container",
    "iostream error",
    "cannot be opened",
    "write failed",
    "failed to write",
    "error while serializing",
    "i/o error",
    "os error",
)
"""What writers in compiled code say when they fail, without the reason."""
_NEARLY_NOTHING = 16 << 20
"""Bytes of free space below which such a writer has failed for want of space."""


def write_whole(
    worker: Worker,
    target: Path,
    write: Callable[[Path], None],
    *,
    needs: int = 0,
    patience: float | None = None,
) -> None:
    """Writes a folder beside its place and moves it there when it is complete, and the disk has all of it.

    So a power cut leaves the whole of it, or nothing by its name. Its files get the mode that the umask leaves them.
    What an earlier write that was killed has left beside it is deleted first. Where the disk is full, or has too little
    room to begin with, or the run's folder cannot be reached, the run pauses and tries again when that is over.

    Args:
        worker: reports a pause to the viewers.
        target: the folder; replaced if it exists.
        write: fills the folder that it is given.
        needs: bytes that it takes at least.
        patience: seconds to wait for a folder that cannot be reached, None for any number.

    Raises:
        Stopped: somebody asked to stop during such a pause.
        Unreachable: the patience is at its end.
        JobGone: the run's folder was deleted.
    """
    name = f"{target.name} could not be written"
    attempt = _Attempt(worker, target, write, needs)
    while True:
        worker.reach(name, patience=patience)
        if attempt():
            return
        if not attempt.away:
            worker.pause_until(attempt, f"{attempt.lacks}: {name}. The run waits until {attempt.wants}.")
            return


class _Attempt:
    """Tries to write a folder, as often as it is called.

    Attributes:
        reached: bytes that it takes at least, by what was written so far.
        away: whether the last try failed because the run's folder could not be reached.
    """

    def __init__(self, worker: Worker, target: Path, write: Callable[[Path], None], needs: int) -> None:
        self._worker = worker
        self._inside = target.relative_to(worker.folder.path)
        self._write = write
        self._faults = 0
        self._files = 0
        self._no_inodes = False
        self.reached = needs
        self.away = False

    @property
    def target(self) -> Path:
        """The folder that is written; it moves with the run's folder."""
        return self._worker.folder.path / self._inside

    @property
    def _partial(self) -> Path:
        return self.target.with_name(f".{self._inside.name}.partial")

    @property
    def lacks(self) -> str:
        """What the disk lacked at the last try, as the beginning of a sentence."""
        return OUT_OF_INODES if self._no_inodes else "The disk is full"

    @property
    def wants(self) -> str:
        """What has to happen before another try can succeed, as the end of a sentence."""
        place = self.target.parent
        if self._no_inodes:
            return f"files are deleted on {place}" + (f": it needs room for {self._files}" if self._files > 1 else "")
        return f"about {units.size(max(self.reached, 1 << 20))} is free on {place}"

    def __call__(self) -> bool:
        """Whether it is written now."""
        self.away = not self._worker.folder.reachable()
        if self.away:
            return False
        target, partial = self.target, self._partial
        try:
            target.parent.mkdir(exist_ok=True)
            for left in (*target.parent.glob(".*.partial*"), *target.parent.glob(".*.old")):
                shutil.rmtree(left, ignore_errors=True)
            if not self._has_room(target.parent):
                return False
            self._write(partial)
            apply_umask(partial)
            sync_tree(partial)  # here a network file system first reports a full disk, and so does a quota
            _move(partial, target)
        except Exception as error:  # tokenizers and safetensors raise their own for a full disk
            return self._failed(error, partial)
        return True

    def _has_room(self, place: Path) -> bool:
        found = os.statvfs(place)
        self._no_inodes = bool(found.f_files) and found.f_favail < self._files
        needs = self.reached + (self.reached and (1 << 20))
        return not self._no_inodes and found.f_bavail * found.f_frsize >= needs

    def _failed(self, error: Exception, partial: Path) -> bool:
        """Clears away what was begun; raises the error unless it is worth another try."""
        if isinstance(error, (WorkerStopped, TunedeckError)) and not _is_full(error):
            shutil.rmtree(partial, ignore_errors=True)
            raise error
        self.reached = max(self.reached, tree_size(partial))
        room, inodes = _room(partial.parent)
        lasting = _is_full(error) or ((room < _NEARLY_NOTHING or not inodes) and _by_a_writer(error))
        if lasting and not inodes:
            self._files = max(self._files, 1 + sum(len(names) + 1 for _, _, names in os.walk(partial)))
        self._no_inodes = lasting and not inodes
        shutil.rmtree(partial, ignore_errors=True)
        self.away = not self._worker.folder.reachable()
        if self.away or lasting:
            return False
        self._faults += 1
        if self._faults > 1:
            raise error
        return self()  # a folder that was away for a moment fails like this too


def _room(place: Path) -> tuple[int, bool]:
    """Bytes that are free on a disk, and whether it can hold another file; much and yes where it does not say."""
    try:
        found = os.statvfs(place)
    except OSError:
        return 1 << 62, True
    return found.f_bavail * found.f_frsize, not found.f_files or found.f_favail > 0


def _is_full(error: BaseException) -> bool:
    """Whether an error says of itself that there is no room, by its number or by its words."""
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        words = str(link).lower()
        if any(sign in words for sign in _FULL_WORDS):
            return True
    return False


def _by_a_writer(error: BaseException) -> bool:
    """Whether an error is one of writing; where the disk has no room, that is the reason."""
    return any(
        isinstance(link, OSError) or any(sign in str(link).lower() for sign in _WRITER_WORDS) for link in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _move(partial: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def saved_bytes(model: Any, optimizer: Any = None) -> int:
    """Bytes that a checkpoint takes at least: what is trained, and the optimizer's state."""
    found = sum(weight.numel() * weight.element_size() for weight in model.parameters() if weight.requires_grad)
    for state in optimizer.state.values() if optimizer is not None else ():
        found += sum(value.numel() * value.element_size() for value in state.values() if hasattr(value, "numel"))
    return int(found)


TRAINED = "trained.safetensors"
"""In a checkpoint: all that is trained, of a kind of which peft's own file only has what is left at the end."""


def save_trained(model: Any, checkpoint: Path) -> None:
    """Writes every trained weight by its own name."""
    from safetensors.torch import save_file

    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    save_file({name: weight.detach().cpu().contiguous() for name, weight in trained.items()}, checkpoint / TRAINED)


def load_trained(model: Any, checkpoint: Path) -> None:
    """Puts these weights into a model.

    Raises:
        TunedeckError: the file is damaged, or of another model.
    """
    from safetensors.torch import load_file

    with named(str(checkpoint)):
        saved = load_file(checkpoint / TRAINED)
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                weight.data.copy_(saved[name])


def drop_old(checkpoints: Path, keep: int, best: int | None = None) -> list[str]:
    """Deletes the oldest checkpoints beyond those to keep.

    One that is not whole counts for none: else those of a later step, which a power cut has torn and a resumed run has
    passed over, would push out each one that the run writes now.

    Args:
        checkpoints: their folder.
        keep: how many of the newest stay, 1 or more.
        best: the step of one that stays besides, or None.

    Returns:
        The names of the deleted ones.
    """
    found = newest_first(checkpoints)
    whole = [path for path in found if is_whole(path)]
    stay = whole[:keep]
    older = found[found.index(stay[-1]) + 1 :] if stay else []
    old = [path for path in reversed(older) if path.name != f"checkpoint-{best}"]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in old]


def save_model(
    worker: Worker,
    model: Any,
    tokenizer: Any,
    target: Path,
    recipe: Recipe,
    saved: Weights,
    *,
    begun: Started | None = None,
    weights: dict[str, Any] | None = None,
    patience: float | None = None,
) -> None:
    """Writes the adapter (or the whole model) with its tokenizer, chat template, a short card, and what is known of it.

    Args:
        worker: reports a pause to the viewers.
        model: a PEFT model, or a plain one that was trained whole.
        tokenizer: as training used it.
        target: the folder.
        recipe: for the card.
        saved: of which step it is, and what was measured.
        begun: what the run was started from, where that is not the bare base model.
        weights: those to write, where the model itself has only a part of them.
        patience: see `write_whole`.
    """
    write = weights_writer(model, tokenizer, recipe, saved, begun=begun, weights=weights)
    write_whole(worker, target, write, needs=saved_bytes(model), patience=patience)


def weights_writer(
    model: Any,
    tokenizer: Any,
    recipe: Recipe,
    saved: Weights,
    *,
    begun: Started | None = None,
    weights: dict[str, Any] | None = None,
    note: str = "",
) -> Callable[[Path], None]:
    """What fills a folder with the adapter, or the whole model; see `save_model`. The note is a line on the card."""

    def write(folder: Path) -> None:
        chosen: dict[str, Any] = {} if weights is None else {"state_dict": weights}
        if len(getattr(model, "peft_config", ())) > 1:
            chosen["selected_adapters"] = ["default"]  # not the frozen copy that a preference task compares with
        if recipe.model.added_tokens and not adapter_of(recipe).whole:
            chosen["save_embedding_layers"] = False  # the adapter has the rows that were trained
        model.save_pretrained(str(folder), **chosen)
        fit_base(model, folder)
        tokenizer.save_pretrained(str(folder))
        (folder / "README.md").write_text(_card(recipe, saved, begun, note), encoding="utf-8")
        write_weights(folder, saved)

    return write


def _card(recipe: Recipe, saved: Weights, begun: Started | None, note: str) -> str:
    adapter, task = adapter_of(recipe), TASKS[recipe.task]
    front = ["---", f"base_model: {recipe.model.path}", f"library_name: {adapter.library}"]
    front += [f"pipeline_tag: {task.artifact}", "tags:", *(f"- {tag}" for tag in (*adapter.tags, task.name, "trl"))]
    front += ["---", ""]
    body = [f"# {recipe.name or 'Fine-tuned model'}", "", f"{adapter.made} `{recipe.model.path}`.", ""]
    lines = [f"Weights: {saved.words()}", f"Learning rate: {recipe.training.learning_rate}"]
    if saved.eval_first is not None:
        title = saved.headline.eval_title
        of = "of the base model" if begun is None else "at the start"
        lines.append(f"{title[0].upper()}{title[1:]} {of}: {significant(saved.eval_first, 4)}")
    if begun is not None:
        lines.append(f"Started from: {begun.words()}")
        if begun.merged and not adapter.whole:
            lines.append("The base model of this adapter is in the folder `base` of its run, not the model above")
    lines += [note] if note else []
    return "\n".join([*front, *body, *(f"- {line}" for line in lines), ""])
