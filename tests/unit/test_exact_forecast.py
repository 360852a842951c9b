"""The exact forecast against a real run on the CPU, whose live tensor bytes are tracked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.recipe.recipe import Recipe, put
from core.recipe.values import Value
from core.training.forecast import measure_step
from tests.kit.recipe_models import LLAMA_3_1_8B, QWEN_2_5_05B, QWEN_2_5_7B
from tests.kit.tracked_run import tracked_peak
from tests.kit.training_runs import BASE

_WITHIN = 0.03
_GIB = 2**30


def _recipe(model: Path, changes: Mapping[str, Value]) -> Recipe:
    recipe = Recipe()
    usual: dict[str, Value] = {
        "model.path": str(model),
        "data.max_length": 64,
        "training.batch_size": 2,
        "training.gradient_accumulation": 2,
        "training.devices": "cpu",
    }
    for path, value in {**usual, **changes}.items():
        recipe = put(recipe, path, value)
    return recipe


_KINDS: Mapping[str, Mapping[str, Value]] = {
    "LoRA": {},
    "QLoRA": {"model.quantization": "nf4"},
    "int8": {"model.quantization": "int8"},
    "full": {"method": "full"},
    "mixed full": {"method": "full", "model.dtype": "mixed_bfloat16"},
    "DPO": {"task": "dpo", "lora.dropout": 0.0},
    "full DPO": {"task": "dpo", "method": "full"},
    "packing": {"data.packing": "bfd"},
    "wrapped": {"data.packing": "wrapped"},
    "eager": {"model.attention": "eager"},
}

_CHEAP = (("LoRA", True), ("packing", True))


def _is_close(recipe: Recipe) -> None:
    assert measure_step(recipe, "cpu").peak == pytest.approx(tracked_peak(recipe), rel=_WITHIN)


@pytest.mark.parametrize(("kind", "checkpointing"), _CHEAP)
def test_it_is_the_peak_of_the_real_run(kind: str, checkpointing: bool) -> None:
    _is_close(_recipe(BASE, {**_KINDS[kind], "training.activation_checkpointing": checkpointing}))


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [True, False])
@pytest.mark.parametrize("kind", _KINDS)
def test_it_is_the_peak_of_every_real_run(kind: str, checkpointing: bool) -> None:
    _is_close(_recipe(BASE, {**_KINDS[kind], "training.activation_checkpointing": checkpointing}))


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2-135M of random weights: its memory is that of the trained one."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("smollm2")
    config = LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1_536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8_192,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(BASE / name, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [True, False])
@pytest.mark.parametrize("kind", ["LoRA", "QLoRA", "full", "DPO", "packing"])
def test_it_is_the_peak_of_smollm2(smollm2: Path, kind: str, checkpointing: bool) -> None:
    _is_close(_recipe(smollm2, {**_KINDS[kind], "training.activation_checkpointing": checkpointing}))


def _on_paper(folder: Path, config: Mapping[str, Any], changes: Mapping[str, Value]) -> Recipe:
    """A recipe of a model of which there is only its `config.json`."""
    (folder / "config.json").write_text(json.dumps(dict(config)))
    alone: dict[str, Value] = {"training.batch_size": 1, "training.gradient_accumulation": 1, "data.max_length": 2048}
    return _recipe(folder, {**alone, "training.devices": "", **changes})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "changes", "gib"),
    [
        (LLAMA_3_1_8B, {"model.quantization": "nf4"}, 8.06),
        (LLAMA_3_1_8B, {}, 17.95),
        (LLAMA_3_1_8B, {"method": "full", "model.dtype": "bfloat16"}, 59.85),
        (QWEN_2_5_7B, {"model.quantization": "nf4", "data.max_length": 4096}, 10.18),
        (QWEN_2_5_05B, {}, 3.06),
    ],
    ids=["Llama-8B QLoRA", "Llama-8B LoRA", "Llama-8B full", "Qwen-7B QLoRA 4096", "Qwen-0.5B LoRA"],
)
def test_models_of_any_size_need_their_config_alone(
    tmp_path: Path, config: Mapping[str, Any], changes: Mapping[str, Value], gib: float
) -> None:
    """The figures were measured by another program, without Triton's kernels for the loss."""
    from core.engine.load import load_tokenizer

    tokenizer = load_tokenizer(put(Recipe(), "model.path", str(BASE)).model)
    recipe = _on_paper(tmp_path, config, changes)
    plain = measure_step(recipe, "cuda", tokenizer=tokenizer, triton=False)
    assert plain.peak / _GIB == pytest.approx(gib, rel=0.005)
    assert measure_step(recipe, "cuda", tokenizer=tokenizer).peak <= plain.peak
