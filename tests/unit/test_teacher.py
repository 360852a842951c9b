"""The teacher of a distillation is checked before the start: there, with the same vocabulary, in memory's forecast."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from core.paths import SAMPLE_DATA
from core.recipe.model_shape import read_shape
from core.recipe.paths import absolute
from core.recipe.recipe import Recipe, put
from core.recipe.rules.validate import validate
from core.recipe.schedule import schedule_of
from core.recipe.tasks import DISTILL
from core.recipe.teacher import problems, teacher_model, vocabulary

BASE = SAMPLE_DATA / "tiny_base"
SHAPE = read_shape(str(BASE))


def recipe(**changes: Any) -> Recipe:
    found = put(put(put(Recipe(), "task", "distill"), "model.path", str(BASE)), "data.train", ("x.jsonl",))
    for path, value in changes.items():
        found = put(found, path.replace("__", "."), value)
    return found


def copied(folder: Path, file: str, change: Any) -> str:
    """The tiny base with one of its JSON files changed."""
    shutil.copytree(BASE, folder)
    path = folder / file
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))
    return str(folder)


def said(teacher: str, **changes: Any) -> list[tuple[str, str]]:
    found = list(problems(recipe(distill__teacher=teacher, **changes), SHAPE))
    assert {problem.path for problem in found} == {"distill.teacher"}
    return [(problem.severity, problem.sentence) for problem in found]


def test_a_teacher_with_the_same_tokens_is_taken_and_named_with_its_size(tmp_path: Path) -> None:
    shutil.copytree(BASE, tmp_path / "teacher")
    ((level, words),) = said(str(tmp_path / "teacher"))
    assert level == "note"
    assert "791 k" in words
    assert said(str(BASE))[0][0] == "warn", "the base itself has nothing to teach"
    assert said(str(BASE), starts_from="run")[0][0] == "note", "a tuned student may learn from it"


def test_other_tokens_or_another_size_stop_the_start_with_what_works_instead(tmp_path: Path) -> None:
    def swapped(tokenizer: dict[str, Any]) -> None:
        vocab = tokenizer["model"]["vocab"]
        one, other = list(vocab)[300:302]
        vocab[one], vocab[other] = vocab[other], vocab[one]

    def more(tokenizer: dict[str, Any]) -> None:
        tokenizer["added_tokens"].append({**tokenizer["added_tokens"][0], "content": "<tool>", "id": 2048})

    def larger(config: dict[str, Any]) -> None:
        config["vocab_size"] += 64

    for name, file, change, word in (
        ("swapped", "tokenizer.json", swapped, "differs"),
        ("more", "tokenizer.json", more, "2,049"),
        ("larger", "config.json", larger, "2,112"),
    ):
        ((level, words),) = said(copied(tmp_path / name, file, change))
        assert level == "error"
        assert word in words
        assert "sft" in words


def test_no_teacher_no_folder_and_one_that_is_not_here(tmp_path: Path) -> None:
    assert said("")[0][0] == "error"
    assert said(str(tmp_path / "nowhere"))[0][0] == "error"
    level, words = said("org/not-here")[0]
    assert level == "warn"
    assert "downloaded" in words
    (tmp_path / "empty").mkdir()
    assert said(str(tmp_path / "empty"))[0][0] == "error"
    assert absolute(recipe(distill__teacher="org/name"), tmp_path).distill.teacher == "org/name"
    assert absolute(recipe(distill__teacher="./empty"), tmp_path).distill.teacher == str(tmp_path / "empty")
    assert vocabulary(tmp_path / "empty") is None


def test_the_teacher_has_a_quantization_of_its_own_and_none_of_its_own_code() -> None:
    chosen = teacher_model(
        recipe(distill__teacher="org/t", distill__teacher_quantization="nf4", model__trust_remote_code=True)
    )
    assert (chosen.path, chosen.quantization, chosen.trust_remote_code) == ("org/t", "nf4", False)


def test_the_forecast_knows_the_teacher_and_an_epoch_leaves_out_what_fills_no_generation() -> None:
    chosen = recipe(distill__teacher=str(BASE), training__batch_size=2, training__gradient_accumulation=4)
    memory = DISTILL.memory(chosen)
    assert memory.beside == (str(BASE),)
    assert memory.generated == 8
    assert schedule_of(put(chosen, "training.epochs", 1.0), 20).steps == 2, "16 of 20 prompts"


def test_what_distillation_cannot_do_is_refused_in_the_form() -> None:
    refused = {
        problem.path
        for problem in validate(
            recipe(data__packing="bfd", training__group_by_length=True, data__loss_on="everything"), SHAPE
        )
        if problem.severity == "error"
    }
    assert {"data.packing", "training.group_by_length", "data.loss_on"} <= refused
    sharded = recipe(training__parallel="fsdp", training__devices="cpux2")
    assert "training.parallel" in {problem.path for problem in validate(sharded, SHAPE)}
    assert not [problem for problem in validate(recipe(), SHAPE) if problem.path.startswith(("rollouts", "rewards"))]
