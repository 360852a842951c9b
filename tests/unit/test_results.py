"""Reading what a run has left behind, and taking its adapter home."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from core.errors import BadInput
from core.runs.artifacts import copy_adapter, loading_code, read_adapter, whole_model_words
from core.runs.scores import read_comparison


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with an adapter and a comparison in the form that the workers write."""
    folder = tmp_path / "runs" / "2026-01-01-000000-x"
    (folder / "adapter").mkdir(parents=True)
    (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"\0" * 64)
    config = {"base_model_name_or_path": "/models/it's", "peft_type": "LORA", "r": 8, "lora_alpha": 16}
    (folder / "adapter" / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["v", "q"]}))
    (folder / "evaluation").mkdir()
    (folder / "evaluation" / "summary.json").write_text(
        json.dumps({"base_loss": 5.0, "tuned_loss": 1.25, "eval_samples": 2})
    )
    answers = [
        {"n": 0, "messages": [{"role": "user", "content": "q"}], "reference": "r", "base": "b", "tuned": "t"},
        {"n": 1, "messages": [{"role": "user", "content": "q"}], "reference": "r", "base": "same", "tuned": "same"},
    ]
    (folder / "evaluation" / "answers.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    return folder


def test_the_comparison_counts_answers_that_differ(run: Path) -> None:
    comparison = read_comparison(run)
    assert comparison is not None
    assert (comparison.base_loss, comparison.tuned_loss, comparison.differing) == (5.0, 1.25, 1)
    assert comparison.answers[0].prompt == (("user", "q"),)


def test_a_run_without_results_has_none_and_a_torn_file_is_a_sentence(run: Path, tmp_path: Path) -> None:
    assert read_comparison(tmp_path) is None
    assert read_adapter(tmp_path) is None
    (run / "evaluation" / "answers.jsonl").write_text('{"n": 0, "mess')
    with pytest.raises(BadInput, match="Cannot read"):
        read_comparison(run)


def test_an_adapter_without_weights_is_no_adapter(run: Path) -> None:
    found = read_adapter(run)
    assert found is not None
    assert (found.rank, found.targets) == (8, ("q", "v"))
    (run / "adapter" / "adapter_model.safetensors").unlink()
    assert read_adapter(run) is None


def test_the_loading_code_is_python_whatever_the_paths_hold(run: Path) -> None:
    found = read_adapter(run)
    assert found is not None
    constants = {node.value for node in ast.walk(ast.parse(loading_code(found))) if isinstance(node, ast.Constant)}
    assert {str(run / "adapter"), "/models/it's"} <= constants


def test_a_reward_model_is_loaded_with_its_one_head_and_is_not_for_chats(run: Path) -> None:
    config = run / "adapter" / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "task_type": "SEQ_CLS"}))
    found = read_adapter(run)
    assert found is not None
    code = loading_code(found)
    assert "num_labels=1" in code
    assert "merge_and_unload" in code
    assert "generate" not in code
    ast.parse(code)


def test_a_model_that_was_trained_whole_says_how_it_is_loaded(run: Path) -> None:
    assert whole_model_words(run) == ""
    (run / "model").mkdir()
    (run / "model" / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    assert "AutoModelForCausalLM" in whole_model_words(run)
    (run / "model" / "config.json").write_text(json.dumps({"architectures": ["LlamaForSequenceClassification"]}))
    assert "AutoModelForSequenceClassification" in whole_model_words(run)
    assert "GGUF" in whole_model_words(run)


def test_a_copy_is_whole_and_never_overwrites(run: Path, tmp_path: Path) -> None:
    found = read_adapter(run)
    assert found is not None
    home = tmp_path / "home"
    home.mkdir()
    copied = copy_adapter(found, home)
    assert copied == home / run.name
    assert {path.name for path in copied.iterdir()} == {"adapter_model.safetensors", "adapter_config.json"}
    with pytest.raises(BadInput, match="already exists"):
        copy_adapter(found, home)
    assert sorted(path.name for path in home.iterdir()) == [run.name]
    with pytest.raises(BadInput, match="not overwritten"):
        copy_adapter(found, copied)
