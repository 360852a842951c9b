"""What is known of a run's memory here: exact forecasts that are kept, peaks that were measured, changes that help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.paths import hidden_dir
from core.recipe.devices import run_devices
from core.recipe.memory import context_bytes, forecast
from core.recipe.model_shape import ModelShape
from core.recipe.recipe import Recipe, put
from core.recipe.values import Value
from core.runs.exact_memory import (
    ExactMemory,
    MeasuredPeak,
    exact_key,
    keep_exact,
    keep_measured,
    read_exact,
)
from core.runs.fitting import changes_that_fit
from core.runs.known_memory import KnownMemory, known_memory, memory_line
from core.runs.placement import Placement
from core.runs.suggestions import CutSamples, suggestions
from tests.kit.recipe_models import LLAMA_3_1_8B, shape_from, write_model

_GIB = 2**30


def _with(recipe: Recipe, **values: Any) -> Recipe:
    for path, value in values.items():
        recipe = put(recipe, path.replace("__", "."), value)
    return recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A recipe of a model on paper: the config of Llama-3.1-8B, and no weights."""
    model = write_model(tmp_path / "model", config=LLAMA_3_1_8B, weights=False)
    return _with(Recipe(), model__path=str(model))


def _place(free: float | None) -> Placement:
    return Placement(run_devices(Recipe(), ()), "cuda", free=None if free is None else int(free))


def _known(recipe: Recipe, workspace: Path, free: float | None = 24 * _GIB) -> KnownMemory:
    return known_memory(recipe, shape_from(LLAMA_3_1_8B), _place(free), workspace)


def test_a_forecast_is_kept_by_all_that_it_depends_on_and_nothing_else(recipe: Recipe, tmp_path: Path) -> None:
    key = exact_key(recipe, "cuda")
    different: list[dict[str, Value]] = [
        {"lora__rank": 32},
        {"training__batch_size": 2},
        {"data__max_length": 1024},
        {"data__packing": "bfd"},
        {"model__quantization": "nf4"},
        {"method": "full"},
        {"training__optimizer": "adamw_8bit"},
    ]
    assert all(exact_key(_with(recipe, **values), "cuda") != key for values in different)
    same: list[dict[str, Value]] = [
        {"name": "other"},
        {"training__learning_rate": 1e-5},
        {"training__seed": 7},
        {"training__epochs": 5.0},
        {"training__gradient_accumulation": 16},
        {"data__train": ("/elsewhere.jsonl",)},
    ]
    assert all(exact_key(_with(recipe, **values), "cuda") == key for values in same)
    assert exact_key(recipe, "cpu") != key != exact_key(recipe, "cuda", [(300, 100)] * 4)
    (Path(recipe.model.path) / "config.json").write_text('{"model_type": "llama", "hidden_size": 64}')
    assert exact_key(recipe, "cuda") != key
    assert read_exact(tmp_path, key) is None
    keep_exact(tmp_path, key, ExactMemory(5, 3))
    assert read_exact(tmp_path, key) == ExactMemory(5, 3)


def test_an_exact_forecast_takes_the_place_of_the_estimate(recipe: Recipe, tmp_path: Path) -> None:
    before = _known(recipe, tmp_path)
    assert (before.source, before.figure[0]) == ("estimate", "~")
    assert before.close
    assert not _known(recipe, tmp_path, 80 * _GIB).close
    keep_exact(tmp_path, before.key, ExactMemory(20 * _GIB, 15 * _GIB))
    after = _known(recipe, tmp_path)
    assert after.source == "exact"
    assert not after.close
    assert after.need == 20 * _GIB + context_bytes("cuda")
    assert after.figure == "20.8 GiB"


def test_a_measured_run_is_what_its_settings_need_and_corrects_others(recipe: Recipe, tmp_path: Path) -> None:
    shape = shape_from(LLAMA_3_1_8B)
    fast = forecast(recipe, shape, "cuda").total
    peak = MeasuredPeak("2026-11-30-night", 1.1 * fast, fast, recipe.data.max_length)
    keep_measured(tmp_path, recipe, "cuda", "", peak)
    with (hidden_dir(tmp_path) / "measured.jsonl").open("a") as stream:
        stream.write('{"settings": "torn')
    known = _known(recipe, tmp_path)
    assert known.source == "measured"
    assert known.need == pytest.approx(1.1 * fast)
    assert "2026-11-30-night" in known.words()
    other = _with(recipe, lora__rank=32)
    corrected = _known(other, tmp_path)
    assert corrected.source == "estimate"
    assert corrected.need == pytest.approx(1.1 * forecast(other, shape, "cuda").total)
    assert "+10%" in corrected.words()
    assert known_memory(recipe, shape, _place(None), tmp_path, lengths=((300, 9),)).source == "estimate"
    keep_measured(tmp_path, other, "cuda", "another GPU", MeasuredPeak("elsewhere", 9 * fast, fast, 2048))
    assert _known(other, tmp_path).factor == pytest.approx(1.1)


def test_the_preflight_names_the_figure_its_source_and_what_would_fit(recipe: Recipe, tmp_path: Path) -> None:
    shape = shape_from(LLAMA_3_1_8B)
    verdict, words, path = memory_line(_known(recipe, tmp_path, 16 * _GIB), shape)
    assert (verdict, path) == ("warn", "model.quantization")
    assert "16.0 GiB" in words
    assert "nf4" in words
    verdict, words, _ = memory_line(_known(recipe, tmp_path, 80 * _GIB), shape)
    assert verdict == "ok"
    assert "80.0 GiB" in words
    assert "unknown" in memory_line(_known(recipe, tmp_path, None), shape)[1]


def _fitting(free: float, shape: ModelShape | None = None, **values: Any) -> list[dict[str, Value]]:
    recipe = _with(Recipe(), **values)
    found = changes_that_fit(recipe, shape or shape_from(LLAMA_3_1_8B), "cuda", free * _GIB)
    assert all(change.fits == (change.total <= free * _GIB) for change in found)
    assert all(
        change.total == forecast(change.apply(recipe), shape_from(LLAMA_3_1_8B), "cuda").total for change in found
    )
    return [dict(change.values) for change in found]


def test_what_changes_no_result_is_offered_first_and_the_largest_batch_that_fits() -> None:
    found = _fitting(22, training__batch_size=8)
    assert found[0] == {"training.batch_size": 2, "training.gradient_accumulation": 16}
    assert {"model.quantization": "nf4"} in found
    open_layers = _fitting(26, training__batch_size=1, training__activation_checkpointing=False)
    assert open_layers[0] == {"training.activation_checkpointing": True}


def test_changes_are_combined_where_no_single_one_is_enough() -> None:
    (found,) = _fitting(9, training__batch_size=8, data__max_length=4096)
    assert found["model.quantization"] == "nf4"
    assert found["training.batch_size"] == 1
    assert "lora.rank" not in found, "it saves next to nothing"
    (best,) = changes_that_fit(Recipe(), shape_from(LLAMA_3_1_8B), "cuda", 2 * _GIB)
    assert not best.fits, "a model of 8B in 2 GiB: the nearest is shown, and that it does not fit"


def test_nothing_is_offered_that_cannot_be() -> None:
    recipe = _with(Recipe(), method="full", model__dtype="bfloat16")
    found = changes_that_fit(recipe, shape_from(LLAMA_3_1_8B), "cuda", 60 * _GIB)
    assert all("model.quantization" not in change.values for change in found)
    assert any(change.values.get("method") == "lora" for change in found)


def _suggested(recipe: Recipe, known: KnownMemory, cut: CutSamples | None) -> list[tuple[dict[str, Value], str]]:
    found = suggestions(recipe, shape_from(LLAMA_3_1_8B), known, cut)
    return [(dict(each.values), each.sentence) for each in found]


def test_cut_samples_are_cited_with_the_length_that_keeps_them_and_its_cost(recipe: Recipe, tmp_path: Path) -> None:
    recipe = _with(recipe, data__max_length=1024)
    known = _known(recipe, tmp_path, 80 * _GIB)
    ((values, words),) = _suggested(recipe, known, CutSamples(412, 9_000, 1_490, 1_400))
    assert values == {"data.max_length": 1536}
    assert all(part in words for part in ("412", "1,024", "1,536", "cuts none", "GiB"))
    ((values, words),) = _suggested(recipe, known, CutSamples(412, 9_000, 60_000, 1_400))
    assert values == {"data.max_length": 1408}
    assert "longest 1%" in words
    assert "does not fit" in _suggested(recipe, _known(recipe, tmp_path, _GIB), CutSamples(1, 9, 1_490, 900))[0][1]


def test_a_run_that_left_most_of_the_memory_unused_speaks_for_a_larger_batch(recipe: Recipe, tmp_path: Path) -> None:
    fast = forecast(recipe, shape_from(LLAMA_3_1_8B), "cuda").total
    keep_measured(tmp_path, recipe, "cuda", "", MeasuredPeak("night", fast, fast, recipe.data.max_length))
    ((values, words),) = _suggested(recipe, _known(recipe, tmp_path, 80 * _GIB), None)
    assert values == {"training.batch_size": 8, "training.gradient_accumulation": 2}
    assert "night" in words
    assert not _suggested(recipe, _known(recipe, tmp_path, 30 * _GIB), None)
