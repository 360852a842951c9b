"""Rules in plain words: each fires where it should, and a sound recipe is silent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.dataset.dataset import Dataset
from core.recipe.consequences import consequence, summary
from core.recipe.declare import Problem
from core.recipe.model_shape import read_shape
from core.recipe.presets import PRESETS, Preset
from core.recipe.recipe import KNOBS, Recipe, get, put
from core.recipe.rules.validate import validate
from core.recipe.schedule import schedule_of, steps_of
from core.recipe.sections.data import MixSource
from core.recipe.sections.rewards import RewardEntry
from core.recipe.tasks import TASKS
from core.recipe.values import Value
from sample_data.build_presets import lines
from tests.kit.recipe_models import LLAMA_3_1_8B, TINY, shape_from

_SOUND = put(put(Recipe(), "model.path", "org/name"), "data.train", ("/d/train.jsonl",))
_LLAMA = shape_from(LLAMA_3_1_8B, template="x")


def changed(values: dict[str, Value]) -> Recipe:
    recipe = _SOUND
    for path, value in values.items():
        recipe = put(recipe, path, value)
    return recipe


def test_a_sound_recipe_has_no_problem() -> None:
    assert validate(_SOUND) == []
    assert validate(_SOUND, _LLAMA, 1_000) == []


@pytest.mark.parametrize("init", ["pissa", "olora", "orthogonal"])
def test_a_base_that_is_stored_in_4_bits_is_held_to_the_same_rules(init: str) -> None:
    stored = replace(_LLAMA, quantized="bitsandbytes")
    found = {each.path: each for each in validate(changed({"lora.init": init}), stored) if each.severity == "error"}
    assert "use 16-bit weights" in found["lora.init"].sentence
    assert "lora.init" not in {each.path for each in validate(changed({"lora.init": "eva"}), stored)}


def test_plain_text_needs_no_template_and_has_no_answers_to_cut() -> None:
    text = changed({"task": "cpt", "model.chat_template": "none", "data.packing": "wrapped"})
    assert not {"model.chat_template", "data.packing"} & {problem.path for problem in validate(text, _LLAMA)}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("method", "QLoRA", "nf4"),
        ("method", "dora", "lora.variant"),
        ("method", "adapter", "bottleneck"),
        ("task", "simpo", "cpo"),
        ("model.quantization", "4bit", "nf4"),
        ("training.optimizer", "muon", "adamw"),
        ("training.scheduler", "wsd", "warmup_stable_decay"),
    ],
)
def test_what_is_found_elsewhere_is_named(path: str, value: str, words: str) -> None:
    problem = KNOBS[path].parse(value)
    assert isinstance(problem, Problem)
    assert words in problem.sentence


def test_steps_are_not_judged_where_chunks_make_more_of_them() -> None:
    few = changed({"training.warmup": 100.0})
    assert "training.warmup" in {problem.path for problem in validate(few, samples=8)}
    assert "training.warmup" not in {problem.path for problem in validate(put(few, "data.chunk_text", True), samples=8)}
    packed = changed({"data.chunk_text": True, "data.packing": "wrapped"})
    assert any("no effect" in each.sentence for each in validate(packed) if each.path == "data.chunk_text")


def test_a_fresh_recipe_lacks_a_model_and_data() -> None:
    assert [problem.path for problem in validate(Recipe())] == ["model.path", "data.train"]


@pytest.mark.parametrize(
    ("values", "path", "severity", "words"),
    [
        ({"method": "full", "model.quantization": "nf4"}, "model.quantization", "error", "cannot be trained"),
        ({"method": "full"}, "training.learning_rate", "warn", "2e-4 is high for full fine-tuning"),
        ({"training.learning_rate": 0.01}, "training.learning_rate", "warn", "high for LoRA"),
        ({"training.learning_rate": 7e-3}, "training.learning_rate", "warn", "7e-3 is high for LoRA"),
        ({"training.learning_rate": 1e-6}, "training.learning_rate", "warn", "low for LoRA"),
        ({"task": "dpo"}, "training.learning_rate", "warn", "2e-4 is high for LoRA with DPO (usually 5e-6 to 2e-5)"),
        ({"task": "dpo", "method": "full"}, "training.learning_rate", "warn", "high for full fine-tuning with DPO"),
        ({"dpo.beta": 0.3}, "dpo.beta", "warn", "no effect because task is sft"),
        ({"task": "dpo", "lora.dropout": 0.1}, "lora.dropout", "warn", "no effect because task is dpo"),
        (
            {"task": "dpo", "method": "full", "training.parallel": "fsdp", "training.devices": "0,1"},
            "training.parallel",
            "error",
            "Use ddp",
        ),
        ({"task": "dpo", "data.packing": "bfd"}, "data.packing", "error", "cannot pack them"),
        ({"task": "dpo", "data.loss_on": "everything"}, "data.loss_on", "error", "Set this to answers"),
        (
            {"task": "dpo", "training.group_by_length": True},
            "training.group_by_length",
            "error",
            "cannot group batches",
        ),
        ({"lora.targets": ()}, "lora.targets", "error", "No layer gets an adapter"),
        ({"lora.targets": ("lm_head",)}, "lora.targets", "error", "Modules to save"),
        ({"lora.targets": ("all-linear", "q_proj")}, "lora.targets", "error", "Remove the other names"),
        ({"lora.targets": ("query",)}, "lora.targets", "error", "no layer named query; it has q_proj"),
        ({"lora.alpha": 512.0}, "lora.alpha", "warn", "32 times the rank"),
        ({"lora.variant": "dora", "model.quantization": "int8"}, "lora.variant", "error", "int8"),
        ({"data.max_length": 200_000}, "data.max_length", "warn", "context of 131,072 tokens"),
        ({"model.chat_template": "chatlm"}, "model.chat_template", "error", "ships chatml"),
        ({"data.eval": ("/d/train.jsonl",)}, "data.eval", "error", "meaningless"),
        ({"data.eval_fraction": 0.0}, "data.eval_fraction", "warn", "No eval set"),
        ({"data.packing": "wrapped"}, "data.packing", "warn", "cuts answers in the middle"),
        ({"training.early_stopping": 3}, "training.keep_best", "warn", "saves the last weights"),
        ({"training.epochs": 6.0}, "training.epochs", "warn", "overfits"),
        ({"training.max_steps": 500}, "training.max_steps", "warn", "7.9 epochs"),
        ({"lora.init": "pissa", "task": "grpo", "grpo.beta": 0.04}, "lora.init", "error", "KL"),
        ({"lora.init": "orthogonal", "model.quantization": "nf4"}, "lora.init", "error", "gaussian"),
        ({"task": "reward", "lora.modules_to_save": ("lm_head",)}, "lora.modules_to_save", "error", "score"),
        ({"model.chat_template": "llama3.2"}, "model.chat_template", "error", "mean llama3.1?"),
        (
            {"task": "grpo", "rewards": (RewardEntry("soft_overlong", 1.0, margin=256),)},
            "rewards",
            "error",
            "such as 64",
        ),
        (
            {"task": "rloo", "rollouts.max_completion_length": 200_000},
            "rollouts.max_completion_length",
            "warn",
            "context",
        ),
        (
            {"task": "reward", "method": "last_layers", "last_layers.head": True},
            "last_layers.head",
            "warn",
            "score",
        ),
        ({"lora.init": "orthogonal", "lora.rank": 7}, "lora.rank", "error", "use 8"),
        (
            {"training.scheduler": "reduce_lr_on_plateau", "data.eval_fraction": 0.0},
            "training.scheduler",
            "error",
            "none",
        ),
        ({"training.scheduler": "greedy", "training.eval_every": 0.0}, "training.scheduler", "error", "none"),
        ({"training.scheduler": "polynomial", "training.lr_end": 0.01}, "training.lr_end", "error", "not below"),
        (
            {"training.scheduler": "warmup_stable_decay", "training.lr_decay": 0.9, "training.warmup": 60.0},
            "training.lr_decay",
            "error",
            "174 steps, but the run has 126",
        ),
        ({"training.keep_best": True, "training.best_metric": "bleu"}, "training.best_metric", "error", "bleu"),
        ({"training.save_only_model": True}, "training.save_only_model", "note", "starts over"),
        (
            {"training.save_only_model": True, "training.devices": "0,1", "training.parallel": "fsdp"},
            "training.save_only_model",
            "error",
            "sharded",
        ),
        ({"training.devices": "cpu", "training.liger": True}, "training.liger", "error", "GPU"),
        ({"training.devices": "cpu", "training.compile": "default"}, "training.compile", "error", "GPU"),
        ({"training.compile": "default", "model.quantization": "nf4"}, "training.compile", "error", "nf4"),
        (
            {"training.compile": "default", "training.devices": "0,1", "training.parallel": "fsdp"},
            "training.compile",
            "error",
            "ddp",
        ),
        (
            {"training.devices": "cpu", "training.tf32": True, "model.dtype": "float32"},
            "training.tf32",
            "error",
            "NVIDIA",
        ),
        (
            {"training.devices": "cpu", "training.activation_offloading": True},
            "training.activation_offloading",
            "error",
            "RAM",
        ),
        (
            {"training.devices": "cpu", "training.expandable_segments": True},
            "training.expandable_segments",
            "error",
            "CPU",
        ),
        ({"training.devices": "cpu", "model.attention": "flex_attention"}, "model.attention", "error", "GPU"),
        ({"model.dtype": "float32", "model.attention": "flash_attention_3"}, "model.attention", "error", "16 bits"),
        ({"training.devices": "cpu", "training.optimizer": "paged_lion_8bit"}, "training.optimizer", "error", "GPU"),
        ({"training.warmup": 500.0}, "training.warmup", "error", "longer than the run"),
        ({"training.max_steps": 50, "training.warmup": 50.0}, "training.warmup", "warn", "longer than the run"),
        ({"training.eval_every": 500.0}, "training.eval_every", "note", "only 126 steps"),
        ({"training.max_steps": 3}, "training.max_steps", "note", "Only 3 steps"),
        ({"training.devices": "gpu0"}, "training.devices", "error", "a GPU number"),
        ({"training.devices": "1, 1"}, "training.devices", "error", "same GPU twice"),
        ({"training.devices": "cpux2", "training.parallel": "fsdp"}, "training.parallel", "error", "runs as DDP"),
        (
            {"training.devices": "0,1", "training.parallel": "fsdp"},
            "evaluation.after_training",
            "note",
            "first device",
        ),
        ({"training.devices": "cpu", "model.dtype": "float16"}, "model.dtype", "error", "float16"),
        ({"training.devices": "cpu", "model.attention": "flash_attention_2"}, "model.attention", "error", "GPU"),
        ({"training.devices": "cpu", "training.optimizer": "paged_adamw_8bit"}, "training.optimizer", "error", "GPU"),
        ({"model.trust_remote_code": True}, "model.trust_remote_code", "warn", "your permissions"),
        ({"data.drop_flags": ("empty",)}, "data.drop_flags", "error", "Did you mean empty_answer?"),
        ({"lora.rank": 0}, "lora.rank", "error", "at least 1"),
        ({"data.mix": (MixSource("/d/a", 0.1), MixSource("/d/a", 0.2))}, "data.mix", "error", "mixed in twice"),
        (
            {"data.mix": (MixSource("/d/a", 0.6), MixSource("/d/b", 0.4))},
            "data.mix",
            "error",
            "100% of the training set",
        ),
        ({"data.mix": (MixSource("/d/a", 0.6),)}, "data.mix", "warn", "60% of the training set"),
        (
            {"data.mix": (MixSource("/d/train.jsonl", 0.1),)},
            "data.mix",
            "error",
            "already training data or the eval set",
        ),
    ],
)
def test_a_rule_speaks_where_it_should(values: dict[str, Value], path: str, severity: str, words: str) -> None:
    found = [problem for problem in validate(changed(values), _LLAMA, 1_000) if problem.path == path]
    assert [problem.severity for problem in found] == [severity]
    assert words in found[0].sentence
    assert found[0].sentence.endswith((".", "?"))


def test_what_the_models_folder_lacks_is_said() -> None:
    bare = shape_from(TINY, tokenizer=False)
    found = {problem.path: problem.severity for problem in validate(_SOUND, bare)}
    assert found["model.path"] == "error"
    assert found["model.chat_template"] == "warn"
    assert found["data.max_length"] == "warn"
    narrow = validate(changed({"lora.rank": 64}), bare)
    assert any(problem.path == "lora.rank" and "(8)" in problem.sentence for problem in narrow)


def test_a_tiny_model_may_learn_fast() -> None:
    fast = changed({"training.learning_rate": 1e-2, "data.max_length": 128, "lora.rank": 4, "lora.alpha": 8.0})
    assert validate(fast, shape_from(TINY, template="x")) == []


def test_weights_that_are_quantized_already_are_not_quantized_again() -> None:
    stored = shape_from({**LLAMA_3_1_8B, "quantization_config": {"quant_method": "bitsandbytes"}}, template="x")
    found = validate(changed({"model.quantization": "nf4"}), stored)
    assert (found[0].path, found[0].severity) == ("model.quantization", "error")


def test_errors_come_first() -> None:
    found = validate(changed({"training.epochs": 1.0, "lora.targets": (), "lora.alpha": 512.0}), samples=9)
    assert [problem.severity for problem in found] == ["error", "warn", "note"]
    assert isinstance(found[0], Problem)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_is_sound_and_says_why(preset: Preset) -> None:
    recipe = preset.apply(_SOUND)
    for path, value in preset.example_values.items():  # such as a teacher, which only the user can name
        recipe = recipe if get(recipe, path) else put(recipe, path, value)
    assert [problem for problem in validate(recipe, _LLAMA, 5_000) if problem.severity != "note"] == []
    assert preset.reason.endswith(".")
    assert preset.use.endswith(("?", "."))
    assert preset.watch
    assert preset.source
    assert all(KNOBS[path].coerce(value) == value for path, value in preset.values.items())
    assert (recipe.data.train, recipe.data.eval) == (_SOUND.data.train, _SOUND.data.eval)
    assert {path for path, _, _ in preset.changes(_SOUND)} - {"data.packing"} <= set(preset.values)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_can_be_tried_on_its_example_with_the_tiny_base(preset: Preset) -> None:
    recipe = preset.on_example(put(Recipe(), "training.devices", "cpu"))
    shape = read_shape(recipe.model.path, "")
    assert [problem for problem in validate(recipe, shape, 18) if problem.severity != "note"] == []
    dataset = Dataset.open(list(recipe.data.train))
    kinds = {kind for one in dataset.recognitions.at_open() for kind in one.kinds}
    assert kinds <= set(TASKS[recipe.task].samples)
    assert preset.example_path.read_text() == lines(preset.example)  # as the builder writes it
    assert len(preset.example_path.read_text().splitlines()) == 20


def test_a_preset_for_another_task_leaves_nothing_that_it_refuses() -> None:
    packed = put(put(_SOUND, "data.packing", "bfd"), "data.loss_on", "everything")
    dpo = next(preset for preset in PRESETS if preset.values.get("task") == "dpo")
    assert dpo.apply(packed).data.packing == "none"
    assert ("data.loss_on", "everything", "answers") in dpo.changes(packed)


def test_steps_are_counted_as_the_trainer_counts_them() -> None:
    plan = schedule_of(changed({"training.epochs": 2.0}), 1_001)
    # 1,001 samples: 251 batches of 4, 63 steps of 4 batches, the last one short
    assert (plan.effective_batch, plan.steps_per_epoch, plan.steps) == (16, 63, 126)
    assert (plan.warmup, plan.eval_every, plan.save_every) == (4, 13, 32)
    assert schedule_of(changed({"training.epochs": 0.5}), 1_001).steps == 32
    assert schedule_of(changed({"training.max_steps": 7}), 1_001).steps == 7
    assert schedule_of(changed({}), 1).steps == 2
    assert [steps_of(amount, 200) for amount in (0.0, 0.03, 1.0, 25.0)] == [0, 6, 1, 25]


def test_steps_equal_those_of_the_real_trainer(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the train extra is not installed")
    from transformers import TrainingArguments

    arguments = TrainingArguments(output_dir=str(tmp_path), warmup_steps=0.03, use_cpu=True, report_to=[])
    for steps in (1, 7, 33, 34, 1_000):
        plan = schedule_of(changed({"training.max_steps": steps}), 500)
        assert plan.warmup == arguments.get_warmup_steps(steps)


def test_consequences_name_the_numbers_of_this_recipe() -> None:
    said = {path: consequence(path, _SOUND, _LLAMA, 1_000) for path in KNOBS}
    assert "41.9 M trainable parameters, 0.52% of the model." in said["lora.rank"]
    assert "batch of 16 and 126 steps." in said["training.batch_size"]
    assert "126 steps, 63 per epoch of 1,000 samples." in said["training.epochs"]
    assert "224 of 224 linear layers." in said["lora.targets"]
    assert "8.03 B parameters in 32 layers" in said["model.path"]
    assert "about 480.0 MiB." in said["training.save_every"]
    assert "4 of 126 steps." in said["training.warmup"]
    assert summary("lora.alpha", _SOUND) == "= 2r"
    assert summary("training.epochs", _SOUND, samples=1_000) == "126 steps"
    assert summary("lora.targets", _SOUND, _LLAMA) == "224 linear layers"


def test_consequences_are_silent_on_what_is_not_known() -> None:
    for path, knob in KNOBS.items():
        assert consequence(path, _SOUND).startswith(knob.consequence)
        assert "None" not in consequence(path, _SOUND)
