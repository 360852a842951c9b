"""Checkpoints and the adapter on disk: whole or not at all, and a full disk is waited for."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core import units
from core.engine.worker import Worker
from core.jobs.files import apply_umask, no_more_files, sync, sync_tree
from core.recipe.adapters import adapter_of
from core.recipe.recipe import Recipe
from core.recipe.tasks import TASKS
from core.runs.checkpoint import is_whole, newest_first
from core.runs.saved import Weights, write_weights
from core.units import significant

_FULL_WORDS = ("No space left on device", "os error 28", "Disk quota exceeded", "os error 122")
_WRITER_WORDS = ("PytorchStreamWriter", "inline_container", "iostream error")
"""What torch says when its writer fails, without the reason."""
_NEARLY_NOTHING = 16 << 20
"""Bytes of free space below which a torch writer that failed has failed for want of space."""


def write_whole(worker: Worker, target: Path, write: Callable[[Path], None], *, needs: int = 0) -> None:
    """Writes a folder beside its place and moves it there when it is complete, and the disk has all of it.

    So a power cut leaves the whole of it, or nothing by its name. Its files get the mode that the umask leaves them.
    What an earlier write that was killed has left beside it is deleted first. Where the disk is full, or has too little
    room to begin with, the run pauses and tries again when there is room.

    Args:
        worker: tells the viewers about a pause.
        target: the folder; replaced if it exists.
        write: fills the folder that it is given.
        needs: bytes that it takes at least.

    Raises:
        Stopped: somebody asked to stop during such a pause.
        JobGone: the run's folder was deleted.
    """
    partial = target.with_name(f".{target.name}.partial")
    reached = needs

    def attempt() -> bool:
        nonlocal reached
        worker.folder.check()
        target.parent.mkdir(exist_ok=True)
        if shutil.disk_usage(target.parent).free < reached + (reached and (1 << 20)):
            return False
        shutil.rmtree(partial, ignore_errors=True)
        try:
            write(partial)
            apply_umask(partial)
            sync_tree(partial)  # here a network file system first tells of a full disk, and so does a quota
        except (OSError, RuntimeError, ValueError) as error:
            reached = max(reached, folder_size(partial))
            free = shutil.disk_usage(target.parent).free
            shutil.rmtree(partial, ignore_errors=True)
            worker.folder.check()  # a deleted folder fails like this too
            if not _is_full(error, free):
                raise
            return False
        _move(partial, target)
        return True

    for left in (*target.parent.glob(".*.partial"), *target.parent.glob(".*.old")):
        shutil.rmtree(left, ignore_errors=True)
    if not attempt():
        worker.pause_until(
            attempt,
            f"{no_more_files(target.parent) or 'The disk is full'}: {target.name} could not be written. "
            "The run waits until there is room on "
            f"{target.parent} (about {units.size(max(reached, 1 << 20))} or more).",
        )


def _is_full(error: BaseException, free: int) -> bool:
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        words = str(link)
        if any(sign in words for sign in _FULL_WORDS):
            return True
        if free < _NEARLY_NOTHING and any(sign in words for sign in _WRITER_WORDS):
            return True
    return False


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


def folder_size(folder: Path) -> int:
    """Bytes of all files in a folder; 0 if there is none."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(where, name)).st_size
            except OSError:
                continue
    return total


def saved_bytes(model: Any, optimizer: Any = None) -> int:
    """Bytes that a checkpoint takes at least: what is trained, and the optimizer's state."""
    found = sum(weight.numel() * weight.element_size() for weight in model.parameters() if weight.requires_grad)
    for state in optimizer.state.values() if optimizer is not None else ():
        found += sum(value.numel() * value.element_size() for value in state.values() if hasattr(value, "numel"))
    return int(found)


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
    weights: dict[str, Any] | None = None,
) -> None:
    """Writes the adapter (or the whole model) with its tokenizer, chat template, a short card, and what is known of it.

    Args:
        worker: tells the viewers about a pause.
        model: a PEFT model, or a plain one that was trained whole.
        tokenizer: as training used it.
        target: the folder.
        recipe: for the card.
        saved: of which step it is, and what was measured.
        weights: those to write, where the model itself has only a part of them.
    """

    def write(folder: Path) -> None:
        model.save_pretrained(str(folder), **({} if weights is None else {"state_dict": weights}))
        tokenizer.save_pretrained(str(folder))
        (folder / "README.md").write_text(_card(recipe, saved), encoding="utf-8")
        write_weights(folder, saved)

    write_whole(worker, target, write, needs=saved_bytes(model))


def _card(recipe: Recipe, saved: Weights) -> str:
    adapter, task = adapter_of(recipe), TASKS[recipe.task]
    front = ["---", f"base_model: {recipe.model.path}", f"library_name: {adapter.library}"]
    front += [f"pipeline_tag: {task.artifact}", "tags:", *(f"- {tag}" for tag in (*adapter.tags, task.name, "trl"))]
    front += ["---", ""]
    body = [f"# {recipe.name or 'Fine-tuned model'}", "", f"{adapter.made} `{recipe.model.path}`.", ""]
    lines = [f"Weights: {saved.words()}", f"Learning rate: {recipe.training.learning_rate}"]
    if saved.eval_loss_first is not None:
        lines.append(f"Eval loss of the base: {significant(saved.eval_loss_first, 4)}")
    return "\n".join([*front, *body, *(f"- {line}" for line in lines), ""])
