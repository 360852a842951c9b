"""One wrong setting is one sentence that names the field; what is no base model is told alike wherever it is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.engine.load import check_model, load_tokenizer
from core.errors import BadInput
from core.paths import SAMPLE_DATA
from core.recipe.model_files import find
from core.recipe.recipe import Recipe, put
from core.runs.preflight import preflight, stops
from tui.cli import main

BASE = SAMPLE_DATA / "tiny_base"


@pytest.fixture
def no_models(tmp_path: Path) -> Path:
    """A folder with an adapter and GGUF weights, each in a folder of its own."""
    (tmp_path / "adapter").mkdir()
    config = {"peft_type": "LORA", "base_model_name_or_path": "org/base\x1b[0m"}
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(b"")
    (tmp_path / "gguf").mkdir()
    (tmp_path / "gguf" / "q4.gguf").write_bytes(b"GGUF")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("adapter", "adapter, not a model"),
        ("adapter/adapter_config.json", "adapter, not a model"),
        ("adapter/adapter_model.safetensors", "adapter, not a model"),
        ("gguf", "GGUF"),
        ("gguf/q4.gguf", "GGUF"),
    ],
)
def test_what_is_no_base_model_is_told_alike_wherever_it_is_given(
    no_models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    path = str(no_models / name)
    recipe = put(Recipe(), "model.path", path)
    for asks in (lambda: find(path), lambda: check_model(path), lambda: load_tokenizer(recipe.model)):
        with pytest.raises(BadInput, match=words) as said:
            asks()
        assert ("org/base" in str(said.value)) == (words != "GGUF")
        assert "\x1b" not in str(said.value)
    (stop,) = [check for check in stops(preflight(recipe, no_models)) if check.path != "data.train"]
    assert stop.path == "model.path"
    assert words in stop.sentence
    monkeypatch.chdir(no_models)
    assert main(["init", "r.yaml", "--model", path]) == 0
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("training.devices", "gpu"),
        ("training.devices", "cpu,0"),
        ("model.chat_template", "nosuch"),
        ("lora.targets", ("nosuch",)),
        ("model.attention", "flash_attention_2"),
        ("model.path", "nosuch"),
        ("data.drop_flags", ("leak_exact", "nosuch", "nor_this")),
        ("data.train_without", ("this", "that", "media")),
        ("data.columns", {"prompt": "nosuch"}),
    ],
)
def test_one_wrong_setting_is_one_sentence_that_names_it(tmp_path: Path, field: str, value: object) -> None:
    recipe = put(put(Recipe(), "model.path", str(BASE)), "data.train", (str(SAMPLE_DATA / "support_train.jsonl"),))
    assert stops(preflight(recipe, tmp_path)) == []
    found = stops(preflight(put(recipe, field, value), tmp_path))  # type: ignore[arg-type]
    assert [check.path for check in found] == [field]
