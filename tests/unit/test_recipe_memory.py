"""The fast forecast against exact ones: two steps of the real trainer under torch's FakeTensorMode, no weights loaded.

The exact numbers are without the CUDA context, batch 1, checkpointed, LoRA of rank 16 on all linear layers.
"""

from __future__ import annotations

from typing import Any

import pytest

from core.recipe.memory import Forecast, checkpoint_bytes, forecast, trained_parameters, weight_bytes
from core.recipe.recipe import Recipe, put
from core.recipe.values import Value
from tests.kit.recipe_models import LLAMA_3_1_8B, QWEN_2_5_05B, QWEN_2_5_7B, TINY, shape_from

_GIB = 2**30
_TOLERANCE = 0.03


def recipe_with(values: dict[str, Value]) -> Recipe:
    recipe = put(Recipe(), "training.batch_size", 1)
    for path, value in values.items():
        recipe = put(recipe, path, value)
    return recipe


@pytest.mark.parametrize(
    ("config", "values", "exact"),
    [
        (LLAMA_3_1_8B, {"model.quantization": "nf4"}, 6.74),
        (LLAMA_3_1_8B, {}, 16.99),
        (LLAMA_3_1_8B, {"method": "full", "training.gradient_accumulation": 1}, 59.85),
        (QWEN_2_5_7B, {"model.quantization": "nf4", "data.max_length": 4096}, 7.66),
        (QWEN_2_5_05B, {}, 1.41),
    ],
    ids=["Llama-8B QLoRA", "Llama-8B LoRA", "Llama-8B full", "Qwen-7B QLoRA 4096", "Qwen-0.5B LoRA"],
)
def test_the_forecast_is_within_three_percent_of_the_exact_one(
    config: dict[str, Any], values: dict[str, Value], exact: float
) -> None:
    found = forecast(recipe_with(values), shape_from(config), "cuda")
    assert found.total - found.context == pytest.approx(exact * _GIB, rel=_TOLERANCE)
    assert 0.5 * _GIB <= found.context <= _GIB


def total(**values: Value) -> float:
    changed: dict[str, Value] = {path.replace("__", "."): value for path, value in values.items()}
    return forecast(recipe_with(changed), shape_from(LLAMA_3_1_8B), "cuda").total


def test_more_work_at_once_needs_more_memory() -> None:
    assert total() < total(training__batch_size=4) < total(training__batch_size=8)
    assert total() < total(data__max_length=4096)
    assert total() < total(training__activation_checkpointing=False)
    assert total(training__batch_size=4) < total(training__batch_size=4, model__attention="eager")
    assert total(lora__targets=("q_proj", "v_proj")) < total() < total(lora__rank=128)


def test_fewer_bits_need_less_memory() -> None:
    assert (
        total(model__quantization="nf4") < total(model__quantization="int8") < total() < total(model__dtype="float32")
    )
    single = total(model__quantization="nf4", model__double_quantization=False)
    assert single - total(model__quantization="nf4") == pytest.approx(0.3 * _GIB, rel=0.1)
    assert total(method="full", training__optimizer="adamw_8bit") < total(method="full")


def test_a_known_longest_sample_lowers_the_forecast_but_not_where_sequences_are_packed() -> None:
    shape = shape_from(LLAMA_3_1_8B)
    recipe = recipe_with({"training.batch_size": 8})
    assert forecast(recipe, shape, "cuda", longest=300).total < forecast(recipe, shape, "cuda").total
    assert forecast(recipe, shape, "cuda", longest=99_999) == forecast(recipe, shape, "cuda")
    packed = put(recipe, "data.packing", "bfd")
    assert forecast(packed, shape, "cuda", longest=300) == forecast(packed, shape, "cuda")


def test_the_parts_are_named_and_add_up() -> None:
    found = forecast(Recipe(), shape_from(TINY), "cpu")
    assert isinstance(found, Forecast)
    assert list(found.parts()) == [
        *("weights", "adapter", "optimizer", "gradients"),
        *("activations", "head", "context"),
    ]
    assert sum(found.parts().values()) == found.total
    assert all(size >= 0 for size in found.parts().values())


@pytest.mark.parametrize(
    ("values", "adapter"),
    [
        ({}, 41_943_040 * 4),  # peft keeps it in float32
        ({"model.quantization": "nf4"}, 41_943_040 * 2),  # trl casts it to bfloat16
        ({"lora.rank": 32}, 2 * 41_943_040 * 4),
        ({"method": "full"}, 0),
    ],
)
def test_the_adapters_bytes_are_those_of_its_parameters(values: dict[str, Value], adapter: int) -> None:
    """So few that a forecast without them was within the tolerance of the exact one."""
    found = forecast(recipe_with(values), shape_from(LLAMA_3_1_8B), "cuda")
    assert found.adapter == found.parts()["adapter"] == adapter


def test_weights_and_checkpoints_follow_from_the_counts() -> None:
    shape = shape_from(LLAMA_3_1_8B)
    assert weight_bytes(Recipe(), shape, "cuda") == 2 * 8_030_261_248
    assert weight_bytes(Recipe(), shape, "cpu") == 4 * 8_030_261_248
    assert trained_parameters(Recipe(), shape) == 41_943_040
    assert checkpoint_bytes(Recipe(), shape) == 41_943_040 * 12  # float32 and two states of AdamW
    assert trained_parameters(put(Recipe(), "method", "full"), shape) == 8_030_261_248
