"""Which batches and checkpoints count, and how a batch is made smaller without changing what is learned."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.jobs.launch import launch
from core.recipe.recipe import Recipe, put
from core.runs.checkpoint import (
    Checkpoint,
    effective_batch,
    keep_batches,
    misfits,
    newest_first,
    settled,
    with_batches,
)
from core.training.memory_retry import smaller, smaller_evaluation


@pytest.mark.parametrize(("batch", "less"), [(8, 4), (2, 1), (6, 3), (3, 1), (9, 3), (7, 1)])
def test_a_smaller_batch_keeps_the_effective_one(batch: int, less: int) -> None:
    before = with_batches(Recipe(), batch, 4, 8)
    after = smaller(before)
    assert after is not None
    assert after.training.batch_size == less
    assert effective_batch(after) == effective_batch(before)
    assert after.training.eval_batch_size == 8


def test_one_sample_cannot_be_made_smaller() -> None:
    assert smaller(with_batches(Recipe(), 1, 16, 1)) is None
    assert smaller_evaluation(with_batches(Recipe(), 4, 4, 1)) is None


def test_a_batch_is_not_made_smaller_than_its_task_can_train_with() -> None:
    """KTO estimates its KL term from the other answers of a batch."""
    kto = put(Recipe(), "task", "kto")
    assert smaller(with_batches(kto, 2, 4, 4)) is None
    six = smaller(with_batches(kto, 6, 1, 4))
    assert six is not None
    assert six.training.batch_size == 3
    without = put(kto, "kto.loss_type", "apo_zero_unpaired")
    assert smaller(with_batches(without, 2, 4, 4)) is not None


def test_batches_after_a_lack_of_memory_count_unless_the_recipe_means_another_effective_batch(tmp_path: Path) -> None:
    own = with_batches(Recipe(), 8, 2, 8)
    assert settled(tmp_path, own, None) == own
    keep_batches(tmp_path, with_batches(Recipe(), 2, 8, 4))
    assert settled(tmp_path, own, None) == with_batches(Recipe(), 2, 8, 4)
    other = with_batches(Recipe(), 8, 4, 8)
    assert settled(tmp_path, other, None) == other


def test_checkpoints_are_ordered_by_step_and_other_names_are_none(tmp_path: Path) -> None:
    for name in ("checkpoint-9", "checkpoint-100", "checkpoint-20", "checkpoint-x", ".checkpoint-200.partial"):
        (tmp_path / name).mkdir()
    assert [path.name for path in newest_first(tmp_path)] == ["checkpoint-100", "checkpoint-20", "checkpoint-9"]
    assert newest_first(tmp_path / "none") == []


def test_two_viewers_cannot_start_a_job_at_the_same_time(tmp_path: Path) -> None:
    folder = JobFolder.create(tmp_path, "test", "training")
    lock = os.open(folder.path / ".launch.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BadInput, match="Another program is starting"):
            launch(folder, [["true"]])
    finally:
        os.close(lock)
    assert folder.read_job().get("keeper") is None


def test_only_fields_that_have_an_effect_must_fit_a_checkpoint() -> None:
    whole = put(Recipe(), "method", "full")
    then = Checkpoint(
        path=Path("checkpoint-1"),
        step=1,
        of=2,
        epoch=0.5,
        position=4,
        samples=8,
        value=None,
        learning_rate=None,
        tokens=0,
        evaluation_due=False,
        without_gain=0,
        recipe=whole,
        unlogged={},
        epoch_random="",
    )
    assert misfits(then, put(whole, "lora.rank", 64)) == []
    assert [str(each) for each in misfits(then, put(whole, "training.learning_rate", 1e-3))] == [
        "training.learning_rate is 1e-3 and was 2e-4"
    ]
    assert "lora.rank" in [each.path for each in misfits(then, put(put(whole, "method", "lora"), "lora.rank", 64))]
