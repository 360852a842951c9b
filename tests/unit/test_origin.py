"""What a run may start from, what is refused and with which words, and what it keeps of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput
from core.paths import SAMPLE_DATA
from core.recipe.model_shape import read_shape
from core.recipe.recipe import Recipe, put
from core.runs.origin import (
    RESIDUE,
    StartPoint,
    base_of,
    find_origin,
    keep_origin,
    origin_findings,
    problems,
    start_adapter,
    started,
    written,
)
from tests.kit.weights import adapter_folder, run_with_weights

BASE = SAMPLE_DATA / "tiny_base"
SHAPE = read_shape(str(BASE))


def recipe(**changes: Any) -> Recipe:
    found = put(put(Recipe(name="sft"), "model.path", str(BASE)), "lora.rank", 16)
    for path, value in changes.items():
        found = put(found, path.replace("__", "."), value)
    return found


def found(workspace: Path, *, later: bool = False, **changes: Any) -> list[tuple[str, str, str]]:
    """Severity, field and sentence of each finding."""
    each = origin_findings(recipe(**changes), workspace, SHAPE, later=later)
    return [(one.severity, one.path, one.sentence) for one in each]


def refused(workspace: Path, **changes: Any) -> tuple[str, str]:
    """Field and sentence of the first error."""
    level, path, sentence = found(workspace, **changes)[0]
    assert level == "error"
    return path, sentence


def errors(workspace: Path, **changes: Any) -> list[tuple[str, str, str]]:
    return [each for each in found(workspace, **changes) if each[0] == "error"]


def test_a_run_is_named_by_its_id_a_part_of_it_its_folder_or_one_of_its_folders(tmp_path: Path) -> None:
    run = run_with_weights(tmp_path, recipe())
    for text in (run.id, "sft", "last", str(run.path), str(run.adapter)):
        origin = find_origin(text, tmp_path)
        assert (origin.kind, origin.folder, origin.there) == ("adapter", run.adapter, True)
        assert written(origin, tmp_path) == run.id
    ((level, _, words),) = found(tmp_path, starts_from="sft")
    assert level == "note"
    assert "trained further" in words


def test_of_a_preference_task_it_is_said_that_it_is_the_reference(tmp_path: Path) -> None:
    run = run_with_weights(tmp_path, recipe())
    ((_, _, words),) = found(tmp_path, starts_from=run.id, task="dpo")
    assert "the reference" in words


def test_an_adapter_that_does_not_fit_is_refused_with_the_field_and_both_ways_out(tmp_path: Path) -> None:
    adapter = adapter_folder(tmp_path / "adapter", BASE)
    source = str(adapter)
    for changes, path, words in (
        ({"lora__rank": 8}, "lora.rank", ("16", "8", "merge")),
        ({"lora__alpha": 8.0}, "lora.alpha", ("32", "8", "merge")),
        ({"lora__targets": ("q_proj",)}, "lora.targets", ("down_proj", "merge")),
        ({"lora__variant": "dora"}, "lora.variant", ("use_dora", "merge")),
        ({"lora__layers": ("last 1",)}, "lora.targets", ("down_proj", "merge")),
        ({"method": "ia3"}, "method", ("LORA", "lora", "merge")),
        ({"lora__modules_to_save": ("lm_head",)}, "lora.modules_to_save", ("lm_head", "merge")),
        ({"model__path": "org/other"}, "model.path", ("tiny_base", "org/other")),
    ):
        where, sentence = refused(tmp_path, starts_from=source, **changes)
        assert where == path
        assert all(word in sentence for word in words), sentence
    for changes in ({"lora__rank": 8}, {"lora__targets": ("q_proj",)}):
        ((level, _, _),) = found(tmp_path, starts_from=source, starts_how="merge", **changes)
        assert level == "note"
    ((level, _, words),) = found(tmp_path, starts_from=source, method="full")
    assert level == "note"
    assert "merged into the base" in words
    assert [level for level, _, _ in found(tmp_path, starts_from=source, lora__dropout=0.3)] == ["note"]


def test_a_base_that_has_moved_is_a_warning_and_a_reward_model_is_refused(tmp_path: Path) -> None:
    moved = adapter_folder(tmp_path / "moved", "/elsewhere/tiny_base")
    assert [(level, path) for level, path, _ in found(tmp_path, starts_from=str(moved))] == [
        ("warn", "model.path"),
        ("note", "starts_from"),
    ]
    reward = adapter_folder(tmp_path / "reward", BASE, task_type="SEQ_CLS")
    assert "scores text" in refused(tmp_path, starts_from=str(reward))[1]
    other = adapter_folder(tmp_path / "other", BASE, task_type="TOKEN_CLS")
    assert "TOKEN_CLS" in refused(tmp_path, starts_from=str(other))[1]


def test_a_reward_model_starts_from_a_language_model_by_way_of_a_merge(tmp_path: Path) -> None:
    writes = adapter_folder(tmp_path / "writes", BASE)
    path, words = refused(tmp_path, starts_from=str(writes), task="reward")
    assert path == "starts_how"
    assert "merge" in words
    assert not errors(tmp_path, starts_from=str(writes), task="reward", starts_how="merge")
    own = {"task_type": "SEQ_CLS", "modules_to_save": ["score", "classifier"]}  # as peft writes it
    scores = adapter_folder(tmp_path / "scores", BASE, **own)
    assert not errors(tmp_path, starts_from=str(scores), task="reward")
    assert refused(tmp_path, starts_from=str(scores), task="reward", starts_how="merge")[0] == "starts_how"


def test_weights_that_are_damaged_pickled_or_not_there_are_refused_in_a_sentence(tmp_path: Path) -> None:
    for name, harm, word in (
        ("cut", lambda file: file.write_bytes(file.read_bytes()[:-2]), "damaged"),
        ("zeros", lambda file: file.write_bytes(bytes(200)), "damaged"),
        ("gone", lambda file: file.unlink(), "missing"),
        ("pickled", lambda file: file.rename(file.with_name("adapter_model.bin")), "pickle"),
        ("torn", lambda file: (file.parent / "adapter_config.json").write_text("{"), "adapter_config.json"),
        ("list", lambda file: (file.parent / "adapter_config.json").write_text("[1]"), "adapter_config.json"),
    ):
        folder = adapter_folder(tmp_path / name, BASE)
        harm(folder / "adapter_model.safetensors")
        path, sentence = refused(tmp_path, starts_from=str(folder))
        assert path == "starts_from"
        assert word in sentence
    (tmp_path / "empty").mkdir()
    assert "adapter_config.json" in refused(tmp_path, starts_from=str(tmp_path / "empty"))[1]
    assert "No such folder" in refused(tmp_path, starts_from="./nowhere")[1]
    assert "nobody" in refused(tmp_path, starts_from="nobody")[1]


def test_a_run_that_has_not_ended_is_refused_now_and_taken_by_the_queue(tmp_path: Path) -> None:
    run = run_with_weights(tmp_path, recipe(), state="queued")
    path, sentence = refused(tmp_path, starts_from=run.id)
    assert path == "starts_from"
    assert "Queue" in sentence
    assert [level for level, _, _ in found(tmp_path, later=True, starts_from=run.id)] == ["note"]
    assert refused(tmp_path, later=True, starts_from=run.id, lora__rank=4)[0] == "lora.rank"
    failed = run_with_weights(tmp_path, recipe(), state="failed")
    assert "no saved weights" in refused(tmp_path, starts_from=failed.id)[1]
    with pytest.raises(BadInput, match="no such checkpoint"):
        find_origin(f"{failed.id}/checkpoint-40", tmp_path)


def test_a_whole_model_has_no_adapter_to_continue_but_can_get_one(tmp_path: Path) -> None:
    run = run_with_weights(tmp_path, recipe(method="full"))
    path, sentence = refused(tmp_path, starts_from=run.id)
    assert path == "starts_how"
    assert "merge" in sentence
    assert "full" in sentence
    for changes in ({"starts_how": "merge"}, {"method": "full"}):
        assert [level for level, _, _ in found(tmp_path, starts_from=run.id, **changes)] == ["note"]
    config = run.path / "model" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "hidden_size": 64}))
    assert refused(tmp_path, starts_from=run.id, method="full")[0] == "model.path"
    sharded = {"training__parallel": "fsdp", "training__devices": "cpux2"}
    assert "training.parallel" in [path for _, path, _ in found(tmp_path, starts_from=run.id, method="full", **sharded)]


def test_what_a_run_keeps_is_its_own_and_says_where_it_is_from(tmp_path: Path) -> None:
    source = run_with_weights(tmp_path, recipe())
    for how, merged in (("continue", False), ("merge", True)):
        chosen = recipe(starts_from=source.id, starts_how=how)
        run = run_with_weights(tmp_path, chosen, state="queued")
        assert started(run.path) is None
        keep_origin(find_origin(source.id, tmp_path), run.path, chosen)
        begun = started(run.path)
        assert begun is not None
        assert (begun.merged, begun.label) == (merged, source.id)
        assert (start_adapter(run.path) is None) == merged
        kept = run.path / "start" / "adapter_model.safetensors"
        assert kept.samefile(source.adapter / "adapter_model.safetensors"), "no room on the disk"
    shutil.rmtree(source.path)
    assert kept.stat().st_size > 50


def test_a_whole_model_becomes_the_runs_own_base_and_so_does_that_of_the_next(tmp_path: Path) -> None:
    source = run_with_weights(tmp_path, recipe(method="full"))
    chosen = recipe(starts_from=source.id, starts_how="merge")
    run = run_with_weights(tmp_path, chosen)
    keep_origin(find_origin(source.id, tmp_path), run.path, chosen)
    assert base_of(run.path) == str(run.path / "base")
    further = recipe(starts_from=run.id)
    after = run_with_weights(tmp_path, further, state="queued")
    keep_origin(find_origin(run.id, tmp_path), after.path, further)
    assert base_of(after.path) == str(after.path / "base")
    assert start_adapter(after.path) is not None


def test_what_cannot_be_merged_is_refused_and_can_be_continued_by_its_own_method(tmp_path: Path) -> None:
    prefix = adapter_folder(tmp_path / "prefix", BASE, peft_type="PREFIX_TUNING")
    assert refused(tmp_path, starts_from=str(prefix), starts_how="merge")[0] == "starts_how"
    assert refused(tmp_path, starts_from=str(prefix), method="full")[0] == "starts_from"
    assert "prefix" in refused(tmp_path, starts_from=str(prefix))[1]
    assert [level for level, _, _ in found(tmp_path, starts_from=str(prefix), method="prefix")] == ["note"]
    strange = adapter_folder(tmp_path / "strange", BASE, peft_type="XLORA")
    assert "XLORA" in refused(tmp_path, starts_from=str(strange))[1]


def test_a_checkpoint_of_a_run_that_changed_its_base_is_refused(tmp_path: Path) -> None:
    run = run_with_weights(tmp_path, recipe())
    checkpoint = run.checkpoints / "checkpoint-40"
    adapter_folder(checkpoint, BASE)
    (run.path / RESIDUE).write_bytes(b"")
    with pytest.raises(BadInput, match="checkpoint-40"):
        find_origin(f"{run.id}/checkpoint-40", tmp_path)  # it is not whole
    origin = StartPoint("adapter", checkpoint, run, base=str(BASE), config={"peft_type": "LORA"})
    sentences = [problem.sentence for problem in problems(recipe(), origin, SHAPE)]
    assert any("lora.init" in sentence and run.id in sentence for sentence in sentences)
