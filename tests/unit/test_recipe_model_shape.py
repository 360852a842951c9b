"""A model's folder: exact counts from headers alone, and a sentence for each way it can be wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import BadInput
from core.paths import SAMPLE_DATA
from core.recipe.memory import trained_parameters
from core.recipe.model_files import NotDownloaded, Tensor
from core.recipe.model_shape import marks_answers, read_shape, shape_of
from core.recipe.recipe import Recipe, put
from core.recipe.special_tokens import special_tokens
from tests.kit.recipe_models import (
    LLAMA_3_1_8B,
    QWEN_2_5_05B,
    QWEN_2_5_7B,
    TINY,
    shape_from,
    tensors_of,
    write_model,
    write_weights,
)

_TEMPLATE = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"


@pytest.mark.parametrize(
    ("config", "parameters"),
    [(LLAMA_3_1_8B, 8_030_261_248), (QWEN_2_5_7B, 7_615_616_512), (QWEN_2_5_05B, 494_032_768)],
    ids=["Llama-3.1-8B", "Qwen2.5-7B", "Qwen2.5-0.5B"],
)
def test_parameters_are_counted_as_the_publishers_count_them(config: dict[str, object], parameters: int) -> None:
    assert shape_from(config).parameters == parameters


def test_adapters_are_counted_as_peft_counts_them() -> None:
    llama, few = shape_from(LLAMA_3_1_8B), put(Recipe(), "lora.targets", ("q_proj", "v_proj"))
    assert trained_parameters(Recipe(), llama) == 41_943_040  # the number in the QLoRA guides
    assert trained_parameters(put(few, "lora.rank", 8), llama) == 3_407_872  # the number in peft's own examples
    assert len(llama.targeted(["all-linear"])) == 224


def test_a_folder_is_read_without_its_weights_being_loaded(tmp_path: Path) -> None:
    shape = read_shape(str(write_model(tmp_path / "m", template=_TEMPLATE)))
    assert (shape.architecture, shape.layers, shape.hidden, shape.heads, shape.kv_heads) == (
        "LlamaForCausalLM",
        2,
        16,
        4,
        2,
    )
    assert (shape.vocabulary, shape.context, shape.tied, shape.dtype) == (64, 128, True, "bfloat16")
    assert (shape.tokenizer, shape.marks_answers) == (True, True)
    assert set(shape.target_names) == {
        *("q_proj", "k_proj", "v_proj", "o_proj"),
        *("gate_proj", "up_proj", "down_proj"),
    }
    assert shape.stored_bytes == 2 * shape.parameters


def test_shards_are_added_up_and_a_missing_one_is_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", weights=False)
    tensors = tensors_of(TINY)
    names = list(tensors)
    parts = {
        "model-00001-of-00002.safetensors": {name: tensors[name] for name in names[:5]},
        "model-00002-of-00002.safetensors": {name: tensors[name] for name in names[5:]},
    }
    for file, part in parts.items():
        write_weights(folder / file, part)
    index = {"weight_map": {name: file for file, part in parts.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert read_shape(str(folder)).parameters == shape_from(TINY).parameters
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(BadInput, match=r"1 of 2 weight files are missing, the first is model-00002-of-00002"):
        read_shape(str(folder))


def test_changed_files_are_read_again(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    assert read_shape(str(folder)).layers == 2
    write_model(folder, config={**TINY, "num_hidden_layers": 3})
    os.utime(folder / "config.json", ns=(1, 1))
    assert read_shape(str(folder)).layers == 3


def test_tied_weights_that_are_stored_twice_count_once() -> None:
    stored = {**tensors_of(TINY), "lm_head.weight": Tensor("BF16", (64, 16))}
    assert shape_of(TINY, stored).parameters == shape_from(TINY).parameters


def test_the_output_layer_is_no_target_and_unknown_targets_are_found() -> None:
    llama = shape_from(LLAMA_3_1_8B)
    assert "lm_head" not in llama.target_names
    assert llama.missing_targets(["q_proj", "query_key_value", "all-linear"]) == ("query_key_value",)


@pytest.mark.parametrize(
    ("template", "marked"),
    [
        ("{% generation %}x{% endgeneration %}", True),
        ("{%- generation -%}x{%- endgeneration -%}", True),
        ("{%+generation%}", True),
        ("{% if add_generation_prompt %}{% endif %}", False),
        ("generation", False),
    ],
)
def test_marks_of_answers_are_seen_in_every_spelling(template: str, marked: bool) -> None:
    assert marks_answers(template) is marked


def test_the_template_file_wins_over_the_tokenizers_config(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", template="old")
    assert read_shape(str(folder)).template == "old"
    (folder / "chat_template.jinja").write_text("new")
    assert read_shape(str(folder)).template == "new"


def _no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _pickled(folder: Path) -> None:
    _no_weights(folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")


def _gguf(folder: Path) -> None:
    _no_weights(folder)
    (folder / "model.gguf").write_bytes(b"GGUF")


def _adapter(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text("{}")


def _pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


def _cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def _garbage(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x10" + bytes(7) + b"not json at all!")


def _empty_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def _torn_config(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "lla')


def _file(name: str, content: str | bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def _header(entry: object) -> Callable[[Path], object]:
    text = json.dumps({"model.embed_tokens.weight": entry}).encode()
    return _file("model.safetensors", len(text).to_bytes(8, "little") + text + bytes(8))


_INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_file("config.json", "[" * 100_000), r"config\.json: is not JSON"),
        (_file(_INDEX, '{"weight_map": ["model.safetensors"]}'), "lists no weight files"),
        (_file(_INDEX, '{"weight_map": {}}'), "lists no weight files"),
        (_file("chat_template.jinja", b"\xff\xfe{"), "UTF-8"),
        *(
            (_header({"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **wrong}), "broken header")
            for wrong in ({"shape": None}, {"shape": ["a"]}, {"shape": [-1]}, {"data_offsets": []}, {"dtype": ["F32"]})
        ),
        (_file("model.safetensors", (2).to_bytes(8, "little") + b"{}"), "contain no weights"),
        (_no_config, r"The folder has no config\.json"),
        (_no_weights, r"The folder has no weights \(\*\.safetensors\)"),
        (_pickled, r"pickled \(\.bin\)"),
        (_gguf, "GGUF weights cannot be trained"),
        (_adapter, "This is an adapter, not a model"),
        (_pointer, "is a Git LFS pointer, not the weights. Run `git lfs pull`"),
        (_cut, r"is truncated: [\d,]+ of [\d,]+ bytes"),
        (_garbage, "has a broken header"),
        (_empty_weights, "is not a safetensors file"),
        (_torn_config, r"config\.json: is not JSON"),
    ],
)
def test_a_spoilt_folder_gets_a_sentence(tmp_path: Path, spoil: object, sentence: str) -> None:
    folder = write_model(tmp_path / "m")
    assert callable(spoil)
    spoil(folder)
    with pytest.raises(BadInput, match=sentence):
        read_shape(str(folder))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *(("config.json", {**TINY, "architectures": odd}) for odd in (5, True, {"a": 1})),
        *(("tokenizer_config.json", {"chat_template": odd}) for odd in ([1], [None], [{"name": "default"}], 5)),
        *(("tokenizer_config.json", {"extra_special_tokens": odd}) for odd in (5, True, "x")),
    ],
)
def test_an_odd_value_in_a_models_files_is_no_value(tmp_path: Path, name: str, said: dict[str, object]) -> None:
    folder = write_model(tmp_path / "m")
    (folder / name).write_text(json.dumps(said))
    shape = read_shape(str(folder))
    assert (shape.template, shape.architecture) in (("", "LlamaForCausalLM"), ("", ""))
    assert special_tokens(str(folder)).tokens == ()


def test_a_path_that_leads_nowhere_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no such folder"):
        read_shape(str(tmp_path / "none"))
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file, not a model folder"):
        read_shape(str(tmp_path / "file"))


def test_a_hub_name_is_found_in_the_cache_and_never_on_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(NotDownloaded, match="org/tiny: is not on this machine yet"):
        read_shape("org/tiny")
    cached = tmp_path / "hub" / "models--org--tiny"
    write_model(cached / "snapshots" / "abc123")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc123")
    assert read_shape("org/tiny").layers == 2
    assert read_shape("org/tiny", "abc123").layers == 2
    with pytest.raises(NotDownloaded):
        read_shape("org/tiny", "v2")


def test_the_embedded_base_is_a_sound_model() -> None:
    base = SAMPLE_DATA / "tiny_base"
    if not base.is_dir():
        pytest.skip("the embedded base model has not been built in this checkout")
    shape = read_shape(str(base))
    assert shape.tokenizer
    assert shape.marks_answers
    assert 500_000 < shape.parameters < 1_500_000
