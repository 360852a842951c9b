"""A checkpoint is sealed by what its files hold: a damaged one is named and passed over; step 0 is the last resort."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.errors import BadInput
from core.jobs.folder import JobFolder
from core.recipe.recipe import Recipe, to_json
from core.runs.artifacts import copy_adapter, read_adapter
from core.runs.checkpoint import EVERY, FROM_THE_START, NAME, is_whole, last_good, read, refuse_damaged, seal
from core.runs.queueing import _put_back
from core.runs.resume import plan_resume
from core.runs.saved import NAME as NAME_OF_WEIGHTS
from core.runs.saved import Weights, refuse_damaged_weights, write_weights
from core.training.saving import drop_old
from tui.commands.pause import how_to_resume

FACTS = {
    "recipe": to_json(Recipe()),
    "samples": 400,
    "samples_per_step": 16,
    "tokens": 81_200,
    "evaluation_due": False,
    "unlogged": {"loss": 0.1 + 0.2, "since": 3, "metrics": {"entropy": [1e-17, float("nan")]}},
    "epoch_random": "00ff",
}


def checkpoint(parent: Path, step: int) -> Path:
    folder = parent / f"checkpoint-{step}"
    (folder / "parts").mkdir(parents=True)
    (folder / "optimizer.pt").write_bytes(bytes(range(256)) * 64)
    (folder / "parts" / "weights").write_bytes(b"w" * 1000)
    state = {"global_step": step, "max_steps": 100, "epoch": step / 25, "log_history": []}
    (folder / "trainer_state.json").write_text(json.dumps(state))
    seal(folder, FACTS)
    return folder


def flip(file: Path, place: int = 100) -> None:
    """Changes one bit; length and time of the file stay."""
    before, data = file.stat(), bytearray(file.read_bytes())
    data[place] ^= 4
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("name", ["optimizer.pt", "parts/weights", "trainer_state.json"])
def test_one_bit_is_enough_and_the_file_is_named(tmp_path: Path, name: str) -> None:
    checkpoint(tmp_path, 20)
    flip(checkpoint(tmp_path, 30) / name, 20)
    found, passed = last_good(tmp_path, EVERY)
    assert found is not None
    assert found.step == 20
    assert len(passed) == 1
    assert "checkpoint-30" in passed[0]
    assert name in passed[0]
    assert not is_whole(tmp_path / "checkpoint-30"), "it is known now, and counts for none"
    for step in (10, 5):
        checkpoint(tmp_path, step)
    assert drop_old(tmp_path, 2) == ["checkpoint-5"], "the damaged one pushes none out"


def test_the_seal_itself_is_sealed_and_one_of_an_earlier_version_has_sizes_alone(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 30)
    assert read(path).unlogged["loss"] == 0.1 + 0.2
    manifest = path / NAME
    flip(manifest, manifest.read_bytes().index(b'"tokens":81200') + 10)
    with pytest.raises(BadInput, match=NAME):
        read(path)
    old = json.loads(manifest.read_text())
    del old["sha256"], old["seal"]
    manifest.write_text(json.dumps(old))
    refuse_damaged(path)
    assert last_good(tmp_path, EVERY)[0] is not None
    (path / "optimizer.pt").write_bytes(b"short")
    assert last_good(tmp_path)[1][0].count("optimizer.pt") == 1


def test_a_small_checkpoint_is_checked_before_it_is_offered_and_a_large_one_by_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(checkpoint(tmp_path, 30) / "optimizer.pt")
    assert last_good(tmp_path)[0] is not None
    assert last_good(tmp_path, 1_000)[0] is not None
    assert last_good(tmp_path, 1 << 20)[0] is None


def a_run(parent: Path) -> JobFolder:
    folder = JobFolder.create(parent / "runs", "night", "training", payload={"recipe": to_json(Recipe())})
    folder.write_status(state="failed", ended=1.0)
    folder.data.mkdir()
    (folder.data / "train.jsonl").write_text("{}\n")
    return folder


def test_a_run_that_ended_before_its_first_checkpoint_starts_again_from_step_0(tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    (folder.checkpoints / ".checkpoint-10.partial").mkdir(parents=True)  # it was killed while it wrote
    plan = plan_resume(folder)
    assert (plan.checkpoint, plan.step) == (None, 0)
    assert "step 0" in how_to_resume(folder)
    assert "from the beginning" in _put_back(folder)
    assert folder.read_job()["payload"]["resume"] == FROM_THE_START


def test_one_whose_checkpoints_are_all_damaged_says_so_instead(tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    flip(checkpoint(folder.checkpoints, 30) / "optimizer.pt")
    with pytest.raises(BadInput, match=r"checkpoint-30.*damaged"):
        plan_resume(folder)


def test_weights_that_are_damaged_are_neither_compared_nor_exported(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "adapter"
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"w" * 1000)
    (folder / "adapter_config.json").write_text("{}")
    write_weights(folder, Weights(3, 3))
    adapter = read_adapter(folder.parent)
    assert adapter is not None
    assert (copy_adapter(adapter, tmp_path / "copy") / NAME_OF_WEIGHTS).exists()
    flip(folder / "adapter_model.safetensors")
    with pytest.raises(BadInput, match=r"adapter_model\.safetensors"):
        refuse_damaged_weights(folder)
    with pytest.raises(BadInput, match="damaged") as said:
        copy_adapter(adapter, tmp_path / "other")
    assert str(folder) in str(said.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "run"]
    (folder / NAME_OF_WEIGHTS).write_text(json.dumps({"version": 2, **Weights(3, 3).to_json()}))
    refuse_damaged_weights(folder)


def test_a_run_is_never_resumed_from_weights_alone(tmp_path: Path) -> None:
    checkpoint(tmp_path, 20)
    later = checkpoint(tmp_path, 30)
    (later / NAME).unlink()
    seal(later, {**FACTS, "weights_only": True})
    found, passed = last_good(tmp_path, EVERY)
    assert found is not None
    assert found.step == 20
    assert "save_only_model" in passed[0]
    assert is_whole(later)
    assert read(later).weights_only
