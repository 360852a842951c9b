"""Training every weight: float32 weights with autocast where they fit, pure bfloat16 only after a yes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.gpu.nvml import GpuInventory
from core.gpu.readings import GpuSample
from core.paths import SAMPLE_DATA
from core.recipe.devices import RunDevices
from core.recipe.memory import forecast
from core.recipe.model_shape import read_shape
from core.recipe.precision import DeviceType, Precision, precision_of
from core.recipe.recipe import Recipe, put
from core.recipe.rules.validate import validate
from core.recipe.values import Value
from core.recipe.yamlfile import dumps
from core.runs import start
from core.runs.commands import own_recipe
from core.runs.placement import Placement
from core.runs.precision import NotConfirmed, choose_precision, with_precision
from core.runs.preflight import preflight
from tests.kit.recipe_models import LLAMA_3_1_8B, shape_from
from tests.kit.training_python import python_with_torch
from tui.cli import main

GIB = 2**30
FULL = put(Recipe(), "method", "full")


def with_values(recipe: Recipe, **values: Value) -> Recipe:
    for path, value in values.items():
        recipe = put(recipe, path.replace("__", "."), value)
    return recipe


def place(device: DeviceType, free: float | None, total: float = 0.0) -> Placement:
    size = None if free is None else int(free)
    return Placement(RunDevices(device == "cpu", (), None), device, free=size, total=int(total))


@pytest.mark.parametrize(
    ("dtype", "device", "whole", "expected"),
    [
        ("auto", "cuda", False, Precision("bfloat16", "bf16")),
        ("auto", "cuda_fp16", False, Precision("float16", "fp16")),
        ("auto", "cpu", True, Precision("float32", "no")),
        ("mixed_bfloat16", "cuda", True, Precision("float32", "bf16")),
        ("mixed_float16", "cuda_fp16", True, Precision("float32", "fp16")),
        ("float16", "cuda", True, Precision("float32", "fp16")),
        ("bfloat16", "cuda", True, Precision("bfloat16", "bf16")),
    ],
)
def test_what_a_precision_means(dtype: str, device: DeviceType, whole: bool, expected: Precision) -> None:
    assert precision_of(dtype, device, whole=whole) == expected


def test_auto_is_float32_weights_up_to_nine_tenths_of_the_free_memory() -> None:
    shape = shape_from(LLAMA_3_1_8B)
    need = forecast(put(FULL, "model.dtype", "mixed_bfloat16"), shape, "cuda").total
    fits = choose_precision(FULL, shape, place("cuda", need / 0.9 + 1))
    assert (fits.dtype, fits.confirm) == ("mixed_bfloat16", False)
    tight = choose_precision(FULL, shape, place("cuda", need / 0.9 - GIB))
    assert (tight.dtype, tight.level, tight.confirm) == ("bfloat16", "warn", True)
    assert "most weights never change" in tight.sentence
    waiting = choose_precision(FULL, shape, place("cuda", 0, need * 2), later=True)
    assert waiting.dtype == "mixed_bfloat16", "what other runs hold now does not count in the queue"
    older = choose_precision(FULL, shape, place("cuda_fp16", need * 2))
    assert older.dtype == "mixed_float16"
    assert choose_precision(FULL, shape, place("cuda_fp16", need / 2)).level == "stop"
    assert choose_precision(FULL, shape, place("cpu", 0)).dtype == "float32"
    assert choose_precision(FULL, None, place("cuda", 0)).dtype == "mixed_bfloat16"
    sharded = with_values(FULL, training__devices="0,1", training__parallel="fsdp")
    assert choose_precision(sharded, shape, place("cuda", GIB)).dtype == "mixed_bfloat16"


def test_lora_and_what_was_chosen_by_hand_stay_as_they_are() -> None:
    shape = shape_from(LLAMA_3_1_8B)
    for recipe in (Recipe(), *(put(FULL, "model.dtype", dtype) for dtype in ("bfloat16", "float32", "mixed_float16"))):
        choice = choose_precision(recipe, shape, place("cuda", GIB))
        assert with_precision(recipe, choice) == recipe
    pure = [
        problem for problem in validate(put(FULL, "model.dtype", "bfloat16"), shape) if problem.path == "model.dtype"
    ]
    assert [problem.severity for problem in pure] == ["warn"]


def test_the_forecast_has_float32_weights_gradients_states_and_the_copies_of_autocast() -> None:
    shape, one = shape_from(LLAMA_3_1_8B), put(FULL, "training.gradient_accumulation", 1)
    mixed = forecast(put(one, "model.dtype", "mixed_bfloat16"), shape, "cuda")
    pure = forecast(put(one, "model.dtype", "bfloat16"), shape, "cuda")
    assert mixed.weights == 4 * shape.parameters
    assert mixed.optimizer == 8 * shape.parameters
    assert pure.optimizer == 4 * shape.parameters
    assert mixed.total - mixed.context == pytest.approx(16 * shape.parameters, rel=0.05)  # at the optimizer's step
    several = forecast(put(FULL, "model.dtype", "mixed_bfloat16"), shape, "cuda")
    assert several.gradients == 4 * shape.parameters
    assert several.copies == pytest.approx(2 * shape.parameters, rel=0.08)
    assert several.total > mixed.total


def test_older_gpus_have_widths_of_their_own() -> None:
    shape = shape_from(LLAMA_3_1_8B)
    alone = put(Recipe(), "training.batch_size", 1)  # several samples have a mask, for which no GPU has flash attention
    quantized = put(alone, "model.quantization", "nf4")
    new, old = forecast(quantized, shape, "cuda"), forecast(quantized, shape, "cuda_fp16")
    assert old.adapter == 2 * new.adapter, "loss scaling wants float32 adapters"
    assert old.activations > new.activations, "no flash attention for grouped heads"
    alike = replace(shape, kv_heads=shape.heads)
    assert forecast(Recipe(), alike, "cuda_fp16").total == forecast(Recipe(), alike, "cuda").total


def test_fsdp_divides_what_ddp_copies() -> None:
    shape = shape_from(LLAMA_3_1_8B)
    full = put(FULL, "model.dtype", "mixed_bfloat16")
    alone = forecast(full, shape, "cuda")
    ddp = forecast(put(full, "training.devices", "0,1,2,3"), shape, "cuda")
    fsdp = forecast(with_values(full, training__devices="0,1,2,3", training__parallel="fsdp"), shape, "cuda")
    assert ddp.total == pytest.approx(alone.total + 4 * shape.parameters)
    assert fsdp.weights == alone.weights / 4
    assert fsdp.optimizer == alone.optimizer / 4
    assert 0 < fsdp.copies < 4 * GIB
    assert fsdp.total < alone.total / 2


def test_a_module_to_save_that_the_model_does_not_have_stops_the_start() -> None:
    shape = read_shape(str(SAMPLE_DATA / "tiny_base"))

    def problems(*names: str) -> list[str]:
        found = validate(put(Recipe(), "lora.modules_to_save", names), shape)
        return [problem.sentence for problem in found if problem.path == "lora.modules_to_save"]

    assert problems("embed_tokens", "lm_head", "model.norm", "input_layernorm", "layers.0.mlp.up_proj") == []
    (sentence,) = problems("embed_tokens", "lm_heads")
    assert "lm_heads" in sentence
    assert "embed_tokens" not in sentence.partition("it has")[0]
    assert problems("head"), "the end of a word is no module"
    assert problems("layers.0"), "peft cannot train a whole layer beside its adapters"
    assert shape.whole_modules(("norm",)) == shape.hidden


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe that trains every weight, on a machine whose torch says that it can."""
    monkeypatch.setenv("TUNEDECK_PYTHON", python_with_torch(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    made = put(FULL, "model.path", str(SAMPLE_DATA / "tiny_base"))
    made = put(made, "data.train", (str(SAMPLE_DATA / "support_train.jsonl"),))
    return with_values(made, training__learning_rate=1e-5, data__max_length=64)


def card(free: float, capability: tuple[int, int] = (8, 0)) -> GpuInventory:
    total = 80 * GIB
    return GpuInventory(
        (GpuSample(0, "GPU-0", "A card", total, total - int(free * GIB), capability=capability),), driver=None
    )


def test_the_answer_stands_in_the_runs_recipe_and_pure_bfloat16_needs_a_yes(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()

    def begun(free: float, **more: bool) -> str:
        monkeypatch.setattr(start, "read_gpus", lambda: card(free))
        run = start.prepare_run(recipe, workspace, **more)
        assert own_recipe(run.folder).model.dtype == run.recipe.model.dtype
        assert run.environment == {"CUDA_VISIBLE_DEVICES": "0"}
        return run.recipe.model.dtype

    assert begun(40) == "mixed_bfloat16"
    monkeypatch.chdir(workspace)
    (workspace / "recipe.yaml").write_text(dumps(recipe))
    monkeypatch.setattr(start, "read_gpus", lambda: card(0.5))
    assert main(["train", "recipe.yaml", "--detach"]) == 2
    assert "--pure-bf16" in capsys.readouterr().err
    with pytest.raises(NotConfirmed, match="--pure-bf16"):
        begun(0.5)
    assert begun(0.5, pure_bf16=True) == "bfloat16"
    assert begun(0.5, later=True) == "mixed_bfloat16"
    recipe = put(recipe, "training.devices", "cpu")
    assert start.prepare_run(recipe, workspace).recipe.model.dtype == "float32"
    assert start.prepare_run(put(recipe, "method", "lora"), workspace).recipe.model.dtype == "auto"


def test_the_preflight_says_what_will_be_trained_and_that_old_gpus_have_no_bfloat16(
    recipe: Recipe, tmp_path: Path
) -> None:
    def said(recipe: Recipe, gpu: GpuInventory) -> list[tuple[str, str]]:
        checks = preflight(recipe, tmp_path, gpus=gpu.gpus)
        return [(check.verdict, check.sentence) for check in checks if check.name == "precision"]

    assert said(recipe, card(40))[0][0] == "ok"
    ((level, words),) = said(recipe, card(0.5))
    assert level == "warn"
    assert "confirm" in words
    assert said(put(recipe, "method", "lora"), card(40)) == []
    old = card(40, (7, 5))
    assert "float16" in said(recipe, old)[0][1]
    assert said(put(recipe, "model.dtype", "bfloat16"), old)[0][0] == "stop"
    assert said(card_flash(recipe), old)[-1][0] == "stop"


def test_what_only_a_gpu_can_do_stops_a_run_that_would_be_on_the_cpu(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was found out by the worker, after the start."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for path, value in (("model.dtype", "mixed_float16"), ("model.attention", "flash_attention_2")):
        checks = preflight(put(recipe, path, value), tmp_path, gpus=card(40).gpus)
        assert [check.path for check in checks if check.verdict == "stop"] == [path]


def card_flash(recipe: Recipe) -> Recipe:
    return with_values(recipe, method="lora", model__attention="flash_attention_2")
