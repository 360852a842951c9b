"""The teacher of a distillation, and whether it has the vocabulary of the model: from files, in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.clean import clean_line
from core.errors import BadInput
from core.recipe.declare import Problem
from core.recipe.model_files import NotDownloaded
from core.recipe.model_shape import ModelShape, read_shape
from core.units import short_count

if TYPE_CHECKING:
    from core.recipe.recipe import Recipe
    from core.recipe.sections.model import Model

FIELD = "distill.teacher"
_INSTEAD = (
    "Choose a teacher of the model's own family, or let the teacher write answers and train on them with the task sft."
)


def teacher_model(recipe: Recipe) -> Model:
    """The teacher as a model section: its own path, revision and quantization, and nothing of its own code."""
    distill = recipe.distill
    return replace(
        recipe.model,
        path=distill.teacher,
        revision=distill.teacher_revision,
        quantization=distill.teacher_quantization,
        trust_remote_code=False,
    )


def problems(recipe: Recipe, student: ModelShape | None) -> Iterator[Problem]:
    """What keeps a model from learning of its teacher; the last is a note on the teacher.

    Args:
        recipe: with absolute paths.
        student: the shape of its model, where it is known.
    """
    distill = recipe.distill
    if not distill.teacher:
        yield Problem(FIELD, "No teacher yet. Enter a Hub model ID or the folder of a model with the same vocabulary.")
        return
    try:
        teacher = read_shape(distill.teacher, distill.teacher_revision)
    except NotDownloaded:
        words = "The teacher is not on this machine yet; it is downloaded when the run starts, and its vocabulary "
        yield Problem(FIELD, f"{words}is only checked then.", "warn", "not downloaded")
        return
    except BadInput as error:
        yield Problem(FIELD, f"Teacher: {error}", brief="cannot be read")
        return
    if teacher.own_code:
        yield Problem(FIELD, "The teacher needs custom Python code, which is not run for a teacher. Choose another.")
    if student is None:
        return
    if teacher.folder.resolve() == student.folder.resolve() and not recipe.starts_from:
        words = "The teacher is the base model itself, so there is nothing to learn from it. Choose a better model."
        yield Problem(FIELD, words, "warn", "the same model")
    misfit = _misfit(teacher, student)
    if misfit:
        yield Problem(FIELD, f"{misfit} {_INSTEAD}", brief="other vocabulary")
    else:
        size = short_count(teacher.parameters)
        words = f"Teacher: {clean_line(distill.teacher, 80)}, {size} parameters, the same vocabulary as the model."
        yield Problem(FIELD, words, "note")


def _misfit(teacher: ModelShape, student: ModelShape) -> str:
    """Why the two distributions cannot be compared, a sentence; "" where they can."""
    theirs, ours = vocabulary(teacher.folder), vocabulary(student.folder)
    if theirs is not None and ours is not None and theirs != ours:
        odd = next((token for token, place in ours.items() if theirs.get(token) != place), None)
        if odd is None:
            odd = next(token for token in theirs if token not in ours)
        return (
            f"The teacher has a different vocabulary: {len(theirs):,} tokens, and the model {len(ours):,}; "
            f"{clean_line(odd, 40)!r} differs."
        )
    if teacher.vocabulary != student.vocabulary:
        same = "The tokens are the same, but the " if theirs is not None and theirs == ours else "The "
        return (
            f"{same}output layers have different sizes ({teacher.vocabulary:,} and {student.vocabulary:,}), which "
            "cannot be compared token by token."
        )
    return ""


def vocabulary(folder: Path) -> Mapping[str, int] | None:
    """Each token with its ID, added ones included; None where no `tokenizer.json` tells."""
    file = folder / "tokenizer.json"
    try:
        state = file.stat()
        return _vocabulary(file, (state.st_mtime_ns, state.st_size))
    except OSError:
        return None


@lru_cache(maxsize=4)
def _vocabulary(file: Path, stamp: tuple[int, int]) -> Mapping[str, int] | None:
    try:
        said: Any = json.loads(file.read_text(encoding="utf-8"))
        tokens = said["model"]["vocab"]
        if isinstance(tokens, list):  # unigram: pieces with their scores, an ID each by its place
            found = {str(piece[0]): place for place, piece in enumerate(tokens)}
        else:
            found = {str(token): int(place) for token, place in tokens.items()}
        return found | {str(each["content"]): int(each["id"]) for each in said.get("added_tokens") or ()}
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
