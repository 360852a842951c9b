"""Model families: a list that is not stale, counts that are peft's own, and a stop for what cannot be trained."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from core.recipe.families import FILE, family_of
from core.recipe.model_files import Tensor
from core.recipe.model_shape import ModelShape, shape_of
from core.recipe.recipe import Recipe, put
from core.recipe.rules.families import check
from core.recipe.values import Value
from tests.kit.recipe_models import LLAMA_3_1_8B, TINY, shape_from, tensors_of

_WIDE = 64


def _moe(kind: str, *, experts: int = 4, layers: int = 2, dense: bool = False) -> ModelShape:
    """A tiny mixture of experts as it is stored: one matrix an expert, a router, and a dense first layer if wanted."""
    stored = {"model.embed_tokens.weight": (96, _WIDE), "lm_head.weight": (96, _WIDE), "model.norm.weight": (_WIDE,)}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        stored |= {f"{at}.self_attn.{name}_proj.weight": (_WIDE, _WIDE) for name in "qkvo"}
        if dense and layer == 0:
            stored |= {f"{at}.mlp.{name}_proj.weight": (32, _WIDE) for name in ("gate", "up")}
            stored[f"{at}.mlp.down_proj.weight"] = (_WIDE, 32)
            continue
        stored[f"{at}.mlp.gate.weight"] = (experts, _WIDE)
        for expert in range(experts):
            stored |= {f"{at}.mlp.experts.{expert}.{name}_proj.weight": (32, _WIDE) for name in ("gate", "up")}
            stored[f"{at}.mlp.experts.{expert}.down_proj.weight"] = (_WIDE, 32)
    config = {"model_type": kind, "hidden_size": _WIDE, "num_hidden_layers": layers, "num_experts": experts}
    return shape_of(config, {name: Tensor("BF16", shape) for name, shape in stored.items()}, template="x")


def _found(shape: ModelShape, **values: Value) -> list[tuple[str, str, str]]:
    recipe = Recipe()
    for path, value in values.items():
        recipe = put(recipe, path.replace("__", "."), value)
    return [(problem.path, problem.severity, problem.sentence) for problem in check(recipe, shape)]


def _kind(model_type: str, **config: object) -> list[tuple[str, str, str]]:
    return _found(shape_of({**TINY, "model_type": model_type, **config}, tensors_of(TINY)))


def test_the_list_is_of_the_transformers_that_is_installed() -> None:
    said = json.loads(FILE.read_text())["transformers"]
    assert said == version("transformers"), "run `python -m tests.kit.model_families`"


@pytest.mark.parametrize(
    ("model_type", "word"),
    [
        *((name, "encoder:") for name in ("bert", "roberta", "xlnet", "modernbert", "electra")),
        *((name, "encoder-decoder") for name in ("t5", "bart", "whisper", "mt5", "t5gemma", "pegasus")),
        *((name, "not a language model") for name in ("vit", "clip", "sam", "timesfm")),
    ],
)
def test_a_model_that_is_no_causal_language_model_is_a_stop(model_type: str, word: str) -> None:
    ((path, severity, sentence),) = _kind(model_type)
    assert (path, severity) == ("model.path", "error")
    assert word in sentence
    assert model_type in sentence


def test_a_decoder_of_an_encoder_family_can_be_trained() -> None:
    assert _kind("bert", is_decoder=True) == []
    assert _kind("llama") == []


def test_an_unknown_model_type_is_a_warning_and_one_with_code_of_its_own_a_stop() -> None:
    ((path, severity, sentence),) = _kind("frobnicator")
    assert (path, severity) == ("model.path", "warn")
    assert "frobnicator" in sentence
    ((_, severity, sentence),) = _kind("frobnicator", auto_map={"AutoModelForCausalLM": "modeling.Frob"})
    assert severity == "error"
    assert "Trust remote code" in sentence
    assert _kind("llama", auto_map={"AutoModelForCausalLM": "modeling.Frob"}) == []  # transformers' own is used


@pytest.mark.parametrize(
    "model_type", ["mamba", "jamba", "falcon_h1", "bamba", "zamba2", "rwkv", "qwen3_next", "granitemoehybrid", "lfm2"]
)
def test_packing_on_layers_that_carry_a_state_is_refused(model_type: str) -> None:
    shape = shape_of({**TINY, "model_type": model_type}, tensors_of(TINY))
    found = [path for path, severity, _ in _found(shape, data__packing="bfd") if severity == "error"]
    assert "data.packing" in found
    assert "data.packing" not in [path for path, _, _ in _found(shape)]


def test_a_hybrid_family_without_such_layers_can_be_packed() -> None:
    config = {**TINY, "model_type": "granitemoehybrid", "layer_types": ["attention", "attention"]}
    assert _found(shape_of(config, tensors_of(TINY)), data__packing="bfd") == []
    assert _found(shape_from(LLAMA_3_1_8B), data__packing="bfd") == []


def test_layers_that_the_config_does_not_have_are_a_stop() -> None:
    short = shape_of({**TINY, "num_hidden_layers": 1}, tensors_of(TINY))
    ((_, severity, sentence),) = _found(short)
    assert severity == "error"
    assert "2 layers" in sentence
    assert "1:" in sentence
    long = shape_of({**TINY, "num_hidden_layers": 3}, tensors_of(TINY))
    assert [severity for _, severity, _ in _found(long)] == ["error"]
    ahead = {**TINY, "num_hidden_layers": 1, "num_nextn_predict_layers": 1}
    assert _found(shape_of(ahead, tensors_of(TINY))) == []


def test_weights_without_an_output_layer_are_a_stop() -> None:
    ((_, severity, sentence),) = _found(shape_of({**TINY, "tie_word_embeddings": False}, tensors_of(TINY)))
    assert severity == "error"
    assert "lm_head" in sentence


def test_mamba_layers_that_peft_refuses_are_named_with_those_that_it_takes() -> None:
    stored = {
        "backbone.embeddings.weight": Tensor("F32", (96, _WIDE)),
        "backbone.layers.0.mixer.in_proj.weight": Tensor("F32", (256, _WIDE)),
        "backbone.layers.0.mixer.out_proj.weight": Tensor("F32", (_WIDE, 128)),
    }
    shape = shape_of({"model_type": "mamba", "num_hidden_layers": 1}, stored)
    ((path, severity, sentence),) = _found(shape)
    assert (path, severity) == ("lora.targets", "error")
    assert "out_proj" in sentence
    assert "Use in_proj" in sentence
    assert _found(shape, lora__targets=("in_proj",)) == []


def test_dropout_over_fused_experts_is_a_stop_before_the_start() -> None:
    shape = _moe("qwen3_moe")
    ((path, severity, sentence),) = _found(shape, lora__dropout=0.05)
    assert (path, severity) == ("lora.dropout", "error")
    assert "dropout to 0" in sentence
    assert _found(shape, lora__dropout=0.0) == []
    assert [path for path, _, _ in _found(shape, lora__dropout=0.0, lora__variant="dora")] == ["lora.variant"]


def test_experts_without_an_adapter_are_named_and_the_router_is_left_out() -> None:
    shape = _moe("qwen3_moe")
    ((path, severity, sentence),) = _found(shape, lora__targets=("q_proj", "v_proj"))
    assert (path, severity) == ("lora.targets", "warn")
    assert "experts" in sentence
    assert "gate" not in shape.target_names
    assert _found(shape, lora__targets=("q_proj", "gate"))[0][1] == "error"
    half = _found(shape, lora__targets=("gate_proj", "down_proj"), lora__dropout=0.0)
    assert any("both or neither" in sentence for _, _, sentence in half)


def test_dense_layers_that_peft_passes_over_are_named() -> None:
    ((_, severity, sentence),) = _found(_moe("qwen3_moe", dense=True), lora__dropout=0.0)
    assert severity == "warn"
    assert "3 layers" in sentence


def test_quantization_that_does_not_reach_the_experts_is_said_and_forecast() -> None:
    from core.recipe.memory import weight_bytes

    shape = _moe("qwen3_moe", experts=64)
    found = _found(shape, model__quantization="nf4", lora__targets=("q_proj",))
    assert any(path == "model.quantization" and "16 bits" in sentence for path, _, sentence in found)
    recipe = put(Recipe(), "model.quantization", "nf4")
    assert weight_bytes(recipe, shape, "cuda") > 2 * shape.expert_parameters


def _qwen3_30b() -> ModelShape:
    stored: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (151_936, 2048),
        "lm_head.weight": (151_936, 2048),
    }
    for layer in range(48):
        at = f"model.layers.{layer}"
        for name, rows, columns in (("q", 4096, 2048), ("k", 512, 2048), ("v", 512, 2048), ("o", 2048, 4096)):
            stored[f"{at}.self_attn.{name}_proj.weight"] = (rows, columns)
        stored[f"{at}.mlp.gate.weight"] = (128, 2048)
        for expert in range(128):
            stored |= {f"{at}.mlp.experts.{expert}.{name}_proj.weight": (768, 2048) for name in ("gate", "up")}
            stored[f"{at}.mlp.experts.{expert}.down_proj.weight"] = (2048, 768)
    config = {"model_type": "qwen3_moe", "hidden_size": 2048, "num_hidden_layers": 48, "num_experts": 128}
    return shape_of(config | {"vocab_size": 151_936}, {name: Tensor("BF16", shape) for name, shape in stored.items()})


def test_a_mixture_of_30_billion_needs_54_gib_in_nf4() -> None:
    from core.recipe.memory import forecast

    shape = _qwen3_30b()
    assert shape.parameters == pytest.approx(30.5e9, rel=0.01)
    recipe = put(put(Recipe(), "model.quantization", "nf4"), "lora.targets", ("q_proj", "v_proj"))
    few = forecast(recipe, shape, "cuda")
    assert few.total > 54 * 2**30
    every = forecast(put(put(recipe, "lora.targets", ("all-linear",)), "lora.dropout", 0.0), shape, "cuda")
    layer = 2 * shape.expert_parameters / shape.layers
    assert every.activations > few.activations + 1.9 * layer  # peft adds the update to the experts of a layer


@pytest.mark.parametrize(
    ("method", "title"),
    [
        *(("gptq", "GPTQ"), ("awq", "AWQ"), ("fp8", "FP8"), ("mxfp4", "MXFP4"), ("hqq", "HQQ"), ("eetq", "EETQ")),
        *(("aqlm", "AQLM"), ("torchao", "torchao"), ("compressed-tensors", "compressed-tensors"), ("newest", "newest")),
    ],
)
def test_quantized_weights_that_cannot_be_trained_are_refused_by_name(method: str, title: str) -> None:
    config = {**TINY, "quantization_config": {"quant_method": method}}
    stored = {"model.layers.0.mlp.up_proj.qweight": Tensor("I32", (2, 32))}  # none of its layers has weights to count
    ((path, severity, sentence),) = _found(shape_of(config, stored))
    assert (path, severity) == ("model.path", "error")
    assert title in sentence
    assert "16-bit" in sentence
    assert "Use the 16-bit model org/base," in _found(shape_of(config, stored, base="org/base"))[0][2]


@pytest.mark.parametrize(
    ("name", "readme", "base"),
    [
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", "", "Qwen/Qwen2.5-7B-Instruct"),
        ("Qwen/Qwen3-8B-GPTQ-Int4", "", "Qwen/Qwen3-8B"),
        ("Qwen/Qwen3-30B-A3B-FP8", "", "Qwen/Qwen3-30B-A3B"),
        ("TheBloke/Llama-2-7B-GPTQ", "", "Llama-2-7B"),
        ("openai/gpt-oss-20b", "", "unsloth/gpt-oss-20b-BF16"),
        ("TheBloke/Llama-2-7B-GPTQ", "---\nbase_model: meta-llama/Llama-2-7b-hf\n---\n", "meta-llama/Llama-2-7b-hf"),
        ("RedHatAI/x-quantized.w4a16", "---\nlicense: mit\nbase_model:\n- org/x\n---\n# x", "org/x"),
        ("org/model", "no front matter\nbase_model: other/one\n", ""),
    ],
)
def test_the_nearest_unquantized_model_is_found(tmp_path: Path, name: str, readme: str, base: str) -> None:
    from core.recipe.quantized import base_of

    folder = tmp_path / f"models--{name.replace('/', '--')}" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    if readme:
        (folder / "README.md").write_text(readme)
    assert base_of(folder, {}) == base


def test_conv1d_layers_are_adapted_and_counted_with_their_sides_the_right_way_round() -> None:
    stored = {
        "transformer.wte.weight": (96, _WIDE),
        "transformer.wpe.weight": (32, _WIDE),
        "transformer.h.0.attn.c_attn.weight": (_WIDE, 3 * _WIDE),
    }
    config: dict[str, Any] = {"model_type": "gpt2", "n_embd": _WIDE, "n_layer": 1}
    shape = shape_of(config, {name: Tensor("F32", sizes) for name, sizes in stored.items()})
    (module,) = shape.targeted(["c_attn"])
    assert (module.inputs, module.outputs) == (_WIDE, 3 * _WIDE)
    assert shape.targeted(["all-linear"]) == (module,)


def test_parts_that_see_are_no_targets() -> None:
    stored = tensors_of(TINY) | {
        "vision_tower.vision_model.encoder.layers.7.self_attn.q_proj.weight": Tensor("BF16", (16, 16)),
        "multi_modal_projector.linear_1.weight": Tensor("BF16", (16, 16)),
    }
    llava = shape_of({"model_type": "llava", "text_config": TINY}, stored)
    assert llava.linear == shape_from(TINY).linear
    assert llava.outside_parameters == 512
    assert _found(llava) == []
    assert family_of({"model_type": "llava"}).kind == "multimodal"


def test_experts_that_are_stored_in_4_bits_one_by_one_are_refused() -> None:
    stored = {name: Tensor("NF4" if "experts" in name else "BF16", (32, _WIDE)) for name in _expert_names()}
    config = {**TINY, "model_type": "qwen3_moe", "quantization_config": {"quant_method": "bitsandbytes"}}
    shape = shape_of(config, tensors_of(TINY) | stored, base="org/base")
    ((path, severity, sentence),) = _found(shape)
    assert (path, severity) == ("model.path", "error")
    assert "org/base" in sentence


def _expert_names() -> list[str]:
    return [f"model.layers.0.mlp.experts.{number}.up_proj.weight" for number in range(2)]


def test_a_config_without_a_model_type_and_speech_models_are_stops() -> None:
    ((_, severity, sentence),) = _kind("")
    assert severity == "error"
    assert "model_type" in sentence
    assert "speech" in _kind("voxtral")[0][2]
    assert "speech" in _kind("qwen2_audio")[0][2]


def test_a_model_whose_loss_trl_does_not_compute_whole_is_a_stop() -> None:
    ((path, severity, sentence),) = _kind("modernbert-decoder")
    assert (path, severity) == ("model.path", "error")
    assert "output layer" in sentence


def test_a_model_that_computes_nothing_without_images_is_a_stop() -> None:
    ((path, severity, sentence),) = _kind("kosmos-2")
    assert (path, severity) == ("model.path", "error")
    assert "image" in sentence
